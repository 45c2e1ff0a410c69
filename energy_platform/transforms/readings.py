"""Readings, judged once and one row at a time.

Raw rows stay as the vendor said them. Here each gets its point, its canonical unit, the reviewed
corrections of the portfolio, and a status: what cannot be believed is quarantined with a reason,
stays visible, and never becomes energy. What only neighbouring readings can show is left to the
register rule.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import polars as pl

from energy_platform.days import EPOCH_DAY
from energy_platform.schemas import CORE_READINGS
from energy_platform.transforms.hour_shifts import quarantine_hour_shifts
from energy_platform.transforms.ordering import EXACT_COUNTS
from energy_platform.transforms.quantities import PHYSICAL_BOUNDS
from energy_platform.transforms.units import canonical, conversion, is_known

if TYPE_CHECKING:
    from collections.abc import Mapping

Reason = Literal[
    "shared_serial",
    "unknown_point",
    "null",
    "not_a_number",
    "unknown_state",
    "unknown_unit",
    "conflicting_unit",
    "zero_time",
    "future",
    "backward_time",
    "dropped_by_correction",
    "negative",
    "word_swap",
    "above_maximum",
    "out_of_bounds",
    "hour_shift",
]
"""Why a reading is quarantined; the first that applies, in this order."""

EARLIEST: Final = datetime.combine(EPOCH_DAY, time.min, tzinfo=UTC)
"""Older stamps are clocks that were never set: gateways stamp with 0 until theirs is."""

CLOCK_ERROR: Final = timedelta(minutes=5)
"""How far a vendor's clock may run ahead, where gateways stamp by clocks of their own."""

WORD: Final = 65_536.0
"""A register with its two 16-bit words swapped shows its low word times this.

Modbus fixes the order of bytes in a word of 16 bits, not of the words of a longer number (Modbus
application protocol V1.1b3, section 4.2).
"""

PLAIN_DECIMAL: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"
"""A number as a text: digits and one point; no separators of thousands, no decimal comma."""

PLAUSIBLE_CYCLES: Final = 10_000
"""Full cycles of a battery beyond which its lifetime counters are not believed: cells last for a
few thousand."""

NEVER_NEGATIVE: Final = frozenset(
    {
        "active_energy_import",
        "active_energy_export",
        "generation_energy",
        "battery_energy_charge",
        "battery_energy_discharge",
        "reactive_energy_import",
        "reactive_energy_export",
        "apparent_energy",
        "heating_energy",
        "cooling_energy",
        "apparent_power",
        "frequency",
        "volume",
        "state_of_charge",
        "stored_energy",
        "operating_time",
    }
)
"""Quantities that cannot be below zero; a net energy and flows in two directions can."""

CORRECTED: Final = "corrected: "
"""Precedes the portfolio's reason on readings that a correction changed."""


DROPPED: Final = "dropped_by_correction"
"""Reason of readings that a correction took out."""


class ValidatedReadings(NamedTuple):
    """Readings with a status each, and counts of what became of the rows.

    Attributes:
        frame: Rows of ``core_readings``.
        counts: Rows by ``ok`` or reason; also ``duplicates`` (rows merged away) and
            ``conflicts`` (instants whose duplicates disagreed).
    """

    frame: pl.DataFrame
    counts: Mapping[str, int]


def validate_readings(
    common: pl.DataFrame,
    *,
    points: pl.DataFrame,
    corrections: pl.DataFrame | None = None,
    states: pl.DataFrame | None = None,
    now: datetime | None = None,
) -> ValidatedReadings:
    """Give every reading a canonical value and a status.

    A gauge is multiplied by its point's ``sign``; registers are not. Of duplicates equal ones
    merge; of conflicting ones a believed reading comes before a quarantined one, non-zero before
    zero, then the smallest.

    Args:
        common: ``point_id, at, value, text, unit`` of one or more vendors, any order; and
            ``is_backward`` and ``is_foreign``, where a vendor's rows show it (absent or null:
            no).
        points: ``point_id, quantity, unit, kind, sign, maximum, rated_capacity_wh`` per point.
        corrections: ``point_id, start, end, factor, offset, drop, reason``; half-open, nulls are
            unbounded; applied in the order given.
        states: ``point_id, text, value``: what a text stands for.
        now: When the data were pulled; readings more than five minutes later are quarantined.

    Returns:
        One row per point and instant.

    Example:
        >>> common = pl.DataFrame({
        ...     "point_id": ["main", "main"],
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (0, 1)],
        ...     "value": [1.5, -2.0],
        ...     "text": pl.Series([None, None], dtype=pl.String),
        ...     "unit": "kWh",
        ... })
        >>> points = pl.DataFrame({
        ...     "point_id": ["main"],
        ...     "quantity": ["active_energy_import"],
        ...     "unit": ["kWh"],
        ...     "kind": ["register"],
        ...     "sign": [1],
        ...     "maximum": pl.Series([None], dtype=pl.Float64),
        ...     "rated_capacity_wh": pl.Series([None], dtype=pl.Float64),
        ... })
        >>> validated = validate_readings(common, points=points)
        >>> validated.frame.select("value", "unit", "status", "reason").rows()
        [(1500.0, 'Wh', 'ok', None), (-2.0, 'kWh', 'quarantined', 'negative')]
    """
    if not common.height:
        return ValidatedReadings(CORE_READINGS.empty(), {})
    absent = {"is_backward", "is_foreign"}.difference(common.columns)
    common = common.with_columns(pl.lit(value=False).alias(name) for name in sorted(absent))
    rows = _with_points(common, points=points)
    rows = _with_states(rows, states=states)
    rows = _with_numbers_in_texts(rows)
    rows = _with_units(rows)
    rows = rows.with_columns(reason=_unusable(now))
    rows = rows.with_columns(
        new=pl.when(pl.col("reason").is_null()).then(
            canonical(pl.col("raw_value"))
            * pl.when(pl.col("kind") == "gauge").then(pl.col("sign")).otherwise(1)
            + 0.0  # no negative zeros
        ),
    )
    rows = _corrected(rows, corrections)
    rows = rows.with_columns(
        reason=pl.coalesce("reason", _implausible(swapped=_with_swapped_words(rows)))
    )
    is_ok = pl.col("reason").is_null()
    frame = rows.select(
        "point_id",
        "at",
        "quantity",
        pl.when(is_ok).then(pl.col("new")).otherwise(pl.col("value")).alias("value"),
        pl.when(is_ok).then(pl.col("canonical")).otherwise(pl.col("unit")).alias("unit"),
        "text",
        pl.when(is_ok).then(pl.lit("ok")).otherwise(pl.lit("quarantined")).alias("status"),
        pl.coalesce("reason", "correction").alias("reason"),
    ).cast(CORE_READINGS.schema)
    frame, duplicates, conflicts = _merged(frame)
    frame = quarantine_hour_shifts(frame, points=points)
    counts = _counts(frame)
    return ValidatedReadings(frame, {**counts, "duplicates": duplicates, "conflicts": conflicts})


# What validation needs of a point; other columns of the portfolio must not change a day.
_POINT_COLUMNS: Final = (
    "point_id",
    "quantity",
    pl.col("unit").alias("point_unit"),
    "kind",
    pl.col("sign").cast(pl.Float64()),
    "maximum",
    "rated_capacity_wh",
)


def _with_points(common: pl.DataFrame, *, points: pl.DataFrame) -> pl.DataFrame:
    rows = common.join(
        points.select(*_POINT_COLUMNS), on="point_id", how="left", maintain_order="left"
    )
    return rows.with_columns(
        is_known=pl.col("quantity").is_not_null(),
        quantity=pl.col("quantity").fill_null("other"),
        unit=pl.coalesce("unit", "point_unit"),
        raw_value=pl.col("value"),
        correction=pl.lit(None, pl.String()),
    )


def _with_states(rows: pl.DataFrame, *, states: pl.DataFrame | None) -> pl.DataFrame:
    if states is None or not states.height or rows.get_column("text").null_count() == rows.height:
        return rows
    known = states.rename({"value": "stands_for"})
    return rows.join(
        known, on=["point_id", "text"], how="left", maintain_order="left"
    ).with_columns(raw_value=pl.coalesce("raw_value", "stands_for"))


def _with_numbers_in_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Read plain decimals that a vendor wrote as texts, as some do in newest values.

    Only of what is measured: a state may well be called ``2``. Raw rows keep the text.
    """
    if rows.get_column("text").null_count() == rows.height:
        return rows
    text = pl.col("text").str.strip_chars()
    is_number = (
        pl.col("raw_value").is_null()
        & pl.col("kind").is_in(["register", "increment", "gauge"])
        & text.str.contains(PLAIN_DECIMAL)
    )
    number = pl.when(is_number).then(text).cast(pl.Float64(), strict=False)
    return rows.with_columns(raw_value=pl.coalesce("raw_value", number))


def _with_units(rows: pl.DataFrame) -> pl.DataFrame:
    """Attach the conversion of each row's unit; ``canonical`` is null where there is none."""
    pairs = rows.select("quantity", "unit").unique()
    found = []
    for quantity, unit in pairs.iter_rows():
        how = conversion(unit, quantity=quantity)
        parts = (None, None, None, None) if how is None else tuple(how)
        found.append((quantity, unit, *parts, is_known(unit)))
    text, number = pl.String(), pl.Float64()
    table = pl.DataFrame(
        found,
        schema={
            "quantity": text,
            "unit": text,
            "canonical": text,
            "multiplier": number,
            "divisor": number,
            "offset": number,
            "unit_is_known": pl.Boolean(),
        },
        orient="row",
    )
    return rows.join(
        table, on=["quantity", "unit"], how="left", nulls_equal=True, maintain_order="left"
    )


def _unusable(now: datetime | None) -> pl.Expr:
    """Say why a row has no canonical value, null where it has one."""
    raw_value = pl.col("raw_value")
    has_text = pl.col("text").is_not_null()
    is_number = raw_value.is_not_null() & raw_value.is_finite()
    latest = datetime.max.replace(tzinfo=UTC) if now is None else now + CLOCK_ERROR
    return (
        pl.when(pl.col("is_foreign"))
        .then(_because("shared_serial"))
        .when(~pl.col("is_known"))
        .then(_because("unknown_point"))
        .when(raw_value.is_null() & ~has_text)
        .then(_because("null"))
        .when(~is_number & has_text & (pl.col("kind") == "state"))
        .then(_because("unknown_state"))
        .when(~is_number)
        .then(_because("not_a_number"))
        .when(pl.col("canonical").is_null() & pl.col("unit_is_known"))
        .then(_because("conflicting_unit"))
        .when(pl.col("canonical").is_null())
        .then(_because("unknown_unit"))
        .when(pl.col("at") < EARLIEST)
        .then(_because("zero_time"))
        .when(pl.col("at") > latest)
        .then(_because("future"))
        .when(pl.col("is_backward"))
        .then(_because("backward_time"))
    )


def _because(reason: Reason) -> pl.Expr:
    return pl.lit(reason)


def _corrected(rows: pl.DataFrame, corrections: pl.DataFrame | None) -> pl.DataFrame:
    """Apply the portfolio's corrections in its order."""
    rows = rows.with_columns(is_reviewed=pl.lit(value=False))
    if corrections is None or not corrections.height:
        return rows
    present = corrections.join(
        rows.select("point_id").unique(), on="point_id", how="semi", maintain_order="left"
    )
    shape = ["start", "end", "factor", "offset", "drop", "reason"]
    grouped = present.group_by(shape, maintain_order=True).agg("point_id")
    for start, end, factor, offset, drop, reason, ids in grouped.iter_rows():
        touches = pl.col("point_id").is_in(ids)
        if start is not None:
            touches &= pl.col("at") >= start
        if end is not None:
            touches &= pl.col("at") < end
        if drop:
            because = pl.when(touches).then(_because(DROPPED))
            rows = rows.with_columns(reason=pl.coalesce("reason", because))
            continue
        value = pl.col("new") * (1.0 if factor is None else factor)
        value = value + (0.0 if offset is None else offset)
        rows = rows.with_columns(
            new=pl.when(touches).then(value).otherwise("new"),
            is_reviewed=pl.col("is_reviewed") | (touches & pl.lit(factor is not None)),
            correction=pl.when(touches)
            .then(pl.lit(CORRECTED) + pl.lit(reason))
            .otherwise("correction"),
        )
    return rows


def _with_swapped_words(rows: pl.DataFrame) -> list[str]:
    """Return the registers of energy whose every count is a multiple of 65,536, but for zeros.

    Of a register that counts on, one reading in 65,536 is. An operator's entry ends the doubt: a
    factor, a capacity by which the count is plausible, or a maximum. Joules are left alone: a
    register in them that is stored as a 32-bit float steps by 65,536 from half a terajoule on.
    """
    in_words = (pl.col("raw_value") % WORD == 0) & (pl.col("raw_value") < WORD * WORD)
    candidates = rows.filter(
        (pl.col("kind") == "register")
        & (pl.col("canonical") == "Wh")
        & (pl.col("divisor") == 1)
        & pl.col("reason").is_null()
        & ~pl.col("is_reviewed")
        & pl.col("rated_capacity_wh").is_null()
        & pl.col("maximum").is_null()
        & (pl.col("raw_value") != 0)
    )
    suspects = candidates.filter(in_words & (pl.col("raw_value") > 0)).select("point_id").unique()
    if not suspects.height:
        return []
    found = (
        candidates.join(suspects, on="point_id", how="semi")
        .group_by("point_id")
        .agg(in_words.all().alias("swapped"))
        .filter("swapped")
    )
    return found.get_column("point_id").sort().to_list()


def _implausible(*, swapped: list[str]) -> pl.Expr:
    """Say why a canonical value is not believed, null where it is.

    Args:
        swapped: Registers whose words are exchanged, it seems.
    """
    value = pl.col("new")
    capacity = pl.col("rated_capacity_wh")
    beyond_cycles = (
        (pl.col("kind") == "register")
        & (pl.col("canonical") == "Wh")
        & (value > capacity * PLAUSIBLE_CYCLES)
        & ~pl.col("is_reviewed")
    )
    in_words = pl.col("raw_value") % WORD == 0
    beyond_maximum = value > pl.col("maximum")
    not_exact = (pl.col("kind") == "register") & (value * pl.col("divisor") > EXACT_COUNTS)
    is_large = beyond_cycles.fill_null(value=False) | beyond_maximum.fill_null(value=False)
    return (
        pl.when(pl.col("quantity").is_in(sorted(NEVER_NEGATIVE)) & (value < 0))
        .then(_because("negative"))
        .when((pl.col("kind") == "register") & in_words & is_large)
        .then(_because("word_swap"))
        .when(
            pl.col("point_id").is_in(swapped) & (pl.col("raw_value") != 0) & ~pl.col("is_reviewed")
        )
        .then(_because("word_swap"))
        .when(is_large | not_exact)
        .then(_because("above_maximum"))
        .when(_out_of_bounds(value))
        .then(_because("out_of_bounds"))
    )


def _out_of_bounds(value: pl.Expr) -> pl.Expr:
    """Return whether a canonical value is one that its quantity cannot have."""

    def bound(which: int) -> pl.Expr:
        return pl.col("quantity").replace_strict(
            {quantity: bounds[which] for quantity, bounds in PHYSICAL_BOUNDS.items()},
            default=None,
            return_dtype=pl.Float64,
        )

    return ((value < bound(0)) | (value > bound(1))).fill_null(value=False)


def _merged(frame: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
    """Sort, merge duplicates; return also how many rows went and how many instants disagreed."""
    key = ["point_id", "at"]
    ordered = frame.sort(key)
    again = ordered.select(
        (pl.col("point_id") == pl.col("point_id").shift(1))
        & (pl.col("at") == pl.col("at").shift(1))
    ).to_series()
    if not again.any():
        return ordered, 0, 0
    best = frame.sort(
        *key,
        pl.col("status") != "ok",
        pl.col("value") == 0,
        "value",
        "text",
        "unit",
        "reason",
        nulls_last=True,
    )
    differing = (
        best.group_by(key)
        .agg((pl.struct("value", "text").n_unique() > 1).alias("differs"))
        .get_column("differs")
        .sum()
    )
    merged = best.unique(key, keep="first", maintain_order=True)
    return merged, frame.height - merged.height, int(differing)


def _counts(frame: pl.DataFrame) -> dict[str, int]:
    key = pl.when(pl.col("status") == "ok").then(pl.lit("ok")).otherwise("reason")
    counted = frame.group_by(key.alias("key")).len().sort("key")
    return {str(name): int(rows) for name, rows in counted.iter_rows()}
