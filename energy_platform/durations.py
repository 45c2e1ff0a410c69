"""Lengths of time as operators type them: ``30s``, ``15m``, ``0.25h``, ``2h``, ``1d``.

Every setting, portfolio entry and argument that takes a duration reads it here, so that one text
means one length everywhere. What is allowed beyond that (a divisor of a day, whole days) belongs
to whoever asks.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

SECONDS_PER_UNIT: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
"""``m`` is a minute, as in Prometheus and Grafana; months have no fixed length."""

LONGEST: Final = timedelta(days=366)
"""No pace, gap or bucket of a meter is longer than a year; a longer one is a typing error."""

_DURATION: Final = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<unit>[a-z]+)")


def parse_duration(text: str) -> timedelta:
    """Return the length of time that a text stands for.

    Raises:
        ValueError: It is not a number with a unit, is zero, or is longer than a year.

    Example:
        >>> parse_duration("15m") == parse_duration("0.25h")
        True
        >>> parse_duration("15")
        Traceback (most recent call last):
        ...
        ValueError: '15' is not a duration such as 30s, 15m, 2h or 1d
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or found["unit"] not in SECONDS_PER_UNIT:
        raise ValueError(f"{_short(text)} is not a duration such as 30s, 15m, 2h or 1d")
    seconds = float(found["number"]) * SECONDS_PER_UNIT[found["unit"]]
    if not seconds:
        raise ValueError(f"{_short(text)} is not a duration; it must be longer than nothing")
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{_short(text)} is longer than a year")
    return timedelta(seconds=seconds)


def format_duration(seconds: float) -> str:
    """Return a number of seconds as a portfolio writes it.

    Example:
        >>> format_duration(900), format_duration(7200), format_duration(1.5)
        ('15m', '2h', '1.5s')
    """
    for unit in ("h", "m"):
        if seconds % SECONDS_PER_UNIT[unit] == 0:
            return f"{seconds / SECONDS_PER_UNIT[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


_SHOWN: Final = 40
"""Characters of a mistyped duration that a message repeats."""
