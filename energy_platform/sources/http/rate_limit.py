"""When the next call may start: even spacing, pauses the vendor asked for, clocks to test with."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The time sources of a client; tests put their own in."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _utc_now


class RateLimiter:
    """Spaces calls evenly, so that no burst exceeds the agreed rate in any window.

    Args:
        rps: Calls per second.
        clock: Time sources.
    """

    def __init__(self, *, rps: float, clock: Clock) -> None:
        self._interval = 1 / rps
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")

    def wait(self, *, at_most_s: float = float("inf")) -> bool:
        """Sleep until this caller's turn.

        Args:
            at_most_s: Seconds the caller has.

        Returns:
            Whether it is the turn now; False at once when it comes too late.
        """
        with self._lock:
            now = self._clock.monotonic()
            turn = max(self._next, now)
            if turn - now > at_most_s:
                return False
            self._next = turn + self._interval
        if turn > now:
            self._clock.sleep(turn - now)
        return True

    def hold(self, seconds: float) -> None:
        """Let nobody start for some seconds: the vendor asked the whole account to wait."""
        with self._lock:
            self._next = max(self._next, self._clock.monotonic() + seconds)


def retry_after_s(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds a ``Retry-After`` asks for; None when absent, past or unreadable.

    Args:
        header: Seconds or an HTTP date (RFC 9110, section 10.2.3).
        now: The present, for dates.

    >>> retry_after_s("120", now=datetime(2026, 3, 1, tzinfo=UTC))
    120.0
    >>> retry_after_s("Sun, 01 Mar 2026 00:00:30 GMT", now=datetime(2026, 3, 1, tzinfo=UTC))
    30.0
    """
    if not header:
        return None
    text = header.strip()
    try:
        seconds = float(text) if text[0].isdigit() else _seconds_until(text, now=now)
    except (ValueError, IndexError):
        return None
    return seconds if 0 < seconds < float("inf") else None


def _seconds_until(text: str, *, now: datetime) -> float:
    until = parsedate_to_datetime(text)
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return (until - now).total_seconds()
