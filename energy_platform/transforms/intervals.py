"""Energy per interval: each step spread linearly over the UTC buckets it covers.

Contributions are additive: a day's file holds what the steps that end on that day bring to any
bucket, and a bucket's energy is a plain sum over the files.

What holds exactly: the contributions of one step, added in order, give the step's energy to the
last bit. Inner contributions are multiples of 2^-20 Wh (a micro-watt-hour), so for registers that
count whole watt-hours every sum of contributions is exact in any order, up to 2^33 Wh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from energy_platform.schemas import CORE_ENERGY_INTERVALS, INSTANT

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID_WH: Final = 2.0**-20
"""Inner bucket edges cut a step's energy at multiples of this."""

_GRID_HOLDS: Final = 2.0**33
"""Beyond this energy of one step a double has no digits left for the grid."""

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=1)

_SECOND_US: Final = 1_000_000


def width_of(width: str | timedelta) -> timedelta:
    """Return a bucket width.

    Args:
        width: Text such as ``1m``, ``15m``, ``1h`` or ``1d``, or a duration.

    Raises:
        ValueError: The width is not between a minute and a day, or does not divide a day.
    """
    length = width
    if isinstance(length, str):
        number = length.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = length[len(number) :]
        if not number.isdigit() or unit not in _UNITS:
            raise ValueError(f"width {width!r} is no duration such as 1m, 15m, 1h or 1d")
        length = timedelta(seconds=int(number) * _UNITS[unit])
    if not SHORTEST <= length <= LONGEST or LONGEST % length:
        raise ValueError(f"width {width!r} must divide a day and lie between 1m and 1d")
    return length


def energy_intervals(deltas: pl.DataFrame, *, width: str | timedelta = "15m") -> pl.DataFrame:
    """Spread energy deltas over UTC buckets.

    A step covers ``(start_at, end_at]``; a reading on a bucket's edge closes the bucket before it.
    ``covered_s`` is zero where the time of the energy is not known: first readings, falls worth
    nothing, and exchanges whose final or start reading is unknown. Steps that bring a bucket
    neither energy nor coverage leave no row.

    Args:
        deltas: Rows of ``core_energy_deltas`` in any order.
        width: Bucket width, 1 min to 1 day, dividing a day.

    Returns:
        Rows of ``core_energy_intervals``, one per point and bucket, sorted.

    Raises:
        ValueError: The width does not divide a day, or a delta ends before it starts.
    """
    return spread(deltas, width=width)


def spread(
    deltas: pl.DataFrame,
    *,
    width: str | timedelta,
    is_new: NDArray[np.bool_] | None = None,
) -> pl.DataFrame:
    """Do what ``energy_intervals`` does, for who knows already where points begin.

    Args:
        deltas: Rows of ``core_energy_deltas``.
        width: Bucket width.
        is_new: Whether a row is of another point than the one before; None: look.
    """
    bucket = int(width_of(width) / timedelta(microseconds=1))
    steps = _Steps.of(deltas, is_new=is_new)
    if not steps.end.size:
        return CORE_ENERGY_INTERVALS.empty()
    return _merged(steps, _parts_of(steps, bucket=bucket), bucket=bucket)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps that bring energy or coverage, sorted by point and time, as arrays.

    Attributes:
        is_new: Whether a step is the first of its point.
    """

    ids: pl.Series
    method: pl.Series
    is_new: NDArray[np.bool_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    energy: NDArray[np.float64]
    covers: NDArray[np.bool_]
    estimated: NDArray[np.bool_]

    @classmethod
    def of(cls, deltas: pl.DataFrame, *, is_new: NDArray[np.bool_] | None) -> _Steps:
        """Take deltas apart; rows that bring nothing are left out, all others put in order."""
        energy = deltas.get_column("energy_wh").fill_null(0.0)
        covers = _covers(deltas)
        is_long = deltas.get_column("end_at") > deltas.get_column("start_at")
        brings = (energy != 0) | (covers & is_long)
        frame = deltas.select(
            "point_id",
            pl.col("start_at").to_physical().alias("start"),
            pl.col("end_at").to_physical().alias("end"),
            energy,
            covers.alias("covers"),
            "estimated",
            "method",
        )
        if is_new is None:
            is_new = _first_of_points(frame)
        if not brings.all():
            frame = frame.filter(brings)
            point = np.cumsum(is_new)[brings.to_numpy()]
            is_new = np.diff(point, prepend=0) != 0
        if not _is_sorted(frame, is_new):
            frame = frame.sort("point_id", "end", "start")
            is_new = _first_of_points(frame)
        start, end = frame.get_column("start").to_numpy(), frame.get_column("end").to_numpy()
        if bool((end < start).any()):
            raise ValueError("a delta ends before it starts; deltas must have start_at <= end_at")
        return cls(
            ids=frame.get_column("point_id"),
            method=frame.get_column("method"),
            is_new=is_new,
            start=start,
            end=end,
            energy=frame.get_column("energy_wh").to_numpy(),
            covers=frame.get_column("covers").to_numpy(),
            estimated=frame.get_column("estimated").to_numpy(),
        )


def _covers(deltas: pl.DataFrame) -> pl.Series:
    """Say which steps are known to have happened within their time."""
    status = deltas.get_column("status")
    covers = deltas.get_column("energy_wh").is_not_null()
    doubtful = ((status == "first") | (status == "exchange") | (status == "reset")).arg_true()
    if not doubtful.len():
        return covers
    few = deltas.select("status", "reason", "energy_wh")[doubtful]
    is_unknown_exchange = (pl.col("status") == "exchange") & (
        pl.col("reason").fill_null("") != "marker"
    )
    is_worthless_fall = (pl.col("status") == "reset") & (
        (pl.col("reason").fill_null("") == "zero") | (pl.col("energy_wh") == 0)
    )
    known = few.select(
        ~((pl.col("status") == "first") | is_unknown_exchange | is_worthless_fall).fill_null(
            value=True
        )
    ).to_series()
    return covers.scatter(doubtful, known & covers.gather(doubtful))


def _first_of_points(frame: pl.DataFrame) -> NDArray[np.bool_]:
    ids = frame.get_column("point_id")
    is_new = np.ones(ids.len(), np.bool_)
    if ids.len() > 1:
        is_new[1:] = (ids != ids.shift(1)).to_numpy()[1:]
    return is_new


def _is_sorted(frame: pl.DataFrame, is_new: NDArray[np.bool_]) -> bool:
    end = frame.get_column("end").to_numpy()
    points = frame.get_column("point_id").gather(np.flatnonzero(is_new))
    in_time = bool(((end[1:] >= end[:-1]) | is_new[1:]).all())
    return in_time and bool((points.slice(1) > points.head(max(points.len() - 1, 0))).all())


class _Parts:
    """Contributions in order: the step each belongs to, its bucket, energy and seconds."""

    def __init__(
        self,
        *,
        step: NDArray[np.int64],
        bucket: NDArray[np.int64],
        energy: NDArray[np.float64],
        covered: NDArray[np.float64],
    ) -> None:
        self.step, self.bucket, self.energy, self.covered = step, bucket, energy, covered

    def take(self, order: NDArray[np.int64]) -> _Parts:
        """Return the contributions in another order."""
        return _Parts(
            step=self.step[order],
            bucket=self.bucket[order],
            energy=self.energy[order],
            covered=self.covered[order],
        )


def _parts_of(steps: _Steps, *, bucket: int) -> _Parts:
    """Cut the steps at the edges of their buckets."""
    start, end, energy, covers = steps.start, steps.end, steps.energy, steps.covers
    last = (end - 1) // bucket
    first = np.minimum(start // bucket, last)
    seconds = np.where(covers, (end - start) / _SECOND_US, 0.0)
    edges = last - first
    cut = np.flatnonzero(edges)
    if not cut.size:
        return _Parts(step=np.arange(start.size), bucket=last, energy=energy, covered=seconds)
    many = edges + 1
    place = np.cumsum(many) - many
    parts = _Parts(
        step=np.repeat(np.arange(start.size), many),
        bucket=np.repeat(first, many),
        energy=np.repeat(energy, many),
        covered=np.repeat(seconds, many),
    )
    once = cut[edges[cut] == 1]
    edge = last[once] * bucket
    until = _energy_until(edge, start=start[once], end=end[once], energy=energy[once])
    at = place[once]
    parts.energy[at] = until
    parts.energy[at + 1] = energy[once] - until
    early = np.where(covers[once], (edge - start[once]) / _SECOND_US, 0.0)
    parts.covered[at] = early
    parts.covered[at + 1] = np.where(covers[once], (end[once] - edge) / _SECOND_US, 0.0)
    parts.bucket[at + 1] += 1
    if once.size < cut.size:
        _cut_often(parts, cut[edges[cut] > 1], place, start, end, energy, covers, bucket=bucket)
    return parts


def _cut_often(
    parts: _Parts,
    steps: NDArray[np.int64],
    place: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    energy: NDArray[np.float64],
    covers: NDArray[np.bool_],
    *,
    bucket: int,
) -> None:
    """Cut the steps that reach over more than one edge, in place."""
    first = parts.bucket[place[steps]]
    many = (end[steps] - 1) // bucket - first + 1
    step = np.repeat(steps, many)
    rank = np.arange(step.size) - np.repeat(np.cumsum(many) - many, many)
    bucket_of = np.repeat(first, many) + rank
    low = np.maximum(bucket_of * bucket, start[step])
    high = np.minimum((bucket_of + 1) * bucket, end[step])
    until = _energy_until(high, start=start[step], end=end[step], energy=energy[step])
    is_last = rank == np.repeat(many, many) - 1
    until[is_last] = energy[step[is_last]]
    before = np.empty_like(until)
    before[1:] = until[:-1]
    before[rank == 0] = 0.0
    at = place[step] + rank
    parts.bucket[at] = bucket_of
    parts.energy[at] = until - before
    parts.covered[at] = np.where(covers[step], (high - low) / _SECOND_US, 0.0)


def _energy_until(
    edge: NDArray[np.int64],
    *,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    energy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return each step's energy up to a bucket's edge, on the grid."""
    exact = energy * ((edge - start) / np.maximum(end - start, 1).astype(np.float64))
    until: NDArray[np.float64] = np.rint(exact / GRID_WH) * GRID_WH
    too_large = np.flatnonzero(np.abs(energy) >= _GRID_HOLDS)
    if too_large.size:
        until[too_large] = np.rint(exact[too_large])
    return until


def _merged(steps: _Steps, parts: _Parts, *, bucket: int) -> pl.DataFrame:
    """Add up the contributions to each bucket of each point."""
    point = np.cumsum(steps.is_new, dtype=np.int32)[parts.step]
    same_point = point[1:] == point[:-1]
    if bool((same_point & (parts.bucket[1:] < parts.bucket[:-1])).any()):
        # Steps of one point that overlap: only increments and hand-made frames have them.
        order = np.lexsort((parts.bucket, point))
        parts, point = parts.take(order), point[order]
        same_point = point[1:] == point[:-1]
    new = np.ones(parts.bucket.size, np.bool_)
    new[1:] = (parts.bucket[1:] != parts.bucket[:-1]) | ~same_point
    at = np.flatnonzero(new)
    energy, covered = np.add.reduceat(parts.energy, at), np.add.reduceat(parts.covered, at)
    estimated = np.zeros(at.size)
    if steps.estimated.any():
        of_estimates = np.where(steps.estimated[parts.step], parts.energy, 0.0)
        estimated = np.add.reduceat(of_estimates, at)
    step = parts.step[at]
    return pl.DataFrame(
        {
            "point_id": steps.ids.gather(step),
            "interval_start": pl.Series(parts.bucket[at] * bucket).cast(INSTANT),
            "energy_wh": energy,
            "estimated_wh": estimated,
            "covered_s": covered,
            "method": steps.method.gather(step),
        },
        schema=CORE_ENERGY_INTERVALS.schema,
    )
