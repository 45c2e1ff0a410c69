"""UTC days: which exist, which one is due, which are read again for late data; and instants.

The keys are plain ``YYYY-MM-DD`` text so that rooms without Dagster can speak of partitions;
the Dagster objects built from them live in ``defs``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH_DAY: Final = date(2000, 1, 1)
"""First day there can be: older stamps are of clocks that were never set. Where the partitions
begin is another matter: with the data."""

DAY: Final = timedelta(days=1)
"""Length of a partition; UTC days have no daylight saving."""


MICROSECONDS: Final = 1_000_000
"""Ticks of an instant in one second."""

MICROSECOND: Final = timedelta(microseconds=1)
"""The smallest step of an instant here; durations are counted in it."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What instants are counted from where they are numbers."""


def microseconds(at: datetime) -> int:
    """Return an instant as microseconds since the epoch.

    Raises:
        TypeError: The instant has no zone.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (at - EPOCH) // MICROSECOND


def instant(at_us: int) -> datetime:
    """Return microseconds since the epoch as an instant in UTC.

    >>> instant(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return EPOCH + timedelta(microseconds=int(at_us))


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """Return the half-open UTC window ``[start, end)`` of a partition key.

    Raises:
        ValueError: The key is not ``YYYY-MM-DD``.

    >>> start, end = day_bounds("2026-03-01")
    >>> (end - start, start.isoformat())
    (datetime.timedelta(days=1), '2026-03-01T00:00:00+00:00')
    """
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC)
    return start, start + DAY


def day_of(instant: datetime) -> str:
    """Return the partition key that holds an instant.

    Raises:
        ValueError: The instant has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"instant without a zone: {instant.isoformat()}")
    return instant.astimezone(UTC).date().isoformat()


def day_range(first: str, last: str) -> list[str]:
    """Return the partition keys from ``first`` to ``last``, both included.

    >>> day_range("2026-02-28", "2026-03-01")
    ['2026-02-28', '2026-03-01']
    """
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + n * DAY).isoformat() for n in range((end - start).days + 1)]


def day_before(day: str) -> str:
    """Return the partition key one day earlier."""
    return (date.fromisoformat(day) - DAY).isoformat()


def day_after(day: str) -> str:
    """Return the partition key one day later.

    >>> day_after("2026-02-28")
    '2026-03-01'
    """
    return (date.fromisoformat(day) + DAY).isoformat()


def days_before(day: str, days: int) -> str:
    """Return the partition key some days earlier."""
    return (date.fromisoformat(day) - days * DAY).isoformat()


def newest_closed_day(now: datetime) -> str:
    """Return the newest UTC day that is over at ``now``: the one the daily schedule is due for."""
    return day_before(day_of(now))


def due_days(now: datetime, *, late_days: int, start: str | None = None) -> list[str]:
    """Return yesterday and, before it, the late days, whatever the lake holds of them.

    Args:
        now: The present.
        late_days: How many days before yesterday.
        start: First day the vendor has; earlier days are left out.

    >>> due_days(datetime(2026, 3, 3, 4, tzinfo=UTC), late_days=1)
    ['2026-03-01', '2026-03-02']
    """
    due = newest_closed_day(now)
    first = (date.fromisoformat(due) - late_days * DAY).isoformat()
    floor = max(first, start or first, EPOCH_DAY.isoformat())
    return day_range(floor, due)


def contiguous(days: Sequence[str]) -> list[tuple[str, str]]:
    """Group sorted partition keys into inclusive ranges without gaps.

    >>> contiguous(["2026-03-01", "2026-03-02", "2026-03-05"])
    [('2026-03-01', '2026-03-02'), ('2026-03-05', '2026-03-05')]
    """
    ranges: list[tuple[str, str]] = []
    for day in sorted(days):
        if ranges and day_before(day) == ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
