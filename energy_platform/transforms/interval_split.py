"""Steps of registers as arrays, cut at the edges of the buckets they reach into.

The arithmetic of ``intervals`` and nothing else: no frame leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GRID_WH: Final = 2.0**-20
"""Inner bucket edges cut a step's energy at multiples of this, a millionth of a watt-hour: sums of
multiples of a power of two are exact in doubles (IEEE 754), in any order."""

_GRID_HOLDS: Final = 2.0**33
"""Beyond this energy of one step a double has no digits left for the grid."""

_SECOND_US: Final = 1_000_000
"""Instants are microseconds, ``covered_s`` is seconds."""

_BLOCK: Final = 16_384
"""Steps cut at a time: what is worked on then stays in the processor's cache."""

_PIECE: Final = 65_536
"""Steps merged at a time, more where one point has more, so that memory is reused."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that bring energy or coverage, sorted by point and time, as arrays.

    Attributes:
        row: Place of each step in ``ids`` and ``method``; None where it is its own.
        is_new: Whether a step is the first of its point.
    """

    ids: pl.Series
    method: pl.Series
    row: NDArray[np.int64] | None
    is_new: NDArray[np.bool_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    energy: NDArray[np.float64]
    covers: NDArray[np.bool_]
    estimated: NDArray[np.bool_]

    @classmethod
    def of(cls, deltas: pl.DataFrame, *, is_new: NDArray[np.bool_]) -> Steps:
        """Take deltas apart; rows that bring nothing are left out."""
        start = deltas.get_column("start_at").to_physical().to_numpy()
        end = deltas.get_column("end_at").to_physical().to_numpy()
        if bool((end < start).any()):
            raise ValueError("a delta ends before it starts; deltas must have start_at <= end_at")
        energy = deltas.get_column("energy_wh").fill_null(0.0).to_numpy()
        covers = _covers(deltas)
        brings = (energy != 0) | (covers & (end > start))
        steps = cls(
            ids=deltas.get_column("point_id"),
            method=deltas.get_column("method"),
            row=None,
            is_new=is_new,
            start=start,
            end=end,
            energy=energy,
            covers=covers,
            estimated=deltas.get_column("estimated").to_numpy(),
        )
        return steps if brings.all() else steps.only(np.flatnonzero(brings))

    def only(self, rows: NDArray[np.int64]) -> Steps:
        """Return some of the steps, in order."""
        point = np.cumsum(self.is_new)[rows]
        return replace(
            self,
            row=rows,
            is_new=np.diff(point, prepend=0) != 0,
            start=self.start[rows],
            end=self.end[rows],
            energy=self.energy[rows],
            covers=self.covers[rows],
            estimated=self.estimated[rows],
        )

    def pieces(self) -> Iterator[tuple[int, Steps]]:
        """Yield the steps of some whole points at a time, as views, and where they begin."""
        starts = np.append(np.flatnonzero(self.is_new), self.end.size)
        low = 0
        while low < self.end.size:
            place = int(np.searchsorted(starts, low + _PIECE))
            high = int(starts[min(place, starts.size - 1)])
            piece = slice(low, high)
            views = replace(
                self,
                is_new=self.is_new[piece],
                start=self.start[piece],
                end=self.end[piece],
                energy=self.energy[piece],
                covers=self.covers[piece],
                estimated=self.estimated[piece],
            )
            yield low, views
            low = high

    def cut_block(
        self,
        block: slice,
        *,
        bucket: int,
        number: NDArray[np.int64],
        energy: NDArray[np.float64],
        covered: NDArray[np.float64],
        far: NDArray[np.bool_],
    ) -> None:
        """Cut some steps at their last edge, each into a pair of parts; say which reach farther."""
        start, end, whole = self.start[block], self.end[block], self.energy[block]
        early, late = (slice(2 * block.start + place, 2 * block.stop, 2) for place in (0, 1))
        last = (end - 1) // bucket
        length = end - start
        elapsed = np.maximum(last * bucket - start, 0)
        number[early] = last - (elapsed > 0)
        number[late] = last
        energy[early] = until = _energy_until(elapsed, length=length, energy=whole)
        energy[late] = whole - until
        known = self.covers[block]
        covered[early] = np.where(known, elapsed / _SECOND_US, 0.0)
        covered[late] = np.where(known, (length - elapsed) / _SECOND_US, 0.0)
        np.greater(elapsed, bucket, out=far[block])


def _covers(deltas: pl.DataFrame) -> NDArray[np.bool_]:
    """Say which steps are known to have happened within their time."""
    covers = deltas.get_column("energy_wh").is_not_null().to_numpy(writable=True)
    runs = deltas.get_column("status").rle().struct.unnest()
    is_doubtful = runs.get_column("value").is_in(["first", "exchange", "reset"])
    if not is_doubtful.any():
        return covers
    doubtful = np.flatnonzero(np.repeat(is_doubtful.to_numpy(), runs.get_column("len").to_numpy()))
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
    covers[doubtful] &= known.to_numpy()
    return covers


def first_of_points(deltas: pl.DataFrame) -> NDArray[np.bool_]:
    """Say which rows are of another point than the one before."""
    is_new = np.zeros(deltas.height, np.bool_)
    length = deltas.get_column("point_id").rle().struct.field("len").to_numpy()
    is_new[np.cumsum(length) - length] = True
    return is_new


@dataclass(frozen=True, slots=True)
class Contributions:
    """Contributions in the order of their steps, and in order of time within a step.

    Every step has a pair of them, for its last bucket and the one before it, of which the earlier
    is empty (same bucket, nothing) where the step lies in one bucket. So nearly all is computed in
    place, without moving anything; what reaches over several edges is put in between.

    Attributes:
        bucket: Number of the bucket since 1970.
        energy: Wh.
        covered: Seconds.
        is_new: Whether a part is the first of its point.
        step: The step of each part.
    """

    bucket: NDArray[np.int64]
    energy: NDArray[np.float64]
    covered: NDArray[np.float64]
    is_new: NDArray[np.bool_]
    step: NDArray[np.int64]

    def take(self, order: NDArray[np.int64]) -> Contributions:
        """Return the contributions in another order, each point's still together."""
        point = np.cumsum(self.is_new)[order]
        return Contributions(
            bucket=self.bucket[order],
            energy=self.energy[order],
            covered=self.covered[order],
            is_new=np.diff(point, prepend=0) != 0,
            step=self.step[order],
        )


def contributions_of(steps: Steps, *, bucket: int) -> Contributions:
    """Cut the steps at the edges of their buckets."""
    n = steps.end.size
    number = np.empty(2 * n, np.int64)
    energy, covered = np.empty(2 * n), np.empty(2 * n)
    far = np.empty(n, np.bool_)
    for low in range(0, n, _BLOCK):
        steps.cut_block(
            slice(low, low + _BLOCK),
            bucket=bucket,
            number=number,
            energy=energy,
            covered=covered,
            far=far,
        )
    last = np.ascontiguousarray(number[1::2])
    if bool((number[0::2] == last).all()):
        # Samples on the grid: every step lies in one bucket, and the earlier halves are empty.
        return Contributions(last, energy[1::2], covered[1::2], steps.is_new, np.arange(n))
    is_new = np.zeros(2 * n, np.bool_)
    is_new[0::2] = steps.is_new
    parts = Contributions(number, energy, covered, is_new, np.repeat(np.arange(n), 2))
    often = np.flatnonzero(far)
    return _with_inner_contributions(steps, parts, often, bucket=bucket) if often.size else parts


def _with_inner_contributions(
    steps: Steps, parts: Contributions, often: NDArray[np.int64], *, bucket: int
) -> Contributions:
    """Cut the steps that reach over more than one edge, and put their earlier parts in."""
    start, end, energy = steps.start[often], steps.end[often], steps.energy[often]
    first = start // bucket
    many = (end - 1) // bucket - first + 1
    of = np.repeat(np.arange(often.size), many)
    rank = np.arange(of.size) - np.repeat(np.cumsum(many) - many, many)
    number = first[of] + rank
    low = np.maximum(number * bucket, start[of])
    high = np.minimum((number + 1) * bucket, end[of])
    until = _energy_until(high - start[of], length=(end - start)[of], energy=energy[of])
    left = many[of] - 1 - rank
    until[left == 0] = energy
    before = np.empty_like(until)
    before[1:] = until[:-1]
    before[rank == 0] = 0.0
    own = until - before
    seconds = np.where(steps.covers[often][of], (high - low) / _SECOND_US, 0.0)
    for place in (0, 1):
        parts.energy[2 * often + place] = own[left == 1 - place]
        parts.covered[2 * often + place] = seconds[left == 1 - place]
    inner = left > 1
    step = often[of[inner]]
    at = 2 * step
    is_first = rank[inner] == 0
    opens = is_first & steps.is_new[step]
    parts.is_new[at[opens]] = False
    return Contributions(
        bucket=np.insert(parts.bucket, at, number[inner]),
        energy=np.insert(parts.energy, at, own[inner]),
        covered=np.insert(parts.covered, at, seconds[inner]),
        is_new=np.insert(parts.is_new, at, opens),
        step=np.insert(parts.step, at, step),
    )


def _energy_until(
    elapsed: NDArray[np.int64], *, length: NDArray[np.int64], energy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a step's energy until some time after its start, on the grid."""
    until: NDArray[np.float64] = energy * (elapsed / np.maximum(length, 1))
    too_large = np.flatnonzero(np.abs(energy) >= _GRID_HOLDS)
    few = np.rint(until[too_large])
    until *= 1 / GRID_WH
    np.rint(until, out=until)
    until *= GRID_WH
    until[too_large] = few
    return until
