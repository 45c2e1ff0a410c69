"""The marts as Parquet in ``data/marts/<table>/month=YYYY-MM/``, rewritten where they changed.

Which local periods wait for their export is noted in the work file when a build has made them, and
forgotten partition by partition as each lies in place: an export that was killed, at whatever
moment, is made good by the next one. Each file appears whole, by rename; a query over one
table sees whole partitions, perhaps some of the build before. ``about`` comes last.

A file whose rows came out as they were stays: a corrected point rebuilds days of which most are the
same. One partition is in memory at a time. What is written is counted against the work file.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.lake.files import staged, sync_folder
from energy_platform.warehouse.errors import WarehouseError
from energy_platform.warehouse.mart_tables import (
    NO_ROWS,
    PART,
    MartColumn,
    MartPart,
    MartTable,
    tables_of,
    write_catalogue,
)
from energy_platform.warehouse.sql_text import as_literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

ABOUT: Final = "about"
"""The table that says what all others rest on; its file is written last."""

BUILT_AT: Final = "built_at"
"""Key of ``about``: when the build was finished that the file shows."""

ROWS_OF_A_DAY: Final = 100_000
"""Rows of a local day above which a month lies in one file per day: 3 M rows are written in about
3 s, and each new quarter of an hour rewrites the file it falls into. More files cost each query
some 0.7 ms each, so that small tables keep whole months."""

ROW_GROUP: Final = 122_880
"""Rows that a reader skips or reads together; DuckDB's own default."""

_FEW_VALUES: Final = 256
"""Different texts of a column up to which it is written as an enum of a byte."""

LOOKING_BACK: Final = {"mart_site_comparison": 13}
"""Tables whose rows look back on earlier periods, and how many months later such a row may lie:
the same week a year later begins up to 371 days after, and is counted in the month it begins in."""

_TABLES: Final = """
create schema if not exists state;
create table if not exists state.export_pending (table_name text, period date);
create table if not exists state.exported (
    table_name text, part text, rows bigint, bytes bigint, fingerprint text,
    primary key (table_name, part)
);
create table if not exists state.export_info (key text primary key, value text);
"""

ABOUT_QUERY: Final = """
select key, value from state.build_info
union all by name
select key, value from state.export_info
union all by name
select
    'python' as key,
    'without pytz, Python cannot fetch TIMESTAMPTZ columns: pip install pytz, or ask the same '
    || 'tables in the schema utc' as value
order by key
"""

INPUTS_QUERY: Final = """
select table_name, cast(day as date) as day, content_id, rows
from state.input_files
order by table_name, day
"""

INPUTS_TEXT: Final = "The day files of the lake that every figure rests on."
ABOUT_TEXT: Final = (
    "What the file was built from: newest day, reach of each vendor, versions, digests."
)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export did.

    Attributes:
        written: Files written.
        removed: Files removed, since their rows are gone.
        bytes: Bytes written.
    """

    written: int
    removed: int
    bytes: int


class _Content(NamedTuple):
    """Rows of a table: how many, and a digest of them in whatever order."""

    rows: int
    fingerprint: str


class MartExport:
    """The Parquet files of the tables of one open work file.

    Args:
        connection: The work file, open for writing.
        folder: Where the files lie.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, folder: Path) -> None:
        self._db = connection
        self._db.execute(_TABLES)
        self._folder = folder
        self._written = self._removed = self._bytes = 0

    def note_rebuilt(self, days: Mapping[str, Iterable[date]]) -> None:
        """Note which local days were rebuilt, before the build's own notes of them are forgotten.

        Call it when the tables hold them, after the build or after each slice of it.

        Args:
            days: Local days by zone.
        """
        frame = pl.DataFrame(
            {"local_day": sorted({day for one in days.values() for day in one})},
            schema={"local_day": pl.Date()},
        )
        self._db.register("rebuilt_days", frame.to_arrow())
        self._db.execute("begin")
        for table in tables_of(self._db):
            for grain in table.grains if table.period is not None else ():
                self._db.execute(
                    """
                    insert into state.export_pending
                    with rebuilt as (
                        select date_trunc($grain, local_day) as period from rebuilt_days
                        union all
                        select date_trunc('month', local_day) + to_months(later)
                        from rebuilt_days, range(1, $months_later + 1) as months (later)
                        union all
                        select date_trunc('week', local_day) from rebuilt_days
                        where $months_later > 0
                    ),
                    periods as (
                        select distinct $table as table_name, cast(period as date) as period
                        from rebuilt
                    )
                    from periods anti join state.export_pending using (table_name, period)
                    """,
                    {
                        "table": table.name,
                        "grain": grain,
                        "months_later": LOOKING_BACK.get(table.name, 0),
                    },
                )
        self._db.execute("commit")
        self._db.unregister("rebuilt_days")

    def note_built(self, *, now: datetime) -> None:
        """Note when the build was finished that the tables hold."""
        self._db.execute(
            "insert or replace into state.export_info values (?, ?)",
            [BUILT_AT, now.astimezone(UTC).isoformat(timespec="seconds")],
        )

    def run(self) -> Exported:
        """Write what waits, remove what is gone, and say in ``about`` what it all rests on.

        Raises:
            WarehouseError: A file does not hold the rows that the work file holds.
        """
        self._written = self._removed = self._bytes = 0
        tables = tables_of(self._db)
        for table in tables:
            self._export(table)
        inputs = self._named("about_inputs", query=INPUTS_QUERY, text=INPUTS_TEXT)
        self._remove_others({*(one.name for one in tables), inputs.name, ABOUT})
        about = _about_table()
        write_catalogue(self._folder, [*tables, inputs, about])
        self._named(ABOUT, query=ABOUT_QUERY, text=ABOUT_TEXT)
        return Exported(written=self._written, removed=self._removed, bytes=self._bytes)

    def _export(self, table: MartTable, *, again: bool = False) -> None:
        name = quoted(table.name)
        if table.period is None:
            order = ", ".join(quoted(one) for one in table.sort_key)
            self._whole(table, query=f"select * from {name} order by {order}")  # noqa: S608
            return
        self._note_whole_if_new(table)
        self._note_missing(table)
        for part in self._due(table):
            self._write_part(table, part)
        self._remove_strangers(table)
        row = self._db.execute(
            f"""
            select
                (select count(*) from {name}),
                (select coalesce(sum(rows), 0) from state.exported where table_name = $table)
            """,  # noqa: S608 (a name of the work file)
            {"table": table.name},
        ).fetchone()
        expected, found = row or (0, 0)
        if expected == found:
            return
        if again:
            raise WarehouseError(
                f"{self._folder / table.name}: the files hold {found} rows, the build {expected}; "
                "remove that folder and run the build again"
            )
        # Something else than the platform changed the files or the notes: all of it once more.
        self._forget(table)
        self._export(table, again=True)

    def _forget(self, table: MartTable, part: str | None = None) -> None:
        self._db.execute(
            "delete from state.exported where table_name = $table "
            "and ($part is null or part = $part)",
            {"table": table.name, "part": part},
        )

    def _note_whole_if_new(self, table: MartTable) -> None:
        """Let every period wait of a table that was never exported, or had other columns."""
        key = {"table": table.name, "columns": table.fingerprint}
        known = self._db.execute(
            "select fingerprint from state.exported where table_name = $table and part = ''",
            {"table": table.name},
        ).fetchone()
        if known == (table.fingerprint,):
            return
        self._db.execute("begin")
        self._forget(table)
        self._db.execute("delete from state.export_pending where table_name = ?", [table.name])
        self._db.execute(
            f"insert into state.export_pending select distinct '{table.name}', "  # noqa: S608
            f"{table.period} from {quoted(table.name)}"
        )
        self._db.execute("insert into state.exported values ($table, '', 0, 0, $columns)", key)
        self._db.execute("commit")

    def _note_missing(self, table: MartTable) -> None:
        """Let those periods wait whose file is gone, or not the one that was written."""
        there = self._files(table)
        for path, size in self._noted(table).items():
            if there.get(path) == size:
                continue
            where = MartPart.of_path(path).condition(table.period)
            self._db.execute("begin")
            self._db.execute(
                f"insert into state.export_pending select distinct '{table.name}', "  # noqa: S608
                f"{table.period} from {quoted(table.name)} where {where}"
            )
            self._forget(table, path)
            self._db.execute("commit")

    def _noted(self, table: MartTable) -> dict[str, int]:
        rows = self._db.execute(
            "select part, bytes from state.exported where table_name = ? and part <> ''",
            [table.name],
        ).fetchall()
        return dict(rows)

    def _files(self, table: MartTable) -> dict[str, int]:
        """Return the sizes of the files that a reader of the table finds, by their place."""
        place = self._folder / table.name
        return {
            path.relative_to(place).as_posix(): path.stat().st_size
            for path in place.glob("month=*/*.parquet")
            if not path.name.startswith(".")
        }

    def _due(self, table: MartTable) -> Iterator[MartPart]:
        """Yield the files that hold the waiting periods, the oldest first."""
        if NO_ROWS not in self._noted(table):
            yield MartPart(NO_ROWS)
        rows = self._db.execute(
            "select distinct period from state.export_pending where table_name = ? order by 1",
            [table.name],
        ).fetchall()
        there = sorted(self._files(table))
        by_month: dict[date, list[date]] = {}
        for (period,) in rows:
            by_month.setdefault(period.replace(day=1), []).append(period)
        for month, periods in by_month.items():
            if self._is_by_day(table, month, there=there):
                yield from (MartPart.of_day(period) for period in periods)
            else:
                yield MartPart.of_month(month)

    def _is_by_day(self, table: MartTable, month: date, *, there: Sequence[str]) -> bool:
        """Say whether a month lies in one file per period.

        What lies there decides: a reader between two ways of cutting would see rows twice.
        """
        part = MartPart.of_month(month)
        files = [one for one in there if one.startswith(f"month={month:%Y-%m}/")]
        if files:
            return part.path not in files
        row = self._db.execute(
            f"select max(n) from (select count(*) as n from {quoted(table.name)} "  # noqa: S608
            f"where {part.condition(table.period)} group by {table.period})"
        ).fetchone()
        return bool(row and row[0] and row[0] > ROWS_OF_A_DAY)

    def _write_part(self, table: MartTable, part: MartPart) -> None:
        """Write the rows of a part as a file, unless that file holds them already."""
        name, where = quoted(table.name), part.condition(table.period)
        content = self._content(f"select * from {name} where {where}")  # noqa: S608 (own names)
        path = self._folder / table.name / part.path
        if not content.rows and part.path != NO_ROWS:
            self._remove(path)
            self._note_exported(table, part, content=content, size=None)
            return
        if self._fingerprint(table, part.path) != content.fingerprint:
            query = f"select * from {name} where {where}"  # noqa: S608
            if content.rows > ROW_GROUP:
                query = self._with_enums(table, query)
            order = ", ".join(quoted(one) for one in table.sort_key)
            # A note never says more than the file holds, should the export end between the two.
            self._forget(table, part.path)
            self._write(path, f"from ({query}) order by {order}")
        self._note_exported(table, part, content=content, size=path.stat().st_size)

    def _with_enums(self, table: MartTable, query: str) -> str:
        """Return the query with its texts of few values as enums, which sort alike.

        They are texts again in the file, which takes a third less time to write: Parquet's
        dictionary is made from the type, and not by looking up the text of each row.
        """
        many = table.sort_key[0]
        texts = [one.name for one in table.columns if one.type == "VARCHAR" and one.name != many]
        if not texts:
            return query
        lists = ", ".join(
            f"list(distinct {name} order by {name}) filter ({name} is not null)"
            for name in map(quoted, texts)
        )
        found = self._db.execute(f"select {lists} from ({query})").fetchone() or ()  # noqa: S608
        casts = [
            f"{quoted(name)}::enum ({', '.join(map(as_literal, values))}) as {quoted(name)}"
            for name, values in zip(texts, found, strict=True)
            if values and len(values) <= _FEW_VALUES
        ]
        return f"select * replace ({', '.join(casts)}) from ({query})" if casts else query  # noqa: S608

    def _content(self, query: str) -> _Content:
        """Return what a query holds; hashing its rows costs an eighth of writing them."""
        row = self._db.execute(
            f"select count(*), sum(hash(rows)) from ({query}) as rows"  # noqa: S608
        ).fetchone()
        count, digest = row or (0, None)
        return _Content(rows=count, fingerprint=f"{count} {digest}")

    def _fingerprint(self, table: MartTable, part: str) -> str | None:
        """Return the fingerprint of a file as it was written; None when there is none."""
        row = self._db.execute(
            "select fingerprint from state.exported where table_name = ? and part = ?",
            [table.name, part],
        ).fetchone()
        return row[0] if row else None

    def _note_exported(
        self, table: MartTable, part: MartPart, *, content: _Content, size: int | None
    ) -> None:
        self._db.execute("begin")
        if part.first is not None:
            self._db.execute(
                "delete from state.export_pending where table_name = ? "
                "and period >= ? and period < ?",
                [table.name, part.first, part.until],
            )
        self._forget(table, part.path)
        if size is not None:
            self._db.execute(
                "insert into state.exported values (?, ?, ?, ?, ?)",
                [table.name, part.path, content.rows, size, content.fingerprint],
            )
        self._db.execute("commit")

    def _write(self, path: Path, query: str) -> int:
        """Write the rows of a query as a file, whole or not at all; return how many they are.

        Raises:
            WarehouseError: The file does not hold as many rows as the query has.
        """
        with staged(path, locked=True) as file:
            # A temporary file of DuckDB's own would be read by whoever reads the whole folder.
            row = self._db.execute(
                f"copy ({query}) to {as_literal(str(file))} (format parquet, compression zstd, "
                f"row_group_size {ROW_GROUP}, use_tmp_file false)"
            ).fetchone()
            rows = int(row[0]) if row else 0
            if (found := self._rows_of(file)) != rows:
                raise WarehouseError(
                    f"{path}: the new file holds {found} rows, expected {rows}; the old one stays"
                )
            self._bytes += file.stat().st_size
        self._written += 1
        return rows

    def _rows_of(self, path: Path) -> int:
        row = self._db.execute(
            "select num_rows from parquet_file_metadata(?)", [str(path)]
        ).fetchone()
        return int(row[0]) if row else 0

    def _whole(self, table: MartTable, *, query: str) -> None:
        """Write a table that lies in one file, unless that file holds it already."""
        path = self._folder / table.name / PART
        content = self._content(query)
        fingerprint = f"{content.fingerprint} {table.fingerprint}"
        known = self._db.execute(
            "select bytes, fingerprint from state.exported where table_name = ? and part = ?",
            [table.name, PART],
        ).fetchone()
        if path.exists() and known == (path.stat().st_size, fingerprint):
            return
        rows = self._write(path, query)
        self._db.execute(
            "insert or replace into state.exported values (?, ?, ?, ?, ?)",
            [table.name, PART, rows, path.stat().st_size, fingerprint],
        )

    def _named(self, name: str, *, query: str, text: str) -> MartTable:
        columns = self._db.execute(f"describe {query}").fetchall()
        table = MartTable(
            name=name,
            columns=tuple(MartColumn(name=one[0], type=one[1]) for one in columns),
            description=text,
        )
        self._whole(table, query=query)
        return table

    def _remove_strangers(self, table: MartTable) -> None:
        """Remove files that hold rows of an older build."""
        for path in self._files(table).keys() - self._noted(table).keys():
            self._remove(self._folder / table.name / path)

    def _remove(self, path: Path) -> None:
        if not path.exists():
            return
        path.unlink()
        self._removed += 1
        if any(path.parent.iterdir()):
            sync_folder(path.parent)
        else:
            path.parent.rmdir()
            sync_folder(path.parent.parent)

    def _remove_others(self, names: set[str]) -> None:
        """Remove tables that are no more."""
        for place in sorted(self._folder.iterdir()):
            if place.is_dir() and place.name not in names:
                shutil.rmtree(place)
        known = self._db.execute("select distinct table_name from state.exported").fetchall()
        for name in {one for (one,) in known} - names:
            self._db.execute("delete from state.exported where table_name = ?", [name])
            self._db.execute("delete from state.export_pending where table_name = ?", [name])


def _about_table() -> MartTable:
    columns = (MartColumn(name="key", type="VARCHAR"), MartColumn(name="value", type="VARCHAR"))
    return MartTable(name=ABOUT, columns=columns, description=ABOUT_TEXT)


def exported_about(folder: Path) -> dict[str, str]:
    """Return what the exported tables say of themselves; nothing when none were exported.

    A file that cannot be read counts as none: the next export replaces it.
    """
    try:
        frame = pl.read_parquet(folder / ABOUT / PART)
        return dict(frame.select("key", "value").iter_rows())
    except (OSError, pl.exceptions.PolarsError):
        return {}
