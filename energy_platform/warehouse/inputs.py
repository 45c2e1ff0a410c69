"""The day files a build reads: which changed, which overlap the affected days, links to both.

A build must see every file as it was when it was planned, whatever is renamed over it meanwhile.
Hard links give that for nothing: the link keeps the old bytes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from energy_platform.days import day_bounds
from energy_platform.lake.lake import LakeError
from energy_platform.lake.raw_days import complete_until_of, is_closed
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
    VIRTUAL_TABLES,
)
from energy_platform.sources.registry import day_tables, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor

INPUTS: Final = (
    CORE_READINGS,
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_ENERGY_INTERVALS,
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    *VIRTUAL_TABLES,
)
"""The tables the marts are made from."""

_SPANS: Final[Mapping[str, str]] = {
    # Instants outside the day (zero, the future) are counted on the day they came with.
    CORE_READINGS.name: (
        'min(case when "at" >= day and "at" < day + interval 1 day '
        'then "at" else day end), '
        'max(case when "at" >= day and "at" < day + interval 1 day '
        'then "at" else day end)'
    ),
    CORE_ENERGY_DELTAS.name: "min(start_at), max(end_at)",
    CORE_REGISTER_REJECTS.name: 'min("at"), max("at")',
    CORE_ENERGY_INTERVALS.name: "min(interval_start), max(interval_start)",
    CORE_CONSUMPTION_DELTAS.name: "min(start_at), max(end_at)",
    CORE_CONSUMPTION_INTERVALS.name: "min(interval_start), max(interval_start)",
    CORE_VIRTUAL_INTERVALS.name: "min(interval_start), max(interval_start)",
    CORE_VIRTUAL_DELTAS.name: "min(start_at), max(end_at)",
    CORE_VIRTUAL_READINGS.name: 'min("at"), max("at")',
}
"""First and last instant that the rows of a file cover."""

MARGIN: Final = timedelta(days=1)
"""How far outside an affected day rows are looked for: what holds or steps into it."""

_BATCH: Final = 200


@dataclass(frozen=True, kw_only=True, order=True)
class Input:
    """One day file as a build sees it."""

    table: str
    day: str
    content_id: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How far the raw days of a vendor reach.

    Attributes:
        newest_closed_day: The newest closed raw day, None when there is none.
        complete_until: Up to where the newest raw day was asked for, None without raw days.
    """

    newest_closed_day: str | None
    complete_until: datetime | None

    def final_before(self, late_days: int) -> datetime | None:
        """Return the instant before which no daily run reads again."""
        if self.newest_closed_day is None:
            return None
        return day_bounds(self.newest_closed_day)[1] - late_days * timedelta(days=1)


def survey(lake: Lake) -> dict[tuple[str, str], Input]:
    """Return every day file the marts are made from, by table and day; none is opened.

    Raises:
        LakeError: A file is damaged.
    """
    found: dict[tuple[str, str], Input] = {}
    for one in lake.day_files(*INPUTS):
        if one.footer is None:
            raise LakeError(one.damage)
        found[one.table, one.day] = Input(
            table=one.table,
            day=one.day,
            content_id=one.footer.content_id,
            rows=one.footer.rows,
        )
    return found


def rows_by_day(inputs: Iterable[Input]) -> dict[date, int]:
    """Return how many rows the day files of each UTC day have together."""
    found: dict[date, int] = {}
    for one in inputs:
        day = date.fromisoformat(one.day)
        found[day] = found.get(day, 0) + one.rows
    return found


def coverage(lake: Lake, vendor: Vendor) -> Coverage:
    """Return how far a vendor's raw days reach.

    Raises:
        LakeError: A day newer than the newest closed one is damaged.
    """
    until: datetime | None = None
    for one in reversed(lake.day_files(day_tables()[vendor])):
        if one.footer is None:
            raise LakeError(one.damage)
        until = until or complete_until_of(one.footer)
        if is_closed(one.footer):
            return Coverage(newest_closed_day=one.day, complete_until=until)
    return Coverage(newest_closed_day=None, complete_until=until)


def reset_links(folder: Path) -> None:
    """Start with empty tables: a folder per table with one file of zero rows."""
    shutil.rmtree(folder, ignore_errors=True)
    for table in INPUTS:
        path = _linked(folder, table=table.name, day="0001-01-01")
        path.parent.mkdir(parents=True)
        table.empty().write_parquet(path)


def link(lake: Lake, wanted: Iterable[Input], *, folder: Path) -> list[Input]:
    """Link day files into the build's folder.

    Returns:
        The files that are no longer what ``wanted`` says: rewritten or removed meanwhile.
    """
    moved: list[Input] = []
    for one in wanted:
        source = lake.path(tables()[one.table], day=one.day)
        target = _linked(folder, table=one.table, day=one.day)
        if target.exists():
            continue
        target.parent.mkdir(exist_ok=True)
        try:
            _link(source, target)
        except FileNotFoundError:
            moved.append(one)
            continue
        if _content_id(target) != one.content_id:
            moved.append(one)
    return moved


def share_links(wanted: Iterable[Input], *, source: Path, folder: Path) -> None:
    """Link some of the day files that are linked in one folder into another, and only these."""
    reset_links(folder)
    for one in wanted:
        target = _linked(folder, table=one.table, day=one.day)
        target.parent.mkdir(exist_ok=True)
        _link(_linked(source, table=one.table, day=one.day), target)


def _linked(folder: Path, *, table: str, day: str) -> Path:
    return folder / table / f"day={day}" / "part.parquet"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)  # file systems without hard links


def _content_id(path: Path) -> str:
    meta = pq.read_metadata(path).metadata or {}
    content_id = meta.get(b"content_id")
    if content_id is None:
        raise LakeError(f"{path}: not written by the platform; remove it and run its day again")
    return bytes(content_id).decode()


def spans(connection: duckdb.DuckDBPyConnection, changed: Iterable[Input], *, folder: Path) -> None:
    """Fill ``state.new_spans`` with what linked files cover, per table, day and point.

    A digest of a point's rows, in whatever order, says later whether they have changed. Columns
    that older day files lack are null in it.
    """
    by_table: dict[str, list[str]] = {}
    for one in changed:
        by_table.setdefault(one.table, []).append(
            str(_linked(folder, table=one.table, day=one.day))
        )
    for table, paths in by_table.items():
        for start in range(0, len(paths), _BATCH):
            connection.execute(
                f"""
                insert into state.new_spans
                select
                    ?, strftime(day, '%Y-%m-%d'), point_id, {_SPANS[table]}, bit_xor(hash(rows))
                from read_parquet(?, hive_partitioning=true, union_by_name=true) as rows
                group by day, point_id
                """,  # noqa: S608 (the expressions are constants of this module)
                [table, paths[start : start + _BATCH]],
            )
