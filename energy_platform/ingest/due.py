"""Which days of a source are asked for, and which days are not whole.

Read from what the lake and the catalogue hold, never counted back from today, so that an outage
of any length heals by itself. Who asks (schedules, sensors) and who reports (``status``,
``doctor``, a check per source) share these rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from energy_platform.days import DAY, day_before, day_bounds, day_of, day_range
from energy_platform.ingest.run import first_day, ingest_settings, is_configured
from energy_platform.lake.catalogue import LONGEST_PAUSE, Catalogue
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.lake.raw_days import complete_until_of, is_closed
from energy_platform.sources.registry import day_tables, get_source, landing_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.catalogue import DayRecord
    from energy_platform.lake.lake import CataloguedFile
    from energy_platform.schemas import Vendor
    from energy_platform.settings import SourceSettings

DAYS_A_RUN: Final = 14
"""Most days one run is asked for: what lands is refreshed and sent before the next block."""

SELF_HEALING_FROM: Final = timedelta(minutes=45)
"""After a day's end, from when it is asked for although its daily run closed nothing: all the
daily schedules have ticked, and a pull takes a few minutes."""

REPORTED_FROM: Final = timedelta(hours=3)
"""After a day's end, from when a missing day is worth an operator's look: by then a healthy
source's day was asked for some times, at 0:20, 0:45, 0:55 and so on with growing pauses."""

MOST_READINGS_AGAIN: Final = 8
"""Attempts at a closed day that cannot be read again: about a day, by the catalogue's pauses. Its
file is whole, so that a source that no longer has the day is then left alone. One that gives no
other day either is only away: the day is read again when it is back, for what came late."""

MissingDayKind = Literal["missing", "partial", "open", "damaged"]
"""Missing: no file. Partial: something is not there. Open: never read after its end. Damaged: the
file cannot be read."""


@dataclass(frozen=True, kw_only=True)
class DayFile:
    """What a raw day file says of itself.

    Attributes:
        closed: Whether the day was read after its end and needs nothing more.
        fault: Why the file cannot be read; empty when it can.
        until: Up to when the source was asked for what it holds.
    """

    closed: bool
    fault: str = ""
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SourceDays:
    """What is known of a source's days.

    Attributes:
        files: The days that have a file.
        records: What the newest attempt at a day came to; days of version 0.1.0 have none.
        arrivals: Days that something came of, with when the newest of it came; None where the
            source can be asked for every day.
    """

    files: Mapping[str, DayFile]
    records: Mapping[str, DayRecord]
    arrivals: Mapping[str, datetime] | None = None


@dataclass(frozen=True, kw_only=True)
class MissingDay:
    """A day that is over and not whole.

    Attributes:
        day: The UTC day.
        kind: What is wrong with it.
        reason: Why, for display.
        since: Since when it has been so.
        attempts: Attempts in a row that left it so.
        next_at: When it is asked for next; None as soon as possible.
    """

    day: str
    kind: MissingDayKind
    reason: str
    since: datetime
    attempts: int
    next_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a source is to be asked for.

    Attributes:
        days: Days to be asked for now, newest first: those that are not whole, and late days.
        waiting: Days that are not whole and rest until their next attempt, newest first.
    """

    days: tuple[str, ...]
    waiting: tuple[MissingDay, ...]

    @property
    def next_at(self) -> datetime | None:
        """When the first of the waiting days may be asked for again."""
        return min((one.next_at for one in self.waiting if one.next_at is not None), default=None)


def read_source_days(lake: Lake, *, data_dir: Path, source: Vendor) -> SourceDays:
    """Read what is known of a source's days; nothing is created.

    Args:
        lake: The day files.
        data_dir: Folder of what landed.
        source: Whose days.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """
    files = {one.day: _file(one) for one in lake.day_files(day_tables()[source])}
    spec = get_source(source)
    arrivals = None
    if spec.arrivals is not None:
        landing = landing_folder(data_dir, source=source)
        arrivals = spec.arrivals(ingest_settings(source), landing)
    if not Catalogue.exists(lake):
        return SourceDays(files=files, records={}, arrivals=arrivals)
    with Catalogue.of(lake) as catalogue:
        return SourceDays(files=files, records=catalogue.days(source), arrivals=arrivals)


def start_of(settings: SourceSettings) -> str | None:
    """Return the first day a source may be asked for, None when no setting says so."""
    return None if settings.start_day is None else first_day(settings)


def missing_days_of(
    source: Vendor, *, lake: Lake, data_dir: Path, now: datetime, after: timedelta
) -> tuple[MissingDay, ...]:
    """Return the days of a source that are over and not whole, newest first.

    A source without credentials has none: it is not asked for anything any more.

    Args:
        source: Whose days.
        lake: The day files.
        data_dir: Folder of what landed.
        now: The present.
        after: How long after its end a day counts as over.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """
    if not is_configured(source):
        return ()
    settings = ingest_settings(source)
    return missing_days(
        read_source_days(lake, data_dir=data_dir, source=source),
        start=start_of(settings),
        late_days=settings.late_days,
        now=now,
        after=after,
    )


def missing_days(
    known: SourceDays,
    *,
    start: str | None,
    late_days: int,
    now: datetime,
    after: timedelta = timedelta(0),
) -> tuple[MissingDay, ...]:
    """Return the days that are over and not whole, newest first.

    They are looked for since the source's start day, or else since the first day that landed or
    was asked for; where days are due by what arrives, among those that something came of.

    Args:
        known: What is known of the source's days.
        start: First day the source may be asked for; None when no setting says so.
        late_days: Days after which an unchanged partial answer is all there is.
        now: The present.
        after: How long after its end a day counts as over.
    """
    last = day_before(day_of(now - after))
    return tuple(
        missing
        for day in reversed(_days_that_count(known, start=start, last=last))
        if (missing := _missing_day(known, day, late_days=late_days, now=now)) is not None
    )


def _days_that_count(known: SourceDays, *, start: str | None, last: str) -> list[str]:
    """Return the days up to the last one on which a source may be missing, in order."""
    if known.arrivals is not None:
        return [day for day in sorted(known.arrivals) if (start or day) <= day <= last]
    first = start or min([*known.files, *known.records], default=None)
    return [] if first is None or first > last else day_range(first, last)


def due(
    known: SourceDays,
    *,
    start: str | None,
    late_days: int,
    now: datetime,
    after: timedelta = timedelta(0),
) -> Due:
    """Return which days a source is to be asked for now.

    Every day that is not whole, unless it rests after an attempt that failed; and yesterday and
    the late days before it, once after each midnight. Where days are due by what arrives, instead
    of the late days those that something has come of since they were read.

    Args:
        known: What is known of the source's days.
        start: First day the source may be asked for; None when no setting says so.
        late_days: How many days before yesterday are read again for data that arrived late.
        now: The present.
        after: How long after its end a day counts as over.
    """
    found = missing_days(known, start=start, late_days=late_days, now=now, after=after)
    waiting = tuple(one for one in found if one.next_at is not None)
    days = {one.day for one in found} | _to_be_read_again(known, now=now)
    if known.arrivals is None:
        days |= _late(known, start=start, late_days=late_days, now=now, after=after)
    else:
        newer = _with_news(known, start=start, now=now, after=after)
        days |= newer
        # What came is reason enough to end a pause.
        waiting = tuple(one for one in waiting if one.day not in newer)
    return Due(
        days=tuple(sorted(days - {one.day for one in waiting}, reverse=True)), waiting=waiting
    )


def newest_chunk(days: Sequence[str], *, most: int = DAYS_A_RUN) -> list[str]:
    """Return the newest days without a gap between them, in order: what one run can ask for.

    Args:
        days: UTC days, newest first.
        most: How many at most.

    >>> newest_chunk(["2026-03-05", "2026-03-04", "2026-03-01"])
    ['2026-03-04', '2026-03-05']
    """
    chunk: list[str] = []
    for day in days[:most]:
        if chunk and day != day_before(chunk[-1]):
            break
        chunk.append(day)
    return chunk[::-1]


def _missing_day(
    known: SourceDays, day: str, *, late_days: int, now: datetime
) -> MissingDay | None:
    file, record = known.files.get(day), known.records.get(day)
    if file is not None and file.closed and _is_settled(record, late_days=late_days):
        return None
    kind: MissingDayKind
    if file is None:
        kind, reason = "missing", "it was never read"
    elif file.fault:
        kind, reason = "damaged", file.fault
    elif record is not None and record.state == "partial":
        kind, reason = "partial", "something is missing"
    else:
        kind, reason = "open", "it was read while it lasted and not after its end"
    end = day_bounds(day)[1]
    if record is None or record.state == "whole":
        return MissingDay(day=day, kind=kind, reason=reason, since=end, attempts=0, next_at=None)
    return MissingDay(
        day=day,
        kind=kind,
        reason=record.why or reason,
        since=min(record.since, end),
        attempts=record.attempts,
        next_at=record.next_at if _rests(known, record, now=now) else None,
    )


def _is_settled(record: DayRecord | None, *, late_days: int) -> bool:
    """Say whether a closed day needs nothing more.

    A closed day of version 0.1.0 has no record and counts as whole. One that could not be read
    again is as whole as it was. A partial one is settled when the source confirmed its answer.
    """
    if record is None or record.state != "partial":
        return True
    return record.attempted_at - record.since >= late_days * DAY


def _rests(known: SourceDays, record: DayRecord, *, now: datetime) -> bool:
    if record.next_at is None or _is_back(known, after=record, now=now):
        return False
    # No pause is longer: a clock that was wrong for a while must not put a day off for years.
    return now < record.next_at <= now + LONGEST_PAUSE


def _is_back(known: SourceDays, *, after: DayRecord, now: datetime) -> bool:
    """Say whether a source that gave nothing while a day failed has answered since.

    Then the day is asked for at once: its pauses were those of the outage.
    """
    if after.state != "failed" or _gave_others(known, besides=after):
        return False
    if any(
        other.state == "whole" and other.attempted_at > after.attempted_at
        for other in known.records.values()
    ):
        return True
    # Days that are folded from polls are so also while the source is away.
    return get_source(after.source).poll is None and any(
        file.until is not None and after.attempted_at < file.until <= now
        for file in known.files.values()
    )


def _to_be_read_again(known: SourceDays, *, now: datetime) -> set[str]:
    """Return closed days whose newest attempt failed and is not to be the last one."""
    return {
        day
        for day, record in known.records.items()
        if record.state == "failed"
        and (record.attempts < MOST_READINGS_AGAIN or not _gave_others(known, besides=record))
        and day in known.files
        and known.files[day].closed
        and not _rests(known, record, now=now)
    }


def _gave_others(known: SourceDays, *, besides: DayRecord) -> bool:
    """Say whether the source gave any day whole while this one was failing.

    An outage says nothing of a day: its attempts count only once the source answers others.
    """
    return any(
        other.state == "whole" and besides.since < other.attempted_at <= besides.attempted_at
        for other in known.records.values()
    )


def _late(
    known: SourceDays, *, start: str | None, late_days: int, now: datetime, after: timedelta
) -> set[str]:
    """Return yesterday and its late days, those that were not read since midnight.

    None lies before the first day that landed: partitions begin there.
    """
    last = day_before(day_of(now - after))
    midnight = day_bounds(last)[1]
    first = day_of(midnight - (1 + late_days) * DAY)
    begins = start or min(known.files, default=first)
    return {
        day
        for day in day_range(max(first, begins), last)
        if (record := known.records.get(day)) is None
        or (record.attempted_at < midnight and not _rests(known, record, now=now))
    }


def _with_news(
    known: SourceDays, *, start: str | None, now: datetime, after: timedelta
) -> set[str]:
    """Return the days of which something has come since they were read."""
    last = day_before(day_of(now - after))
    arrivals = known.arrivals or {}
    return {
        day
        for day in _days_that_count(known, start=start, last=last)
        if (record := known.records.get(day)) is None or arrivals[day] > record.attempted_at
    }


def _file(found: CataloguedFile) -> DayFile:
    if found.footer is None:
        return DayFile(closed=False, fault=found.damage)
    try:
        return DayFile(closed=is_closed(found.footer), until=complete_until_of(found.footer))
    except LakeError as error:
        return DayFile(closed=False, fault=str(error))
