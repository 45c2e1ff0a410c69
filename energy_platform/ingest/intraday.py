"""When today's open day is read: every so many minutes, exactly.

A cron expression cannot say "every 45 minutes", only "at these minutes of these hours", and no
list of them says "every 25 minutes", since a day is not a multiple of it. So a tick is a minute
whose number since 1970 is a multiple of the interval; the cron ticks at least then.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import gcd
from typing import Final

MINUTES_A_DAY: Final = 24 * 60

FINEST_MINUTES: Final = 5
"""A cron that ticks more often, to skip most of its ticks, hides the runs among them."""

_HOUR: Final = 60


def refusal(minutes: int) -> str:
    """Return why an interval cannot be had exactly, empty when it can.

    >>> refusal(15)
    ''
    >>> refusal(7)
    'every 7 minutes would need a tick every 1 min; use 6 or 8'
    """
    if _step(minutes) >= FINEST_MINUTES:
        return ""
    below = next(one for one in range(minutes, 0, -1) if _step(one) >= FINEST_MINUTES)
    above = next(one for one in range(minutes, 2 * minutes) if _step(one) >= FINEST_MINUTES)
    return (
        f"every {minutes} minutes would need a tick every {_step(minutes)} min; "
        f"use {below} or {above}"
    )


def cron(minutes: int) -> list[str]:
    """Return cron expressions (UTC) that tick at least every so many minutes, exactly then.

    Intervals that part a day into equal ones have no other ticks.

    >>> cron(15)
    ['*/15 * * * *']
    >>> cron(90)
    ['0 0,3,6,9,12,15,18,21 * * *', '30 1,4,7,10,13,16,19,22 * * *']
    >>> cron(25)
    ['*/5 * * * *']
    """
    step = _step(minutes)
    if _HOUR % step == 0:
        return [f"*/{step} * * * *" if step < _HOUR else "0 * * * *"]
    hours: dict[int, list[int]] = defaultdict(list)
    for minute in range(0, MINUTES_A_DAY, step):
        hours[minute % _HOUR].append(minute // _HOUR)
    return [
        f"{minute} {','.join(str(hour) for hour in found)} * * *"
        for minute, found in sorted(hours.items())
    ]


def newest_tick(now: datetime, *, minutes: int) -> datetime:
    """Return the newest tick at or before an instant.

    >>> str(newest_tick(datetime(2026, 3, 1, 10, 52, tzinfo=UTC), minutes=45))
    '2026-03-01 10:30:00+00:00'
    """
    number = int(now.timestamp()) // 60 // minutes * minutes
    return datetime.fromtimestamp(number * 60, tz=UTC)


def next_tick(now: datetime, *, minutes: int) -> datetime:
    """Return the first tick after an instant.

    >>> str(next_tick(datetime(2026, 3, 1, 10, 52, tzinfo=UTC), minutes=45))
    '2026-03-01 11:15:00+00:00'
    """
    return newest_tick(now, minutes=minutes) + timedelta(minutes=minutes)


def _step(minutes: int) -> int:
    return gcd(minutes, MINUTES_A_DAY)
