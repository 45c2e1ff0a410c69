"""The tables of SkyCentrics: its day table and the snapshots of its inventory.

Contracts only; what fills them is in ``pull``, what reads them in ``readings`` and ``discovery``.
"""

from __future__ import annotations

from typing import Final

from energy_platform.schemas import (
    F64,
    I64,
    RAW_VALUE,
    TEXT,
    Table,
    column,
    instant_column,
    key_column,
)

RAW_SKYCENTRICS_SAMPLES: Final = Table(
    name="raw_skycentrics__samples",
    description="Sensor samples of SkyCentrics gateways, folded from polls and history.",
    columns=(
        key_column("device_id", "Gateway id."),
        key_column("sensor_id", "Sensor id, an opaque text."),
        instant_column("at", "The sensor's own time."),
        *RAW_VALUE,
        column("sensor_name", TEXT, "Sensor name as the vendor said it."),
        column("sensor_type", TEXT, "Free label of the vendor; not reliable."),
        column("units", TEXT, "Unit as the vendor said it; empty text when none."),
        column("source", TEXT, "Where the sample came from: poll or history."),
        instant_column(
            "first_seen_at", "Poll that first showed the sample; null for history.", nullable=True
        ),
    ),
    sort_key=("device_id", "sensor_id", "at"),
)

RAW_SKYCENTRICS_DEVICES: Final = Table(
    name="raw_skycentrics__devices",
    description="Newest snapshot of the SkyCentrics gateways of the account.",
    columns=(
        key_column("id", "Gateway id."),
        column("name", TEXT, "Name."),
        column("type", I64, "Device type; 250 is a Super SkyBox gateway."),
        column("group", I64, "Group."),
        column("mac", TEXT, "MAC address or serial number."),
    ),
    sort_key=("id",),
    partitioned=False,
)

RAW_SKYCENTRICS_SENSORS: Final = Table(
    name="raw_skycentrics__sensors",
    description="Newest snapshot of the sensors of the SkyCentrics gateways.",
    columns=(
        key_column("device_id", "Gateway id."),
        key_column("sensor_id", "Sensor id."),
        column("name", TEXT, "Name."),
        column("type", TEXT, "Free label of the vendor."),
        column("units", TEXT, "Unit as the vendor said it."),
        instant_column("at", "Time of the newest sample.", nullable=True),
        column("value", F64, "Newest value, in the row's own unit."),
        column("value_text", TEXT, "What the vendor said when it was not a number."),
    ),
    sort_key=("device_id", "sensor_id"),
    partitioned=False,
)
