"""Words, numbers and dates of one language, from its catalogue ``texts/<language>.yaml``.

Every text of a page stands there, so that another language is one more file. A text names what is
put into it in braces; what is put in is data and is never read as a text itself.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml

from energy_platform.report.errors import ReportError

if TYPE_CHECKING:
    from datetime import date, datetime

    from energy_platform.report.period import Period

FALLBACK: Final = "en"
"""The language that is always there."""

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")

_WHOLE_FROM: Final = 100
_ONE_DIGIT_FROM: Final = 10
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def languages() -> list[str]:
    """Return the languages that there are."""
    folder = files("energy_platform.report.texts")
    return sorted(
        one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")
    )


@cache
def words_of(language: str) -> Words:
    """Return the words of a language.

    Raises:
        ReportError: There is no such catalogue; the message says which there are.
    """
    if not _LANGUAGE.fullmatch(language) or language not in languages():
        raise ReportError(
            f"there is no report in {language!r}; there are: {', '.join(languages())}"
        )
    file = files("energy_platform.report.texts") / f"{language}.yaml"
    return Words(language, yaml.safe_load(file.read_text(encoding="utf-8")))


class Words:
    """The words of a language, and how it writes numbers and dates.

    Args:
        language: Its code, as of the attribute ``lang``.
        catalogue: Its texts.
    """

    def __init__(self, language: str, catalogue: dict[str, Any]) -> None:
        self.language = language
        self._texts = catalogue
        self._locale = catalogue["locale"]

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a text by its key, such as ``glance.use``, with values put in.

        Raises:
            KeyError: The catalogue has no such text.
        """
        found: Any = self._texts
        for part in key.split("."):
            found = found[part]
        if not isinstance(found, str):
            raise KeyError(key)
        return found.format(**values) if values else found

    def count(self, key: str, number: int, /, **values: object) -> str:
        """Return the text of a number of things: ``<key>.one`` or ``<key>.many``."""
        form = "one" if number == 1 else "many"
        return self(f"{key}.{form}", number=self.number(number, digits=0), **values)

    @property
    def unknown(self) -> str:
        """What stands for a figure that is not known."""
        return self("unknown")

    @property
    def none(self) -> str:
        """What stands where there is nothing to say."""
        return "\N{EN DASH}"

    def number(
        self, value: float | None, *, digits: int | None = None, signed: bool = False
    ) -> str:
        """Return a number as the language writes it; three digits or more where none are given.

        Args:
            value: None is unknown.
            digits: Digits after the point; by default as many as the size asks for.
            signed: Write the plus as well.
        """
        if value is None:
            return self.unknown
        if digits is None:
            size = abs(value)
            digits = 0 if size >= _WHOLE_FROM or value == 0 else 1 if size >= _ONE_DIGIT_FROM else 2
        text = f"{abs(value):,.{digits}f}"
        is_zero = not text.strip("0.,")
        text = (
            text.replace(",", "\0")
            .replace(".", self._locale["decimal"])
            .replace("\0", self._locale["thousands"])
        )
        if is_zero:
            return text
        return f"\N{MINUS SIGN}{text}" if value < 0 else f"+{text}" if signed else text

    def amount(
        self, value: float | None, unit: str, *, digits: int | None = None, signed: bool = False
    ) -> str:
        """Return a number with its unit; unknown has none."""
        if value is None:
            return self.unknown
        return f"{self.number(value, digits=digits, signed=signed)}\N{NO-BREAK SPACE}{unit}"

    def share(self, value: float | None, *, digits: int = 1, signed: bool = False) -> str:
        """Return a share as percent."""
        return self.amount(
            None if value is None else 100 * value, "%", digits=digits, signed=signed
        )

    def duration(self, seconds: float | None) -> str:
        """Return a duration in the unit that suits it."""
        if seconds is None:
            return self.unknown
        if seconds >= _HOUR_S:
            return self.amount(seconds / _HOUR_S, "h", digits=1)
        if seconds >= _MINUTE_S:
            return self.amount(seconds / _MINUTE_S, "min", digits=0)
        return self.amount(seconds, "s", digits=0)

    def day(self, day: date) -> str:
        """Return a day with its weekday."""
        return self._dated(self._locale["day"], day)

    def short_day(self, day: date) -> str:
        """Return a day as it stands in a row of a table."""
        return self._dated(self._locale["short_day"], day)

    def moment(self, at: datetime) -> str:
        """Return a local instant: the day and the time."""
        return str(self._locale["moment"].format(day=self.day(at), time=f"{at:%H:%M}"))

    def period(self, period: Period) -> str:
        """Return a month or a week by name."""
        if period.grain == "month":
            return str(
                self._locale["month"].format(
                    month=self._locale["months"][period.first.month - 1], year=period.first.year
                )
            )
        year, week, _ = period.first.isocalendar()
        return str(
            self._locale["week"].format(
                week=week,
                year=year,
                first=self.short_day(period.first),
                last=self.short_day(period.last),
            )
        )

    def _dated(self, pattern: str, day: date) -> str:
        return pattern.format(
            weekday=self._locale["weekdays"][day.weekday()],
            day=day.day,
            month=self._locale["months"][day.month - 1],
            month_short=self._locale["months_short"][day.month - 1],
            month_number=day.month,
            year=day.year,
        )
