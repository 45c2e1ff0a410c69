"""The journal of final figures: what was said, and what became of it.

Here belongs how a publication is compared with those before, and where that is kept: in
``data/restatements``, which nothing rebuilds and nothing else writes to. What a build, a work file
or the marts hold can be made again from the lake; what was said before cannot.

For each month of periods there are files of figures as they were said, of each publication that
said something new: figures that became final (``first``), and those that changed or are final no
longer (``restated``). Files are only added, each appears whole, by rename, and holds what it says
of a figure together with what was said before. A publication notes what it says before its figures
are put in place, and compares them with the journal itself: a process that ends between any two
steps leaves figures that differ from what was noted last, or none, and the next publication notes
these and no other. So nothing that anybody could read is lost, and nothing is noted twice.

Only the periods that were rebuilt are looked at. Why a figure changed is the business of
``restatement_reasons``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.lake.files import staged
from energy_platform.schemas import INSTANT
from energy_platform.warehouse.restatement_reasons import BASIS_TABLE, add_reasons
from energy_platform.warehouse.sql_text import as_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

FOLDER: Final = "restatements"
"""Name of the journal's folder, in the data folder."""

MART: Final = "mart_restatements"

RESTATEMENTS_FILE: Final = "restatements.parquet"
"""Name of the file that dbt makes ``mart_restatements`` from, in the folder of the build."""

ROUNDING: Final = 1e-6
"""What figures may differ by and be the same: a contribution to a bucket is a multiple of 2^-20 of
the unit (docs/energy.md, Intervals)."""

RESTATEMENTS: Final = pl.Schema(
    {
        "scope": pl.String(),
        "scope_id": pl.String(),
        "site_id": pl.String(),
        "figure": pl.String(),
        "grain": pl.String(),
        "period_start": pl.Date(),
        "unit": pl.String(),
        "old_value": pl.Float64(),
        "new_value": pl.Float64(),
        "old_said_at": INSTANT,
        "restated_at": INSTANT,
        "why": pl.String(),
    }
)
"""One row per change of a figure that was final, or is so again: what ``mart_restatements`` shows.

In the files of the journal a figure that becomes final for the first time has a row too, without
an old value and a reason.
"""

_COLUMNS: Final = ", ".join(RESTATEMENTS)

_TABLES: Final = """
create schema if not exists state;
create table if not exists state.unsaid_days (local_day date);
create table if not exists state.said (key text primary key, said_at timestamptz);
create table if not exists state.journal_files (name text primary key);
create table if not exists state.restatements (
    scope text, scope_id text, site_id text, figure text, grain text, period_start date, unit text,
    old_value double, new_value double, old_said_at timestamptz, restated_at timestamptz, why text
);
"""


class Figure(NamedTuple):
    """A published column that becomes final.

    Attributes:
        name: What the figure is called in the journal.
        table: Where it stands.
        value: Its column.
        unit: Its unit as SQL.
        is_final: When it is final, as SQL.
        scope: Whose it is: ``point`` or ``site``.
        grain: ``day``, ``week`` or ``month``.
    """

    name: str
    table: str
    value: str
    unit: str
    is_final: str
    scope: str
    grain: str

    @property
    def id_column(self) -> str:
        """The column of whose it is."""
        return f"{self.scope}_id"

    @property
    def period(self) -> str:
        """The column of the first day of its period."""
        return f"local_{self.grain}"

    def rows(self, *, where: str) -> str:
        """Return the final figures as SQL."""
        return f"""
            select
                '{self.scope}' as scope, {self.id_column} as scope_id, site_id,
                '{self.name}' as figure, '{self.grain}' as grain, {self.period} as period_start,
                {self.unit} as unit, {self.value} as value
            from {self.table}
            where {self.is_final} and {self.value} is not null and {self.period} in ({where})
        """  # noqa: S608 (constants of this module)


def _figures() -> tuple[Figure, ...]:
    found = []
    for grain, fact in (("day", "daily"), ("week", "weekly"), ("month", "monthly")):
        site = "mart_site_energy" if grain == "day" else f"mart_site_energy_{fact}"
        energy, consumption = f"fct_energy_{fact}", f"fct_consumption_{fact}"
        said = "is_final"
        found += [
            Figure("energy", energy, "energy_wh", "'Wh'", said, "point", grain),
            Figure("consumption", consumption, "consumption", "unit", said, "point", grain),
            Figure("site_use", site, "site_use_wh", "'Wh'", said, "site", grain),
            *(
                Figure(name, site, f"{name}_wh", "'Wh'", f"{name}_status = 'final'", "site", grain)
                for name in ("heating", "cooling")
            ),
        ]
    return tuple(found)


FIGURES: Final = _figures()
"""What is kept: energy and consumption of points, use and heat of sites, by day, week and month."""


class Restatements:
    """The journal, as an open work file completes it.

    Args:
        connection: The work file, open for writing.
        folder: The journal's folder.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, folder: Path) -> None:
        self._db = connection
        self._db.execute(_TABLES + BASIS_TABLE)
        self._folder = folder

    def note_rebuilt(self, days: Mapping[str, Iterable[date]]) -> None:
        """Note which local days were rebuilt: their figures are compared at the next publication.

        Call it when the tables hold them, after the build or after each slice of it.

        Args:
            days: Local days by zone.
        """
        frame = pl.DataFrame(
            {"local_day": sorted({day for one in days.values() for day in one})},
            schema={"local_day": pl.Date()},
        )
        self._db.register("rebuilt_days", frame.to_arrow())
        self._db.execute(
            "insert into state.unsaid_days from rebuilt_days "
            "anti join state.unsaid_days using (local_day)"
        )
        self._db.unregister("rebuilt_days")

    def note_finished(self, *, now: datetime) -> None:
        """Note the instant that a finished build's figures are said to be from."""
        self._db.execute(
            """
            insert or replace into state.said
            select 'at', greatest(
                $now::timestamptz, (select max(said_at) from state.said) + interval 1 microsecond
            )
            """,
            {"now": now.astimezone(UTC)},
        )

    def run(self) -> int:
        """Note what a publication says that is new; return how many figures it restates.

        Call it for a finished build, before its figures are put in place.
        """
        at = self._db.execute("select said_at from state.said").fetchone()
        restated = 0
        for month in self._months():
            restated += self._note_month(month, said_at=at[0] if at else datetime.now(tz=UTC))
        self._keep_basis()
        self._db.execute("delete from state.unsaid_days")
        self.absorb()
        return restated

    def absorb(self) -> None:
        """Bring what the work file knows of restatements up to date with the journal."""
        known = {name for (name,) in self._db.execute("from state.journal_files").fetchall()}
        there = {
            path.relative_to(self._folder).as_posix(): path
            for path in self._folder.glob("month=*/*.restated.parquet")
            if not path.name.startswith(".")
        }
        self._db.execute("begin")
        if known - there.keys():
            # Another journal was put here, such as a restored one: what it says holds.
            self._db.execute("delete from state.journal_files; delete from state.restatements")
            known = set()
        if new := sorted(there.keys() - known):
            self._db.execute(
                f"insert into state.restatements select {_COLUMNS} from read_parquet(?)",  # noqa: S608
                [[str(there[name]) for name in new]],
            )
            self._db.execute("insert into state.journal_files select unnest(?)", [new])
        self._db.execute("commit")
        self._show()

    def hand_over(self, path: Path) -> None:
        """Write all restatements for dbt, which makes ``mart_restatements`` of them."""
        self.absorb()
        self._db.execute(
            f"copy (select {_COLUMNS} from state.restatements) to {as_literal(str(path))} "  # noqa: S608
            "(format parquet)"
        )

    def _show(self) -> None:
        """Put into the published table what it lacks."""
        if not self._has_columns(MART, RESTATEMENTS.keys()):
            return
        # A bitwise digest would not see two rows that change together.
        digest = "count(*), sum(hash(scope_id, figure, grain, period_start, restated_at))"
        shown, known = (
            self._db.execute(f"select {digest} from {table}").fetchone()  # noqa: S608 (constants)
            for table in (MART, "state.restatements")
        )
        if shown != known:
            self._db.execute(
                f"""
                begin;
                delete from {MART};
                insert into {MART} by name
                select {_COLUMNS}, new_value - old_value as change
                from state.restatements
                order by scope, scope_id, site_id, figure, grain, period_start, restated_at;
                commit;
                """  # noqa: S608 (constants of this module)
            )

    def _has_columns(self, table: str, columns: Iterable[str]) -> bool:
        known = self._db.execute(
            "select column_name from duckdb_columns() where schema_name = 'main' "
            "and database_name = current_database() and table_name = ?",
            [table],
        ).fetchall()
        return {*columns} <= {name for (name,) in known}

    def _months(self) -> list[date]:
        """Return the months in which periods begin that were rebuilt, and note these."""
        self._db.execute(
            """
            create or replace temp table unsaid_periods as
            select distinct grain, cast(date_trunc(grain, local_day) as date) as period_start
            from state.unsaid_days
            cross join (values ('day'), ('week'), ('month')) as grains (grain)
            """
        )
        rows = self._db.execute(
            "select distinct cast(date_trunc('month', period_start) as date) "
            "from unsaid_periods order by 1"
        ).fetchall()
        return [month for (month,) in rows]

    def _note_month(self, month: date, *, said_at: datetime) -> int:
        place = self._folder / f"month={month:%Y-%m}"
        self._db.execute(self._differences(month, place))
        count = self._db.execute(
            "select count(*) filter (is_first), count(*) filter (not is_first) from unsaid"
        ).fetchone()
        firsts, restated = count or (0, 0)
        if restated:
            add_reasons(self._db, basis=self._basis)
        for kind, rows, where in (
            ("first", firsts, "is_first"),
            ("restated", restated, "not is_first"),
        ):
            if rows:
                name = f"{said_at.astimezone(UTC):%Y%m%dT%H%M%S%f}Z.{kind}.parquet"
                self._write(place / name, where=where, said_at=said_at)
        return int(restated)

    def _differences(self, month: date, place: Path) -> str:
        """Return, as SQL, what was said of the rebuilt periods of a month and is not so now."""
        present = [one for one in FIGURES if self._has_columns(one.table, _needed(one))]
        now = " union all by name ".join(
            one.rows(
                where="select period_start from unsaid_periods "  # noqa: S608
                f"where grain = '{one.grain}' and date_trunc('month', period_start) = "
                f"date '{month}'"
            )
            for one in present
        )
        files = sorted(path for path in place.glob("*.parquet") if not path.name.startswith("."))
        nothing = f"select {_typed_nulls()} where false"
        listed = ", ".join(as_literal(str(path)) for path in files)
        said = f"select {_COLUMNS} from read_parquet([{listed}])" if files else nothing  # noqa: S608
        return f"""
            create or replace temp table unsaid as
            with now as ({now or "select *, null::double as value from (" + nothing + ")"}),
            journal as ({said}),
            said as (
                select
                    scope, scope_id, figure, grain, period_start,
                    -- Inside a struct a null counts too: a figure that is final no longer.
                    arg_max({{'site_id': site_id, 'unit': unit, 'value': new_value}}, restated_at)
                        as newest,
                    max(restated_at) as said_at
                from journal
                semi join unsaid_periods using (grain, period_start)
                group by all
            )
            select
                scope, scope_id, coalesce(now.site_id, said.newest.site_id) as site_id, figure,
                grain, period_start, coalesce(now.unit, said.newest.unit) as unit,
                said.newest.value as old_value, now.value as new_value,
                said.said_at as old_said_at, null::text as why, said.said_at is null as is_first
            from now
            full join said using (scope, scope_id, figure, grain, period_start)
            where
                (now.value is null) <> (said.newest.value is null)
                or abs(now.value - said.newest.value) > {ROUNDING}
                    + {ROUNDING} * {ROUNDING} * abs(now.value)
        """  # noqa: S608 (constants of this module and file names of the journal)

    def _write(self, path: Path, *, where: str, said_at: datetime) -> None:
        instant = as_literal(said_at.astimezone(UTC).isoformat())
        columns = ", ".join(
            f"{instant}::timestamptz as restated_at" if name == "restated_at" else name
            for name in RESTATEMENTS
        )
        query = (
            f"select {columns} from unsaid where {where} "  # noqa: S608 (constants of this module)
            "order by scope, scope_id, figure, grain, period_start"
        )
        with staged(path, locked=True) as file:
            # A temporary file of DuckDB's own would be read by whoever reads the whole folder.
            self._db.execute(
                f"copy ({query}) to {as_literal(str(file))} "
                "(format parquet, compression zstd, use_tmp_file false)"
            )

    @property
    def _basis(self) -> Path:
        """What the figures rested on that were said last."""
        return self._folder / "basis.parquet"

    def _keep_basis(self) -> None:
        frame = basis_of(self._db)
        if frame.is_empty():
            return
        if self._basis.exists() and pl.read_parquet(self._basis).equals(frame):
            return
        with staged(self._basis) as file:
            frame.write_parquet(file)


def basis_of(db: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return what a finished build rests on, as its preparation noted it; empty when it did not."""
    rows = db.execute("from state.basis order by all").fetchall()
    schema = dict.fromkeys(("kind", "id", "part", "digest"), pl.String())
    return pl.DataFrame(rows, schema=schema, orient="row")


def _needed(figure: Figure) -> set[str]:
    final = figure.is_final.split(" ", maxsplit=1)[0]
    return {figure.id_column, "site_id", figure.period, figure.value, final}


def _typed_nulls() -> str:
    kinds: dict[object, str] = {
        pl.String(): "text",
        pl.Float64(): "double",
        pl.Date(): "date",
        INSTANT: "timestamptz",
    }
    return ", ".join(f"null::{kinds[dtype]} as {name}" for name, dtype in RESTATEMENTS.items())
