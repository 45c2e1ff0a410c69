"""What doctor and status say of the files that everybody reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from energy_platform.cli import app
from energy_platform.doctor.published import check_published
from energy_platform.warehouse import copy_budget
from energy_platform.warehouse.copy_budget import LastCopy, note_copy
from energy_platform_tests.warehouse.small_builds import days_of, finish_build, small_warehouse
from energy_platform_tests.warehouse.warehouse_world import portfolio_text

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.warehouse import Warehouse

DAYS = days_of("2026-01-30", 3)
NOW = datetime.now(tz=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = small_warehouse(tmp_path / "data")
    finish_build(made, DAYS, version=1)
    made.publish()
    return made


@pytest.fixture
def behind(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A large file that is of an older build, since it was copied a moment ago."""
    monkeypatch.setattr(copy_budget, "SMALL_BYTES", 0)
    note_copy(warehouse.last_copy_file, LastCopy(finished_at=NOW, seconds=600.0))
    finish_build(warehouse, DAYS, version=2)
    warehouse.publish()
    return warehouse


def test_files_of_the_newest_build_are_fine(warehouse: Warehouse, tmp_path: Path) -> None:
    (found,) = check_published(warehouse.data_dir, now=NOW)
    assert (found.level, found.message) == ("ok", f"up to {DAYS[-1]}")
    (found,) = check_published(tmp_path / "nowhere", now=NOW)
    assert (found.level, found.message) == ("ok", "nothing yet")


def test_a_file_that_is_behind_says_as_of_when_and_when_it_is_copied(behind: Warehouse) -> None:
    due = NOW + timedelta(seconds=600 * 19)
    (found,) = check_published(behind.data_dir, now=NOW)
    assert found.level == "ok"
    assert found.message.startswith("energy.duckdb is as of 20")
    assert f"due at {due:%Y-%m-%d %H:%M} UTC; live.duckdb is as of 20" in found.message
    (found,) = check_published(behind.data_dir, now=due + timedelta(minutes=1))
    assert found.level == "warn"
    assert "refresh" in found.advice


@pytest.fixture
def moved(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """A data folder that was moved: where it was, and where it is."""
    old, new = warehouse.data_dir, tmp_path / "moved"
    old.rename(new)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(new))
    (tmp_path / "portfolio.yaml").write_text(
        portfolio_text({"paris": "Europe/Paris"}), encoding="utf-8"
    )
    return old, new


def test_a_moved_folder_is_named_and_the_next_status_puts_it_right(
    moved: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    old, new = moved
    (found,) = check_published(new, now=NOW)
    assert found.level == "warn"
    assert str(old) in found.message
    assert "energy-platform status" in found.advice
    assert app.run(["status", "--json"]) == 0
    told = capfd.readouterr()
    assert json.loads(told.out)["publication"]["live_folder"] is None
    assert "moved or copied" in told.err
    with duckdb.connect(str(new / "live.duckdb"), read_only=True) as db:
        assert db.execute("select max(version) from fct_energy_15min").fetchone() == (1,)
    (found,) = check_published(new, now=NOW)
    assert found.level == "ok"
    assert app.run(["status", "--json"]) == 0
    assert "moved" not in capfd.readouterr().err


def test_sql_answers_from_the_parquet_files_of_a_moved_folder(
    moved: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    _, new = moved
    before = (new / "live.duckdb").read_bytes()
    assert app.run(["sql", "--live", "--csv", "select max(version) as v from dim_point"]) == 0
    assert capfd.readouterr().out == "v\n1\n"
    assert (new / "live.duckdb").read_bytes() == before
