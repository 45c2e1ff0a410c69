"""When a site is occupied: weekly hours as they are typed, and public holidays.

Here belongs what a portfolio says of people in a building, and which days the calendar of a country
leaves them at home. What follows for the base load is in the marts.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

NO_HOLIDAYS: Final = "none"
"""Said of a site whose people come on public holidays too."""

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

OCCUPANCY_COLUMNS: Final = ("weekday", "from_minute", "until_minute", "day_shift")
"""Columns of the frame of occupied spans, next to the site's id."""

_HOUR_MINUTES: Final = 60
_DAY_MINUTES: Final = 24 * _HOUR_MINUTES

_LANGUAGE: Final = "en_US"
"""Of the holidays' names; without one the library takes that of the process, and two builds of the
same data would differ. Countries without English names keep their own."""

_DAYS: Final = re.compile(r"(?P<first>[a-z]{3})(?:\s*-\s*(?P<last>[a-z]{3}))?")
_SPAN: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_EXPECTED: Final = "expected days with hours, such as mon-fri: 08:00-19:00"


class OccupiedSpan(NamedTuple):
    """A stretch of a weekday in which people are in a building.

    Attributes:
        weekday: 1 for Monday to 7 for Sunday: the day on which it begins.
        from_minute: Minutes after midnight of the site's clock.
        until_minute: The same of its end; more than a day's where it goes on after midnight.
    """

    weekday: int
    from_minute: int
    until_minute: int


def parse_weekly_hours(typed: object) -> tuple[OccupiedSpan, ...]:
    """Return the spans of a week as they are typed, in order.

    Args:
        typed: Hours by days, such as ``{"mon-fri": "08:00-19:00", "sat": "09:00-12:00"}``; hours
            may be several, with commas between, and go on after midnight.

    Raises:
        ValueError: A day is there twice, or something is neither a day nor hours.

    Example:
        >>> parse_weekly_hours({"sat": "22:00-02:00"})
        (OccupiedSpan(weekday=6, from_minute=1320, until_minute=1560),)
    """
    if isinstance(typed, tuple) and all(isinstance(one, OccupiedSpan) for one in typed):
        return typed
    if not isinstance(typed, dict):
        raise ValueError(_EXPECTED)  # noqa: TRY004 (pydantic shows a ValueError)
    found: dict[int, list[OccupiedSpan]] = {}
    for days, hours in typed.items():
        for weekday in _weekdays(days):
            if weekday in found:
                raise ValueError(f"{WEEKDAYS[weekday - 1]} is there twice")
            found[weekday] = [OccupiedSpan(weekday, *span) for span in _spans(hours)]
    return tuple(sorted(span for spans in found.values() for span in spans))


def days_of_spans(spans: Iterable[OccupiedSpan]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the spans cut at midnight, as ``OCCUPANCY_COLUMNS``.

    What lies after midnight keeps the weekday on which it began, and is shifted by a day: a night
    shift is a holiday's when it begins on one.
    """
    for weekday, start, end in spans:
        yield weekday, start, min(end, _DAY_MINUTES), 0
        if end > _DAY_MINUTES:
            yield weekday, 0, end - _DAY_MINUTES, 1


def check_region(region: str) -> None:
    """Check that the public holidays of a region are known.

    Args:
        region: ISO code of a country, such as FR, or with a subdivision, such as DE-BY.

    Raises:
        ValueError: Nobody knows them.
    """
    country, _, subdivision = region.partition("-")
    import holidays  # noqa: PLC0415 (0.6 s, which a portfolio without occupancy need not pay)

    try:
        holidays.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError:
        raise ValueError(
            f"{region!r} is not a region whose public holidays are known: expected an ISO country "
            "such as FR, or with a subdivision such as DE-BY, or none"
        ) from None


def public_holidays(region: str, *, years: Iterable[int]) -> dict[date, str]:
    """Return the public holidays of some years in a region, with their names.

    Args:
        region: As ``check_region`` takes it.
        years: Calendar years.
    """
    country, _, subdivision = region.partition("-")
    import holidays  # noqa: PLC0415 (see check_region)

    found = holidays.country_holidays(
        country, subdiv=subdivision or None, years=sorted(years), language=_LANGUAGE
    )
    return dict(sorted(found.items()))


def holidays_version() -> str:
    """Return the version of the library that knows the public holidays."""
    from importlib.metadata import version  # noqa: PLC0415 (the library itself is not imported)

    return version("holidays")


def _weekdays(typed: object) -> list[int]:
    match = _DAYS.fullmatch(typed.strip().lower()) if isinstance(typed, str) else None
    names = [one for one in match.group("first", "last") if one] if match else []
    if not names or any(one not in WEEKDAYS for one in names):
        raise ValueError(f"{typed!r} is not a weekday such as mon, or several such as mon-fri")
    first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
    return [(first + n) % 7 + 1 for n in range((last - first) % 7 + 1)]


def _spans(typed: object) -> list[tuple[int, int]]:
    texts = typed.split(",") if isinstance(typed, str) else []
    found = [_span(text.strip()) for text in texts]
    if not found:
        raise ValueError(f"{typed!r}: expected hours such as 08:00-19:00")
    for (_, end), (start, _) in pairwise(found):
        if start < end:
            raise ValueError(f"{typed!r}: each span begins after the one before has ended")
    return found


def _span(text: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r}: expected hours such as 08:00-19:00")
    hours = [int(one) for one in match.groups()]
    start = hours[0] * _HOUR_MINUTES + hours[1]
    end = hours[2] * _HOUR_MINUTES + hours[3]
    if max(hours[1], hours[3]) >= _HOUR_MINUTES or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f"{text!r}: a day has the times 00:00 to 24:00")
    if start == end:
        raise ValueError(f"{text!r} is no time at all; 00:00-24:00 is the whole day")
    return start, end if end > start else end + _DAY_MINUTES


_DAY_PATTERN: Final = f"^({'|'.join(WEEKDAYS)})(-({'|'.join(WEEKDAYS)}))?$"
_HOURS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "patternProperties": {
        _DAY_PATTERN: {
            "type": "string",
            "examples": ["08:00-19:00", "08:00-12:00, 13:00-18:00"],
            "pattern": r"^\s*\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}(\s*,\s*\d{1,2}:\d{2}\s*-\s*"
            r"\d{1,2}:\d{2})*\s*$",
        }
    },
    "additionalProperties": False,
}

WeeklyHours = Annotated[
    tuple[OccupiedSpan, ...], BeforeValidator(parse_weekly_hours), WithJsonSchema(_HOURS_SCHEMA)
]
"""Hours by weekday, such as ``{"mon-fri": "08:00-19:00"}``."""
