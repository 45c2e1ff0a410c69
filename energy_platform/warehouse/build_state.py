"""What the work file remembers of its builds.

Kept inside the work file, schema ``state``, so that it can never say more than the tables next to
it hold. ``input_files``, ``spans`` and their like describe the day files of the last build that was
begun, ``dirty_periods`` the local days that do not follow from them yet: noted in the same
transaction, taken out as slices are finished. While ``in_progress`` has a row, the tables are not
whole. So a build that was killed goes on where it was, and what changed meanwhile is compared with
what it had begun with.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import polars as pl

from energy_platform.memory import duckdb_limit, held_memory
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_ENERGY_DELTAS,
    CORE_READINGS,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_READINGS,
)
from energy_platform.warehouse.inputs import Input
from energy_platform.warehouse.sql_text import as_literal, take_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_TABLES: Final = """
create schema if not exists state;
create table if not exists state.input_files (
    table_name text, day text, content_id text, rows bigint, primary key (table_name, day)
);
create table if not exists state.spans (
    table_name text, day text, point_id text, first_at timestamptz, last_at timestamptz
);
alter table state.spans add column if not exists digest ubigint;
create table if not exists state.file_spans (
    table_name text, day text, first_at timestamptz, last_at timestamptz
);
insert into state.file_spans
    select table_name, day, min(first_at), max(last_at)
    from state.spans
    where not exists (from state.file_spans)
    group by all;
create table if not exists state.point_extents (
    point_id text primary key,
    first_reading_at timestamptz,
    first_start_at timestamptz,
    last_end_at timestamptz
);
create table if not exists state.device_fingerprints (device_id text primary key, digest text);
create table if not exists state.build_info (key text primary key, value text);
create table if not exists state.dirty_periods (timezone text, local_day date);
create table if not exists state.in_progress (build text);
create table if not exists state.new_spans as from state.spans limit 0;
create temp table if not exists new_input_files as from state.input_files limit 0;
create temp table if not exists new_point_extents as from state.point_extents limit 0;
create temp table if not exists new_device_fingerprints as from state.device_fingerprints limit 0;
create temp table if not exists new_build_info as from state.build_info limit 0;
"""
"""What is noted before a build begins is temporary, but for spans: a first build has millions."""

_KEYS: Final = {
    "input_files": "table_name, day",
    "point_extents": "point_id",
    "device_fingerprints": "device_id",
    "build_info": "key",
}
"""What a build takes over when it begins, as far as it differs: ten years have 22,000 day files."""

_IN_CHANGED: Final = "(table_name, day) in (select table_name, day from changed)"
"""The spans of files that changed."""


class Span(NamedTuple):
    """A stretch of time, both ends included."""

    first: datetime
    last: datetime


class MovedExtent(NamedTuple):
    """A point whose first or last instant is not what it was."""

    point_id: str
    span: Span


class ChangedPoint(NamedTuple):
    """A point whose rows of a day file changed, and what they covered or cover now."""

    point_id: str
    span: Span
    day: str


class BuildState:
    """The bookkeeping of one open work file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._db = connection
        self._db.execute(_TABLES)

    @property
    def db(self) -> duckdb.DuckDBPyConnection:
        """The connection."""
        return self._db

    def input_files(self) -> dict[tuple[str, str], Input]:
        """Return the day files that the last build was begun with."""
        rows = self._db.execute(
            "select table_name, day, content_id, rows from state.input_files"
        ).fetchall()
        return {
            (table, day): Input(table=table, day=day, content_id=content_id, rows=count)
            for table, day, content_id, count in rows
        }

    def build_info(self) -> dict[str, str]:
        """Return what the last build that was begun rests on."""
        return dict(self._db.execute("select key, value from state.build_info").fetchall())

    def device_fingerprints(self) -> dict[str, str]:
        """Return the digest of each device when the last build was begun."""
        query = "select device_id, digest from state.device_fingerprints"
        return dict(self._db.execute(query).fetchall())

    def dirty_periods(self) -> dict[str, set[date]]:
        """Return the local days by zone that unfinished builds have left to do."""
        found: dict[str, set[date]] = defaultdict(set)
        for timezone, day in self._db.execute("select * from state.dirty_periods").fetchall():
            found[timezone].add(day)
        return found

    def is_under_way(self) -> bool:
        """Whether a build was begun and has not finished."""
        return self._db.execute("select count(*) from state.in_progress").fetchone() != (0,)

    def is_whole(self) -> bool:
        """Whether the tables are those of a finished build."""
        return not self.is_under_way() and bool(self.build_info())

    def reads_from(self, folder: Path) -> bool:
        """Whether the views of the last build read this folder: in a copied one they do not."""
        found = self._db.execute(
            "select count(*), count(*) filter (contains(sql, ?)) from duckdb_views() "
            "where schema_name = 'staging' and view_name like 'stg_%'",
            [as_literal(str(folder.absolute()))[1:-1]],
        ).fetchone()
        return found is not None and found[0] == found[1]

    def note_inputs(self, inputs: Iterable[Input]) -> None:
        """Note the day files of the build under way."""
        self._db.execute("delete from new_input_files; delete from state.new_spans")
        rows = [(one.table, one.day, one.content_id, one.rows) for one in inputs]
        self._insert("new_input_files", rows)

    def note_extents(self, changed: Iterable[tuple[str, str]]) -> None:
        """Work out first and last instants per point, given the spans of changed files.

        What is known is widened by the new spans. Only points whose first or last instant stood in
        an old version of a changed file, and no longer does, are looked up in all their files.
        """
        self._db.execute("create or replace temp table changed (table_name text, day text)")
        self._insert("changed", list(changed))
        self._db.execute(
            f"""
            create or replace temp table withdrawn as
            select distinct old.point_id
            from (from state.spans where {_IN_CHANGED}) as old
            left join state.new_spans as new using (table_name, day, point_id)
            inner join state.point_extents as extent using (point_id)
            where
                (
                    old.first_at = case old.table_name
                        when $readings then extent.first_reading_at
                        when $virtual_readings then extent.first_reading_at
                        else extent.first_start_at
                    end
                    and (new.first_at is null or new.first_at > old.first_at)
                )
                or (
                    old.last_at = extent.last_end_at
                    and (new.last_at is null or new.last_at < old.last_at)
                );
            """,  # noqa: S608 (a constant)
            {
                "readings": CORE_READINGS.name,
                "virtual_readings": CORE_VIRTUAL_READINGS.name,
            },
        )
        self._db.execute(
            f"""
            delete from new_point_extents;
            insert into new_point_extents
            with spans as (
                from state.spans semi join withdrawn using (point_id) where not ({_IN_CHANGED})
                union all by name
                from state.new_spans
            ),
            found as (
                select
                    point_id,
                    min(first_at) filter (where table_name in ($readings, $virtual_readings))
                        as first_reading_at,
                    min(first_at) filter (where table_name in ($energy, $consumption, $virtual))
                        as first_start_at,
                    max(last_at) filter (where table_name in ($energy, $consumption, $virtual))
                        as last_end_at
                from spans
                where table_name in ($readings, $virtual_readings, $energy, $consumption, $virtual)
                group by point_id
            ),
            kept as (from state.point_extents anti join withdrawn using (point_id))
            select
                point_id,
                least(kept.first_reading_at, found.first_reading_at),
                least(kept.first_start_at, found.first_start_at),
                greatest(kept.last_end_at, found.last_end_at)
            from kept
            full join found using (point_id)
            """,  # noqa: S608 (a constant)
            {
                "readings": CORE_READINGS.name,
                "energy": CORE_ENERGY_DELTAS.name,
                "consumption": CORE_CONSUMPTION_DELTAS.name,
                "virtual": CORE_VIRTUAL_DELTAS.name,
                "virtual_readings": CORE_VIRTUAL_READINGS.name,
            },
        )

    def note_state(self, *, build_info: Mapping[str, str], devices: Mapping[str, str]) -> None:
        """Note what else the build under way rests on."""
        self._db.execute("delete from new_build_info; delete from new_device_fingerprints")
        self._insert("new_build_info", list(build_info.items()))
        self._insert("new_device_fingerprints", list(devices.items()))

    def begin(self, affected: Mapping[str, Iterable[date]]) -> None:
        """Begin the build that was noted; all its days are to be rebuilt, whatever happens.

        Args:
            affected: The local days by zone that do not follow from the noted day files.
        """
        self._days(affected)
        taken_over = "\n".join(
            take_over(f"state.{name}", rows=f"new_{name}", key=key) for name, key in _KEYS.items()
        )
        self._db.execute(
            f"""
            create or replace temp table replaced as
            select table_name, day
            from state.input_files as old
            anti join new_input_files as new using (table_name, day, content_id)
            union
            select distinct table_name, day from state.new_spans;
            begin;
            insert into state.dirty_periods
            from some_days anti join state.dirty_periods using (timezone, local_day);
            delete from state.in_progress;
            insert into state.in_progress values ('under way');
            delete from state.spans
            where (table_name, day) in (select table_name, day from replaced);
            delete from state.file_spans
            where (table_name, day) in (select table_name, day from replaced);
            insert into state.file_spans
            select table_name, day, min(first_at), max(last_at) from state.new_spans group by all;
            insert into state.spans from state.new_spans;
            {taken_over}
            delete from state.new_spans;
            commit;
            """  # noqa: S608 (names of this module)
        )

    def replace_delivery(self, rows: pl.DataFrame, *, digest: str) -> bool:
        """Put other rows into ``mart_delivery`` of a finished build.

        Args:
            rows: All rows of the table.
            digest: Their digest, as ``build_info`` names it.

        Returns:
            False where the table has other columns: nothing was changed.
        """
        known = self._db.execute(
            "select column_name from duckdb_columns() "
            "where schema_name = 'main' and table_name = 'mart_delivery'"
        ).fetchall()
        if {name for (name,) in known} != set(rows.columns):
            return False
        self._db.register("incoming", rows.to_arrow())
        self._db.execute(
            """
            begin;
            delete from mart_delivery;
            insert into mart_delivery by name from incoming order by stream_id;
            """
        )
        self._db.execute(
            "update state.build_info set value = ? where key = 'delivery_digest'", [digest]
        )
        self._db.execute("commit")
        self._db.unregister("incoming")
        return True

    def finish_days(self, days: Mapping[str, Iterable[date]]) -> None:
        """Take days as rebuilt, after dbt and its tests passed for them."""
        self._days(days)
        self._db.execute(
            """
            delete from state.dirty_periods where exists (
                select 1 from some_days as done
                where
                    done.timezone = dirty_periods.timezone
                    and done.local_day = dirty_periods.local_day
            )
            """
        )

    def finish(self) -> None:
        """Take the build under way as finished."""
        self._db.execute(
            "begin; delete from state.dirty_periods; delete from state.in_progress; commit"
        )

    def _days(self, days: Mapping[str, Iterable[date]]) -> None:
        self._db.execute("create or replace temp table some_days (timezone text, local_day date)")
        rows = [(timezone, day) for timezone, found in days.items() for day in sorted(found)]
        self._insert("some_days", rows)

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows at once; DuckDB takes a millisecond for each row it is given by itself."""
        if rows:
            self._db.register("incoming", pl.DataFrame(rows, orient="row").to_arrow())
            self._db.execute(f"insert into {table} from incoming")
            self._db.unregister("incoming")

    def changed_points(self, changed: Iterable[tuple[str, str]]) -> list[ChangedPoint]:
        """Return the points whose rows differ between two versions of day files.

        Args:
            changed: Table and day of files that there were before and are now.
        """
        self._db.execute("create or replace temp table some_files (table_name text, day text)")
        self._insert("some_files", list(changed))
        rows = self._db.execute(
            """
            with old as (
                from state.spans semi join some_files using (table_name, day)
                where day in (select day from some_files)
            ),
            new as (from state.new_spans semi join some_files using (table_name, day))
            select
                coalesce(old.point_id, new.point_id),
                least(old.first_at, new.first_at),
                greatest(old.last_at, new.last_at),
                coalesce(old.day, new.day)
            from old
            full join new using (table_name, day, point_id)
            where old.digest is distinct from new.digest or old.digest is null
            """
        ).fetchall()
        return [
            ChangedPoint(point_id, Span(first.astimezone(UTC), last.astimezone(UTC)), day)
            for point_id, first, last, day in rows
        ]

    def file_spans(self) -> list[tuple[str, str, Span]]:
        """Return what each file covers, of the last build that was begun and of the new one."""
        rows = self._db.execute(
            """
            with known as (
                from state.file_spans
                union all
                select table_name, day, min(first_at), max(last_at)
                from state.new_spans
                group by all
            )
            select table_name, day, min(first_at), max(last_at) from known group by all
            """
        ).fetchall()
        return [
            (table, day, Span(first.astimezone(UTC), last.astimezone(UTC)))
            for table, day, first, last in rows
        ]

    def moved_extents(self, *, data_until: datetime) -> list[MovedExtent]:
        """Return the stretches over which a point's first or last instant moved.

        A point that appears or vanishes affects everything from its first instant to the end of
        known data.
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
                greatest(coalesce(old.{column}, $data_until), coalesce(new.{column}, $data_until))
            from state.point_extents as old
            full join new_point_extents as new using (point_id)
            where old.{column} is distinct from new.{column}
            """  # noqa: S608 (the columns are constants)
            for column in columns
        )
        rows = self._db.execute(parts, {"data_until": data_until}).fetchall()
        return [
            MovedExtent(point_id, Span(first.astimezone(UTC), last.astimezone(UTC)))
            for point_id, first, last in rows
        ]

    def extent(self) -> Span | None:
        """Return the first and last instants of all points, old and new; None without any."""
        row = self._db.execute(
            """
            with known as (from state.point_extents union all from new_point_extents)
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
        """Return the points that have data, in the last build that was begun or the new one."""
        rows = self._db.execute(
            "select point_id from state.point_extents union select point_id from new_point_extents"
        ).fetchall()
        return {point_id for (point_id,) in rows}


def open_work(path: Path, *, memory: int) -> duckdb.DuckDBPyConnection:
    """Open a work file for writing.

    Args:
        path: The file.
        memory: Memory of the build, bytes; what does not fit spills next to the file.

    Raises:
        duckdb.Error: The file is damaged, or a build outside the platform's lock holds it.
    """
    connection = duckdb.connect(
        str(path),
        config={
            # A refresh leaves its process with more than a process takes by itself.
            "memory_limit": duckdb_limit(memory, held=held_memory()),
            "threads": "2",
            "autoinstall_known_extensions": "false",
            "storage_compatibility_version": "v1.3.0",
            "temp_directory": str(path.parent / "spill"),
        },
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection
