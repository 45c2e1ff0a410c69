"""What a build leaves as Parquet, and what live.duckdb shows of it."""

from __future__ import annotations

import fcntl
import shutil
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from energy_platform.warehouse import Warehouse, WarehouseError, export
from energy_platform.warehouse.build_state import BuildState
from energy_platform.warehouse.mart_tables import tables_of
from energy_platform_tests.warehouse.small_builds import (
    POINTS,
    QUARTERS,
    begin_build,
    days_of,
    end_build,
    finish_build,
    opened,
    rebuild,
    small_warehouse,
)

TWO_MONTHS = days_of("2026-01-30", 5)
FEBRUARY = days_of("2026-02-02", 1)
FACT = "fct_energy_15min"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = small_warehouse(tmp_path / "data")
    finish_build(made, TWO_MONTHS, version=1)
    made.publish()
    return made


def files(warehouse: Warehouse, table: str) -> dict[str, tuple[int, int]]:
    """Return identity and time of each file of a table: a file that was rewritten has others."""
    place = warehouse.marts_folder / table
    return {
        path.relative_to(place).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the marts, by the tables' names."""
    with duckdb.connect(str(path), read_only=True) as db:
        names = db.execute(
            "select table_name from information_schema.tables where table_schema = 'main' "
            "and table_name similar to '(fct|dim|mart)_.*' order by 1"
        ).fetchall()
        return {n: db.execute(f"from {n} order by all").fetchall() for (n,) in names}


def assert_live_is_the_work_file(warehouse: Warehouse) -> None:
    assert rows_of(warehouse.live_file) == rows_of(warehouse.work_file)


def test_tables_are_cut_by_month_and_small_ones_lie_in_one_file(warehouse: Warehouse) -> None:
    empty = "month=none/part.parquet"
    assert list(files(warehouse, FACT)) == [
        "month=2026-01/part.parquet",
        "month=2026-02/part.parquet",
        empty,
    ]
    # The week of 30 January begins on 26 January: one month more or less than the days.
    assert "month=2026-01/part.parquet" in files(warehouse, "fct_energy_weekly")
    assert list(files(warehouse, "dim_point")) == ["part.parquet"]
    assert list(files(warehouse, "fct_state_daily")) == [empty]
    assert_live_is_the_work_file(warehouse)


def test_files_are_sorted_and_compressed(warehouse: Warehouse) -> None:
    path = warehouse.marts_folder / FACT / "month=2026-01" / "part.parquet"
    column = pq.read_metadata(path).row_group(0).column(0)
    assert column.compression == "ZSTD"
    frame = pl.read_parquet(path)
    assert frame.equals(frame.sort("point_id", "interval_start"))


def test_large_files_hold_texts_as_texts(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written as enums where they have few values, of which a reader shall see nothing."""
    monkeypatch.setattr(export, "ROW_GROUP", 1)
    with opened(warehouse) as db:
        state = begin_build(db, TWO_MONTHS, version=2)
        rebuild(db, TWO_MONTHS, version=2)
        db.execute(
            f"""
            alter table {FACT} add column few text;
            alter table {FACT} add column many text;
            alter table {FACT} add column none text;
            update {FACT} set many = point_id || interval_start::text;
            update {FACT} set few = if(hour(interval_start) > 3, 'it''s; "so"', 'ä');
            update {FACT} set few = null where hour(interval_start) = 7;
            """
        )
        end_build(db, warehouse, state)
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)
    month = warehouse.marts_folder / FACT / "month=2026-01"
    frame = pl.read_parquet(month / "part.parquet")
    assert frame.equals(frame.sort("point_id", "interval_start"))
    assert set(frame["few"].to_list()) == {'it\'s; "so"', "ä", None}
    kinds = pq.read_schema(month / "part.parquet")
    assert {str(kinds.field(name).type) for name in ("point_id", "few", "many", "none")} == {
        "string"
    }


def test_a_build_rewrites_only_the_months_it_touched(warehouse: Warehouse) -> None:
    before = files(warehouse, FACT)
    finish_build(warehouse, FEBRUARY, version=2)
    exported = warehouse.publish().exported
    after = files(warehouse, FACT)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"month=2026-02/part.parquet"}
    # The fact, its week, the peak, dim_point and about.
    assert (exported.written, exported.removed) == (5, 0)
    assert_live_is_the_work_file(warehouse)


def test_a_rebuilt_month_keeps_its_file_where_its_rows_came_out_the_same(
    warehouse: Warehouse,
) -> None:
    before = files(warehouse, FACT)
    with opened(warehouse) as db:
        state = begin_build(db, TWO_MONTHS, version=2)
        rebuild(db, TWO_MONTHS, version=1)
        db.execute(f"update {FACT} set energy_wh = 7 where local_day = '2026-02-02'")
        end_build(db, warehouse, state)
    warehouse.publish()
    after = files(warehouse, FACT)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"month=2026-02/part.parquet"}
    assert_live_is_the_work_file(warehouse)


def test_publishing_the_same_build_again_writes_no_file(warehouse: Warehouse) -> None:
    before = files(warehouse, FACT), warehouse.live_file.stat().st_ino
    assert warehouse.publish().exported.written == 0
    assert (files(warehouse, FACT), warehouse.live_file.stat().st_ino) == before


def test_a_program_that_keeps_the_file_open_sees_each_publication(warehouse: Warehouse) -> None:
    inode = warehouse.live_file.stat().st_ino
    with duckdb.connect(str(warehouse.live_file), read_only=True) as reader:
        for version in range(2, 6):
            finish_build(warehouse, TWO_MONTHS, version=version)
            warehouse.publish()
            assert reader.execute(
                f"select count(*), min(version), max(version) from {FACT}"
            ).fetchone() == (len(TWO_MONTHS) * POINTS * QUARTERS, version, version)
            about = dict(reader.execute("select key, value from about").fetchall())
            assert about["version"] == str(version)
    assert warehouse.live_file.stat().st_ino == inode


def test_rows_that_are_gone_take_their_file_with_them(warehouse: Warehouse) -> None:
    january = [day for day in TWO_MONTHS if day.month == 1]
    with opened(warehouse) as db:
        state = begin_build(db, january, version=2)
        db.execute(f"delete from {FACT} where local_day < '2026-02-01'")
        end_build(db, warehouse, state)
    assert warehouse.publish().exported.removed == 1
    assert list(files(warehouse, FACT)) == [
        "month=2026-02/part.parquet",
        "month=none/part.parquet",
    ]
    assert not (warehouse.marts_folder / FACT / "month=2026-01").exists()
    assert_live_is_the_work_file(warehouse)


def test_what_is_being_written_is_never_among_the_files_of_a_table(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    replace = Path.replace

    def looks(path: Path, target: Path) -> Path:
        seen.extend(one.name for one in path.parent.iterdir() if target.name == "part.parquet")
        if target.suffix == ".parquet":
            # DuckDB wrote into the locked file itself, not into another that took its place.
            with path.open("rb") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", looks)
    finish_build(warehouse, FEBRUARY, version=2)
    warehouse.publish()
    # Readers of a folder leave out names that begin with a dot.
    assert {one for one in seen if not one.startswith(".")} == {"part.parquet"}
    assert any(one.endswith(".staged") for one in seen)


@pytest.mark.crash
@pytest.mark.parametrize("after", [0, 2, 5])
def test_an_export_that_dies_between_two_files_is_made_good(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    finish_build(warehouse, TWO_MONTHS, version=2)
    written = 0

    def dies(path: Path, target: Path) -> Any:
        nonlocal written
        written += 1
        if written > after:
            raise OSError("killed")
        return replace(path, target)

    replace = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(OSError, match="killed"):
            warehouse.publish()
    # Nobody is told of a build whose tables are not all in place.
    assert export.exported_about(warehouse.marts_folder)["version"] == "1"
    # A build in between touches other days: those of the first still wait.
    finish_build(warehouse, FEBRUARY, version=3)
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)
    assert export.exported_about(warehouse.marts_folder)["version"] == "3"


@pytest.mark.crash
@pytest.mark.parametrize("is_undone", [False, True])
def test_an_export_that_dies_in_the_work_file_is_made_good(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, is_undone: bool
) -> None:
    finish_build(warehouse, TWO_MONTHS, version=2)

    def dies(*_: object, **__: object) -> NoReturn:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(export.MartExport, "_note_exported", dies)
        with pytest.raises(OSError, match="killed"):
            warehouse.publish()
    if is_undone:
        # The first file holds rows that no note names, and is as large as the one before.
        finish_build(warehouse, TWO_MONTHS, version=1)
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)


def test_an_unfinished_build_exports_nothing(warehouse: Warehouse) -> None:
    before = rows_of(warehouse.live_file)
    with opened(warehouse) as db:
        begin_build(db, FEBRUARY, version=2)
        rebuild(db, FEBRUARY, version=2)
    with pytest.raises(WarehouseError, match="did not finish"):
        warehouse.publish()
    assert rows_of(warehouse.live_file) == before


@pytest.mark.parametrize("harm", ["removed", "cut", "foreign"])
def test_files_that_are_not_the_exports_own_are_put_right(warehouse: Warehouse, harm: str) -> None:
    path = warehouse.marts_folder / FACT / "month=2026-01" / "part.parquet"
    if harm == "removed":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        shutil.copyfile(path, path.with_name("another.parquet"))
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)


def test_rows_that_no_build_noted_are_found_by_counting(warehouse: Warehouse) -> None:
    with opened(warehouse) as db:
        db.execute(f"delete from {FACT} where local_day = '2026-01-30'")
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)


def test_a_work_file_made_again_replaces_every_file(warehouse: Warehouse) -> None:
    warehouse.work_file.unlink()
    finish_build(warehouse, FEBRUARY, version=7)
    warehouse.publish()
    assert list(files(warehouse, FACT)) == [
        "month=2026-02/part.parquet",
        "month=none/part.parquet",
    ]
    assert_live_is_the_work_file(warehouse)


def test_a_table_with_another_column_is_written_whole_and_its_view_again(
    warehouse: Warehouse,
) -> None:
    with opened(warehouse) as db:
        db.execute(f"alter table {FACT} add column covered_s double default 900")
        db.execute("drop table fct_state_daily")
    warehouse.publish()
    assert_live_is_the_work_file(warehouse)
    assert not (warehouse.marts_folder / "fct_state_daily").exists()


def test_a_month_with_many_rows_lies_in_one_file_per_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS_OF_A_DAY", POINTS * QUARTERS - 1)
    warehouse = small_warehouse(tmp_path / "data")
    finish_build(warehouse, TWO_MONTHS, version=1)
    warehouse.publish()
    before = files(warehouse, FACT)
    assert list(before)[:2] == [
        "month=2026-01/2026-01-30.parquet",
        "month=2026-01/2026-01-31.parquet",
    ]
    finish_build(warehouse, FEBRUARY, version=2)
    warehouse.publish()
    after = files(warehouse, FACT)
    assert {path for path in before if before[path] != after[path]} == {
        "month=2026-02/2026-02-02.parquet"
    }
    # What lies there decides: two ways of cutting at once would show rows twice.
    monkeypatch.setattr(export, "ROWS_OF_A_DAY", 1_000_000)
    finish_build(warehouse, TWO_MONTHS, version=3)
    warehouse.publish()
    assert list(files(warehouse, FACT)) == list(before)
    assert_live_is_the_work_file(warehouse)


def test_the_live_file_describes_tables_and_columns(warehouse: Warehouse) -> None:
    with duckdb.connect(str(warehouse.live_file), read_only=True) as db:
        assert db.execute(
            "select distinct comment from duckdb_views() where view_name = ?", [FACT]
        ).fetchall() == [("Energy per point and quarter-hour.",)]
        assert db.execute(
            "select comment from duckdb_columns() where table_name = ? and schema_name = 'main' "
            "and column_name = 'energy_wh'",
            [FACT],
        ).fetchall() == [("Energy, Wh.",)]


@pytest.mark.parametrize("name", ["live_file", "published_file"])
def test_instants_are_read_without_time_zones_in_the_schema_utc(
    warehouse: Warehouse, name: str
) -> None:
    with duckdb.connect(str(getattr(warehouse, name)), read_only=True) as db:
        for table in ("dim_point", FACT, "mart_peak_demand", "about"):
            kinds = [str(one[1]) for one in db.execute(f"describe utc.{table}").fetchall()]
            assert "TIMESTAMP WITH TIME ZONE" not in kinds
            assert (
                db.execute(f"select count(*) from utc.{table}").fetchone()
                == db.execute(f"select count(*) from {table}").fetchone()
            )
        found = db.execute(
            f"select count(*) from {FACT} as a join utc.{FACT} as b using (point_id, local_day) "
            "where a.interval_start = timezone('UTC', b.interval_start)"
        ).fetchone()
    assert found == (len(TWO_MONTHS) * POINTS * QUARTERS,)


def test_a_copied_folder_never_shows_the_rows_of_the_original(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(warehouse.data_dir, copy)
    finish_build(warehouse, TWO_MONTHS, version=2)
    warehouse.publish()
    copied = small_warehouse(copy)
    for query in (f"select * from {FACT}", "select count(*) from utc.dim_point", "from about"):
        with (
            duckdb.connect(str(copied.live_file), read_only=True) as db,
            pytest.raises(duckdb.Error, match="copied or moved"),
        ):
            db.execute(query).fetchall()
    with duckdb.connect() as db:
        # Both at once: nobody can say which of them is asked.
        db.execute(f"attach '{warehouse.live_file}' as a (read_only)")
        db.execute(f"attach '{copied.live_file}' as b (read_only)")
        with pytest.raises(duckdb.Error, match="copied or moved"):
            db.execute("from b.dim_point").fetchall()
    copied.write_live_views()
    with duckdb.connect(str(copied.live_file), read_only=True) as db:
        assert db.execute(f"select max(version) from {FACT}").fetchone() == (1,)


def test_a_moved_folder_says_where_it_was_and_shows_its_own_rows_after_a_command(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    old, moved = warehouse.data_dir, tmp_path / "it's moved"
    old.rename(moved)
    other = small_warehouse(moved)
    with duckdb.connect(str(other.live_file), read_only=True) as db:
        with pytest.raises(duckdb.Error, match=f'No files found.*"{old}'):
            db.execute(f"select * from {FACT}").fetchall()
        about = dict(db.execute("from about_live").fetchall())
    assert about["folder"] == str(old)
    assert "energy-platform status" in about["moved"]
    other.write_live_views()
    with duckdb.connect(str(other.live_file), read_only=True) as db:
        assert db.execute(f"select max(version) from {FACT}").fetchone() == (1,)


def test_the_file_of_live_views_of_older_versions_goes(warehouse: Warehouse) -> None:
    for name in ("lake.duckdb", "lake.duckdb.wal"):
        (warehouse.data_dir / name).write_bytes(b"old")
    warehouse.publish()
    assert list(warehouse.data_dir.glob("lake.duckdb*")) == []


def test_periods_are_local_days_weeks_and_months(warehouse: Warehouse) -> None:
    with opened(warehouse) as db:
        found = {one.name: (one.period, one.grain) for one in tables_of(db)}
        db.execute("create schema other; create table other.hidden (local_day date)")
        assert "hidden" not in {one.name for one in tables_of(db)}
        assert BuildState(db).is_whole()
    assert found == {
        "dim_point": (None, "day"),
        FACT: ("local_day", "day"),
        "fct_energy_weekly": ("local_week", "week"),
        "fct_state_daily": ("local_day", "day"),
        "mart_peak_demand": ("local_month", "month"),
    }
    assert date(2026, 1, 30) == TWO_MONTHS[0]


def test_what_looks_back_on_a_day_is_exported_with_it(warehouse: Warehouse) -> None:
    """Its week may begin in the month before; the same week a year later looks back on it."""
    with opened(warehouse) as db:
        db.execute("create table mart_site_comparison (grain text, site_id text, local_day date)")
        marts = export.MartExport(db, folder=warehouse.marts_folder)
        marts.note_rebuilt({"Europe/Paris": [date(2026, 4, 1)]})
        rows = db.execute(
            "select distinct strftime(period, '%Y-%m') from state.export_pending "
            "where table_name = 'mart_site_comparison' order by 1"
        ).fetchall()
    months = [f"2026-{month:02}" for month in range(3, 13)]
    assert [month for (month,) in rows] == [*months, *(f"2027-{n:02}" for n in range(1, 6))]
