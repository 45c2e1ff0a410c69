"""The resolution of resampled history, as it is set: a duration, or points per UTC day."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from energy_platform.durations import SECONDS_PER_UNIT

SECONDS_A_DAY: Final = 86_400

LONGEST_NUMBER: Final = 6
"""Digits of a duration; longer ones are not a resolution of anything."""

_UNITS: Final = {unit: SECONDS_PER_UNIT[unit] for unit in ("s", "m", "h", "d")}
"""The text is sent to Belimo as typed: its own units, and whole numbers only."""


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

    >>> read_resolution("15m")
    Resolution(width=datetime.timedelta(seconds=900), is_count=False)
    >>> read_resolution("96")
    Resolution(width=datetime.timedelta(seconds=900), is_count=True)
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
