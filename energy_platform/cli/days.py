"""What may be typed for days, and for the vendor of a backfill."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from energy_platform.cli.near import meant
from energy_platform.days import EPOCH_DAY, day_of
from energy_platform.settings import SettingsError
from energy_platform.sources.registry import day_tables


def check_backfill(vendor: str, *, first: str, last: str, now: datetime | None = None) -> None:
    """Refuse a vendor that there is not, and days that cannot be read.

    Args:
        vendor: As typed; ``all`` means every vendor.
        first: First UTC day, as typed.
        last: Last UTC day, as typed.
        now: The present; by default the clock's.

    Raises:
        SettingsError: Says what was typed and what is expected.
    """
    known = [*day_tables(), "all"]
    if vendor not in known:
        raise SettingsError(f"unknown vendor {vendor!r}; {meant(vendor, known)}")
    begin, end = typed_day(first), typed_day(last)
    if end < begin:
        raise SettingsError(
            f"the last day {last} lies before the first {first}; the first day comes first"
        )
    if begin < EPOCH_DAY:
        raise SettingsError(
            f"{first} lies before {EPOCH_DAY}, the first day that there can be: older stamps are "
            "of clocks that were never set"
        )
    today = day_of(now or datetime.now(tz=UTC))
    if last > today:
        raise SettingsError(f"{last} has not begun yet: today is {today} (UTC)")


def typed_day(typed: str) -> date:
    """Return a day written YYYY-MM-DD; other spellings of ISO 8601 are not partition keys.

    Args:
        typed: As typed.

    Raises:
        SettingsError: It is not a day written so.
    """
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        day = None
    if day is None or day.isoformat() != typed:
        raise SettingsError(f"{typed!r} is not a day; expected YYYY-MM-DD, such as 2026-01-31")
    return day


def typed_instant(typed: str) -> datetime:
    """Return an instant written in ISO 8601 with its offset.

    Args:
        typed: As typed.

    Raises:
        SettingsError: It is none, or says no offset.

    Example:
        >>> typed_instant("2026-11-27T10:15+01:00")
        datetime.datetime(2026, 11, 27, 9, 15, tzinfo=datetime.timezone.utc)
    """
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise SettingsError(
            f"{typed!r} is not an instant; expected one with its offset, such as 2026-11-27T10:15Z"
        )
    return at.astimezone(UTC)


def day_by_word(typed: str, *, timezone: str, now: datetime | None = None) -> str:
    """Return the local day that ``today`` or ``yesterday`` mean; any other text as it is.

    Args:
        typed: As typed.
        timezone: IANA zone on whose clock the days are.
        now: The present; by default the clock's.

    Example:
        >>> new_year = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
        >>> day_by_word("yesterday", timezone="Europe/Paris", now=new_year)
        '2025-12-31'
    """
    back = {"today": 0, "yesterday": 1}.get(typed.casefold())
    if back is None:
        return typed
    here = (now or datetime.now(tz=UTC)).astimezone(ZoneInfo(timezone))
    return (here.date() - timedelta(days=back)).isoformat()
