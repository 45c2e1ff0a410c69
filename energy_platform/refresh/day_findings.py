"""What a refreshed day is to be warned of: frames with the points that need somebody to look.

A day is looked at some devices at a time, so that it fits into memory however many readings it has.
Here belongs what is asked of which rows; the questions are in ``transforms``, and what is said of
the answers in the checks of the core tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import day_bounds, days_before
from energy_platform.identity import device_of
from energy_platform.refresh.shares import point_shares
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_STATE,
)
from energy_platform.transforms.conservation import (
    Conservation,
    intervals_conserve,
    totals_conserve,
)
from energy_platform.transforms.limits import over_limit, refused_energy
from energy_platform.transforms.quality import (
    completeness,
    disagreeing_power,
    frequent_resets,
    habits,
    spike_reversals,
    stuck,
    unexpected_quarantine,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from energy_platform.lake.lake import Lake
    from energy_platform.refresh.memory_budget import MemoryBudget
    from energy_platform.schemas import Table

LEAST_SHARE: Final = 0.9
"""Points that bring less than this share of the samples they are expected to are named."""

MOVED_WITHIN: Final = 30
"""A gauge that has shown one value for longer than this many days is a constant, not a fault."""

_BEHIND_ALL_KEYS: Final = "\U0010ffff"
"""Sorts behind every key that a device's points may have."""


class DayFindings(NamedTuple):
    """What was found in a day, the worst first.

    Attributes:
        few: ``point_id, expected, received, share`` of points below ``LEAST_SHARE``.
        quarantined: ``reason, readings`` that could not be used.
        stuck: ``point_id`` of gauges that stood still.
        falls: ``point_id, falls`` of registers that fell too often.
        spikes: Points with spikes that were taken back: ``point_id, energy_wh``.
        refused: See :func:`~energy_platform.transforms.limits.refused_energy`.
        refused_consumption: ``point_id, refused, unit, end_at``: the same of other registers.
        over_limit: See :func:`~energy_platform.transforms.limits.over_limit`.
        disagreeing: See :func:`~energy_platform.transforms.quality.disagreeing_power`.
        habits: What the points did, see :func:`~energy_platform.transforms.quality.habits`.
        spread: Whether the intervals hold what the deltas count.
        carried: Whether the carried totals moved by it.
    """

    few: pl.DataFrame
    quarantined: pl.DataFrame
    stuck: pl.DataFrame
    falls: pl.DataFrame
    spikes: pl.DataFrame
    refused: pl.DataFrame
    refused_consumption: pl.DataFrame
    over_limit: pl.DataFrame
    disagreeing: pl.DataFrame
    habits: pl.DataFrame
    spread: Conservation
    carried: Conservation


class _Share(NamedTuple):
    """Some devices of a day: their readings, and between which ids their points lie.

    A device without a reading belongs to the share of the one behind it.
    """

    readings: pl.DataFrame
    behind: str | None
    last: str | None

    def of(self, points: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of these devices."""
        return points.filter(self.within)

    @property
    def within(self) -> pl.Expr:
        """Whether a point lies in the share."""
        inside = pl.lit(value=True)
        if self.behind is not None:
            inside &= pl.col("point_id") > self.behind
        if self.last is not None:
            inside &= pl.col("point_id") <= self.last
        return inside


def day_findings(
    lake: Lake,
    *,
    day: str,
    before: str | None,
    points: pl.DataFrame,
    known: pl.DataFrame,
    open_vendors: Collection[str],
    budget: MemoryBudget,
) -> DayFindings:
    """Look at a day, some devices at a time.

    Args:
        lake: Holds the day.
        day: UTC day.
        before: The day whose register state it began from; None for none.
        points: See :meth:`~energy_platform.portfolio.Portfolio.points_frame`.
        known: ``point_id, step_s, moved_day``: what the points did on earlier days.
        open_vendors: Vendors whose day goes on: nobody can say what it lacks.
        budget: How many rows are looked at at once.

    Raises:
        LakeError: A file is damaged.
    """
    found = [
        _share_findings(
            lake,
            share,
            day=day,
            before=before,
            points=share.of(points),
            known=share.of(known),
            open_vendors=open_vendors,
        )
        for share in _shares(lake, day=day, budget=budget)
    ]
    if len(found) == 1:
        return found[0]
    frames = {
        name: pl.concat([getattr(one, name) for one in found])
        for name in DayFindings._fields
        if name not in {"spread", "carried"}
    }
    return DayFindings(
        few=frames["few"].sort("share", "point_id"),
        quarantined=frames["quarantined"]
        .group_by("reason")
        .agg(pl.col("readings").sum())
        .sort("readings", "reason", descending=[True, False]),
        stuck=frames["stuck"],
        falls=frames["falls"],
        spikes=frames["spikes"],
        refused=frames["refused"].sort(
            pl.col("refused_wh").abs(), "point_id", "end_at", descending=[True, False, False]
        ),
        refused_consumption=_largest_first(frames["refused_consumption"]),
        over_limit=frames["over_limit"].sort("energy_wh", "point_id", descending=[True, False]),
        disagreeing=frames["disagreeing"],
        habits=frames["habits"],
        spread=_together([one.spread for one in found]),
        carried=_together([one.carried for one in found]),
    )


def _shares(lake: Lake, *, day: str, budget: MemoryBudget) -> Iterator[_Share]:
    try:
        with lake.open(CORE_READINGS, day=day) as file:
            shares = point_shares(
                file,
                most_rows=budget.most_rows,
                on_large=budget.on_large(day),
                whole_devices=True,
            )
            behind: str | None = None
            share = next(shares)
            for following in shares:
                last = f"{device_of(share['point_id'][-1])}/{_BEHIND_ALL_KEYS}"
                yield _Share(share, behind, last)
                share, behind = following, last
            yield _Share(share, behind, None)
    except FileNotFoundError:
        yield _Share(CORE_READINGS.empty(), None, None)


def _share_findings(
    lake: Lake,
    share: _Share,
    *,
    day: str,
    before: str | None,
    points: pl.DataFrame,
    known: pl.DataFrame,
    open_vendors: Collection[str],
) -> DayFindings:
    readings = share.readings
    deltas = _read(lake, CORE_ENERGY_DELTAS, share, day=day)
    consumption = _read(lake, CORE_CONSUMPTION_DELTAS, share, day=day)
    counted = _counted(deltas, consumption)
    in_service = pl.col("until").is_null() | (pl.col("until") >= day_bounds(day)[1])
    over = points.filter(~pl.col("vendor").is_in(list(open_vendors)) & in_service)
    moved = known.filter(pl.col("moved_day") >= days_before(day, MOVED_WITHIN))
    return DayFindings(
        few=completeness(readings, points=over, known=known).filter(pl.col("share") < LEAST_SHARE),
        quarantined=unexpected_quarantine(readings, points=points).select("reason", "readings"),
        stuck=stuck(readings, points=points, moved=moved),
        falls=frequent_resets(deltas),
        spikes=spike_reversals(deltas),
        refused=refused_energy(deltas, readings=readings),
        refused_consumption=_largest_first(
            consumption.filter(pl.col("refused") != 0).select(
                "point_id", "refused", "unit", "end_at"
            )
        ),
        over_limit=over_limit(deltas, points=points),
        disagreeing=disagreeing_power(deltas, readings, points=points),
        habits=habits(readings),
        spread=intervals_conserve(
            counted,
            _counted(
                _read(lake, CORE_ENERGY_INTERVALS, share, day=day),
                _read(lake, CORE_CONSUMPTION_INTERVALS, share, day=day),
            ),
        ),
        carried=totals_conserve(
            counted,
            before=CORE_REGISTER_STATE.empty()
            if before is None
            else _read(lake, CORE_REGISTER_STATE, share, day=before),
            after=_read(lake, CORE_REGISTER_STATE, share, day=day),
        ),
    )


def _read(lake: Lake, table: Table, share: _Share, *, day: str) -> pl.DataFrame:
    """Read the rows of a share; of one that is the whole day, the file as it is."""
    if share.behind is None and share.last is None:
        return lake.read(table, day=day)
    return lake.read_where(table, share.within, day=day)


def _counted(energy: pl.DataFrame, consumption: pl.DataFrame) -> pl.DataFrame:
    """Return ``point_id, energy_wh``; what points without watt-hours count is in their own unit."""
    return pl.concat(
        [
            energy.select("point_id", "energy_wh"),
            consumption.select("point_id", energy_wh="consumption"),
        ]
    )


def _largest_first(refused: pl.DataFrame) -> pl.DataFrame:
    return refused.sort(
        pl.col("refused").abs(), "point_id", "end_at", descending=[True, False, False]
    )


def _together(parts: list[Conservation]) -> Conservation:
    return Conservation(
        expected_wh=sum(one.expected_wh for one in parts),
        actual_wh=sum(one.actual_wh for one in parts),
        points=pl.concat([one.points for one in parts]),
    )
