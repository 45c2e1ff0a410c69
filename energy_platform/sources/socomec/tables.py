"""The tables of Socomec SoData: its day table and the snapshots of its inventory.

Contracts only; what fills them is in ``pull``, what reads them in ``readings`` and ``discovery``.
"""

from __future__ import annotations

from typing import Final

from energy_platform.schemas import (
    BOOL,
    F64,
    I64,
    RAW_VALUE,
    TEXT,
    Table,
    column,
    instant_column,
    key_column,
)

RAW_SOCOMEC_DATAPOINTS: Final = Table(
    name="raw_socomec__datapoints",
    description="Raw datapoints of Socomec SoData, one row per device, service and sample.",
    columns=(
        key_column("device_uuid", "Device UUID at SoData."),
        key_column("item_type", "First part of the service triple, such as Global."),
        key_column("item_index", "Second part of the service triple, digits as text."),
        key_column("service_id", "Third part of the service triple, digits as text."),
        instant_column("at", "Sampling time as the vendor said it."),
        *RAW_VALUE,
        column("data_type", TEXT, "dataType of the series as the vendor said it."),
        column("device_time_zone", TEXT, "IANA zone of the device as the vendor said it."),
        column("ca_uuid", TEXT, "Corporate account the series was read from."),
        key_column(
            "serial_number", "Serial number of the device, the stable part of the point id."
        ),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id", "at"),
)

RAW_SOCOMEC_SITES: Final = Table(
    name="raw_socomec__sites",
    description="Newest snapshot of the sites visible at SoData.",
    columns=(
        key_column("uuid", "Site UUID."),
        key_column("ca_uuid", "Corporate account UUID."),
        column("customer_uuid", TEXT, "Customer UUID."),
        column("name", TEXT, "Name shown to users."),
        column("time_zone", TEXT, "IANA zone."),
        column("devices_quantity", I64, "Number of devices the vendor counts.", unit="count"),
    ),
    sort_key=("uuid",),
    partitioned=False,
)

RAW_SOCOMEC_DEVICES: Final = Table(
    name="raw_socomec__devices",
    description="Newest snapshot of the devices and gateways visible at SoData.",
    columns=(
        key_column("uuid", "Device UUID."),
        key_column("ca_uuid", "Corporate account UUID."),
        column("site_uuid", TEXT, "Site UUID."),
        column("gateway_uuid", TEXT, "UUID of the gateway the device hangs on."),
        key_column("serial_number", "Serial number."),
        column("name", TEXT, "Name shown to users."),
        column("model_name", TEXT, "Model."),
        column("manufacturer", TEXT, "Manufacturer."),
        column("time_zone", TEXT, "IANA zone of the device."),
        column("status", TEXT, "Status as the vendor said it."),
        column("connection_status", TEXT, "Connection status as the vendor said it."),
    ),
    sort_key=("uuid",),
    partitioned=False,
)

RAW_SOCOMEC_VARIABLES: Final = Table(
    name="raw_socomec__variables",
    description="Newest snapshot of the variables (services) of the SoData devices.",
    columns=(
        key_column("uuid", "Variable UUID."),
        key_column("device_uuid", "Device UUID."),
        key_column("item_type", "First part of the service triple."),
        key_column("item_index", "Second part of the service triple."),
        key_column("service_id", "Third part of the service triple."),
        column("service_name", TEXT, "Technical service name."),
        column("service_type", TEXT, "Measure or Alarm."),
        column("service_group", TEXT, "Group such as Output."),
        column("title", TEXT, "English title."),
        column("unit", TEXT, "Unit enum of the variable or of its last value."),
        column("is_computed", BOOL, "Whether the vendor computes it."),
        column("is_scaled", BOOL, "Whether a coefficient or an offset is set at the vendor."),
        column("polling_time", I64, "Polling time; the vendor documents no unit."),
        column("active", BOOL, "Whether the variable is collected."),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id"),
    partitioned=False,
)

RAW_SOCOMEC_CUSTOMERS: Final = Table(
    name="raw_socomec__customers",
    description="Customers visible at SoData when last they could be read, without personal data.",
    columns=(
        key_column("uuid", "Customer UUID; sites name it as customer_uuid."),
        key_column("ca_uuid", "Corporate account UUID."),
        column("name", TEXT, "Name; e-mail addresses and telephone numbers in it are masked."),
        column("sites_quantity", I64, "Number of sites the vendor counts.", unit="count"),
    ),
    sort_key=("uuid",),
    partitioned=False,
)

RAW_SOCOMEC_LAST_VALUES: Final = Table(
    name="raw_socomec__last_values",
    description=(
        "Newest value of each variable of the SoData devices as of the last inventory, each with "
        "its own date; one that never changed can be months old."
    ),
    columns=(
        key_column("device_uuid", "Device UUID."),
        key_column("item_type", "First part of the service triple."),
        key_column("item_index", "Second part of the service triple."),
        key_column("service_id", "Third part of the service triple."),
        instant_column(
            "at", "Sampling time as the vendor said it; null when unreadable.", nullable=True
        ),
        column("value", F64, "Number as the vendor said it, in the row's own unit."),
        column("value_text", TEXT, "What the vendor said when it was not a number."),
        column("unit", TEXT, "Unit as the vendor said it, such as AMPERE; null when none."),
        column("title", TEXT, "Title."),
        column("service_type", TEXT, "Measure or Alarm."),
        key_column("serial_number", "Serial number of the device."),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id"),
    partitioned=False,
)
