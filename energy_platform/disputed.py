"""Refused energy, limits that do not fit and acceptances without effect, point by point.

The register rule decides row by row; here its rows are summed up for ``status``, ``doctor``, the
report of a run and the alert, which all use the same sentences. What no rule has refused does not
belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.days import day_of
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.transforms.limits import over_limit, refused_energy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.portfolio.resolved import Accepted

RECENT_DAYS: Final = 35
"""Days of the lake that are looked at, the newest: a month that is being billed, and some days."""

NAMED_DAYS: Final = 3

ADVICE: Final = (
    "Another meter: a reset_marker; another unit: a correction; a real load: a better "
    "max_power_w; real for once: an accept entry. `energy-platform explain POINT DAY` shows the "
    "step"
)
"""What decides about refused energy."""


@dataclass(frozen=True, kw_only=True)
class Disputed:
    """Refused energy of one point.

    Attributes:
        point_id: The register.
        refused_wh: Sum of what was refused, signed, Wh.
        days: Days of its site on which a refused step ended, oldest first.
        since: End of the oldest such step.
        needed_w: A limit that would have let all of it pass, W; None: no limit would.
        reason: The one of the largest refused step: ``above_allowance`` or ``scale_k``.
        explain_day: The day of the largest step, for ``explain``.
    """

    point_id: str
    refused_wh: float
    days: tuple[str, ...]
    since: datetime
    needed_w: float | None
    reason: str | None
    explain_day: str

    @property
    def description(self) -> str:
        """What is refused, when, and the limit that would have let it pass."""
        shown = ", ".join(self.days[-NAMED_DAYS:])
        days = shown if len(self.days) <= NAMED_DAYS else f"{len(self.days)} days, last {shown}"
        return f"{self.point_id}: {self.refused_wh:,.0f} Wh refused on {days}; {self.way_out}"

    @property
    def way_out(self) -> str:
        """The limit that would have let it pass, or what else decides."""
        if self.needed_w is not None:
            return f"a max_power_w of {self.needed_w:,.0f} would have let it pass"
        if self.reason == "scale_k":
            return "a change of unit: a correction with the factor decides"
        return "no limit would have let it pass: a fall to another level"


@dataclass(frozen=True, kw_only=True)
class TooSmall:
    """A limit that its load outran; the energy is booked.

    Attributes:
        point_id: The register.
        energy_wh: Energy booked beyond the limit, Wh.
        needed_w: The limit that it needs, W.
        max_power_w: The stated one, W; None: learned, so it grew.
        is_kilowatts: Whether the stated number looks like kW.
    """

    point_id: str
    energy_wh: float
    needed_w: float
    max_power_w: float | None
    is_kilowatts: bool

    @property
    def description(self) -> str:
        """What was booked beyond which limit, and the one that is needed."""
        message = f"{self.point_id}: {self.energy_wh:,.0f} Wh beyond its limit are booked; "
        if self.max_power_w is None:
            return f"{message}the learned limit grew to hold {self.needed_w:,.0f} W"
        message += (
            f"max_power_w {self.max_power_w:,.6g} W is stated, it needs {self.needed_w:,.0f} W "
            "or more"
        )
        if self.is_kilowatts:
            message += f". Were they kW? Then write {self.max_power_w * 1000:.15g}"
        return message


def disputed(
    lake: Lake,
    portfolio: Portfolio,
    *,
    days: Sequence[str] | None = None,
    since: datetime | None = None,
) -> tuple[Disputed, ...]:
    """List the points that have refused energy, the largest first.

    Args:
        lake: Its derived days.
        portfolio: Where the points are; other points are left out.
        days: UTC days to look at; None: the newest `RECENT_DAYS` of the lake.
        since: End of an older step to look back to as well, such as that of a standing alert: a
            dispute ends when somebody decides, not when its day is no longer recent.

    Raises:
        LakeError: A file of the lake is damaged.
    """
    steps = (
        _recent(lake, days, since=since, refused=True).filter(pl.col("refused_wh") != 0).collect()
    )
    steps = steps.filter(pl.col("point_id").is_in(list(portfolio.points)))
    if not steps.height:
        return ()
    # The readings of a refused step lie on the days from its start to its end.
    first, last = steps["start_at"].min(), steps["end_at"].max()
    touched = [day for day in lake.days(CORE_READINGS) if _within(day, first, last)]
    readings = (
        lake.scan(CORE_READINGS, days=touched)
        .filter(pl.col("point_id").is_in(steps["point_id"].unique().to_list()))
        .collect()
    )
    found = []
    refused = refused_energy(steps, readings=readings)
    for (point_id,), own in refused.group_by("point_id", maintain_order=True):
        zone = _zone(portfolio, str(point_id))
        ends = [at.astimezone(zone).date().isoformat() for at in own["end_at"]]
        needs = own["needed_w"]
        found.append(
            Disputed(
                point_id=str(point_id),
                refused_wh=float(own["refused_wh"].sum()),
                days=tuple(sorted(set(ends))),
                since=min(own["end_at"]),
                needed_w=None if needs.null_count() else max(needs),
                reason=own["reason"][0],
                explain_day=ends[0],
            )
        )
    return tuple(found)


def too_small(
    lake: Lake, portfolio: Portfolio, *, days: Sequence[str] | None = None
) -> tuple[TooSmall, ...]:
    """List the limits that a load outran, the most energy first; arguments as `disputed`."""
    steps = _recent(lake, days).filter(pl.col("status") == "over_limit").collect()
    found = over_limit(steps, points=portfolio.points_frame())
    return tuple(
        TooSmall(**row)
        for row in found.drop("steps").iter_rows(named=True)
        if row["point_id"] in portfolio.points
    )


def idle_acceptances(lake: Lake, portfolio: Portfolio) -> tuple[Accepted, ...]:
    """List the entries of ``accept`` that book nothing, in the order of the portfolio.

    An entry books what a step refused that ends within its span (docs/energy.md, accepted energy).
    Where none does, the span was mistyped, or a correction or another limit has settled the matter
    since. Spans that the lake's days do not reach yet are left out: there the step may still come.

    Raises:
        LakeError: A file of the lake is damaged.
    """
    known = lake.days(CORE_ENERGY_DELTAS)
    found = []
    for one in portfolio.accepted:
        days = [day for day in known if day_of(one.start) <= day <= day_of(one.end)]
        if not known or known[-1] < day_of(one.end):
            continue
        booked = lake.scan(CORE_ENERGY_DELTAS, days=days).filter(
            pl.col("point_id") == one.point_id,
            pl.col("reason") == "accepted",
            pl.col("end_at").is_between(one.start, one.end, closed="left"),
        )
        if not days or not booked.select(pl.len()).collect().item():
            found.append(one)
    return tuple(found)


def _recent(
    lake: Lake,
    days: Sequence[str] | None,
    *,
    since: datetime | None = None,
    refused: bool = False,
) -> pl.LazyFrame:
    """Scan the steps of some days; with ``refused`` of those alone that may have refused energy.

    The alerts ask every minute: a day without any is not opened.
    """
    if days is None:
        known = lake.days(CORE_ENERGY_DELTAS)
        days = known[-RECENT_DAYS:]
        if since is not None:
            days = [day for day in known if day >= min(day_of(since), *days[:1])]
    if refused and days:
        without = {
            one.day
            for one in lake.day_files(CORE_ENERGY_DELTAS, since=min(days))
            if one.has_refused is False
        }
        days = [day for day in days if day not in without]
    return lake.scan(CORE_ENERGY_DELTAS, days=days)


def _within(day: str, first: object, last: object) -> bool:
    return str(first)[:10] <= day <= str(last)[:10]


def _zone(portfolio: Portfolio, point_id: str) -> ZoneInfo:
    return ZoneInfo(portfolio.sites[portfolio.points[point_id].site_id].timezone)
