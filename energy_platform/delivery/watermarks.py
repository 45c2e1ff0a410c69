"""How far the lake knows what happened, vendor by vendor, and what streams wait for.

A day is known when its raw file is there and the core files were made from it: up to its end once
it is closed or complete, up to ``complete_until`` while it is open. A closed day with zero rows is
known to be empty; a day without a file is not known. The catalogue is asked, no file is opened.

Here belongs, too, what a stream remembers of a lake that had nothing more for it: the version of
the lake. What has a newer one has changed since.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import (
    day_after,
    day_bounds,
    day_of,
    days_before,
    instant,
    microseconds,
)
from energy_platform.delivery.day_reader import EVER_US, midnight_us
from energy_platform.delivery.ledger import Event
from energy_platform.lake.lake import fingerprint_of
from energy_platform.lake.raw_days import complete_until_of, is_closed, partial_of
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_VIRTUAL_DELTAS,
    VIRTUAL,
    VIRTUAL_TABLES,
)
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from energy_platform.delivery.streams import StreamWork
    from energy_platform.lake.lake import CataloguedFile, Footer, Lake
    from energy_platform.schemas import Table, Vendor


LATE_DAYS: Final = 35
"""How far back late data are looked for; older ones are history."""

_SEEN: Final = "v"
"""Begins a version of the lake in the ledger; up to 0.1.0 digests stood there, of hexadecimal
figures. What such a one says nobody knows any more: the lake is looked at once more."""


class MissingDays(NamedTuple):
    """A day that is not known although later ones are.

    Attributes:
        day: Partition key.
        last_day: Last day of the run of unknown days that begins there.
        reason: One sentence for display.
        is_partial: Whether the day is there, but not up to its end.
    """

    day: str
    last_day: str
    reason: str
    is_partial: bool


class Watermark(NamedTuple):
    """Up to which instant every needed day is known.

    Attributes:
        until_us: What was sampled before this instant was asked for.
        closed_until_us: End of the last closed day before that.
        missing: What keeps it from going on; None when nothing more is there.
    """

    until_us: int
    closed_until_us: int
    missing: MissingDays | None


NOTHING_KNOWN: Final = Watermark(0, 0, None)
"""Of a stream without a cursor, and before it was looked up."""


def late_since(lake: Lake) -> str | None:
    """Return the first day that late data are looked for in; None for an empty lake."""
    newest = max((*lake.days(CORE_READINGS), *lake.days(CORE_ENERGY_DELTAS)), default=None)
    return None if newest is None else days_before(newest, LATE_DAYS)


def _newest_versions(days: Mapping[str, int]) -> Callable[[str, str | None], int]:
    """Return what tells the newest version of any stretch of days, of the version by day.

    It takes the first day, and the first later one that does not count; None: all later ones do.
    """
    ordered = sorted(days)
    versions = [days[day] for day in ordered]

    @cache  # Thousands of streams and registers ask for the same few stretches.
    def newest(first: str, end: str | None) -> int:
        start = bisect_left(ordered, first)
        stop = len(ordered) if end is None else bisect_left(ordered, end)
        return max(versions[start:stop], default=0)

    return newest


class Completeness:
    """Snapshot of which days of each vendor are known and whole.

    Args:
        lake: The day files.
        vendors: Whose days matter.
        since: First day that matters; None for all.
    """

    def __init__(
        self, lake: Lake, *, vendors: Collection[Vendor], since: str | None = None
    ) -> None:
        self._has_virtual = VIRTUAL in vendors
        vendors = [vendor for vendor in vendors if vendor != VIRTUAL]
        raw_tables = [day_tables()[vendor] for vendor in vendors]
        tables = [CORE_READINGS, CORE_ENERGY_DELTAS, *raw_tables]
        tables += (CORE_ENERGY_INTERVALS, *VIRTUAL_TABLES) if self._has_virtual else ()
        version, files = lake.changed_since(0, *tables, since=since)
        self._version: Final = version
        self.seen: Final = f"{_SEEN}{version}"
        """What to remember of the lake as it is."""
        readings, damaged = _footers(files, CORE_READINGS)
        deltas, damaged_deltas = _footers(files, CORE_ENERGY_DELTAS)
        self._damaged: dict[tuple[str, str], str] = {}
        self._known: dict[str, dict[str, int]] = {}
        """Up to where each day of each vendor is known; ``EVER_US`` once it is closed."""
        self._partial: dict[str, list[int]] = {}
        """Begins of the days of each vendor that lack something and may still get it."""
        self._outdated: set[tuple[str, str]] = set()
        """Days whose core files were not made from their raw file, or are damaged."""
        self._first: dict[str, str] = {}
        virtual, damaged_virtual = _footers(files, CORE_VIRTUAL_DELTAS)
        intervals, _ = _footers(files, CORE_ENERGY_INTERVALS)
        self._awaits_virtual = sorted(
            {day for day, one in intervals.items() if not _is_summed_up(one, virtual.get(day))}
            | damaged_virtual.keys()
            if self._has_virtual
            else ()
        )
        """Days whose virtual points were not made from the energy that their parts have now."""
        self.delta_days: Final = sorted(deltas.keys() | virtual.keys())
        """Days that have energy deltas, in order."""
        self.days: Final = sorted(deltas.keys() | readings.keys() | virtual.keys())
        """Days that have anything to deliver, in order."""
        broken = damaged | damaged_deltas
        for vendor in vendors:
            table = day_tables()[vendor]
            footers, damaged_raw = _footers(files, table)
            self._first[vendor] = min(lake.days(table), default="")
            self._known[vendor] = {
                day: EVER_US if is_closed(footer) else microseconds(complete_until_of(footer))
                for day, footer in footers.items()
            }
            self._partial[vendor] = sorted(
                midnight_us(day)
                for day, footer in footers.items()
                if partial_of(footer) and not is_closed(footer)
            )
            self._outdated.update(
                (vendor, day)
                for day, footer in footers.items()
                if day in broken
                or not _is_refreshed(table, footer, readings.get(day), deltas.get(day))
            )
            self._damaged.update({(vendor, day): why for day, why in damaged_raw.items()})
        self._changed: Final = {
            table.name: _newest_versions({f.day: f.version for f in files if f.table == table.name})
            for table in tables
        }
        # A policy that changed rewrites what files were made of, often not what stands in them.
        versions: dict[str, int] = {}
        for one in files:
            if one.table in {CORE_ENERGY_DELTAS.name, CORE_VIRTUAL_DELTAS.name}:
                versions[one.day] = max(one.rows_version, versions.get(one.day, 0))
        self._energy_changed: Final = _newest_versions(versions)

    def is_seen(self, seen: str | None, vendors: Collection[str], *, since: str) -> bool:
        """Whether all that is known of some vendors from a day on is as it was.

        Args:
            seen: What is remembered of the lake as it was; None or empty: nothing.
            vendors: Whose days matter, those that were derived from them included.
            since: First day that matters.
        """
        tables = [CORE_READINGS, CORE_ENERGY_DELTAS]
        tables += [day_tables()[one] for one in vendors if one != VIRTUAL]
        tables += VIRTUAL_TABLES if VIRTUAL in vendors else ()
        return self._is_since(seen, *(self._changed[one.name](since, None) for one in tables))

    def is_late_seen(self, seen: str | None, vendors: Collection[str]) -> bool:
        """Whether the days that late data are looked for in are as they were."""
        since = days_before(self.days[-1], LATE_DAYS) if self.days else ""
        return self.is_seen(seen, vendors, since=since)

    def is_summed(self, seen: str, first: str, *, end: str) -> bool:
        """Whether the energy of the days from ``first``, without ``end``, is as it was."""
        return self._is_since(seen, self._energy_changed(first, end))

    def _is_since(self, seen: str | None, *newest: int) -> bool:
        version = (seen or "").removeprefix(_SEEN)
        if version == (seen or "") or not version.isdecimal():
            return False
        # A newer one than the lake's is of a catalogue that was lost.
        return max(newest) <= int(version) <= self._version

    def first_day(self, vendors: Collection[str]) -> str | None:
        """Return the first day any of some vendors has a file for."""
        return min((first for v in vendors if (first := self._first.get(v))), default=None)

    def last_day(self, vendors: Collection[str]) -> str | None:
        """Return the newest day any of some vendors has a file for."""
        return max((max(days) for v in vendors if (days := self._known.get(v))), default=None)

    def partial_from(self, vendors: Collection[str], *, from_us: int) -> int:
        """Return where the first day begins that lacks something of some vendors' devices.

        It was asked for, and may be filled later: what it does not hold is not known to be absent.

        Args:
            vendors: Whose days matter.
            from_us: Midnight of the first day that matters.

        Returns:
            ``EVER_US`` without such a day.
        """
        return min(
            (
                days[place]
                for days in (self._partial.get(one, []) for one in vendors)
                if (place := bisect_left(days, from_us)) < len(days)
            ),
            default=EVER_US,
        )

    def low_watermark(
        self, vendors: Collection[str], *, from_us: int, passed_day: str | None = None
    ) -> Watermark:
        """Return the low watermark across the given vendors, scanning forward from an instant.

        Args:
            vendors: Whose days are needed.
            from_us: Where to begin.
            passed_day: Up to this one, missing days were waited for long enough: they count as
                empty.
        """
        found = [
            self._vendor_watermark(vendor, from_us=from_us, passed_day=passed_day or "")
            for vendor in vendors
        ]
        until_us = min(one.until_us for one in found)
        return Watermark(
            until_us=until_us,
            closed_until_us=min(one.closed_until_us for one in found),
            missing=next(
                (one.missing for one in found if one.missing and one.until_us == until_us), None
            ),
        )

    def _virtual_watermark(self, *, from_us: int) -> Watermark:
        """Return up to where virtual points were made from what their parts have now."""
        place = bisect_left(self._awaits_virtual, day_of(instant(from_us)))
        waits = self._awaits_virtual[place:]
        until_us = midnight_us(waits[0]) if waits else EVER_US
        return Watermark(until_us, until_us, None)

    def _vendor_watermark(self, vendor: str, *, from_us: int, passed_day: str) -> Watermark:
        if vendor == VIRTUAL:
            return self._virtual_watermark(from_us=from_us)
        days = self._known[vendor]
        newest = max(days, default="")
        # Before a vendor's first file there is nothing to wait for.
        day = max(day_of(instant(from_us)), self._first[vendor])
        closed_until_us = microseconds(day_bounds(day)[0])
        while True:
            start_us, end_us = (microseconds(bound) for bound in day_bounds(day))
            known_us = days.get(day)
            if (vendor, day) in self._outdated:
                return Watermark(start_us, closed_until_us, None)
            is_whole = known_us is not None and known_us >= end_us
            if not is_whole and not (day <= passed_day and day < newest):
                until_us = start_us if known_us is None else known_us
                missing = self._missing_days(vendor, day) if day < newest else None
                return Watermark(until_us, closed_until_us, missing)
            if known_us is None or known_us == EVER_US:
                closed_until_us = end_us
            day = day_after(day)

    def _missing_days(self, vendor: str, day: str) -> MissingDays:
        days = self._known[vendor]
        last = day
        while (after := day_after(last)) not in days and after < max(days):
            last = after
        if (vendor, day) in self._damaged:
            reason = self._damaged[vendor, day]
        elif day in days:
            reason = f"{vendor} has only part of {day}; run its day again"
        else:
            reason = f"{vendor} has no file for {day}; run its day again"
        return MissingDays(day, last, reason, is_partial=day in days)


def _is_refreshed(
    table: Table, raw: Footer, readings: Footer | None, deltas: Footer | None
) -> bool:
    """Whether the core files of a day were made from this raw file."""
    if readings is None or deltas is None:
        return False
    made_of = fingerprint_of(readings)
    if made_of and made_of.get(table.name) != raw.content_id:
        return False
    made_of = fingerprint_of(deltas)
    return not made_of or made_of.get(CORE_READINGS.name) == readings.content_id


def _is_summed_up(intervals: Footer, virtual: Footer | None) -> bool:
    """Whether the virtual points of a day were made from these intervals."""
    if virtual is None:
        return False
    return fingerprint_of(virtual).get(CORE_ENERGY_INTERVALS.name) == intervals.content_id


def _footers(
    files: Iterable[CataloguedFile], table: Table
) -> tuple[dict[str, Footer], dict[str, str]]:
    """Return the footers of a table by day, and what is wrong with its damaged files."""
    own = [one for one in files if one.table == table.name]
    found = {one.day: one.footer for one in own if one.footer is not None}
    return found, {one.day: one.damage for one in own if one.damage}


_CLOSING_US: Final = 12 * 3600 * 1_000_000
"""How long after its end a day may stay open without being called incomplete."""


def version_seen(work: StreamWork, *, completeness: Completeness, now_us: int) -> str:
    """Return what to remember of a lake that had nothing more for a stream with a cursor.

    Where the lake reaches beyond the present, only the instants up to now were looked at.
    """
    is_cut = work.watermark.until_us > now_us
    return f"{completeness.seen}@{now_us}" if is_cut else completeness.seen


def was_looked_at(work: StreamWork, *, completeness: Completeness) -> int:
    """Return up to which instant the lake as it is had nothing more for a stream with a cursor."""
    day = day_of(instant(work.state.needs_lake_from_us or 0))
    seen, _, until = (work.state.seen_version or "").partition("@")
    if not completeness.is_seen(seen, work.plan.vendors, since=day):
        return 0
    return int(until) if until else EVER_US


def look_ahead(
    works: Iterable[StreamWork], *, completeness: Completeness, now_us: int, max_hold_us: int
) -> list[Event]:
    """Find out how far streams may go; return the waits for missing days that began or ended.

    A missing day is waited for ``max_hold`` from when it was first seen; then it is passed and
    listed, except by streams of values per interval.

    Args:
        works: Streams with a cursor or without; changed in place.
        completeness: Which days are known.
        now_us: The present.
        max_hold_us: How long a missing day is waited for.
    """
    events: list[Event] = []
    seen: dict[tuple[tuple[str, ...], int, str | None], Watermark] = {}
    for work in works:
        plan, state = work.plan, work.state
        from_us = state.needs_lake_from_us
        if from_us is None:
            continue
        while True:
            asked = (plan.vendors, from_us, state.passed_day)
            watermark = seen.get(asked)
            if watermark is None:
                watermark = completeness.low_watermark(
                    plan.vendors, from_us=from_us, passed_day=state.passed_day
                )
                seen[asked] = watermark
            missing = watermark.missing
            if missing is not None and _may_still_close(missing, now_us=now_us):
                break
            if missing is None:
                if state.blocked_day is not None:
                    events.append(_released(work, now_us=now_us, how="the day arrived"))
                break
            if state.blocked_day != missing.day:
                state.blocked_day, state.blocked_since_us = missing.day, now_us
                detail: dict[str, str | int] = {
                    "day": missing.day,
                    "reason": missing.reason,
                    "stops": int(not plan.may_jump),
                }
                events.append(Event(now_us, work.id, "hold", detail))
            if not plan.may_jump or now_us - (state.blocked_since_us or now_us) < max_hold_us:
                break
            state.passed_day = missing.last_day
            how = f"waited long enough; days {missing.day} to {missing.last_day} are passed"
            events.append(_released(work, now_us=now_us, how=how))
        work.watermark = watermark
        state.leave_lost_days(until_us=watermark.until_us)
    return events


def _may_still_close(missing: MissingDays, *, now_us: int) -> bool:
    """Whether a day that is there in part is simply waiting for the daily run to close it."""
    return missing.is_partial and now_us < midnight_us(day_after(missing.day)) + _CLOSING_US


def _released(work: StreamWork, *, now_us: int, how: str) -> Event:
    detail = {"day": work.state.blocked_day, "how": how}
    work.state.blocked_day = work.state.blocked_since_us = None
    return Event(now_us, work.id, "hold_released", detail)
