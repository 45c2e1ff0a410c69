"""The span of local days that a page is about: a month or an ISO week."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from energy_platform.report.errors import ReportError

Grain = Literal["month", "week"]

_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})")


class Period(NamedTuple):
    """A month or an ISO week of local days.

    Attributes:
        grain: Which of the two.
        first: Its first local day.
    """

    grain: Grain
    first: date

    @property
    def last(self) -> date:
        """Its last local day."""
        return self.after.first - timedelta(days=1)

    @property
    def after(self) -> Period:
        """The period that follows.

        >>> Period("month", date(2026, 12, 1)).after.first
        datetime.date(2027, 1, 1)
        """
        if self.grain == "week":
            return Period("week", self.first + timedelta(days=7))
        return Period("month", (self.first.replace(day=28) + timedelta(days=4)).replace(day=1))

    @property
    def before(self) -> Period:
        """The period that precedes."""
        return period_of(self.grain, self.first - timedelta(days=1))

    @property
    def days(self) -> list[date]:
        """Its local days in order."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=n) for n in range(count)]

    @property
    def key(self) -> str:
        """How it is typed, and called in names of files.

        >>> period_of("week", date(2027, 1, 1)).key
        '2026-W53'
        """
        if self.grain == "month":
            return f"{self.first:%Y-%m}"
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02d}"


def period_of(grain: Grain, day: date) -> Period:
    """Return the period that a local day is in."""
    if grain == "month":
        return Period("month", day.replace(day=1))
    return Period("week", day - timedelta(days=day.weekday()))


def typed_period(*, month: str | None, week: str | None) -> Period | None:
    """Return the period as typed; None where neither was.

    Raises:
        ReportError: Both were typed, or one that is not a month or week.

    >>> typed_period(month=None, week="2026-W01").first
    datetime.date(2025, 12, 29)
    """
    if month is not None and week is not None:
        raise ReportError("a report is of a month or of a week: give one of --month and --week")
    typed = month or week
    if typed is None:
        return None
    pattern = _MONTH if month is not None else _WEEK
    expected = "YYYY-MM, such as 2026-01" if month is not None else "YYYY-Www, such as 2026-W05"
    found = pattern.fullmatch(typed)
    try:
        if found is not None and month is not None:
            return Period("month", date(int(found[1]), int(found[2]), 1))
        if found is not None:
            return Period("week", date.fromisocalendar(int(found[1]), int(found[2]), 1))
    except ValueError:
        # A thirteenth month, or a 53rd week that its year has not.
        found = None
    raise ReportError(
        f"{typed!r} is not a {'week' if month is None else 'month'}; expected {expected}"
    )
