"""The resolution of resampled history, as it is set: a duration, or points per UTC day."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

SECONDS_A_DAY: Final = 86_400

LONGEST_NUMBER: Final = 6
"""Digits of a duration; longer ones are no resolution of anything."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": SECONDS_A_DAY}


class Resolution(NamedTuple):
    """Buckets of one width.

    Attributes:
        width: Length of a bucket; for a number of points the shortest whole seconds that give no
            more points per day.
        is_count: Whether a number of points was set.
    """

    width: timedelta
    is_count: bool


def read_resolution(text: str) -> Resolution:
    """Read a resolution.

    Args:
        text: A duration that divides a UTC day or is whole days (``15m``, ``7d``), or a number of
            points per UTC day (``96``).

    Raises:
        ValueError: It is neither.
    """
    number, unit = (text, "") if text[-1:].isdecimal() else (text[:-1], text[-1:])
    if number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER:
        count = int(number)
        if not unit and 1 <= count <= SECONDS_A_DAY:
            return Resolution(timedelta(seconds=-(-SECONDS_A_DAY // count)), is_count=True)
        seconds = count * _UNITS.get(unit, 0)
        if seconds and (SECONDS_A_DAY % seconds == 0 or seconds % SECONDS_A_DAY == 0):
            return Resolution(timedelta(seconds=seconds), is_count=False)
    raise ValueError(
        "expected a duration that divides a day or is whole days, such as 15m, 1h, 1d or 7d, or "
        f"a number of points per day, such as 96; came {text[:40]!r}"
    )
