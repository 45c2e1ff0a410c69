"""The single values of a portfolio as they are typed: numbers, durations, instants, zones, ids.

YAML and pydantic are both generous: ``true`` would be 1 W, ``nan`` a factor, 20260131 an instant
of 1970. What is not plainly of its kind is refused here, in one sentence.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from energy_platform.durations import parse_duration

LONGEST_ID: Final = 200
"""Characters of an id; more is a text that landed in the wrong place."""

_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""A number as text: YAML 1.2 takes 8e3 and 1_000 for texts, and quoted numbers are texts."""

_BARE_DATE: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}(-?[0-9])?")
"""A date as text, without a time."""


def _number(value: object) -> float:
    """Return a finite number; a yes or no, a text and an infinity are none."""
    if isinstance(value, bool):
        raise ValueError(f"{'true' if value else 'false'} is not a number")  # noqa: TRY004
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value.replace("_", ""))
    if not isinstance(value, (int, float)):
        raise ValueError("expected a number")  # noqa: TRY004
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError("expected a finite number")
    return found


def _positive(value: object) -> float:
    found = _number(value)
    if found <= 0:
        raise ValueError("expected a number greater than 0")
    return found


def _or_none(value: object) -> object:
    if value == "none" or value is None:
        return value
    try:
        return _number(value)
    except ValueError as error:
        raise ValueError(f"{error}, or none") from None


def _power(value: object) -> object:
    if value == "none" or value is None:
        return value
    try:
        return _positive(value)
    except ValueError as error:
        raise ValueError(f"{error} (W), or none") from None


def _whole(value: object) -> int:
    found = _number(value)
    if found != int(found):
        raise ValueError("expected a whole number")
    return int(found)


def _state(value: object) -> float:
    """Return the number of a state; on and off may be written true and false."""
    return float(value) if isinstance(value, bool) else _number(value)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Paris") from error
    return name


def _local_instant(value: object) -> object:
    """Accept a date, kept without a zone until the site's is known, or an instant with its zone."""
    made = _instant(value)
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    is_day |= isinstance(value, str) and _BARE_DATE.fullmatch(value) is not None
    return made.replace(tzinfo=None) if is_day and isinstance(made, datetime) else made


def on_the_clock(moment: datetime, *, timezone: str) -> datetime:
    """Return the instant that a moment as it was typed stands for.

    Where a change of the clock repeats the time, it is the first of the two; where it skips the
    time, it is that much later on the clock, so a skipped midnight is the first instant of its day.

    Args:
        moment: An instant, or a time without a zone, such as the midnight of a date.
        timezone: IANA zone on whose clock such a time is meant.

    Example:
        >>> on_the_clock(datetime(2026, 3, 29), timezone="Europe/Paris").isoformat()
        '2026-03-28T23:00:00+00:00'
    """
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def _instant(value: object) -> object:
    """Accept a date (start of that UTC day) or an instant with its zone."""
    if isinstance(value, (int, float)):
        # pydantic would take it for seconds since 1970.
        raise ValueError("expected a date such as 2026-01-31")  # noqa: TRY004
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is not a date such as 2026-01-31, nor an instant such as "
                "2026-01-31T08:00:00+01:00"
            ) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, tzinfo=UTC)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; write 2026-01-31T08:00:00+01:00")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value.isoformat()} lies outside the calendar") from None
    return value


def _clock_instant(value: object) -> object:
    """Accept a date or an instant; without an offset it is the site's local time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is not a date such as 2026-01-31 or an instant such as 2026-01-31 08:00"
            ) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    return _instant(value)


def _duration(value: object) -> object:
    """Accept 15m, 2h, 30s, 1d."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, (int, float)):
        raise ValueError(f"{value!r} has no unit; write 30s, 15m, 2h or 1d")  # noqa: TRY004
    return value


def _or_never(value: object) -> object:
    return value if value == "never" else _duration(value)


def _text(value: object) -> object:
    """YAML reads 123456 as a number; serials and keys are text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _id(value: str) -> str:
    """Refuse what no id of ours may be; serials and keys are the vendors' own, and stay theirs."""
    if len(value) > LONGEST_ID:
        raise ValueError(f"an id has at most {LONGEST_ID} characters, this one has {len(value)}")
    if not value.isprintable():
        raise ValueError("an id holds no control characters")
    if value != value.strip():
        raise ValueError("an id neither begins nor ends with a blank")
    if any(part in {".", ".."} for part in re.split(r"[/\\]", value)):
        raise ValueError("an id is not a path: it holds no . or .. between slashes")
    return value


_NUMBERS: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}]
}
_POSITIVES: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, *_NUMBERS["anyOf"][1:]]
}
_TEXTS: Final[dict[str, Any]] = {"type": ["string", "integer"], "minLength": 1}
_DURATIONS: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^([0-9]+\.?[0-9]*|\.[0-9]+)(s|m|min|h|d)$",
    "examples": ["30s", "15m", "2h", "1d"],
}
_MOMENTS: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^[0-9]{4}-?(W[0-9]|[0-9]{2})",
    "examples": ["2026-01-31", "2026-01-31T08:00:00+01:00"],
}


def _or_word(schema: dict[str, Any], word: str) -> WithJsonSchema:
    of = schema.get("anyOf", [schema])
    return WithJsonSchema({"anyOf": [*of, {"const": word}]})


# What an editor is told of each, which sees what was typed and not what it becomes.
Zone = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Paris"]})
]
LocalInstant = Annotated[datetime, BeforeValidator(_local_instant), WithJsonSchema(_MOMENTS)]
"""An instant, or a date: the start of that day on the site's clock; see ``on_the_clock``."""
ClockInstant = Annotated[datetime, BeforeValidator(_clock_instant), WithJsonSchema(_MOMENTS)]
"""An instant, a date, or a time on the site's clock; see ``on_the_clock``."""
Duration = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(_DURATIONS)]
DurationOrNever = Annotated[
    timedelta | Literal["never"], BeforeValidator(_or_never), _or_word(_DURATIONS, "never")
]
Text = Annotated[str, BeforeValidator(_text), Field(min_length=1), WithJsonSchema(_TEXTS)]
Id = Annotated[Text, AfterValidator(_id), WithJsonSchema(_TEXTS | {"maxLength": LONGEST_ID})]
"""An id that the portfolio itself gives: of a site, a device type or a stream."""
Number = Annotated[float, BeforeValidator(_number), WithJsonSchema(_NUMBERS)]
Positive = Annotated[float, BeforeValidator(_positive), WithJsonSchema(_POSITIVES)]
Whole = Annotated[int, BeforeValidator(_whole), WithJsonSchema({"type": "integer"})]
Limit = Annotated[float | Literal["none"], BeforeValidator(_or_none), _or_word(_NUMBERS, "none")]
"""A number, or an explicit ``none``."""
RatedPower = Annotated[
    float | Literal["none"], BeforeValidator(_power), _or_word(_POSITIVES, "none")
]
"""A rated power in W, or an explicit ``none``."""
StateNumber = Annotated[
    float,
    BeforeValidator(_state),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, *_NUMBERS["anyOf"]]}),
]
Sign = Annotated[Literal[1, -1], BeforeValidator(_whole), WithJsonSchema({"enum": [1, -1]})]


def shown(value: Any, *, at_most: int = 60) -> str:
    """Return what was typed, short and without control characters; empty for a whole section."""
    if not isinstance(value, str | int | float | bool):
        return ""
    text = repr(value)
    return text if len(text) <= at_most else f"{text[:at_most]}…"
