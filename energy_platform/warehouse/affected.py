"""Which local days a build rebuilds, and which day files overlap them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_bounds
from energy_platform.schemas import CORE_READINGS
from energy_platform.warehouse.build_state import BuildState, Span
from energy_platform.warehouse.calendars import DAY, day_start, days_between
from energy_platform.warehouse.inputs import MARGIN, Input

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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


def affected_days(
    state: BuildState,
    *,
    portfolio: Portfolio,
    changed: Sequence[tuple[str, str]],
    build_info: Mapping[str, str],
    full: bool,
) -> dict[str, set[date]]:
    """Return the local days, by zone, that changed files and moved extents affect."""
    zones = {site.timezone for site in portfolio.sites.values()} | {_OUTSIDE}
    known_until = datetime.fromisoformat(build_info["horizon_at"])
    affected = state.dirty_periods()
    extent = state.extent()
    if extent is None:
        return affected
    whole = Span(extent.first, max(extent.last, known_until))
    everywhere: list[Span] = [whole] if full else []
    of_zone: dict[str, list[Span]] = defaultdict(list)
    if not full:
        days = set(changed)
        everywhere += [Span(*day_bounds(day)) for _, day in changed]
        everywhere += [span for table, day, span in state.file_spans() if (table, day) in days]
        everywhere += _moved_bounds(state.build_info(), build_info)
        for point_id, span in state.moved_extents(data_until=known_until):
            point = portfolio.points.get(point_id)
            zone = portfolio.sites[point.site_id].timezone if point else _OUTSIDE
            of_zone[zone].append(span)
    for zone in zones:
        inside = days_between(*whole, timezone=zone, margin=1)
        for span in _merged([*everywhere, *of_zone[zone]]):
            affected.setdefault(zone, set()).update(
                days_between(*span, timezone=zone, margin=1) & inside
            )
    return affected


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
