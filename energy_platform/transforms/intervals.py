"""Energy per interval: each step spread linearly over the UTC buckets it covers.

Contributions are additive: a day's file holds what the steps that end on that day bring to any
bucket, and a bucket's energy is a plain sum over the files.

What holds exactly: the contributions of one step, added in order, give the step's energy to the
last bit. Inner contributions are multiples of 2^-20 Wh (a micro-watt-hour), so for registers that
count whole watt-hours every sum of contributions is exact in any order, up to 2^33 Wh.

Local days, months and statuses of periods belong to the marts (dbt), not here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.days import MICROSECOND
from energy_platform.durations import parse_duration
from energy_platform.schemas import CORE_ENERGY_INTERVALS, INSTANT
from energy_platform.transforms.interval_split import (
    Contributions,
    Steps,
    contributions_of,
    first_of_points,
)
from energy_platform.transforms.ordering import iter_point_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST: Final = timedelta(minutes=1)
"""Vendors stamp to the second, late or early; finer buckets would show that and no load."""

LONGEST: Final = timedelta(days=1)
"""A bucket lies within one partition, a UTC day (design, days and files)."""

_USED: Final = (
    "point_id",
    "start_at",
    "end_at",
    "counted_from",
    "energy_wh",
    "refused_wh",
    "status",
    "estimated",
    "reason",
    "method",
)
"""Columns of ``core_energy_deltas`` that decide what goes where."""


def width_of(width: str | timedelta) -> timedelta:
    """Return a bucket width.

    Args:
        width: Text such as ``1m``, ``15m``, ``1h`` or ``1d``, or a duration.

    Raises:
        ValueError: The width is not between a minute and a day, or does not divide a day.

    Example:
        >>> width_of("15m")
        datetime.timedelta(seconds=900)
    """
    length = width
    if isinstance(length, str):
        try:
            length = parse_duration(length)
        except ValueError as error:
            raise ValueError(f"width {error}") from error
    if not SHORTEST <= length <= LONGEST or LONGEST % length:
        raise ValueError(f"width {width!r} must divide a day and lie between 1m and 1d")
    return length


def energy_intervals(deltas: pl.DataFrame, *, width: str | timedelta = "15m") -> pl.DataFrame:
    """Spread energy deltas over UTC buckets.

    A step covers ``(start_at, end_at]``; a reading on a bucket's edge closes the bucket before it.
    ``covered_s`` is zero where the time of the energy is not known: first readings, falls worth
    nothing, and exchanges whose final or start reading is unknown. Steps that bring a bucket
    neither energy nor coverage leave no row. What a step refused lies in the buckets of its step
    like energy: nobody knows when the register jumped. What a register showed only after it had
    stood still is spread from ``counted_from``, over buckets that the steps before cover.

    Args:
        deltas: Rows of ``core_energy_deltas`` in any order.
        width: Bucket width, 1 min to 1 day, dividing a day.

    Returns:
        Rows of ``core_energy_intervals``, one per point and bucket, sorted.

    Raises:
        ValueError: The width does not divide a day, or a delta ends before it starts.

    Example:
        >>> from energy_platform.transforms.counters import energy_deltas
        >>> readings = pl.DataFrame({
        ...     "point_id": "main",
        ...     "at": [datetime(2026, 3, 1, 8, minute, tzinfo=UTC) for minute in (0, 30)],
        ...     "value_wh": [1000.0, 1600.0],
        ... })
        >>> buckets = energy_intervals(energy_deltas(readings).deltas)
        >>> start = pl.col("interval_start").dt.strftime("%H:%M")
        >>> buckets.select(start, "energy_wh", "covered_s").rows()
        [('08:00', 300.0, 900.0), ('08:15', 300.0, 900.0)]
    """
    ordered = deltas.select(_USED)
    is_new = first_of_points(ordered)
    if not _is_sorted(ordered, is_new):
        ordered = ordered.sort("point_id", "end_at", "start_at")
        is_new = first_of_points(ordered)
    made, low = [], 0
    for piece in iter_point_batches(ordered):
        high = low + piece.height
        made.append(_allocate(piece.rechunk(), width=width, is_new=is_new[low:high]))
        low = high
    return pl.concat(made)


def _allocate(
    deltas: pl.DataFrame,
    *,
    width: str | timedelta,
    is_new: NDArray[np.bool_],
) -> pl.DataFrame:
    """Do what ``energy_intervals`` does, for deltas that are sorted and all fit in memory.

    Args:
        deltas: Rows of ``core_energy_deltas`` by point and time.
        width: Bucket width.
        is_new: Whether a row is of another point than the one before.
    """
    bucket = width_of(width) // MICROSECOND
    showed_late = pl.col("counted_from") < pl.col("start_at")
    caught_up = deltas.filter(showed_late)
    at_once = deltas
    if caught_up.height:
        energy = pl.when(showed_late).then(0.0).otherwise("energy_wh")
        at_once = deltas.with_columns(energy_wh=energy)
    steps = Steps.of(at_once, is_new=is_new)
    rows = [
        _merged(piece, contributions_of(piece, bucket=bucket), low=low)
        for low, piece in steps.pieces()
    ]
    booked = _frame(steps, rows, bucket=bucket) if rows else CORE_ENERGY_INTERVALS.empty()
    if caught_up.height:
        # The steps before have covered the time.
        booked = _with(booked, caught_up.with_columns(start_at="counted_from"), width=width)
    refusals = deltas.filter(pl.col("refused_wh") != 0)
    if refusals.height:
        refused = refusals.with_columns(energy_wh="refused_wh", estimated=pl.lit(value=False))
        booked = _with(booked, refused, width=width, is_refused=True)
    return booked


def _with(
    booked: pl.DataFrame,
    deltas: pl.DataFrame,
    *,
    width: str | timedelta,
    is_refused: bool = False,
) -> pl.DataFrame:
    """Add to intervals what a few steps bring them, which cover nothing; maybe as refused."""
    as_energy = deltas.with_columns(
        counted_from="start_at", refused_wh=pl.lit(0.0), status=pl.lit("ok")
    )
    spread_out = _allocate(as_energy, width=width, is_new=first_of_points(as_energy))
    added = spread_out.filter(pl.col("energy_wh") != 0)
    if is_refused:
        added = added.with_columns(refused_wh="energy_wh", energy_wh=0.0)
    keys = ["point_id", "interval_start"]
    sums = ["energy_wh", "estimated_wh", "refused_wh"]
    return (
        booked.join(added, on=keys, how="full", coalesce=True, suffix="_added")
        .with_columns(
            *(pl.col(one).fill_null(0.0) + pl.col(f"{one}_added").fill_null(0.0) for one in sums),
            covered_s=pl.col("covered_s").fill_null(0.0),
            method=pl.coalesce("method", "method_added"),
        )
        .select(CORE_ENERGY_INTERVALS.schema.names())
        .sort(keys)
    )


def _is_sorted(deltas: pl.DataFrame, is_new: NDArray[np.bool_]) -> bool:
    end = deltas.get_column("end_at").to_physical().to_numpy()
    points = deltas.get_column("point_id").gather(np.flatnonzero(is_new))
    in_time = bool(is_new[np.flatnonzero(end[1:] < end[:-1]) + 1].all())
    return in_time and bool((points.slice(1) > points.head(max(points.len() - 1, 0))).all())


class _Rows(NamedTuple):
    """What steps bring to buckets: one entry per point and bucket."""

    step: NDArray[np.int64]
    bucket: NDArray[np.int64]
    energy: NDArray[np.float64]
    estimated: NDArray[np.float64]
    covered: NDArray[np.float64]


def _merged(steps: Steps, parts: Contributions, *, low: int) -> _Rows:
    """Add up the contributions to each bucket of each point."""
    back = np.flatnonzero(parts.bucket[1:] < parts.bucket[:-1]) + 1
    if not parts.is_new[back].all():
        # Steps of one point that overlap: only increments and hand-made frames have them.
        parts = parts.take(np.lexsort((parts.bucket, np.cumsum(parts.is_new))))
    opens = parts.is_new.copy()
    opens[1:] |= parts.bucket[1:] != parts.bucket[:-1]
    at = np.flatnonzero(opens)
    place = np.cumsum(opens) - 1
    estimated = np.zeros(at.size)
    if steps.estimated.any():
        of_estimates = np.where(steps.estimated[parts.step], parts.energy, 0.0)
        estimated = _sums(of_estimates, place)
    return _Rows(
        step=parts.step[at] + low,
        bucket=parts.bucket[at],
        energy=_sums(parts.energy, place),
        estimated=estimated,
        covered=_sums(parts.covered, place),
    )


def _sums(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add up numbers by place, strictly in order from zero.

    Numbers of nothing between others then change no bit; ``np.add.reduceat`` adds up what follows
    the first number before it adds that one.
    """
    return np.bincount(place, weights=values).astype(np.float64, copy=False)


def _frame(steps: Steps, rows: list[_Rows], *, bucket: int) -> pl.DataFrame:
    step, number, energy, estimated, covered = (
        np.concatenate(parts) for parts in zip(*rows, strict=True)
    )
    row = step if steps.row is None else steps.row[step]
    return pl.DataFrame(
        {
            "point_id": steps.ids.gather(row),
            "interval_start": pl.Series(number * bucket).cast(INSTANT),
            "energy_wh": energy,
            "estimated_wh": estimated,
            "refused_wh": np.zeros(number.size),
            "covered_s": covered,
            "method": steps.method.gather(row),
        },
        schema=CORE_ENERGY_INTERVALS.schema,
    )
