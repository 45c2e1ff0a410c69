"""The tables of Belimo Cloud: its day table and the snapshots of its inventory.

Contracts only; what fills them is in ``pull``, what reads them in ``readings`` and ``discovery``.
"""

from __future__ import annotations

from typing import Final

from energy_platform.schemas import (
    RAW_VALUE,
    TEXT,
    Table,
    column,
    instant_column,
    key_column,
)

RAW_BELIMO_SAMPLES: Final = Table(
    name="raw_belimo__samples",
    description="Raw samples of Belimo Cloud devices, one row per datapoint and sample.",
    columns=(
        key_column(
            "device_id", "Data scope of the device; changes when the device is transferred."
        ),
        key_column("datapoint_id", "Datapoint id of the dataprofile, such as evcloud.210."),
        instant_column(
            "at", "Sample time as the vendor said it; of resampled history the bucket's end."
        ),
        *RAW_VALUE,
        key_column("serial_number", "Serial number, the stable part of the point id."),
        column("dataprofile", TEXT, "Dataprofile id/version the datapoint was read through."),
    ),
    sort_key=("device_id", "datapoint_id", "at"),
)

RAW_BELIMO_DEVICES: Final = Table(
    name="raw_belimo__devices",
    description="Newest snapshot of the registered Belimo Cloud devices.",
    columns=(
        key_column("id", "Data scope of the device."),
        key_column("serial_number", "Serial number."),
        column("production_id", TEXT, "Production id."),
        column("display_name", TEXT, "Name shown to users."),
        column("material_number", TEXT, "Material number."),
        column("device_type", TEXT, "Device type."),
        column("dataprofile", TEXT, "Dataprofile id/version; null when unknown."),
        column("health_state", TEXT, "OK, WARNING, ERROR or UNKNOWN."),
        instant_column("last_seen_at", "Last contact with the cloud.", nullable=True),
        column("project_name", TEXT, "Project."),
        column("address_city", TEXT, "City."),
        column("address_country", TEXT, "Country."),
    ),
    sort_key=("id",),
    partitioned=False,
)

RAW_BELIMO_DATAPROFILES: Final = Table(
    name="raw_belimo__dataprofiles",
    description="Datapoints of the Belimo dataprofiles in use.",
    columns=(
        key_column("dataprofile", "Dataprofile id/version."),
        key_column("datapoint_id", "Datapoint id."),
        column("name", TEXT, "Name of the datapoint."),
        column("basetype", TEXT, "real, int, text or bool."),
        column("access", TEXT, "r, w or rw."),
        column("description", TEXT, "Description."),
        column("unit", TEXT, "Unit from the profile, or from the end of the description."),
    ),
    sort_key=("dataprofile", "datapoint_id"),
    partitioned=False,
)
