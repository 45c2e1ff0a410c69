"""A build rebuilds what changed, and ends where a build from nothing ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_ENERGY_INTERVALS, CORE_READINGS, Vendor
from energy_platform.warehouse import Prepared, Warehouse, WarehouseError
from energy_platform_tests.opened_files import opened_parquet
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    World,
    days_from,
    portfolio_of,
    utc,
)

DBT = Path(sys.executable).with_name("dbt")
SITES = {"paris": "Europe/Paris", "lord-howe": "Australia/Lord_Howe"}
DAYS = days_from("2026-03-01", 36)
VALVE = "belimo/lord-howe-valve/heat"
LATE_DAYS: dict[Vendor, int] = {"socomec": 6, "belimo": 6, "skycentrics": 1}
"""Long, so that a day becomes final well after its own files were written."""


def until(day: str) -> list[str]:
    return [one for one in DAYS if one <= day]


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that follows from the lake, sorted.

    What was said before does not: a build from nothing has said nothing yet.
    """
    with duckdb.connect(str(path), read_only=True) as db:
        names = [
            name
            for (name,) in db.execute(
                "select table_name from duckdb_tables() where schema_name = 'main' "
                "and table_name not like 'about%' and table_name <> 'mart_restatements' order by 1"
            ).fetchall()
        ]
        return {name: db.execute(f"select * from {name} order by all").fetchall() for name in names}


def from_nothing(world: World, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    fresh = Warehouse(
        data_dir=folder, lake=world.lake, dbt_project_dir=PROJECT, late_days=LATE_DAYS
    )
    assert fresh.build(world.portfolio).prepared.full
    return rows_of(fresh.work_file)


def dbt(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [str(DBT), command], env=env, capture_output=True, check=False, text=True
    )


def killed_during_dbt(warehouse: Warehouse, world: World) -> Prepared:
    """Prepare, let dbt make some of the tables, and die before the build is taken as finished."""
    with warehouse.locked():
        prepared = warehouse.prepare(world.portfolio)
        subprocess.run(  # noqa: S603
            [str(DBT), "run", "--select", "fct_energy_15min", "fct_energy_hourly"],
            env={**os.environ, **prepared.env},
            capture_output=True,
            check=True,
        )
    return prepared


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Builds that followed one another on one lake, and a build from nothing at the end."""

    world: World
    warehouse: Warehouse
    normal: Prepared
    killed: Prepared
    last: Prepared
    found: dict[str, list[tuple[Any, ...]]]
    truth: dict[str, list[tuple[Any, ...]]]

    def copy(self, folder: Path) -> Warehouse:
        """Return a warehouse elsewhere that has been through the same builds."""
        other = Warehouse(
            data_dir=folder,
            lake=self.world.lake,
            dbt_project_dir=PROJECT,
            late_days=LATE_DAYS,
        )
        other.folder.mkdir(parents=True)
        other.work_file.write_bytes(self.warehouse.work_file.read_bytes())
        return other


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    data = tmp_path_factory.mktemp("chain")
    meter, export, valve = "socomec/paris/import", "socomec/paris/export", VALVE
    world = World(
        lake=Lake(data / "lake"),
        portfolio=portfolio_of(SITES),
        start=utc("2026-03-01T00:00"),
        silent={
            # Two silences that a step bridges, one that nothing bridges.
            export: (utc("2026-03-15T05:00"), utc("2026-03-18T07:00")),
            meter: (utc("2026-03-27T04:00"), utc("2026-03-30T19:00")),
            valve: (utc("2026-03-03T10:00"), utc("2026-12-01T00:00")),
        },
        unbridged={valve},
    )
    warehouse = Warehouse(
        data_dir=data, lake=world.lake, dbt_project_dir=PROJECT, late_days=LATE_DAYS
    )

    world.write(until("2026-03-27"))
    assert warehouse.build(world.portfolio).prepared.full
    warehouse.publish()

    # A day as any other, and one that is still under way.
    world.write(["2026-03-28", "2026-03-29"], complete=False)
    world.land("belimo", day="2026-03-28", closed=True)
    normal = warehouse.build(world.portfolio).prepared
    warehouse.publish()

    # The meter speaks again: its step bears on all days of the silence. The build is killed half
    # way; an old day it had rebuilt is put back to what it was before.
    world.write(["2026-03-30", "2026-03-31"])
    world.scale[meter] = 3.0
    world.write(["2026-03-08"])
    killed = killed_during_dbt(warehouse, world)
    world.scale.clear()
    world.write(["2026-03-08"])

    # A correction of the step over the first silence; a valve that speaks again; days closed long
    # after; a day whose readings are gone.
    world.scale[export] = 1.5
    world.write(["2026-03-18"])
    world.silent[valve] = (world.silent[valve][0], utc("2026-03-30T06:00"))
    world.write([day for day in DAYS if day >= "2026-03-30"])
    world.lake.path(CORE_READINGS, day="2026-03-12").unlink()
    last = warehouse.build(world.portfolio).prepared
    warehouse.publish()
    return Chain(
        world=world,
        warehouse=warehouse,
        normal=normal,
        killed=killed,
        last=last,
        found=rows_of(warehouse.work_file),
        truth=from_nothing(world, tmp_path_factory.mktemp("fresh")),
    )


def test_builds_step_by_step_end_where_a_build_from_nothing_ends(chain: Chain) -> None:
    assert not chain.last.full
    assert chain.found.keys() == chain.truth.keys()
    for table, rows in chain.truth.items():
        assert chain.found[table] == rows, table


def test_what_lies_as_parquet_is_what_the_builds_made(chain: Chain) -> None:
    with duckdb.connect(str(chain.warehouse.live_file), read_only=True) as db:
        for table, rows in chain.truth.items():
            assert db.execute(f"from {table} order by all").fetchall() == rows, table


def test_what_readers_lack_is_published_although_nothing_changed(
    chain: Chain, tmp_path: Path
) -> None:
    other = chain.copy(tmp_path)
    portfolio = chain.world.portfolio
    assert other.plan(portfolio).why == ("nothing is published",)
    other.publish()
    assert not other.plan(portfolio).stale
    other.published_file.unlink()
    assert other.plan(portfolio).why == ("energy.duckdb is due to be copied",)
    other.publish()
    other.live_file.unlink()
    assert other.plan(portfolio).why == ("live.duckdb is missing or shows another folder",)
    other.publish()
    assert not other.plan(portfolio).stale


def test_a_normal_day_looks_at_no_old_one(chain: Chain) -> None:
    assert not chain.normal.full
    for days in chain.normal.affected.values():
        assert min(days) >= date(2026, 3, 19)


def test_a_point_that_speaks_again_settles_the_days_of_its_silence(chain: Chain) -> None:
    status = [row for row in chain.found["fct_energy_daily"] if row[0] == VALVE]
    silent = [row for row in status if date(2026, 3, 4) <= row[3] <= date(2026, 3, 9)]
    # Nothing more will come of them, and nothing covers them: what flowed is not known.
    assert {row[-3] for row in silent} == {"partial"}
    assert {row[4] for row in silent} == {None}


def test_a_step_over_a_silence_touches_all_its_days(chain: Chain) -> None:
    assert {date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29)} <= set(
        chain.killed.affected["Europe/Paris"]
    )


@pytest.mark.crash
def test_days_begun_by_a_killed_build_are_rebuilt(chain: Chain) -> None:
    assert date(2026, 3, 8) in chain.killed.affected["Europe/Paris"]
    for zone, days in chain.killed.affected.items():
        assert set(days) <= set(chain.last.affected[zone])


def test_nothing_new_rebuilds_nothing(chain: Chain, tmp_path: Path) -> None:
    prepared = chain.copy(tmp_path).prepare(chain.world.portfolio)
    assert not prepared.full
    assert prepared.changed == ()
    assert not any(prepared.affected.values())


def test_what_is_published_is_compared_with_the_lake_without_opening_a_file(chain: Chain) -> None:
    lake = chain.world.lake
    assert chain.warehouse.plan(chain.world.portfolio).why == ()
    with opened_parquet(lake.root) as opened:
        assert chain.warehouse.plan(chain.world.portfolio).why == ()
    assert opened == []


def test_a_build_reads_the_files_it_was_planned_with(chain: Chain, tmp_path: Path) -> None:
    world, other = chain.world, chain.copy(tmp_path)
    day = DAYS[-1]
    world.scale["socomec/paris/import"] = 2.0
    world.write([day])
    try:
        with other.locked():
            prepared = other.prepare(world.portfolio)
            assert (CORE_ENERGY_INTERVALS.name, day) in prepared.changed
            link = (
                other.folder / "inputs" / CORE_ENERGY_INTERVALS.name / f"day={day}" / "part.parquet"
            )
            planned = link.read_bytes()
            world.scale["socomec/paris/import"] = 3.0
            world.write([day])
            assert link.read_bytes() == planned
            assert world.lake.path(CORE_ENERGY_INTERVALS, day=day).read_bytes() != planned
    finally:
        del world.scale["socomec/paris/import"]
        world.write([day])
    with pytest.raises(WarehouseError, match="did not finish"):
        other.publish()
    again = other.prepare(world.portfolio)
    assert (CORE_ENERGY_INTERVALS.name, day) in again.changed
    assert date.fromisoformat(day) in again.affected["Europe/Paris"]


def test_a_site_that_moves_to_another_zone_is_built_from_nothing(
    chain: Chain, tmp_path: Path
) -> None:
    world, warehouse = chain.world, chain.warehouse
    moved = portfolio_of({**SITES, "paris": "Asia/Kolkata"})
    assert warehouse.plan(world.portfolio).why == ()
    assert warehouse.plan(moved).why == ("the portfolio changed",)
    other = chain.copy(tmp_path)
    prepared = other.prepare(moved)
    assert prepared.full
    assert "socomec/paris" in " ".join(prepared.why)


def test_a_new_device_without_data_costs_no_rebuild(chain: Chain, tmp_path: Path) -> None:
    more = portfolio_of({**SITES, "lyon": "Europe/Paris"})
    other = chain.copy(tmp_path)
    prepared = other.prepare(more)
    assert not prepared.full
    assert not any(prepared.affected.values())


def test_a_work_file_that_cannot_be_read_is_rebuilt(chain: Chain, tmp_path: Path) -> None:
    other = chain.copy(tmp_path)
    other.work_file.write_bytes(b"not a database" * 1000)
    prepared = other.prepare(chain.world.portfolio)
    assert prepared.full
    assert "cannot be read" in prepared.why[0]


def test_an_empty_lake_builds_and_publishes_empty_tables(tmp_path: Path) -> None:
    warehouse = Warehouse(data_dir=tmp_path, lake=Lake(tmp_path / "lake"), dbt_project_dir=PROJECT)
    portfolio = portfolio_of({"paris": "Europe/Paris"})
    with pytest.raises(WarehouseError, match="no build has finished"):
        warehouse.publish()
    warehouse.build(portfolio)
    published = warehouse.publish()
    assert published.rows["fct_energy_daily"] == 0
    assert published.rows["dim_site"] == 1
    assert published.newest_day is None
    assert not warehouse.plan(portfolio).stale


def test_figures_that_do_not_add_up_are_not_taken_as_finished(
    chain: Chain,
) -> None:
    """The conservation tests fail when one hour, one day or one bucket is off by a watt-hour."""
    world, warehouse = chain.world, chain.warehouse
    world.scale["socomec/paris/import"] = 1.5
    world.write(DAYS[-2:])
    before = warehouse.published_file.read_bytes()
    with warehouse.locked():
        prepared = warehouse.prepare(world.portfolio)
        env = {**os.environ, **prepared.env}
        assert dbt("run", env).returncode == 0
        with duckdb.connect(str(warehouse.work_file)) as db:
            for table in ("fct_energy_hourly", "fct_energy_monthly"):
                db.execute(
                    f"update {table} set energy_wh = energy_wh + 1 "
                    f"where rowid = (select max(rowid) from {table})"
                )
            db.execute(
                "insert into mart_site_energy from mart_site_energy where local_day = '2026-04-04'"
            )
            db.execute("delete from fct_energy_15min where local_day = '2026-04-04'")
            db.execute(
                "insert into fct_energy_15min from fct_energy_15min where "
                "point_id = 'socomec/paris/import' and local_day = '2026-04-05' limit 1"
            )
        tests = dbt("test", env)
    assert tests.returncode == 1
    for name in (
        "conservation_hourly",
        "conservation_daily",
        "conservation_monthly",
        "every_contribution_is_counted",
        "fct_energy_15min_rows_are_unique",
        "mart_site_energy_rows_are_unique",
    ):
        assert f"Failure in test {name} " in tests.stdout
    with pytest.raises(WarehouseError, match="did not finish"):
        warehouse.publish()
    assert warehouse.published_file.read_bytes() == before
    del world.scale["socomec/paris/import"]
    world.write(DAYS[-2:])
    assert not warehouse.plan(world.portfolio).stale


def test_a_failed_build_says_what_failed_and_where_the_log_is(chain: Chain, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models" / "dimensions" / "dim_site.sql").write_text("select nonsense from nowhere")
    broken = Warehouse(data_dir=tmp_path / "data", lake=chain.world.lake, dbt_project_dir=project)
    with pytest.raises(WarehouseError, match=r"(?s)stays as it was.*dbt\.log.*dim_site"):
        broken.build(chain.world.portfolio)
    with pytest.raises(WarehouseError, match="did not finish"):
        broken.publish()
