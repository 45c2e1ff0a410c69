"""The contract of every table: columns, dtypes, units, sort keys and descriptions.

One registry drives the Parquet files, the Dagster column schemas and the asset checks.
A table's name is also its folder in the lake and the last part of its asset key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

INSTANT: Final = pl.Datetime("us", "UTC")
"""Every instant of the platform: microseconds, UTC."""

Status = Literal["ok", "quarantined"]
DeltaStatus = Literal[
    "first", "exchange", "rollover", "reset", "spike_reversal", "over_limit", "dip", "gap", "ok"
]
Method = Literal["register", "power", "increment"]
Kind = Literal["register", "increment", "gauge", "state", "bitfield"]
Carrier = Literal["electricity", "heating", "cooling", "water"]
Role = Literal["main", "sub", "generation", "storage", "none"]
Phase = Literal["total", "L1", "L2", "L3", "N", "L12", "L13", "L23"]
Vendor = Literal["socomec", "belimo", "skycentrics"]
Quantity = Literal[
    "active_energy_import",
    "active_energy_export",
    "active_energy_net",
    "generation_energy",
    "battery_energy_charge",
    "battery_energy_discharge",
    "reactive_energy_import",
    "reactive_energy_export",
    "apparent_energy",
    "heating_energy",
    "cooling_energy",
    "active_power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "voltage",
    "current",
    "frequency",
    "volume",
    "volume_flow",
    "temperature",
    "temperature_difference",
    "state_of_charge",
    "stored_energy",
    "operating_time",
    "battery_capacity",
    "load_rate",
    "lighting_level",
    "illuminance",
    "count",
    "state",
    "other",
]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    dtype: pl.DataType
    description: str
    unit: str | None = None
    nullable: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the lake.

    Attributes:
        name: Folder in the lake and last part of the asset key.
        description: One sentence for people.
        columns: Columns in file order.
        sort_key: Names of the columns that order the rows and identify one.
        partitioned: Whether the table has one file per UTC day.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    sort_key: tuple[str, ...]
    partitioned: bool = True

    @property
    def schema(self) -> pl.Schema:
        """Column names and dtypes in file order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """Return a frame with zero rows and the full schema."""
        return pl.DataFrame(schema=self.schema)


def _col(
    name: str,
    dtype: pl.DataType,
    description: str,
    *,
    unit: str | None = None,
    nullable: bool = True,
) -> Column:
    return Column(name=name, dtype=dtype, description=description, unit=unit, nullable=nullable)


_TEXT: Final = pl.String()
_F64: Final = pl.Float64()
_BOOL: Final = pl.Boolean()
_I64: Final = pl.Int64()


def _key(name: str, description: str) -> Column:
    return _col(name, _TEXT, description, nullable=False)


def _instant(name: str, description: str, *, nullable: bool = False) -> Column:
    return _col(name, INSTANT, description, unit="UTC", nullable=nullable)


_RAW_VALUE: Final = (
    _col("value", _F64, "Number as the vendor said it; null when it was not a number."),
    _col("value_text", _TEXT, "What the vendor said when it was not a number (text, boolean)."),
)

RAW_SOCOMEC_DATAPOINTS: Final = Table(
    name="raw_socomec__datapoints",
    description="Raw datapoints of Socomec SoData, one row per device, service and sample.",
    columns=(
        _key("device_uuid", "Device UUID at SoData."),
        _key("item_type", "First part of the service triple, such as Global."),
        _key("item_index", "Second part of the service triple, digits as text."),
        _key("service_id", "Third part of the service triple, digits as text."),
        _instant("at", "Sampling time as the vendor said it."),
        *_RAW_VALUE,
        _col("data_type", _TEXT, "dataType of the series as the vendor said it."),
        _col("device_time_zone", _TEXT, "IANA zone of the device as the vendor said it."),
        _col("ca_uuid", _TEXT, "Corporate account the series was read from."),
        _key("serial_number", "Serial number of the device, the stable part of the point id."),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id", "at"),
)

RAW_BELIMO_SAMPLES: Final = Table(
    name="raw_belimo__samples",
    description="Raw samples of Belimo Cloud devices, one row per datapoint and sample.",
    columns=(
        _key("device_id", "Data scope of the device; changes when the device is transferred."),
        _key("datapoint_id", "Datapoint id of the dataprofile, such as evcloud.210."),
        _instant("at", "Sample time as the vendor said it; of resampled history the bucket's end."),
        *_RAW_VALUE,
        _key("serial_number", "Serial number, the stable part of the point id."),
        _col("dataprofile", _TEXT, "Dataprofile id/version the datapoint was read through."),
    ),
    sort_key=("device_id", "datapoint_id", "at"),
)

RAW_SKYCENTRICS_SAMPLES: Final = Table(
    name="raw_skycentrics__samples",
    description="Sensor samples of SkyCentrics gateways, folded from polls and history.",
    columns=(
        _key("device_id", "Gateway id."),
        _key("sensor_id", "Sensor id, an opaque text."),
        _instant("at", "The sensor's own time."),
        *_RAW_VALUE,
        _col("sensor_name", _TEXT, "Sensor name as the vendor said it."),
        _col("sensor_type", _TEXT, "Free label of the vendor; not reliable."),
        _col("units", _TEXT, "Unit as the vendor said it; empty text when none."),
        _col("source", _TEXT, "Where the sample came from: poll or history."),
        _instant(
            "first_seen_at", "Poll that first showed the sample; null for history.", nullable=True
        ),
    ),
    sort_key=("device_id", "sensor_id", "at"),
)

RAW_SOCOMEC_SITES: Final = Table(
    name="raw_socomec__sites",
    description="Newest snapshot of the sites visible at SoData.",
    columns=(
        _key("uuid", "Site UUID."),
        _key("ca_uuid", "Corporate account UUID."),
        _col("customer_uuid", _TEXT, "Customer UUID."),
        _col("name", _TEXT, "Name shown to users."),
        _col("time_zone", _TEXT, "IANA zone."),
        _col("devices_quantity", _I64, "Number of devices the vendor counts.", unit="count"),
    ),
    sort_key=("uuid",),
    partitioned=False,
)

RAW_SOCOMEC_DEVICES: Final = Table(
    name="raw_socomec__devices",
    description="Newest snapshot of the devices and gateways visible at SoData.",
    columns=(
        _key("uuid", "Device UUID."),
        _key("ca_uuid", "Corporate account UUID."),
        _col("site_uuid", _TEXT, "Site UUID."),
        _col("gateway_uuid", _TEXT, "UUID of the gateway the device hangs on."),
        _key("serial_number", "Serial number."),
        _col("name", _TEXT, "Name shown to users."),
        _col("model_name", _TEXT, "Model."),
        _col("manufacturer", _TEXT, "Manufacturer."),
        _col("time_zone", _TEXT, "IANA zone of the device."),
        _col("status", _TEXT, "Status as the vendor said it."),
        _col("connection_status", _TEXT, "Connection status as the vendor said it."),
    ),
    sort_key=("uuid",),
    partitioned=False,
)

RAW_SOCOMEC_VARIABLES: Final = Table(
    name="raw_socomec__variables",
    description="Newest snapshot of the variables (services) of the SoData devices.",
    columns=(
        _key("uuid", "Variable UUID."),
        _key("device_uuid", "Device UUID."),
        _key("item_type", "First part of the service triple."),
        _key("item_index", "Second part of the service triple."),
        _key("service_id", "Third part of the service triple."),
        _col("service_name", _TEXT, "Technical service name."),
        _col("service_type", _TEXT, "Measure or Alarm."),
        _col("service_group", _TEXT, "Group such as Output."),
        _col("title", _TEXT, "English title."),
        _col("unit", _TEXT, "Unit enum of the variable or of its last value."),
        _col("is_computed", _BOOL, "Whether the vendor computes it."),
        _col("is_scaled", _BOOL, "Whether a coefficient or an offset is set at the vendor."),
        _col("polling_time", _I64, "Polling time; the vendor documents no unit."),
        _col("active", _BOOL, "Whether the variable is collected."),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id"),
    partitioned=False,
)

RAW_SOCOMEC_CUSTOMERS: Final = Table(
    name="raw_socomec__customers",
    description="Customers visible at SoData when last they could be read, without personal data.",
    columns=(
        _key("uuid", "Customer UUID; sites name it as customer_uuid."),
        _key("ca_uuid", "Corporate account UUID."),
        _col("name", _TEXT, "Name; e-mail addresses and telephone numbers in it are masked."),
        _col("sites_quantity", _I64, "Number of sites the vendor counts.", unit="count"),
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
        _key("device_uuid", "Device UUID."),
        _key("item_type", "First part of the service triple."),
        _key("item_index", "Second part of the service triple."),
        _key("service_id", "Third part of the service triple."),
        _instant("at", "Sampling time as the vendor said it; null when unreadable.", nullable=True),
        _col("value", _F64, "Number as the vendor said it, in the row's own unit."),
        _col("value_text", _TEXT, "What the vendor said when it was not a number."),
        _col("unit", _TEXT, "Unit as the vendor said it, such as AMPERE; null when none."),
        _col("title", _TEXT, "Title."),
        _col("service_type", _TEXT, "Measure or Alarm."),
        _key("serial_number", "Serial number of the device."),
    ),
    sort_key=("device_uuid", "item_type", "item_index", "service_id"),
    partitioned=False,
)

RAW_BELIMO_DEVICES: Final = Table(
    name="raw_belimo__devices",
    description="Newest snapshot of the registered Belimo Cloud devices.",
    columns=(
        _key("id", "Data scope of the device."),
        _key("serial_number", "Serial number."),
        _col("production_id", _TEXT, "Production id."),
        _col("display_name", _TEXT, "Name shown to users."),
        _col("material_number", _TEXT, "Material number."),
        _col("device_type", _TEXT, "Device type."),
        _col("dataprofile", _TEXT, "Dataprofile id/version; null when unknown."),
        _col("health_state", _TEXT, "OK, WARNING, ERROR or UNKNOWN."),
        _instant("last_seen_at", "Last contact with the cloud.", nullable=True),
        _col("project_name", _TEXT, "Project."),
        _col("address_city", _TEXT, "City."),
        _col("address_country", _TEXT, "Country."),
    ),
    sort_key=("id",),
    partitioned=False,
)

RAW_BELIMO_DATAPROFILES: Final = Table(
    name="raw_belimo__dataprofiles",
    description="Datapoints of the Belimo dataprofiles in use.",
    columns=(
        _key("dataprofile", "Dataprofile id/version."),
        _key("datapoint_id", "Datapoint id."),
        _col("name", _TEXT, "Name of the datapoint."),
        _col("basetype", _TEXT, "real, int, text or bool."),
        _col("access", _TEXT, "r, w or rw."),
        _col("description", _TEXT, "Description."),
        _col("unit", _TEXT, "Unit from the profile, or from the end of the description."),
    ),
    sort_key=("dataprofile", "datapoint_id"),
    partitioned=False,
)

RAW_SKYCENTRICS_DEVICES: Final = Table(
    name="raw_skycentrics__devices",
    description="Newest snapshot of the SkyCentrics gateways of the account.",
    columns=(
        _key("id", "Gateway id."),
        _col("name", _TEXT, "Name."),
        _col("type", _I64, "Device type; 250 is a Super SkyBox gateway."),
        _col("group", _I64, "Group."),
        _col("mac", _TEXT, "MAC address or serial number."),
    ),
    sort_key=("id",),
    partitioned=False,
)

RAW_SKYCENTRICS_SENSORS: Final = Table(
    name="raw_skycentrics__sensors",
    description="Newest snapshot of the sensors of the SkyCentrics gateways.",
    columns=(
        _key("device_id", "Gateway id."),
        _key("sensor_id", "Sensor id."),
        _col("name", _TEXT, "Name."),
        _col("type", _TEXT, "Free label of the vendor."),
        _col("units", _TEXT, "Unit as the vendor said it."),
        _instant("at", "Time of the newest sample.", nullable=True),
        _col("value", _F64, "Newest value, in the row's own unit."),
        _col("value_text", _TEXT, "What the vendor said when it was not a number."),
    ),
    sort_key=("device_id", "sensor_id"),
    partitioned=False,
)

CORE_READINGS: Final = Table(
    name="core_readings",
    description="Every reading judged once: canonical unit, status and reason.",
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("at", "Sampling time."),
        _col("quantity", _TEXT, "What is measured.", nullable=False),
        _col("value", _F64, "Value in the canonical unit; as said when quarantined."),
        _col("unit", _TEXT, "Canonical unit; as said when quarantined."),
        _col("text", _TEXT, "Text of states, and of values that are not numbers."),
        _col("status", _TEXT, "ok or quarantined.", nullable=False),
        _col("reason", _TEXT, "Why a reading is quarantined, or was corrected."),
    ),
    sort_key=("point_id", "at"),
)

CORE_ENERGY_DELTAS: Final = Table(
    name="core_energy_deltas",
    description="Energy between settled readings, one row per step of a register.",
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("end_at", "Reading that settled the step."),
        _instant("start_at", "Reading the step starts from; the reading itself for first rows."),
        _instant(
            "counted_from",
            "When the energy began to flow: start_at, or earlier where the register stood still.",
        ),
        _col("register_start_wh", _F64, "Register at start_at.", unit="Wh"),
        _col("register_end_wh", _F64, "Register at end_at.", unit="Wh"),
        _col("energy_wh", _F64, "Energy of the step; null when unknown.", unit="Wh"),
        _col(
            "refused_wh",
            _F64,
            "What the register showed and the rule did not book, signed.",
            unit="Wh",
        ),
        _col(
            "status",
            _TEXT,
            "first, exchange, rollover, reset, spike_reversal, over_limit, dip, gap or ok.",
        ),
        _col(
            "estimated",
            _BOOL,
            "Whether when the energy flowed is known to no better than gap_after.",
        ),
        _col("dropped", _I64, "Readings between start and end that never became energy."),
        _col("reason", _TEXT, "Why the status is not ok."),
        _col("method", _TEXT, "register, power or increment."),
    ),
    sort_key=("point_id", "end_at"),
)

CORE_REGISTER_STATE: Final = Table(
    name="core_register_state",
    description=(
        "All that the next day needs of each register: last good readings and what is unconfirmed."
    ),
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("at", "Sampling time of the carried reading."),
        _col("value_wh", _F64, "Register value; in its own unit where it counts no energy."),
        _col("kind", _TEXT, "previous, good, unconfirmed or zero.", nullable=False),
        _col("total_wh", _F64, "Counted by the point since its first reading, same unit."),
        _instant("lower_at", "When the register had last shown less.", nullable=True),
        _instant("reached_at", "When the register first showed its value.", nullable=True),
        _col("limit_w", _F64, "Limit learned so far, where the portfolio has none.", unit="W"),
        _col("rises", _I64, "Rises the limit was learned from, at most three."),
        _col("dropped", _I64, "Readings since the good one that never became energy."),
    ),
    sort_key=("point_id", "at"),
)

CORE_REGISTER_REJECTS: Final = Table(
    name="core_register_rejects",
    description="Readings of registers that never became energy.",
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("at", "Sampling time."),
        _col("value_wh", _F64, "Register value; in its own unit where it counts no energy."),
        _col("reason", _TEXT, "Why it never became energy."),
        _instant("settled_by", "Reading that settled the matter.", nullable=True),
    ),
    sort_key=("point_id", "at"),
)

CORE_ENERGY_INTERVALS: Final = Table(
    name="core_energy_intervals",
    description=(
        "Contributions of the deltas that end on the day to 15-minute UTC buckets; "
        "a bucket's energy is the sum over all files."
    ),
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("interval_start", "Start of the bucket."),
        _col("energy_wh", _F64, "Energy contributed to the bucket.", unit="Wh"),
        _col("estimated_wh", _F64, "Part of energy_wh spread over a long step.", unit="Wh"),
        _col("refused_wh", _F64, "What registers showed and was not booked, signed.", unit="Wh"),
        _col("covered_s", _F64, "Seconds of the bucket covered by steps.", unit="s"),
        _col("method", _TEXT, "register, power or increment."),
    ),
    sort_key=("point_id", "interval_start"),
)

CORE_CONSUMPTION_DELTAS: Final = Table(
    name="core_consumption_deltas",
    description=(
        "Consumption that is not energy in watt-hours (m³, varh, VAh, s, counts) between settled "
        "readings, one row per step of a register."
    ),
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("end_at", "Reading that settled the step."),
        _instant("start_at", "Reading the step starts from; the reading itself for first rows."),
        _instant(
            "counted_from",
            "When the amount began to flow: start_at, or earlier where the register stood still.",
        ),
        _col("quantity", _TEXT, "What is counted.", nullable=False),
        _col("unit", _TEXT, "Canonical unit of the amounts in the row."),
        _col("register_start", _F64, "Register at start_at, in the row's unit."),
        _col("register_end", _F64, "Register at end_at, in the row's unit."),
        _col("consumption", _F64, "Amount of the step, in the row's unit; null when unknown."),
        _col("refused", _F64, "What the register showed and the rule did not book, signed."),
        _col(
            "status",
            _TEXT,
            "first, exchange, rollover, reset, spike_reversal, over_limit, dip, gap or ok.",
        ),
        _col(
            "estimated",
            _BOOL,
            "Whether when the amount flowed is known to no better than gap_after.",
        ),
        _col("dropped", _I64, "Readings between start and end that were never counted."),
        _col("reason", _TEXT, "Why the status is not ok."),
        _col("method", _TEXT, "register or increment."),
    ),
    sort_key=("point_id", "end_at"),
)

CORE_CONSUMPTION_INTERVALS: Final = Table(
    name="core_consumption_intervals",
    description=(
        "Contributions of the consumption deltas that end on the day to 15-minute UTC buckets; "
        "a bucket's consumption is the sum over all files."
    ),
    columns=(
        _key("point_id", "Stable id of the point."),
        _instant("interval_start", "Start of the bucket."),
        _col("quantity", _TEXT, "What is counted.", nullable=False),
        _col("unit", _TEXT, "Canonical unit of the amounts in the row."),
        _col("consumption", _F64, "Amount contributed to the bucket, in the row's unit."),
        _col("estimated_consumption", _F64, "Part of consumption spread over a long step."),
        _col("refused", _F64, "What registers showed and was not booked, signed."),
        _col("covered_s", _F64, "Seconds of the bucket covered by steps.", unit="s"),
        _col("method", _TEXT, "register or increment."),
    ),
    sort_key=("point_id", "interval_start"),
)

RAW_DAY_TABLES: Final[dict[Vendor, Table]] = {
    "socomec": RAW_SOCOMEC_DATAPOINTS,
    "belimo": RAW_BELIMO_SAMPLES,
    "skycentrics": RAW_SKYCENTRICS_SAMPLES,
}
"""The daily raw table of each vendor."""


def _rejects(vendor: Vendor) -> Table:
    return Table(
        name=f"raw_{vendor}__rejects",
        description=(
            f"Odd rows of {vendor}, set aside one by one: without a readable stamp, or no rows at "
            "all. They are in no other table."
        ),
        columns=(
            _key("device", "Serial number of the device, or its id at the vendor."),
            _key("series", "Series as the vendor names it within the device; empty when unknown."),
            _key("row_id", "Digest of what the row said, and which of several equal ones it is."),
            _col("stamp_text", _TEXT, "Stamp as the vendor said it; null when there was none."),
            _col("value_text", _TEXT, "Value as the vendor said it; null when there was none."),
            _col("reason", _TEXT, "Why the row was set aside.", nullable=False),
        ),
        sort_key=("device", "series", "row_id"),
    )


RAW_REJECT_TABLES: Final[dict[Vendor, Table]] = {
    "socomec": _rejects("socomec"),
    "belimo": _rejects("belimo"),
    "skycentrics": _rejects("skycentrics"),
}
"""The odd rows of each vendor; a day without any has no file."""

INVENTORY_TABLES: Final[dict[Vendor, tuple[Table, ...]]] = {
    "socomec": (
        RAW_SOCOMEC_SITES,
        RAW_SOCOMEC_DEVICES,
        RAW_SOCOMEC_VARIABLES,
        RAW_SOCOMEC_CUSTOMERS,
        RAW_SOCOMEC_LAST_VALUES,
    ),
    "belimo": (RAW_BELIMO_DEVICES, RAW_BELIMO_DATAPROFILES),
    "skycentrics": (RAW_SKYCENTRICS_DEVICES, RAW_SKYCENTRICS_SENSORS),
}
"""The inventory snapshots of each vendor."""

CORE_TABLES: Final = (
    CORE_READINGS,
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_STATE,
    CORE_REGISTER_REJECTS,
    CORE_ENERGY_INTERVALS,
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
)
"""The derived tables, in the order a refresh writes them."""

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        *RAW_DAY_TABLES.values(),
        *(table for tables in INVENTORY_TABLES.values() for table in tables),
        *CORE_TABLES,
    )
}
"""Every table of the lake by name."""


def violations(frame: pl.DataFrame, *, table: Table) -> list[str]:
    """Say in what way a frame breaks its table's contract.

    Args:
        frame: Any frame.
        table: The contract.

    Returns:
        One sentence per breach, empty when the frame keeps the contract: columns and dtypes
        in order, no nulls where none may be, sorted by the key and the key unique.
    """
    if dict(frame.schema) != dict(table.schema) or frame.columns != list(table.schema):
        expected = ", ".join(f"{name} {dtype}" for name, dtype in table.schema.items())
        came = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
        return [f"{table.name}: columns should be ({expected}), are ({came})"]
    found = [
        f"{table.name}.{column.name}: {nulls} nulls where none may be"
        for column in table.columns
        if not column.nullable and (nulls := frame[column.name].null_count())
    ]
    if frame.height > 1:
        key = frame.select(pl.struct(table.sort_key).alias("key"))
        order = key.select(
            pl.col("key").is_duplicated().sum().alias("repeated"),
            (pl.col("key") == pl.col("key").sort()).all().alias("is_sorted"),
        ).row(0, named=True)
        if order["repeated"]:
            found.append(f"{table.name}: {order['repeated']} rows share a key {table.sort_key}")
        if not order["is_sorted"]:
            found.append(f"{table.name}: rows are not sorted by {table.sort_key}")
    return found
