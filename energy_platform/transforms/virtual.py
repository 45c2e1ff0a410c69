"""Virtual points: their energy and their readings, a UTC day at a time, from those of their parts.

Pure functions from the rows of the parts to rows of the same shape. A quarter-hour of a virtual
energy is known where every part has something in it, and covered as long as the part that is
covered least: what a part lacks is unknown, never zero. Which points a virtual one is made of is
the portfolio's business, when a day is made again the refresh's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    VIRTUAL,
)
from energy_platform.transforms.units import canonical_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

BUCKET: Final = timedelta(minutes=15)
"""Width of the intervals of the lake."""

BUCKET_S: Final = BUCKET.total_seconds()


PART_ESTIMATED: Final = "part_estimated"
"""Reason of steps of which a part is estimated."""

SHORTEST_STEP: Final = timedelta(minutes=15)
"""Step of a virtual power whose parts are sampled as fast or faster: the quarter-hour of demand.
At a finer pace two meters that are polled a minute apart would miss each other now and then."""

HELD_STEPS: Final = 2
"""For how many steps the last reading of a part stands: samples come a little late, and one that
is missing is a gap, not a drop of the sum."""


class Summand(NamedTuple):
    """A measured point within a virtual one.

    Attributes:
        virtual_id: The virtual point.
        point_id: The measured one.
        factor: How often it counts.
    """

    virtual_id: str
    point_id: str
    factor: float


class VirtualEnergy(NamedTuple):
    """A virtual energy: what it is made of, and a constant power."""

    point_id: str
    summands: tuple[Summand, ...]
    constant_w: float


class VirtualPower(NamedTuple):
    """A virtual power, in the canonical unit of its quantity, and the step of its readings."""

    point_id: str
    quantity: str
    summands: tuple[Summand, ...]
    constant: float
    step: timedelta


def virtual_intervals(
    contributions: pl.DataFrame, *, virtual: Sequence[VirtualEnergy]
) -> pl.DataFrame:
    """Return the quarter-hours of virtual energies.

    Args:
        contributions: Rows of ``core_energy_intervals`` of the parts, of any files and in any
            order: all that there are of the buckets asked for.
        virtual: The virtual points.

    Returns:
        Rows of ``core_energy_intervals``, for each bucket in which every part has a row. The
        energy is the sum; ``covered_s`` that of the part covered least. What is estimated of a
        part is estimated of the sum, at most all of it; what is refused of one is refused of the
        sum, also where refusals would cancel out.

    Example:
        >>> at = datetime(2026, 3, 1, 8, tzinfo=UTC)
        >>> row = {"interval_start": at, "method": "register"}
        >>> row |= {"estimated_wh": 0.0, "refused_wh": 0.0}
        >>> rows = [
        ...     row | {"point_id": "main", "energy_wh": 500.0, "covered_s": 900.0},
        ...     row | {"point_id": "plant", "energy_wh": 200.0, "covered_s": 600.0},
        ... ]
        >>> parts = (Summand("rest", "main", 1.0), Summand("rest", "plant", -1.0))
        >>> rest = VirtualEnergy("rest", parts, 0.0)
        >>> found = virtual_intervals(pl.DataFrame(rows), virtual=[rest])
        >>> found.select("point_id", "energy_wh", "covered_s").rows()
        [('rest', 300.0, 600.0)]
        >>> virtual_intervals(pl.DataFrame(rows[:1]), virtual=[rest]).height
        0
    """
    if not virtual or not contributions.height:
        return CORE_ENERGY_INTERVALS.empty()
    sums = pl.col("energy_wh", "estimated_wh", "refused_wh", "covered_s")
    summands = _summands(one.summands for one in virtual)
    # Numbers in place of ids: a site may have a million rows, each in several sums.
    numbers = summands.select("point_id").unique().sort("point_id").with_row_index("part")
    key = ["part", "interval_start"]
    # Sums of floats depend on their order: sorted, every order of loading gives the same bits.
    parts = (
        contributions.select("point_id", "interval_start", sums)
        .join(numbers, on="point_id")
        .drop("point_id")
        .sort(*key, "energy_wh", "covered_s")
    )
    if parts.select(key).is_duplicated().any():
        parts = parts.group_by(key, maintain_order=True).agg(sums.sum())
    made = (
        summands.join(numbers, on="point_id", maintain_order="left")
        .with_columns(virtual=pl.col("virtual_id").rle_id())
        .join(parts, on="part", maintain_order="left_right")
        .with_columns(
            energy=pl.col("energy_wh") * pl.col("factor"),
            estimated=(pl.col("estimated_wh") * pl.col("factor")).abs(),
            refused=pl.col("refused_wh") * pl.col("factor"),
        )
        .group_by("virtual", "interval_start", maintain_order=True)
        .agg(
            pl.col("virtual_id").first().alias("point_id"),
            pl.len().alias("known"),
            pl.col("energy", "estimated", "refused").sum(),
            pl.col("refused").abs().sum().alias("refused_size"),
            pl.col("covered_s").min().clip(0.0, BUCKET_S),
        )
    )
    whole = pl.DataFrame(
        [(one.point_id, len(one.summands), float(one.constant_w)) for one in virtual],
        schema={"point_id": pl.String(), "parts": pl.UInt32(), "constant_w": pl.Float64()},
        orient="row",
    )
    energy = pl.col("energy") + pl.col("constant_w") * pl.col("covered_s") / 3600
    return (
        made.join(whole, on="point_id", maintain_order="left")
        .filter(pl.col("known") == pl.col("parts"))
        .with_columns(energy_wh=energy)
        .with_columns(
            estimated_wh=pl.min_horizontal("estimated", pl.col("energy_wh").abs())
            * pl.when(pl.col("energy_wh") < 0).then(-1.0).otherwise(1.0),
            refused_wh=pl.when(pl.col("refused") == 0).then("refused_size").otherwise("refused"),
            method=pl.lit(VIRTUAL),
        )
        .select(CORE_ENERGY_INTERVALS.schema.names())
        .sort(CORE_ENERGY_INTERVALS.sort_key)
    )


def virtual_deltas(intervals: pl.DataFrame) -> pl.DataFrame:
    """Return virtual energies as steps from quarter-hour to quarter-hour.

    The newest quarter-hour of a point is a step once it is covered to its end: until then nobody
    knows what its parts will have brought. A stretch in which a part is estimated is one estimated
    step, as a gap of a register is, so that no packet claims to know when its energy flowed.

    Args:
        intervals: Rows of ``core_energy_intervals`` of virtual points, of one day.

    Returns:
        Rows of ``core_energy_deltas``.

    Example:
        >>> at = datetime(2026, 3, 1, 8, tzinfo=UTC)
        >>> row = {"point_id": "rest", "estimated_wh": 0.0, "refused_wh": 0.0, "method": "virtual"}
        >>> rows = [
        ...     row | {"interval_start": at, "energy_wh": 5.0, "covered_s": 900.0},
        ...     row | {"interval_start": at + BUCKET, "energy_wh": 1.0, "covered_s": 60.0},
        ... ]
        >>> virtual_deltas(pl.DataFrame(rows)).select("energy_wh", "status").rows()
        [(5.0, 'ok')]
    """
    is_newest = pl.col("interval_start") == pl.col("interval_start").max().over("point_id")
    settled = intervals.filter(~is_newest | (pl.col("covered_s") >= BUCKET_S)).sort(
        CORE_ENERGY_INTERVALS.sort_key
    )
    before = settled.select(
        pl.col("point_id").shift(1),
        pl.col("interval_start").shift(1) + BUCKET,
        pl.col("estimated_wh").shift(1) != 0,
    ).rename({"interval_start": "end_before", "estimated_wh": "estimated_before"})
    goes_on = (
        (settled["point_id"] == before["point_id"])
        & (settled["interval_start"] == before["end_before"])
        & before["estimated_before"]
        & (settled["estimated_wh"] != 0)
    ).fill_null(value=False)
    return (
        settled.with_columns(step=(~goes_on).cum_sum())
        .group_by("point_id", "step", maintain_order=True)
        .agg(
            start_at=pl.col("interval_start").first(),
            end_at=pl.col("interval_start").last() + BUCKET,
            counted_from=pl.col("interval_start").first(),
            register_start_wh=pl.lit(None, pl.Float64()),
            register_end_wh=pl.lit(None, pl.Float64()),
            energy_wh=pl.col("energy_wh").sum(),
            refused_wh=pl.col("refused_wh").sum(),
            estimated=pl.col("estimated_wh").first() != 0,
            method=pl.col("method").first(),
        )
        .with_columns(
            status=pl.when("estimated").then(pl.lit("gap")).otherwise(pl.lit("ok")),
            dropped=pl.lit(0, pl.Int64()),
            reason=pl.when("estimated").then(pl.lit(PART_ESTIMATED)),
        )
        .select(CORE_ENERGY_DELTAS.schema.names())
        .cast(CORE_ENERGY_DELTAS.schema)
        .sort(CORE_ENERGY_DELTAS.sort_key)
    )


def virtual_readings(
    readings: pl.DataFrame, *, virtual: Sequence[VirtualPower], start: datetime
) -> pl.DataFrame:
    """Return the readings of virtual powers on a day.

    A power is read once in each of its steps, at the newest instant that a part was: the sum of
    what the parts showed last, at most two steps ago and on the same day. Where a part shows
    nothing, there is no reading.

    Args:
        readings: Rows of ``core_readings`` of a day.
        virtual: The virtual points.
        start: Beginning of the day.

    Returns:
        Rows of ``core_readings``.

    Example:
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> readings = pl.DataFrame({
        ...     "point_id": ["a", "b", "a"],
        ...     "at": [at + timedelta(minutes=minute) for minute in (3, 4, 18)],
        ...     "value": [100.0, 20.0, 140.0],
        ...     "status": "ok",
        ... })
        >>> parts = (Summand("both", "a", 1.0), Summand("both", "b", 1.0))
        >>> both = VirtualPower("both", "active_power", parts, 0.0, timedelta(minutes=15))
        >>> found = virtual_readings(readings, virtual=[both], start=at)
        >>> found.select(pl.col("at").dt.minute(), "value", "unit").rows()
        [(4, 120.0, 'W'), (18, 160.0, 'W')]
    """
    usable = readings.filter(pl.col("status") == "ok", pl.col("value").is_finite())
    if not virtual or not usable.height:
        return CORE_READINGS.empty()
    settings = pl.DataFrame(
        [
            (
                one.point_id,
                one.quantity,
                canonical_unit(one.quantity),
                len(one.summands),
                one.constant,
                one.step,
            )
            for one in virtual
        ],
        schema={
            "virtual_id": pl.String(),
            "quantity": pl.String(),
            "unit": pl.String(),
            "parts": pl.UInt32(),
            "constant": pl.Float64(),
            "step": pl.Duration("us"),
        },
        orient="row",
    )
    since = pl.col("at") - pl.lit(start)
    shown = (
        _summands(one.summands for one in virtual)
        .join(settings, on="virtual_id", maintain_order="left")
        .join(usable.select("point_id", "at", "value"), on="point_id")
        .with_columns(slot=since.dt.total_microseconds() // pl.col("step").dt.total_microseconds())
        .sort("virtual_id", "point_id", "at")
        .group_by("virtual_id", "point_id", "slot", maintain_order=True)
        .last()
        .with_columns(age=pl.lit(0))
    )
    held = [
        shown.with_columns(pl.col("slot") + age, age=pl.lit(age)) for age in range(1, HELD_STEPS)
    ]
    return (
        pl.concat([shown, *held])
        .sort("virtual_id", "slot", "point_id", "age")
        .group_by("virtual_id", "slot", "point_id", maintain_order=True)
        .first()
        .group_by("virtual_id", "slot", maintain_order=True)
        .agg(
            pl.col("quantity", "unit", "parts", "constant").first(),
            pl.len().alias("known"),
            pl.col("at").max(),
            pl.col("age").min(),
            (pl.col("value") * pl.col("factor")).sum().alias("sum"),
        )
        .filter(pl.col("known") == pl.col("parts"), pl.col("age") == 0)
        .select(
            point_id="virtual_id",
            at="at",
            quantity="quantity",
            value=pl.col("sum") + pl.col("constant"),
            unit="unit",
            text=pl.lit(None, pl.String()),
            status=pl.lit("ok"),
            reason=pl.lit(None, pl.String()),
        )
        .cast(CORE_READINGS.schema)
        .sort(CORE_READINGS.sort_key)
    )


def _summands(of: Iterable[tuple[Summand, ...]]) -> pl.DataFrame:
    """Return the parts of virtual points, in an order that does not depend on the data."""
    return pl.DataFrame(
        sorted(part for parts in of for part in parts),
        schema={"virtual_id": pl.String(), "point_id": pl.String(), "factor": pl.Float64()},
        orient="row",
    )
