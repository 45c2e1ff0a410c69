"""What the work file remembers of the builds it went through.

Kept inside the work file, schema ``book``, so that it can never say more than the tables beside it
hold. ``consumed`` and ``spans`` describe the day files of the last finished build, ``pending`` the
local days that unfinished builds have begun to make anew. While ``begun`` has a row, the tables
are not whole.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import polars as pl

from energy_platform.schemas import CORE_CONSUMPTION_DELTAS, CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.warehouse.inputs import Input

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MEMORY: Final = "768MB"
"""Memory of a build; what does not fit spills to the warehouse folder."""

_TABLES: Final = """
create schema if not exists book;
create table if not exists book.consumed (
    table_name text, day text, content_id text, rows bigint, primary key (table_name, day)
);
create table if not exists book.spans (
    table_name text, day text, point_id text, first_at timestamptz, last_at timestamptz
);
create table if not exists book.marks (
    point_id text primary key,
    first_reading_at timestamptz,
    first_start_at timestamptz,
    last_end_at timestamptz
);
create table if not exists book.shapes (device_id text primary key, digest text);
create table if not exists book.facts (key text primary key, value text);
create table if not exists book.pending (timezone text, local_day date);
create table if not exists book.begun (build text);
create table if not exists book.new_consumed as from book.consumed limit 0;
create table if not exists book.new_spans as from book.spans limit 0;
create table if not exists book.new_marks as from book.marks limit 0;
create table if not exists book.new_shapes as from book.shapes limit 0;
create table if not exists book.new_facts as from book.facts limit 0;
"""


class Span(NamedTuple):
    """A stretch of time, both ends included."""

    first: datetime
    last: datetime


class MovedMark(NamedTuple):
    """A point whose first or last instant is not what it was."""

    point_id: str
    span: Span


class Book:
    """The bookkeeping of one open work file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._db = connection
        self._db.execute(_TABLES)

    @property
    def db(self) -> duckdb.DuckDBPyConnection:
        """The connection."""
        return self._db

    def consumed(self) -> dict[tuple[str, str], Input]:
        """Return the day files of the last finished build."""
        rows = self._db.execute(
            "select table_name, day, content_id, rows from book.consumed"
        ).fetchall()
        return {
            (table, day): Input(table=table, day=day, content_id=content_id, rows=count)
            for table, day, content_id, count in rows
        }

    def facts(self, *, new: bool = False) -> dict[str, str]:
        """Return what was noted of the last finished build (or of the one under way)."""
        table = "book.new_facts" if new else "book.facts"
        return dict(self._db.execute(f"select key, value from {table}").fetchall())  # noqa: S608

    def shapes(self) -> dict[str, str]:
        """Return the digest of each device at the last finished build."""
        return dict(self._db.execute("select device_id, digest from book.shapes").fetchall())

    def pending(self) -> dict[str, set[date]]:
        """Return the local days by zone that unfinished builds have begun."""
        found: dict[str, set[date]] = defaultdict(set)
        for timezone, day in self._db.execute("select * from book.pending").fetchall():
            found[timezone].add(day)
        return found

    def is_whole(self) -> bool:
        """Whether the tables are those of a finished build."""
        row = self._db.execute("select count(*) from book.begun").fetchone()
        return row == (0,) and bool(self.facts())

    def note_inputs(self, inputs: Iterable[Input]) -> None:
        """Note the day files of the build under way."""
        self._db.execute("delete from book.new_consumed; delete from book.new_spans")
        rows = [(one.table, one.day, one.content_id, one.rows) for one in inputs]
        self._insert("book.new_consumed", rows)

    def note_marks(self, changed: Iterable[tuple[str, str]]) -> None:
        """Work out first and last instants per point, given the spans of changed files."""
        self._db.execute("create or replace temp table changed (table_name text, day text)")
        self._insert("changed", list(changed))
        self._db.execute(
            """
            delete from book.new_marks;
            insert into book.new_marks
            with spans as (
                from book.spans anti join changed using (table_name, day)
                union all
                from book.new_spans
            )
            select
                point_id,
                min(first_at) filter (where table_name = $readings),
                min(first_at) filter (where table_name in ($energy, $consumption)),
                max(last_at) filter (where table_name in ($energy, $consumption))
            from spans
            where table_name in ($readings, $energy, $consumption)
            group by point_id
            """,
            {
                "readings": CORE_READINGS.name,
                "energy": CORE_ENERGY_DELTAS.name,
                "consumption": CORE_CONSUMPTION_DELTAS.name,
            },
        )

    def note_state(self, *, facts: Mapping[str, str], shapes: Mapping[str, str]) -> None:
        """Note what else the build under way rests on."""
        self._db.execute("delete from book.new_facts; delete from book.new_shapes")
        self._insert("book.new_facts", list(facts.items()))
        self._insert("book.new_shapes", list(shapes.items()))

    def note_pending(self, touched: Mapping[str, Iterable[date]]) -> None:
        """Note the days the build under way makes anew, beside those of unfinished builds."""
        self._db.execute("create or replace temp table touched (timezone text, local_day date)")
        rows = [(timezone, day) for timezone, days in touched.items() for day in sorted(days)]
        self._insert("touched", rows)
        self._db.execute(
            """
            begin;
            insert into book.pending
            from touched anti join book.pending using (timezone, local_day);
            delete from book.begun;
            insert into book.begun values ('under way');
            commit;
            """
        )

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows at once; DuckDB takes a millisecond for each row it is given by itself."""
        if rows:
            self._db.register("incoming", pl.DataFrame(rows, orient="row").to_arrow())
            self._db.execute(f"insert into {table} from incoming")
            self._db.unregister("incoming")

    def file_spans(self) -> list[tuple[str, str, Span]]:
        """Return what each file bears on, of the last finished build and of the one under way."""
        rows = self._db.execute(
            """
            with known as (from book.spans union all from book.new_spans)
            select table_name, day, min(first_at), max(last_at) from known group by all
            """
        ).fetchall()
        return [
            (table, day, Span(first.astimezone(UTC), last.astimezone(UTC)))
            for table, day, first, last in rows
        ]

    def moved_marks(self, *, horizon: datetime) -> list[MovedMark]:
        """Return the stretches over which a point's first or last instant moved.

        A point that appears or vanishes bears on everything from its first instant to the
        horizon.
        """
        columns = ("first_reading_at", "first_start_at", "last_end_at")
        parts = " union all ".join(
            f"""
            select
                point_id,
                least(
                    coalesce(old.{column}, old.first_reading_at, new.{column}),
                    coalesce(new.{column}, new.first_reading_at, old.{column})
                ),
                greatest(coalesce(old.{column}, $horizon), coalesce(new.{column}, $horizon))
            from book.marks as old full join book.new_marks as new using (point_id)
            where old.{column} is distinct from new.{column}
            """  # noqa: S608 (the columns are constants)
            for column in columns
        )
        rows = self._db.execute(parts, {"horizon": horizon}).fetchall()
        return [
            MovedMark(point_id, Span(first.astimezone(UTC), last.astimezone(UTC)))
            for point_id, first, last in rows
        ]

    def extent(self) -> Span | None:
        """Return the first and last instants of all points, old and new; None without any."""
        row = self._db.execute(
            """
            with known as (from book.marks union all from book.new_marks)
            select
                min(least(first_reading_at, first_start_at)),
                max(greatest(first_reading_at, first_start_at, last_end_at))
            from known
            """
        ).fetchone()
        if row is None or row[0] is None:
            return None
        return Span(row[0].astimezone(UTC), row[1].astimezone(UTC))

    def known_points(self) -> set[str]:
        """Return the points that have data, in the last finished build or the one under way."""
        rows = self._db.execute(
            "select point_id from book.marks union select point_id from book.new_marks"
        ).fetchall()
        return {point_id for (point_id,) in rows}

    def commit(self) -> None:
        """Take the build under way as finished."""
        self._db.execute(
            """
            begin;
            delete from book.spans where exists (
                select 1
                from book.consumed as old
                left join book.new_consumed as new using (table_name, day, content_id)
                where
                    new.day is null
                    and old.table_name = spans.table_name
                    and old.day = spans.day
            );
            delete from book.spans where exists (
                select 1 from book.new_spans as new
                where new.table_name = spans.table_name and new.day = spans.day
            );
            insert into book.spans from book.new_spans;
            delete from book.consumed;
            insert into book.consumed from book.new_consumed;
            delete from book.marks;
            insert into book.marks from book.new_marks;
            delete from book.shapes;
            insert into book.shapes from book.new_shapes;
            delete from book.facts;
            insert into book.facts from book.new_facts;
            delete from book.pending;
            delete from book.begun;
            delete from book.new_spans;
            commit;
            """
        )


def open_work(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a work file for writing.

    Raises:
        duckdb.Error: The file is damaged, or a build outside the platform's lock holds it.
    """
    connection = duckdb.connect(
        str(path),
        config={
            "memory_limit": MEMORY,
            "threads": "2",
            "autoinstall_known_extensions": "false",
            "storage_compatibility_version": "v1.0.0",
            "temp_directory": str(path.parent / "spill"),
        },
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection
