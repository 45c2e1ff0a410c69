"""The contract of every table: columns, dtypes, units, sort keys and descriptions.

A contract drives the Parquet files, the Dagster column schemas and the asset checks. A table's
name is also its folder in the lake and the last part of its asset key. The tables of a source stand
in its folder; ``energy_platform.sources.registry`` lists those of all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import polars as pl

INSTANT: Final = pl.Datetime("us", "UTC")
"""Every instant of the platform: microseconds, UTC."""

Status = Literal["ok", "quarantined"]
DeltaStatus = Literal[
    "first", "exchange", "rollover", "reset", "spike_reversal", "over_limit", "dip", "gap", "ok"
]
Method = Literal["register", "power", "increment", "virtual"]
Kind = Literal["register", "increment", "gauge", "state", "bitfield"]
Carrier = Literal["electricity", "heating", "cooling", "water", "gas"]
Role = Literal["main", "sub", "generation", "storage", "none"]
ONCE_PER_SITE: Final[frozenset[Role]] = frozenset({"main", "generation", "storage"})
"""Roles whose energy enters the use of a site; a meter behind such a one is a submeter, ``sub``."""
Phase = Literal["total", "L1", "L2", "L3", "N", "L12", "L13", "L23"]
Vendor: TypeAlias = str
"""Name of a registered source; ``energy_platform.sources.registry`` knows them all."""
VIRTUAL: Final = "virtual"
"""In place of a vendor on devices whose points are computed from others; no source has the name."""
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
    "pressure",
    "temperature",
    "supply_temperature",
    "return_temperature",
    "outdoor_temperature",
    "temperature_difference",
    "humidity",
    "co2_concentration",
    "valve_position",
    "setpoint",
    "input_energy",
    "output_energy",
    "state_of_charge",
    "state_of_health",
    "stored_energy",
    "storable_energy",
    "available_power",
    "operating_time",
    "time_on_battery",
    "time_on_bypass",
    "battery_capacity",
    "load_rate",
    "lighting_level",
    "illuminance",
    "count",
    "overload_count",
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
        description: One sentence for display.
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


TEXT: Final = pl.String()
F64: Final = pl.Float64()
BOOL: Final = pl.Boolean()
I64: Final = pl.Int64()


def column(
    name: str,
    dtype: pl.DataType,
    description: str,
    *,
    unit: str | None = None,
    nullable: bool = True,
) -> Column:
    """Return a column, with its description as users read it."""
    return Column(name=name, dtype=dtype, description=description, unit=unit, nullable=nullable)


def key_column(name: str, description: str) -> Column:
    """Return a column of texts that are part of a key: never null."""
    return column(name, TEXT, description, nullable=False)


def instant_column(name: str, description: str, *, nullable: bool = False) -> Column:
    """Return a column of UTC instants."""
    return column(name, INSTANT, description, unit="UTC", nullable=nullable)


RAW_VALUE: Final = (
    column("value", F64, "Number as the vendor said it; null when it was not a number."),
    column("value_text", TEXT, "What the vendor said when it was not a number (text, boolean)."),
)
"""The two columns that every day table has: a number, or what was said in place of one."""

_col, _key, _instant = column, key_column, instant_column
_TEXT, _F64, _BOOL, _I64 = TEXT, F64, BOOL, I64

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

STATUS_WORDS: Final = (
    "first, exchange, rollover, reset, spike_reversal, over_limit, dip, gap or ok."
)
"""What a step can be, in order of precedence."""


def _step_columns(what: str, *amounts: Column, methods: str) -> tuple[Column, ...]:
    """Return the columns of a table of steps, of energy or of consumption."""
    return (
        _key("point_id", "Stable id of the point."),
        _instant("end_at", "Reading that settled the step."),
        _instant("start_at", "Reading the step starts from; the reading itself for first rows."),
        _instant(
            "counted_from",
            f"When the {what} began to flow: start_at, or earlier where the register stood still.",
        ),
        *amounts,
        _col("status", _TEXT, STATUS_WORDS),
        _col(
            "estimated",
            _BOOL,
            f"Whether when the {what} flowed is known to no better than gap_after.",
        ),
        _col("dropped", _I64, "Readings between start and end that were never counted."),
        _col("reason", _TEXT, "Why the status is not ok."),
        _col("method", _TEXT, methods),
    )


def _bucket_columns(*amounts: Column, methods: str) -> tuple[Column, ...]:
    """Return the columns of a table of buckets, of energy or of consumption."""
    return (
        _key("point_id", "Stable id of the point."),
        _instant("interval_start", "Start of the bucket."),
        *amounts,
        _col("covered_s", _F64, "Seconds of the bucket covered by steps.", unit="s"),
        _col("method", _TEXT, methods),
    )


_COUNTED_IN: Final = (
    _col("quantity", _TEXT, "What is counted.", nullable=False),
    _col("unit", _TEXT, "Canonical unit of the amounts in the row."),
)

CORE_ENERGY_DELTAS: Final = Table(
    name="core_energy_deltas",
    description="Energy between settled readings, one row per step of a register.",
    columns=_step_columns(
        "energy",
        _col("register_start_wh", _F64, "Register at start_at.", unit="Wh"),
        _col("register_end_wh", _F64, "Register at end_at.", unit="Wh"),
        _col("energy_wh", _F64, "Energy of the step; null when unknown.", unit="Wh"),
        _col(
            "refused_wh",
            _F64,
            "What the register showed and the rule did not book, signed.",
            unit="Wh",
        ),
        methods="register, power or increment.",
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
    columns=_bucket_columns(
        _col("energy_wh", _F64, "Energy contributed to the bucket.", unit="Wh"),
        _col("estimated_wh", _F64, "Part of energy_wh spread over a long step.", unit="Wh"),
        _col("refused_wh", _F64, "What registers showed and was not booked, signed.", unit="Wh"),
        methods="register, power or increment.",
    ),
    sort_key=("point_id", "interval_start"),
)

CORE_CONSUMPTION_DELTAS: Final = Table(
    name="core_consumption_deltas",
    description=(
        "Consumption that is not energy in watt-hours (m³, varh, VAh, s, counts) between settled "
        "readings, one row per step of a register."
    ),
    columns=_step_columns(
        "amount",
        *_COUNTED_IN,
        _col("register_start", _F64, "Register at start_at, in the row's unit."),
        _col("register_end", _F64, "Register at end_at, in the row's unit."),
        _col("consumption", _F64, "Amount of the step, in the row's unit; null when unknown."),
        _col("refused", _F64, "What the register showed and the rule did not book, signed."),
        methods="register or increment.",
    ),
    sort_key=("point_id", "end_at"),
)

CORE_CONSUMPTION_INTERVALS: Final = Table(
    name="core_consumption_intervals",
    description=(
        "Contributions of the consumption deltas that end on the day to 15-minute UTC buckets; "
        "a bucket's consumption is the sum over all files."
    ),
    columns=_bucket_columns(
        *_COUNTED_IN,
        _col("consumption", _F64, "Amount contributed to the bucket, in the row's unit."),
        _col("estimated_consumption", _F64, "Part of consumption spread over a long step."),
        _col("refused", _F64, "What registers showed and was not booked, signed."),
        methods="register or increment.",
    ),
    sort_key=("point_id", "interval_start"),
)

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

_COMPUTED: Final = "of virtual points, computed from the rows of their parts"

CORE_VIRTUAL_INTERVALS: Final = replace(
    CORE_ENERGY_INTERVALS,
    name="core_virtual_intervals",
    description=f"Energy in the 15-minute UTC buckets of the day {_COMPUTED}.",
)

CORE_VIRTUAL_DELTAS: Final = replace(
    CORE_ENERGY_DELTAS,
    name="core_virtual_deltas",
    description=f"Energy from settled bucket to settled bucket {_COMPUTED}.",
)

CORE_VIRTUAL_READINGS: Final = replace(
    CORE_READINGS,
    name="core_virtual_readings",
    description=f"Readings {_COMPUTED}.",
)

VIRTUAL_TABLES: Final = (CORE_VIRTUAL_INTERVALS, CORE_VIRTUAL_DELTAS, CORE_VIRTUAL_READINGS)
"""Tables of virtual points: the shape of others, in files of their own. So a virtual point that is
added or edited leaves every file of the measured ones as it is, and a lake without any has none."""

DERIVED_TABLES: Final = (*CORE_TABLES, *VIRTUAL_TABLES)
"""All that a refresh writes."""


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
