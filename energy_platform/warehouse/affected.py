"""Which local days a build rebuilds, and which day files overlap them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_bounds
from energy_platform.schemas import CORE_READINGS
from energy_platform.warehouse.build_state import BuildState, MovedExtent, Span
from energy_platform.warehouse.calendars import DAY, day_start, days_between
from energy_platform.warehouse.inputs import MARGIN, Input

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor
    from energy_platform.warehouse.inputs import Coverage


class CoveringFile(NamedTuple):
    """A day file, and what its rows cover."""

    file: Input
    span: Span


LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for no instant yet."""

_FEW: Final = 0.25
"""Share of the points up to which they are rebuilt by themselves: beyond, one pass over all the
points of a day costs less than a slice of its own."""

_OUTSIDE: Final = "UTC"
"""Zone of points that the portfolio does not know."""


def data_until(
    coverages: Mapping[Vendor, Coverage], *, inputs: Mapping[tuple[str, str], Input]
) -> datetime:
    """Return up to when data is known: the furthest raw day, else the newest day of readings."""
    found = [one.complete_until for one in coverages.values() if one.complete_until is not None]
    if found:
        return max(found)
    days = [one.day for one in inputs.values() if one.table == CORE_READINGS.name]
    return day_bounds(max(days))[1] if days else LONG_AGO


class Affected(NamedTuple):
    """What a build rebuilds.

    Attributes:
        days: Local days by zone on which every point is rebuilt.
        days_of_points: Further local days by zone on which some points are rebuilt.
        points: These points.
    """

    days: dict[str, set[date]]
    days_of_points: dict[str, set[date]]
    points: frozenset[str]

    @property
    def all_days(self) -> dict[str, set[date]]:
        """Both kinds of days by zone."""
        zones = self.days.keys() | self.days_of_points.keys()
        return {
            zone: self.days.get(zone, set()) | self.days_of_points.get(zone, set())
            for zone in zones
        }


def find_affected(
    state: BuildState,
    *,
    portfolio: Portfolio,
    changed: Mapping[tuple[str, str], bool],
    build_info: Mapping[str, str],
    sites: Collection[str],
    full: bool,
) -> Affected:
    """Return the local days, by zone, that changed files and moved extents affect.

    Args:
        state: Of the work file, with the build's day files noted in it.
        portfolio: The portfolio as it is now.
        changed: Day files that are new, changed or gone, by table and day, and whether there is a
            version before and after, which can be compared.
        build_info: What the build rests on.
        sites: Sites whose area or occupancy changed.
        full: Whether everything is rebuilt.
    """
    zones = {site.timezone for site in portfolio.sites.values()} | {_OUTSIDE}
    known_until = datetime.fromisoformat(build_info["horizon_at"])
    unfinished = state.dirty_periods()
    extent = state.extent()
    if extent is None:
        return Affected(unfinished, {}, frozenset())
    whole = Span(extent.first, max(extent.last, known_until))
    found = _Spans([whole], {}, {}, frozenset())
    if not full:
        found = _changed_spans(
            state,
            portfolio=portfolio,
            changed=changed,
            build_info=build_info,
            of_sites=[
                MovedExtent(point_id, whole)
                for point_id in sorted(state.known_points())
                if point_id in portfolio.points and portfolio.points[point_id].site_id in sites
            ],
        )

    def days_of(spans: Iterable[Span], zone: str) -> set[date]:
        inside = days_between(*whole, timezone=zone, margin=1)
        return {
            day
            for span in _merged([*spans])
            for day in days_between(*span, timezone=zone, margin=1) & inside
        }

    days = {
        zone: days_of([*found.everywhere, *found.of_zone.get(zone, ())], zone) for zone in zones
    }
    for zone, left in unfinished.items():
        days.setdefault(zone, set()).update(left)
    of_points = {
        zone: days_of(spans, zone) - days.get(zone, set())
        for zone, spans in found.of_points.items()
    }
    return Affected(days, of_points, found.points)


class _Spans(NamedTuple):
    """What changed: of all points, of those of a zone, and by zone of some points."""

    everywhere: list[Span]
    of_zone: Mapping[str, list[Span]]
    of_points: Mapping[str, list[Span]]
    points: frozenset[str]


def _changed_spans(
    state: BuildState,
    *,
    portfolio: Portfolio,
    changed: Mapping[tuple[str, str], bool],
    build_info: Mapping[str, str],
    of_sites: Sequence[MovedExtent],
) -> _Spans:
    few = int(_FEW * len(state.known_points()))
    compared = state.changed_points([key for key, both in changed.items() if both])
    narrow = frozenset(one.point_id for one in compared)
    if len(narrow) > few:
        narrow, compared = frozenset(), []
    whole_files = {key for key, both in changed.items() if not (both and narrow)}
    everywhere = [Span(*day_bounds(day)) for _, day in whole_files]
    everywhere += [span for table, day, span in state.file_spans() if (table, day) in whole_files]
    everywhere += _moved_bounds(state.build_info(), build_info)
    moved = state.moved_extents(data_until=datetime.fromisoformat(build_info["horizon_at"]))
    moved += of_sites
    if len(with_moved := narrow | {one.point_id for one in moved}) <= few:
        narrow = with_moved
    of_zone: dict[str, list[Span]] = defaultdict(list)
    of_points: dict[str, list[Span]] = defaultdict(list)
    for one in compared:
        spans = [one.span, Span(*day_bounds(one.day))]
        of_points[_zone_of(one.point_id, portfolio)] += spans
    for point in moved:
        wanted = of_points if point.point_id in narrow else of_zone
        wanted[_zone_of(point.point_id, portfolio)].append(point.span)
    return _Spans(everywhere, of_zone, of_points, narrow)


def _zone_of(point_id: str, portfolio: Portfolio) -> str:
    point = portfolio.points.get(point_id)
    return portfolio.sites[point.site_id].timezone if point else _OUTSIDE


def _moved_bounds(old: Mapping[str, str], new: Mapping[str, str]) -> list[Span]:
    """Return the stretches over which the end of known data or a vendor's final instant moved."""
    moved = []
    for key in new:
        if key != "horizon_at" and not key.startswith("final_before_"):
            continue
        before, after = (
            datetime.fromisoformat(text) if text else LONG_AGO
            for text in (old.get(key, ""), new[key])
        )
        if before != after:
            moved.append(Span(min(before, after), max(before, after)))
    return moved


def _merged(found: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(found):
        if merged and span.first <= merged[-1].last:
            merged[-1] = Span(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


def overlapping(
    files: Iterable[CoveringFile], days: Mapping[str, Iterable[date]]
) -> list[CoveringFile]:
    """Return the day files overlapping some local days by zone, with a margin of a day."""
    wanted = _merged(
        [
            Span(
                day_start(day, timezone=timezone) - MARGIN,
                day_start(day + DAY, timezone=timezone) + MARGIN,
            )
            for timezone, some in days.items()
            for day in some
        ]
    )
    return [
        one
        for one in files
        if any(one.span.first <= want.last and want.first <= one.span.last for want in wanted)
    ]
