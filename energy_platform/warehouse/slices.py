"""How a build is cut, so that what it holds at once does not grow with what it rebuilds.

Pure rules: which local days go together. How many rows fit is measured, not computed; see
``BYTES_PER_ROW``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.memory import duckdb_memory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

BYTES_PER_ROW: Final = 300
"""DuckDB's peak per row of the day files, in the widest model (``benchmarks.scale``)."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Local days that are rebuilt together.

    Attributes:
        days: By zone, in order.
        rows: Rows of the day files that these days are made from, about.
    """

    days: Mapping[str, Sequence[date]]
    rows: int

    @property
    def first(self) -> date | None:
        """The first day, None without any."""
        return min((days[0] for days in self.days.values() if days), default=None)

    @property
    def last(self) -> date | None:
        """The last day, None without any."""
        return max((days[-1] for days in self.days.values() if days), default=None)

    @property
    def dates(self) -> list[date]:
        """Every date that a zone has a day of, in order."""
        return sorted({day for days in self.days.values() for day in days})

    def halves(self) -> list[Slice]:
        """Return the two halves of a slice of several dates, or the slice itself."""
        dates = self.dates
        each = max(self.rows // max(len(dates), 1), 1)
        rows = dict.fromkeys(dates, each)
        return list(cut(self.days, rows=rows, most_rows=(len(dates) + 1) // 2 * each))

    def __str__(self) -> str:
        """Return the days for display."""
        if self.first is None:
            return "no days"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def rows_within(memory: int) -> int:
    """Return how many rows of day files a slice may rest on, given a build's memory in bytes."""
    return duckdb_memory(memory) // BYTES_PER_ROW


def cut(
    affected: Mapping[str, Collection[date]], *, rows: Mapping[date, int], most_rows: int
) -> tuple[Slice, ...]:
    """Cut affected local days into slices of consecutive days; at least one, maybe without days.

    A day is never cut, in whatever zone: who shares a date is rebuilt together.

    Args:
        affected: Local days by zone.
        rows: Rows of the day files by UTC day, which stands for the local days of the same date.
        most_rows: Rows of a slice; more only where a single date has more.
    """
    groups: list[list[date]] = [[]]
    size = 0
    for day in sorted({day for days in affected.values() for day in days}):
        own = rows.get(day, 0)
        if groups[-1] and size + own > most_rows:
            groups.append([])
            size = 0
        groups[-1].append(day)
        size += own
    return tuple(
        Slice(
            days={
                zone: tuple(day for day in group if day in days)
                for zone, days in sorted(affected.items())
            },
            rows=sum(rows.get(day, 0) for day in group),
        )
        for group in groups
    )
