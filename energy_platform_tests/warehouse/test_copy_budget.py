"""How often the one file is copied, and that it is copied when its time has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.warehouse import copy_budget
from energy_platform.warehouse.copy_budget import (
    SHARE,
    SMALL_BYTES,
    LastCopy,
    is_due,
    next_copy_at,
    note_copy,
    read_last_copy,
)
from energy_platform.warehouse.export import exported_about
from energy_platform.warehouse.publication import published_about, published_info
from energy_platform_tests.warehouse.small_builds import days_of, finish_build, small_warehouse

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LARGE = SMALL_BYTES + 1
DAYS = days_of("2026-01-30", 3)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 60.0, 3600.0])
def test_copying_takes_no_more_than_its_share_of_the_time(seconds: float) -> None:
    now, copying = NOON, timedelta()
    while now < NOON + timedelta(days=30):
        last = LastCopy(finished_at=now + timedelta(seconds=seconds), seconds=seconds)
        copying += timedelta(seconds=seconds)
        due_at = next_copy_at(last, size=LARGE)
        assert due_at is not None
        assert not is_due(last, size=LARGE, now=due_at - timedelta(milliseconds=1))
        assert is_due(last, size=LARGE, now=due_at)
        now = due_at
    assert copying / (now - NOON) <= SHARE + 1e-9


def test_a_small_file_is_copied_at_once_and_the_first_copy_too() -> None:
    last = LastCopy(finished_at=NOON, seconds=3600.0)
    assert is_due(last, size=SMALL_BYTES, now=NOON)
    assert is_due(None, size=LARGE, now=NOON)


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    last = LastCopy(finished_at=NOON, seconds=3600.0)
    assert is_due(last, size=LARGE, now=NOON - timedelta(days=400))


def test_what_the_newest_copy_cost_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "last_copy.json"
    assert read_last_copy(path) is None
    last = LastCopy(finished_at=NOON, seconds=12.5)
    note_copy(path, last)
    assert read_last_copy(path) == last
    path.write_text("{", encoding="utf-8")
    assert read_last_copy(path) is None


def test_a_large_file_waits_while_live_figures_do_not_and_is_copied_when_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = small_warehouse(tmp_path)
    monkeypatch.setattr(copy_budget, "SMALL_BYTES", 0)
    finish_build(warehouse, DAYS, version=1)
    assert warehouse.publish().written
    note_copy(warehouse.last_copy_file, LastCopy(finished_at=datetime.now(tz=UTC), seconds=600))
    finish_build(warehouse, DAYS, version=2)
    published = warehouse.publish()
    assert not published.written
    assert published.next_copy_at is not None
    assert published.next_copy_at - datetime.now(tz=UTC) > timedelta(hours=3)
    assert published_info(warehouse.published_file)["version"] == "1"
    live = exported_about(warehouse.marts_folder)
    assert live["version"] == "2"
    # Each says as of when.
    assert published_about(warehouse.published_file)["built_at"] <= live["built_at"]
    assert datetime.fromisoformat(live["built_at"]) <= datetime.now(tz=UTC)
    # Hours later nothing is new, and the copy is due.
    long_ago = datetime.now(tz=UTC) - timedelta(hours=4)
    note_copy(warehouse.last_copy_file, LastCopy(finished_at=long_ago, seconds=600))
    published = warehouse.publish()
    assert (published.written, published.next_copy_at) == (True, None)
    assert published_info(warehouse.published_file)["version"] == "2"


def test_small_installations_publish_every_build_at_once(tmp_path: Path) -> None:
    warehouse = small_warehouse(tmp_path)
    for version in range(1, 4):
        finish_build(warehouse, DAYS, version=version)
        assert warehouse.publish().written
        note_copy(warehouse.last_copy_file, LastCopy(finished_at=datetime.now(tz=UTC), seconds=99))


def test_a_published_file_that_was_removed_is_due_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = small_warehouse(tmp_path)
    monkeypatch.setattr(copy_budget, "SMALL_BYTES", 0)
    finish_build(warehouse, DAYS, version=1)
    warehouse.publish()
    note_copy(warehouse.last_copy_file, LastCopy(finished_at=datetime.now(tz=UTC), seconds=600))
    warehouse.published_file.unlink()
    assert warehouse.publish().written
