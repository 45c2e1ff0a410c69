"""What readers see while the file they read is replaced."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NoReturn

import duckdb
import polars as pl
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.memory import LEAST
from energy_platform.schemas import CORE_READINGS
from energy_platform.warehouse import Warehouse, WarehouseError, publication
from energy_platform.warehouse.build_state import BuildState, open_work
from energy_platform.warehouse.live_views import write_live_views
from energy_platform.warehouse.publication import published_info
from energy_platform_tests.warehouse.warehouse_world import PROJECT

ROWS = 50_000


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(data_dir=tmp_path, lake=Lake(tmp_path / "lake"), dbt_project_dir=PROJECT)
    warehouse.folder.mkdir(parents=True)
    return warehouse


def finish_build(warehouse: Warehouse, *, version: int) -> None:
    """Leave a work file as a finished build leaves it: two tables that belong together."""
    with open_work(warehouse.work_file, memory=LEAST) as db:
        state = BuildState(db)
        db.execute("create schema if not exists staging")
        db.execute("create or replace view staging.stg_core__readings as select 1 as one")
        for table in ("fct_a", "fct_b"):
            db.execute(
                f"create or replace table {table} as select {version} as v from range({ROWS})"
            )
        info = {"version": str(version), "newest_day": "2026-01-01"}
        state.note_state(build_info=info, devices={})
        state.begin({})
        state.finish()


def readings(count: int) -> pl.DataFrame:
    return pl.DataFrame({"point_id": [f"p{n}" for n in range(count)]}).select(
        *(
            pl.col(name) if name == "point_id" else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in CORE_READINGS.schema.items()
        )
    )


def test_readers_see_the_old_file_or_the_new_and_never_wait(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    reader = subprocess.Popen(  # noqa: S603
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import sys, duckdb
                seen = set()
                while sys.argv[2] not in seen:
                    with duckdb.connect(sys.argv[1], read_only=True) as db:
                        a = db.execute("select count(*), min(v), max(v) from fct_a").fetchone()
                        b = db.execute("select count(*), min(v), max(v) from fct_b").fetchone()
                    assert a == b and a[1] == a[2], (a, b)
                    seen.add(str(a[1]))
                print(len(seen))
                """
            ),
            str(warehouse.published_file),
            "8",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    for version in range(2, 9):
        finish_build(warehouse, version=version)
        assert warehouse.publish().written
    seen, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    assert int(seen) >= 1


def test_a_reader_keeps_the_file_it_opened(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    # A second path to the same bytes: within one process DuckDB would share the open file.
    alias = warehouse.published_file.with_name("alias.duckdb")
    alias.hardlink_to(warehouse.published_file)
    with duckdb.connect(str(alias), read_only=True) as reader:
        finish_build(warehouse, version=2)
        warehouse.publish()
        assert reader.execute("select max(v) from fct_a").fetchone() == (1,)
    assert published_info(warehouse.published_file)["version"] == "2"


def test_what_is_published_cannot_be_written_and_has_no_private_schema(
    warehouse: Warehouse,
) -> None:
    finish_build(warehouse, version=1)
    published = warehouse.publish()
    assert stat.S_IMODE(published.path.stat().st_mode) == 0o444
    assert published.rows["fct_a"] == ROWS
    with duckdb.connect(str(published.path), read_only=True) as db:
        schemas = db.execute("select distinct schema_name from duckdb_tables()").fetchall()
    assert schemas == [("main",)]


def test_publishing_the_same_build_again_leaves_the_file_untouched(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    before = warehouse.published_file.stat()
    assert not warehouse.publish().written
    after = warehouse.published_file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_clients_leftover_log_is_not_replayed_into_the_new_file(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    leftover = warehouse.data_dir / "energy.duckdb.wal"
    leftover.write_bytes(b"somebody opened it for writing")
    finish_build(warehouse, version=2)
    warehouse.publish()
    assert not leftover.exists()
    assert published_info(warehouse.published_file)["version"] == "2"


def test_rows_that_are_still_in_the_write_ahead_log_are_published(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    died = subprocess.run(  # noqa: S603
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import os, sys, duckdb
                db = duckdb.connect(sys.argv[1])
                db.execute("set wal_autocheckpoint = '1GB'")
                db.execute("insert into fct_a select 1 from range(777)")
                os._exit(0)
                """
            ),
            str(warehouse.work_file),
        ],
        check=True,
    )
    assert died.returncode == 0
    assert (warehouse.folder / "work.duckdb.wal").exists()
    assert warehouse.publish().rows["fct_a"] == ROWS + 777


@pytest.mark.crash
@pytest.mark.parametrize("step", ["copy", "audit", "rename"])
def test_a_publication_that_dies_leaves_the_old_file_whole(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    finish_build(warehouse, version=2)

    def half_a_copy(*_: object) -> NoReturn:
        raise OSError("disk full")

    def no_rename(source: Path, target: Path) -> NoReturn:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        if step == "copy":
            patch.setattr(publication, "_describe", half_a_copy)
        elif step == "rename":
            patch.setattr(Path, "replace", no_rename)
        else:
            counts = iter([{"fct_a": 1}, {"fct_a": 0}])
            patch.setattr(publication, "count_rows", lambda _: next(counts))
        with pytest.raises((OSError, WarehouseError)):
            warehouse.publish()
    assert published_info(warehouse.published_file)["version"] == "1"
    assert [path.name for path in warehouse.data_dir.glob(".energy*")] == []
    assert warehouse.publish().written
    assert published_info(warehouse.published_file)["version"] == "2"


def test_a_published_file_that_is_damaged_is_replaced(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    warehouse.published_file.unlink()
    warehouse.published_file.write_bytes(b"x" * 5000)
    assert warehouse.publish().written
    assert published_info(warehouse.published_file)["version"] == "1"


def test_an_unfinished_build_is_never_published(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    with open_work(warehouse.work_file, memory=LEAST) as db:
        BuildState(db).begin({})
    with pytest.raises(WarehouseError, match="did not finish"):
        warehouse.publish()
    assert published_info(warehouse.published_file)["version"] == "1"


def test_the_live_file_shows_the_day_files_live_and_says_so(warehouse: Warehouse) -> None:
    lake = warehouse.lake
    lake.write(CORE_READINGS, readings(3), day="2026-01-01")
    assert warehouse.write_live_views() == (CORE_READINGS.name,)
    with duckdb.connect(str(warehouse.live_file), read_only=True) as db:
        assert db.execute("select count(*) from core_readings").fetchone() == (3,)
        lake.write(CORE_READINGS, readings(5), day="2026-01-02")
        assert db.execute(
            "select day::text, count(*) from core_readings group by day order by day"
        ).fetchall() == [("2026-01-01", 3), ("2026-01-02", 5)]
        (said,) = db.execute("select value from about_live where key = 'what'").fetchone() or ("",)
    assert "Live views" in said


def test_a_copied_or_moved_live_file_does_not_show_the_old_folders_rows(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    lake = warehouse.lake
    lake.write(CORE_READINGS, readings(3), day="2026-01-01")
    warehouse.write_live_views()
    copy = tmp_path / "elsewhere"
    shutil.copytree(warehouse.live_file.parent, copy)
    for query in ("select * from core_readings", "select count(*) from core_readings"):
        with (
            duckdb.connect(str(copy / warehouse.live_file.name), read_only=True) as db,
            pytest.raises(duckdb.Error, match="copied or moved"),
        ):
            db.execute(query).fetchall()
    with duckdb.connect() as db:
        db.execute(f"attach '{warehouse.live_file}' as mine (read_only)")
        assert db.execute("select count(*) from mine.core_readings").fetchone() == (3,)
    link = tmp_path / "link"
    link.symlink_to(warehouse.live_file.parent, target_is_directory=True)
    with duckdb.connect(str(link.resolve() / warehouse.live_file.name), read_only=True) as db:
        assert db.execute("select count(*) from core_readings").fetchone() == (3,)
    # A refresh there makes it that folder's own.
    own = Lake(copy / "lake")
    own.write(CORE_READINGS, readings(7), day="2026-01-02")
    write_live_views(own, copy / "live.duckdb", marts=copy / "marts")
    with duckdb.connect(str(copy / "live.duckdb"), read_only=True) as db:
        assert db.execute("select count(*) from core_readings").fetchone() == (10,)


def test_the_file_tells_a_python_reader_what_it_needs(warehouse: Warehouse) -> None:
    finish_build(warehouse, version=1)
    warehouse.publish()
    with duckdb.connect(str(warehouse.published_file), read_only=True) as db:
        (said,) = db.execute("select value from about where key = 'python'").fetchone() or ("",)
    assert "pip install pytz" in said
    assert not warehouse.publish().written
