"""Energy per interval: each step spread linearly over the UTC buckets it covers.

Contributions are additive: a day's file holds what the steps that end on that day bring to any
bucket, and a bucket's energy is a plain sum over the files.

What holds exactly: the contributions of one step, added in order, give the step's energy to the
last bit. Inner contributions are multiples of 2^-20 Wh (a micro-watt-hour), so for registers that
count whole watt-hours every sum of contributions is exact in any order, up to 2^33 Wh.
"""

from __future__ import annotations

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

_BLOCK: Final = 65_536
"""Steps spread at a time, so that what is worked on stays in the processor's cache."""


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
    bucket = int(width_of(width) / timedelta(microseconds=1))
    steps = deltas.select(
        "point_id",
        pl.col("start_at").to_physical().alias("start"),
        pl.col("end_at").to_physical().alias("end"),
        pl.col("energy_wh").fill_null(0.0),
        "estimated",
        _covers().alias("covers"),
        "method",
    ).filter((pl.col("energy_wh") != 0) | (pl.col("covers") & (pl.col("end") > pl.col("start"))))
    if not steps.height:
        return CORE_ENERGY_INTERVALS.empty()
    if not _is_sorted(steps):
        steps = steps.sort("point_id", "end", "start")
    parts = _parts(steps, bucket=bucket)
    return _merged(steps, parts, bucket=bucket)


def _covers() -> pl.Expr:
    """Say which steps are known to have happened within their time."""
    status, reason = pl.col("status"), pl.col("reason").fill_null("")
    unknown_exchange = (status == "exchange") & (reason != "marker")
    worthless_fall = (status == "reset") & ((reason == "zero") | (pl.col("energy_wh") == 0))
    return ~(
        (status == "first") | pl.col("energy_wh").is_null() | unknown_exchange | worthless_fall
    )


def _is_sorted(steps: pl.DataFrame) -> bool:
    ids, end = steps.get_column("point_id"), steps.get_column("end")
    earlier, later = ids.head(steps.height - 1), ids.slice(1)
    in_time = end.slice(1) >= end.head(steps.height - 1)
    return bool(((later > earlier) | ((later == earlier) & in_time)).all())


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


def _parts(steps: pl.DataFrame, *, bucket: int) -> _Parts:
    start = steps.get_column("start").to_numpy()
    end = steps.get_column("end").to_numpy()
    energy = steps.get_column("energy_wh").to_numpy()
    covers = steps.get_column("covers").to_numpy()
    if bool((end < start).any()):
        raise ValueError("a delta ends before it starts; deltas must have start_at <= end_at")
    blocks = []
    for low in range(0, start.size, _BLOCK):
        own = slice(low, low + _BLOCK)
        parts = _parts_of(start[own], end[own], energy[own], covers[own], bucket=bucket)
        parts.step += low
        blocks.append(parts)
    return _Parts(
        step=np.concatenate([parts.step for parts in blocks]),
        bucket=np.concatenate([parts.bucket for parts in blocks]),
        energy=np.concatenate([parts.energy for parts in blocks]),
        covered=np.concatenate([parts.covered for parts in blocks]),
    )


def _parts_of(
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    energy: NDArray[np.float64],
    covers: NDArray[np.bool_],
    *,
    bucket: int,
) -> _Parts:
    """Cut some steps at the edges of their buckets."""
    last = (end - 1) // bucket
    first = np.minimum(start // bucket, last)
    many = last - first + 1
    if bool((many == 1).all()):
        seconds = np.where(covers, (end - start) / _SECOND_US, 0.0)
        return _Parts(step=np.arange(start.size), bucket=last, energy=energy, covered=seconds)
    step = np.repeat(np.arange(start.size), many)
    rank = np.arange(step.size) - np.repeat(np.cumsum(many) - many, many)
    place = first[step] + rank
    low = np.maximum(place * bucket, start[step])
    high = np.minimum((place + 1) * bucket, end[step])
    until = _energy_until(high, step=step, start=start, end=end, energy=energy)
    until[rank == many[step] - 1] = energy
    before = np.empty_like(until)
    before[1:] = until[:-1]
    before[rank == 0] = 0.0
    seconds = np.where(covers[step], (high - low) / _SECOND_US, 0.0)
    return _Parts(step=step, bucket=place, energy=until - before, covered=seconds)


def _energy_until(
    edge: NDArray[np.int64],
    *,
    step: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    energy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the step's energy up to a bucket's edge, on the grid."""
    length = np.maximum(end - start, 1).astype(np.float64)
    share = (edge - start[step]) / length[step]
    exact = energy[step] * share
    on_grid = np.rint(exact / GRID_WH) * GRID_WH
    until: NDArray[np.float64] = np.where(
        np.abs(energy)[step] < _GRID_HOLDS, on_grid, np.rint(exact)
    )
    return until


def _merged(steps: pl.DataFrame, parts: _Parts, *, bucket: int) -> pl.DataFrame:
    """Add up the contributions to each bucket of each point."""
    ids = steps.get_column("point_id")
    changes = np.ones(ids.len(), np.bool_)
    changes[1:] = (ids != ids.shift(1)).to_numpy()[1:]
    point = np.cumsum(changes, dtype=np.int32)[parts.step]
    same_point = point[1:] == point[:-1]
    if bool((same_point & (parts.bucket[1:] < parts.bucket[:-1])).any()):
        # Steps of one point that overlap: only increments and hand-made frames have them.
        order = np.lexsort((parts.bucket, point))
        parts, point = parts.take(order), point[order]
        same_point = point[1:] == point[:-1]
    new = np.ones(parts.bucket.size, np.bool_)
    new[1:] = (parts.bucket[1:] != parts.bucket[:-1]) | ~same_point
    estimated = np.where(steps.get_column("estimated").to_numpy()[parts.step], parts.energy, 0.0)
    sums = (parts.energy, estimated, parts.covered)
    step, place = parts.step, parts.bucket
    if not new.all():
        at = np.flatnonzero(new)
        step, place = step[at], place[at]
        sums = (
            np.add.reduceat(parts.energy, at),
            np.add.reduceat(estimated, at),
            np.add.reduceat(parts.covered, at),
        )
    return pl.DataFrame(
        {
            "point_id": ids.gather(step),
            "interval_start": pl.Series(place * bucket).cast(INSTANT),
            "energy_wh": sums[0],
            "estimated_wh": sums[1],
            "covered_s": sums[2],
            "method": steps.get_column("method").gather(step),
        },
        schema=CORE_ENERGY_INTERVALS.schema,
    )
