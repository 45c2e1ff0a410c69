"""Readings in order: one run of strictly rising instants per point, as arrays.

What every method of counting needs before it starts: sorting, merging duplicates, refusing what a
double cannot hold, cutting large frames into batches. Nothing here judges a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from energy_platform.schemas import INSTANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EXACT_COUNTS: Final = 2.0**53
"""Doubles hold every whole number up to here, and only every other one beyond."""

READINGS_AT_ONCE: Final = 524_288
"""Readings of a batch: what the rule works on then stays below 150 MB (docs/performance.md)."""

_KEY_BITS: Final = 2**62
"""Point and instant fit into one sortable integer below this; beyond, they are sorted apart."""


@dataclass(frozen=True, slots=True)
class SortedReadings:
    """Readings sorted by point and instant, each instant of a point once.

    Attributes:
        points: Point ids in order, one per run.
        ids: Point id of each reading, where the readings came in order as they are.
        first: Index of each point's first reading.
        count: Readings of each point, at least one.
        counts_per_wh: Counts of each point in one Wh.
        at: Microseconds since 1970, per reading.
        counts: The register in the vendor's own counts, per reading.
    """

    points: pl.Series
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    counts_per_wh: NDArray[np.float64]
    at: NDArray[np.int64]
    counts: NDArray[np.float64]
    ids: pl.Series | None = None

    def point_ids(self) -> pl.Series:
        """Return the point id of each reading."""
        if self.ids is not None:
            return self.ids
        return self.points.gather(
            np.repeat(np.arange(self.count.size, dtype=np.uint32), self.count)
        )

    @property
    def is_scaled(self) -> bool:
        """Whether any point counts in something else than Wh."""
        return bool((self.counts_per_wh != 1).any())

    def newer_than(self, seen_until: NDArray[np.int64]) -> SortedReadings:
        """Leave out readings that are not newer than an instant per point."""
        if not self.count.size or bool((self.at[self.first] > seen_until).all()):
            return self
        return self.only(self.at > np.repeat(seen_until, self.count))

    def only(self, kept: NDArray[np.bool_]) -> SortedReadings:
        """Leave out all readings but some."""
        if not self.count.size or kept.all():
            return self
        count = np.add.reduceat(kept.astype(np.int64), self.first)
        has = count > 0
        count = count[has]
        return SortedReadings(
            points=self.points.filter(pl.Series(has)),
            first=_starts(count),
            count=count,
            counts_per_wh=self.counts_per_wh[has],
            at=self.at[kept],
            counts=self.counts[kept],
        )


def _starts(count: NDArray[np.int64]) -> NDArray[np.int64]:
    first = np.zeros(count.size, np.int64)
    np.cumsum(count[:-1], out=first[1:])
    return first


def sort_readings(readings: pl.DataFrame) -> SortedReadings:
    """Sort readings and settle duplicates.

    Args:
        readings: ``point_id, at, value_wh`` and maybe ``counts_per_wh``. Rows without a value
            are left out. Of conflicting duplicates the smallest value that is not zero stays.

    Raises:
        ValueError: A column is missing, an instant has no zone, or a value is not finite or
            beyond 2^53 counts.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "main",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (2, 1, 1)],
        ...     "value_wh": [1200.0, 0.0, 1100.0],
        ... })
        >>> sort_readings(readings).counts.tolist()
        [1100.0, 1200.0]
    """
    frame = _checked(readings)
    ids = frame.get_column("point_id")
    at = frame.get_column("at").to_physical().to_numpy()
    wh = frame.get_column("value_wh").to_numpy()
    runs = ids.rle().struct.unnest()
    points, count = runs.get_column("value"), runs.get_column("len").to_numpy().astype(np.int64)
    first = _starts(count)
    back = np.flatnonzero(at[1:] <= at[:-1]) + 1
    in_order = bool(np.isin(back, first).all()) and bool(
        (points.slice(1) > points.head(max(points.len() - 1, 0))).all()
    )
    order: pl.Series | None = None
    if not in_order:
        points, codes = _coded(ids)
        order = _order(codes, at, wh)
        codes, at, wh = (pl.Series(v).gather(order).to_numpy() for v in (codes, at, wh))
        again = np.zeros(at.size, np.bool_)
        again[1:] = (codes[1:] == codes[:-1]) & (at[1:] == at[:-1])
        if again.any():
            codes, at, wh = codes[~again], at[~again], wh[~again]
            order = order.filter(pl.Series(~again))
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        count = np.diff(first, append=at.size)
    # As a copy: the ids would keep the whole load's text in memory as long as the state lives.
    points = pl.Series(ids.name, points.to_list(), dtype=pl.String())
    scale = np.ones(first.size)
    counts = wh
    if "counts_per_wh" in frame.columns:
        place = first if order is None else order.gather(first)
        scale = frame.get_column("counts_per_wh").gather(place).to_numpy().astype(np.float64)
        if bool((scale != 1).any()):
            counts = whole(wh * np.repeat(scale, count))
    load = SortedReadings(
        points=points,
        first=first,
        count=count,
        counts_per_wh=scale,
        at=at,
        counts=counts,
        ids=ids if order is None else None,
    )
    _refuse_inexact(load)
    return load


def _checked(readings: pl.DataFrame) -> pl.DataFrame:
    wanted = ["point_id", "at", "value_wh"]
    if missing := [name for name in wanted if name not in readings.columns]:
        raise ValueError(f"readings lack {missing}; expected point_id, at, value_wh")
    dtype = readings.schema["at"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise ValueError(f"readings.at must be an instant in UTC, is {dtype}")
    if "counts_per_wh" in readings.columns:
        wanted.append("counts_per_wh")
    frame = readings.select(wanted)
    if dtype != INSTANT:
        frame = frame.with_columns(pl.col("at").dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    if frame.schema["value_wh"] != pl.Float64():
        frame = frame.with_columns(_as_double(frame.get_column("value_wh")))
    if frame.schema["point_id"] != pl.String():
        frame = frame.with_columns(pl.col("point_id").cast(pl.String()))
    if frame.get_column("value_wh").null_count():
        frame = frame.filter(pl.col("value_wh").is_not_null())
    return frame.rechunk()


def _as_double(values: pl.Series) -> pl.Series:
    """Cast whole numbers to doubles, refusing what a double cannot hold."""
    if values.dtype.is_integer() and values.len():
        beyond = values.filter((values > 2**53) | (values < -(2**53)))
        if beyond.len():
            raise ValueError(_beyond(None, float(beyond[0])))
    return values.cast(pl.Float64())


def _coded(ids: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
    """Return the distinct ids in order, and each id's place among them."""
    category = ids.cast(pl.Categorical())
    codes = category.to_physical().to_numpy()
    present = np.flatnonzero(np.bincount(codes))
    where = np.empty(int(present[-1]) + 1, np.int64)
    where[codes] = np.arange(codes.size)
    names = ids.gather(where[present])
    order = names.arg_sort().to_numpy()
    rank = np.empty(int(present[-1]) + 1, np.int64)
    rank[present[order]] = np.arange(order.size)
    return names.gather(order), pl.Series(rank).gather(pl.Series(codes)).to_numpy()


def _order(codes: NDArray[np.int64], at: NDArray[np.int64], wh: NDArray[np.float64]) -> pl.Series:
    """Return the order by point and instant; of one instant, non-zero before zero, then size."""
    low = int(at.min())
    span = int(at.max()) - low + 1
    if span * (int(codes.max()) + 1) < _KEY_BITS:
        key = pl.Series(codes * span + (at - low))
        order = key.arg_sort()
        placed = key.gather(order)
        if not (placed.slice(1) == placed.head(placed.len() - 1)).any():
            return order
    return pl.Series(np.lexsort((wh, wh == 0, at, codes)))


def whole(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return whole counts where a product is one up to rounding.

    Example:
        >>> import numpy as np
        >>> whole(np.array([0.1 * 3 * 10, 2.5])).tolist()
        [3.0, 2.5]
    """
    nearest = np.rint(counts)
    return np.where(np.abs(counts - nearest) <= np.abs(nearest) * 2.0**-51, nearest, counts)


def _refuse_inexact(load: SortedReadings) -> None:
    if not load.counts.size:
        return
    if load.counts.max() <= EXACT_COUNTS and load.counts.min() >= -EXACT_COUNTS:
        return
    index = int(np.flatnonzero(~(np.abs(load.counts) <= EXACT_COUNTS))[0])
    point = load.points[int(np.searchsorted(load.first, index, side="right")) - 1]
    value = float(load.counts[index])
    if not np.isfinite(value):
        raise ValueError(
            f"{point}: a register reading is {value}, no finite number; "
            "quarantined readings must not reach the register rule"
        )
    raise ValueError(_beyond(point, value))


def _beyond(point: str | None, value: float) -> str:
    return (
        f"{point or 'a register'}: {value:.0f} counts are beyond 2^53 "
        f"({EXACT_COUNTS:.0f}), where doubles no longer hold every whole count; "
        "quarantine the reading, or set the point's maximum"
    )


def iter_point_batches(
    frame: pl.DataFrame, *, rows: int = READINGS_AT_ONCE
) -> Iterator[pl.DataFrame]:
    """Cut a frame sorted by point into batches without copying, never inside a point.

    Args:
        frame: Rows with ``point_id``, each point's together.
        rows: Rows of a batch; more only where one point has more.

    Example:
        >>> frame = pl.DataFrame({"point_id": ["a", "a", "b", "c"]})
        >>> [batch.get_column("point_id").to_list() for batch in iter_point_batches(frame, rows=2)]
        [['a', 'a'], ['b', 'c']]
    """
    if frame.height <= rows:
        yield frame
        return
    length = frame.get_column("point_id").rle().struct.field("len").to_numpy()
    starts = np.append(0, np.cumsum(length))
    low = 0
    while low < frame.height:
        at = int(np.searchsorted(starts, low + rows, side="right")) - 1
        high = int(starts[at])
        if high <= low:
            high = int(starts[at + 1])
        yield frame.slice(low, high - low)
        low = high
