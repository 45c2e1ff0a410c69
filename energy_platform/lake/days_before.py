"""What each series gave on the days before: tells a series that is silent from one left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_bounds, days_before
from energy_platform.lake.lake import LakeError
from energy_platform.sources.coverage import Before, SeriesBefore

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Table

DAYS_LOOKED_AT: Final = 3
"""Days before a day that are looked at: a series left out on one day must not be taken for a
silent one on the next, while that day has not been read whole."""


class DaysBefore:
    """Answers what a raw table's series gave before a day, each file read once.

    Args:
        lake: Where the days lie.
        table: A raw table with one file per day; its key ends with ``at``.
    """

    def __init__(self, lake: Lake, table: Table) -> None:
        self._lake, self._table = lake, table
        self._read: dict[str, tuple[str, Before]] = {}

    def __call__(self, day: str) -> Before | None:
        """Return the series that spoke on one of the days before, each as on the newest of them.

        Returns:
            None when none of these days is in the lake, or can be read.
        """
        found: dict[tuple[str, ...], SeriesBefore] = {}
        wanted = [days_before(day, back) for back in range(DAYS_LOOKED_AT, 0, -1)]
        known = [one for other in wanted if (one := self._of(other)) is not None]
        for one in known:
            found.update(one)
        self._read = {name: one for name, one in self._read.items() if name in {*wanted, day}}
        return found if known else None

    def _of(self, day: str) -> Before | None:
        try:
            footer = self._lake.footer(self._table, day=day)
            if footer is None:
                return None
            held = self._read.get(day)
            if held is None or held[0] != footer.content_id:
                frame = self._lake.read(self._table, day=day)
                held = self._read[day] = footer.content_id, series_of(frame, self._table, day=day)
        except LakeError:
            # Said where the day itself is read again; here it only means not to know.
            return None
        return held[1]


def series_of(frame: pl.DataFrame, table: Table, *, day: str) -> Before:
    """Return what each series of a raw day gave.

    Args:
        frame: Rows of the day, sorted by the table's key.
        table: The raw table.
        day: The UTC day.

    >>> from energy_platform.schemas import RAW_VALUE, Table, instant_column, key_column
    >>> columns = (key_column("meter", "Meter."), instant_column("at", "When."), *RAW_VALUE)
    >>> samples = Table(name="a", description="", columns=columns, sort_key=("meter", "at"))
    >>> hours = [{"meter": "7", "at": datetime(2026, 3, 1, n, tzinfo=UTC)} for n in range(24)]
    >>> given = series_of(pl.DataFrame(hours, schema=samples.schema), samples, day="2026-03-01")
    >>> given["7",].rows, given["7",].step
    (24, datetime.timedelta(seconds=3600))
    """
    names = table.sort_key[:-1]
    start, end = day_bounds(day)
    steps = pl.col("at").diff()
    grouped = frame.group_by(names).agg(
        pl.len().alias("rows"),
        steps.median().alias("step"),
        pl.max_horizontal(
            steps.max(), pl.col("at").min() - pl.lit(start), pl.lit(end) - pl.col("at").max()
        ).alias("silence"),
    )
    return {tuple(row[: len(names)]): SeriesBefore(*row[len(names) :]) for row in grouped.rows()}
