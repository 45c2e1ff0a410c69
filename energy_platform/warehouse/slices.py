"""How a build is cut, so that what it holds at once does not grow with what it rebuilds.

Pure rules: which local days go together. How many rows fit is measured, not computed; see
``BYTES_PER_ROW``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from energy_platform.memory import duckdb_memory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from energy_platform.warehouse.affected import Affected

BYTES_PER_ROW: Final = 140
"""DuckDB's peak per row of the day files, in the widest model (``benchmarks.scale``)."""

_SMALL: Final = 500_000
"""Rows up to which some points more cost less than a slice of their own, which takes seconds."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Local days that are rebuilt together.

    Attributes:
        days: By zone, in order.
        rows: Rows of the day files that these days are made from, about.
        points: Points that are rebuilt; None for all.
    """

    days: Mapping[str, Sequence[date]]
    rows: int
    points: frozenset[str] | None = None

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
        halves = cut(self.days, rows=rows, most_rows=(len(dates) + 1) // 2 * each)
        return [replace(half, points=self.points) for half in halves]

    def __str__(self) -> str:
        """Return the days for display."""
        if self.first is None:
            return "no days"
        days = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return days if self.points is None else f"{days}, {len(self.points)} points"


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


def slices_of(
    affected: Affected, *, rows: Mapping[date, int], most_rows: int, known_points: int
) -> tuple[Slice, ...]:
    """Cut what a build rebuilds: the days of all points first, then those of some points.

    Args:
        affected: What is rebuilt.
        rows: Rows of the day files by UTC day.
        most_rows: Rows of a slice.
        known_points: Number of points with data.
    """
    everything = affected.all_days
    if not any(affected.days_of_points.values()):
        return cut(everything, rows=rows, most_rows=most_rows)
    dates = {day for days in everything.values() for day in days}
    has_days = any(affected.days.values())
    if has_days and sum(rows.get(day, 0) for day in dates) <= min(_SMALL, most_rows):
        return cut(everything, rows=rows, most_rows=most_rows)
    share = len(affected.points) / max(known_points, 1)
    of_points = cut(
        affected.days_of_points,
        rows={day: int(count * share) for day, count in rows.items()},
        most_rows=most_rows,
    )
    return (
        *(cut(affected.days, rows=rows, most_rows=most_rows) if has_days else ()),
        *(replace(one, points=affected.points) for one in of_points),
    )
