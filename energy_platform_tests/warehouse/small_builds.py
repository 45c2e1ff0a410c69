"""Finished builds without dbt: a work file of a few tables, as a build leaves it.

Each build carries a version in every row that it made, so that a reader can tell which builds it
sees, and whether the rows of one file belong together.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.memory import LEAST
from energy_platform.warehouse import Warehouse
from energy_platform.warehouse.build_state import BuildState, open_work
from energy_platform.warehouse.export import MartExport
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

POINTS: Final = 20
QUARTERS: Final = 96
ZONE: Final = "Europe/Paris"

_TABLES: Final = """
create table if not exists dim_point (point_id text, version bigint);
create table if not exists fct_energy_15min (
    point_id text, interval_start timestamptz, local_day date, energy_wh double, version bigint
);
create table if not exists fct_energy_weekly (
    point_id text, local_week date, energy_wh double, version bigint
);
create table if not exists mart_peak_demand (
    scope_id text, local_month date, peak_at timestamptz, version bigint
);
create table if not exists fct_state_daily (point_id text, local_day date, version bigint);
comment on table fct_energy_15min is 'Energy per point and quarter-hour.';
comment on column fct_energy_15min.energy_wh is 'Energy, Wh.';
"""


def small_warehouse(folder: Path) -> Warehouse:
    """Return the warehouse of a data folder, with a private folder for its builds."""
    from energy_platform.lake.lake import Lake  # noqa: PLC0415 (a program of its own needs no lake)

    warehouse = Warehouse(data_dir=folder, lake=Lake(folder / "lake"), dbt_project_dir=PROJECT)
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    return warehouse


def days_of(first: str, count: int) -> list[date]:
    """Return local days in a row."""
    start = date.fromisoformat(first)
    return [start + timedelta(days=n) for n in range(count)]


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse's work file for writing."""
    with open_work(warehouse.work_file, memory=LEAST) as db:
        yield db


def begin_build(db: duckdb.DuckDBPyConnection, days: Sequence[date], *, version: int) -> BuildState:
    """Begin a build of these local days, as Warehouse.prepare."""
    state = BuildState(db)
    db.execute(_TABLES)
    info = {"version": str(version), "newest_day": max(days).isoformat()}
    state.note_state(build_info=info, devices={})
    state.begin({ZONE: sorted(days)})
    return state


def end_build(db: duckdb.DuckDBPyConnection, warehouse: Warehouse, state: BuildState) -> None:
    """Take a build as finished, as Warehouse.commit."""
    export = MartExport(db, folder=warehouse.marts_folder)
    export.note_rebuilt(state.dirty_periods())
    export.note_built(now=datetime.now(tz=UTC))
    state.finish()


def rebuild(db: duckdb.DuckDBPyConnection, days: Sequence[date], *, version: int) -> None:
    """Replace the rows of local days, their weeks and their months, as the marts do."""
    db.execute("create or replace temp table rebuilt (local_day date)")
    db.executemany("insert into rebuilt values (?)", [[day] for day in days])
    db.execute(
        f"""
        create or replace table dim_point as
            select 'p' || i as point_id, {version}::bigint as version from range({POINTS}) as r(i);
        delete from fct_energy_15min where local_day in (from rebuilt);
        insert into fct_energy_15min
        select
            p.point_id,
            (local_day + to_minutes((15 * q)::int))::timestamptz,
            local_day,
            q + 0.5,
            {version}
        from rebuilt cross join dim_point as p cross join range({QUARTERS}) as r(q);
        create or replace temp table weeks as
            select distinct date_trunc('week', local_day)::date as local_week from rebuilt;
        delete from fct_energy_weekly where local_week in (from weeks);
        insert into fct_energy_weekly
        select point_id, local_week, 1.0, {version} from weeks cross join dim_point;
        create or replace temp table months as
            select distinct date_trunc('month', local_day)::date as local_month from rebuilt;
        delete from mart_peak_demand where local_month in (from months);
        insert into mart_peak_demand
        select 'site', local_month, local_month::timestamptz, {version} from months;
        """
    )


def finish_build(warehouse: Warehouse, days: Sequence[date], *, version: int) -> None:
    """Leave the work file as a finished build leaves it that rebuilt these local days."""
    with opened(warehouse) as db:
        state = begin_build(db, days, version=version)
        rebuild(db, days, version=version)
        end_build(db, warehouse, state)
