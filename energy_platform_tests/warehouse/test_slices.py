"""A build cut into slices ends where an uncut one ends, also when it is killed between them."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.lake.lake import Lake
from energy_platform.warehouse import OutOfMemoryError, Warehouse, WarehouseError, explained
from energy_platform.warehouse.slices import cut
from energy_platform_tests.warehouse.test_builds import rows_of
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    World,
    days_from,
    portfolio_of,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SITES: Final = {"paris": "Europe/Paris", "lord-howe": "Australia/Lord_Howe"}
DAYS: Final = days_from("2026-03-24", 12)
EXPORT: Final = "socomec/paris/export"

some_days = st.dictionaries(
    st.sampled_from(["Europe/Paris", "Asia/Kolkata"]),
    st.sets(st.dates(date(2026, 1, 20), date(2026, 3, 20)), max_size=30),
)


class KilledError(Exception):
    """Stands for a kill: nothing after it is done."""


@dataclass(frozen=True, kw_only=True)
class Uncut:
    """A lake, a warehouse built on it at once, and its rows."""

    world: World
    warehouse: Warehouse
    rows: dict[str, list[tuple[Any, ...]]]

    def sliced(self, folder: Path, *, most_rows: int) -> Warehouse:
        return replace(self.warehouse, data_dir=folder, most_rows=most_rows)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Uncut:
    data = tmp_path_factory.mktemp("uncut")
    world = World(
        lake=Lake(data / "lake"),
        portfolio=portfolio_of(SITES),
        start=utc("2026-03-24T00:00"),
        # A step over three days, which are in several slices.
        silent={EXPORT: (utc("2026-03-28T05:00"), utc("2026-03-31T07:00"))},
    )
    world.write(DAYS)
    warehouse = Warehouse(data_dir=data, lake=world.lake, dbt_project_dir=PROJECT)
    assert len(warehouse.build(world.portfolio).prepared.slices) == 1
    return Uncut(world=world, warehouse=warehouse, rows=rows_of(warehouse.work_file))


@pytest.mark.long
def test_a_cut_build_makes_the_same_rows(uncut: Uncut, tmp_path: Path) -> None:
    most_rows = random.Random(12).randrange(5000, 8000)  # noqa: S311 (any number will do)
    warehouse = uncut.sliced(tmp_path, most_rows=most_rows)
    told: list[str] = []
    built = warehouse.build(uncut.world.portfolio, on_slice=told.append)
    assert len(built.prepared.slices) >= 3
    assert len(told) == len(built.prepared.slices) - 1
    assert told[0].startswith(f"slice 1 of {len(built.prepared.slices)}: 2026-03-23")
    assert rows_of(warehouse.work_file) == uncut.rows
    warehouse.publish()
    assert not warehouse.plan(uncut.world.portfolio).stale


@pytest.mark.long
def test_a_corrected_point_is_rebuilt_alone(uncut: Uncut, tmp_path: Path) -> None:
    world, warehouse = uncut.world, replace(uncut.warehouse, data_dir=tmp_path / "built")
    warehouse.build(world.portfolio)
    world.scale[EXPORT] = 1.5
    world.write([DAYS[1]])
    try:
        (only,) = warehouse.build(world.portfolio).prepared.slices
        assert only.points == frozenset({EXPORT})
        fresh = replace(uncut.warehouse, data_dir=tmp_path / "fresh")
        fresh.build(world.portfolio)
        assert rows_of(warehouse.work_file) == rows_of(fresh.work_file)
        assert rows_of(warehouse.work_file) != uncut.rows
    finally:
        world.scale.clear()
        world.write([DAYS[1]])


@pytest.mark.long
def test_a_copied_folder_builds_on_its_own_days(uncut: Uncut, tmp_path: Path) -> None:
    world, copied = uncut.world, replace(uncut.warehouse, data_dir=tmp_path / "copied")
    shutil.copytree(uncut.warehouse.folder, copied.folder)
    world.scale[EXPORT] = 1.5
    world.write([DAYS[1]])
    try:
        copied.build(world.portfolio)
        assert rows_of(copied.work_file) != uncut.rows
    finally:
        world.scale.clear()
        world.write([DAYS[1]])
    copied.build(world.portfolio)
    assert rows_of(copied.work_file) == uncut.rows


@pytest.mark.crash
@pytest.mark.long
def test_a_build_killed_between_slices_goes_on_there(uncut: Uncut, tmp_path: Path) -> None:
    world, warehouse = uncut.world, uncut.sliced(tmp_path, most_rows=8000)
    with pytest.raises(KilledError):
        warehouse.build(world.portfolio, on_slice=kill_after(1))
    with pytest.raises(WarehouseError, match="did not finish"):
        warehouse.publish()

    prepared = warehouse.prepare(world.portfolio)
    assert prepared.resumed
    assert not prepared.full
    assert prepared.changed == ()
    left = {day for days in prepared.affected.values() for day in days}
    assert left
    assert min(left) > date(2026, 3, 25)

    # A day that was built already, and one that was not, change before the build goes on.
    world.scale[EXPORT] = 1.5
    world.write([DAYS[1], DAYS[-2]])
    try:
        again = warehouse.build(world.portfolio).prepared
        assert date.fromisoformat(DAYS[1]) in again.affected["Europe/Paris"]
        whole = replace(uncut.warehouse, data_dir=tmp_path / "whole")
        whole.build(world.portfolio)
        assert rows_of(warehouse.work_file) == rows_of(whole.work_file)
    finally:
        world.scale.clear()
        world.write([DAYS[1], DAYS[-2]])


@pytest.mark.long
def test_a_build_is_not_finished_while_slices_are_left(uncut: Uncut, tmp_path: Path) -> None:
    warehouse = uncut.sliced(tmp_path, most_rows=3000)
    assert len(warehouse.prepare(uncut.world.portfolio).slices) > 1
    with pytest.raises(WarehouseError, match="local days are not rebuilt yet"):
        warehouse.commit()


def kill_after(slices: int) -> Callable[[str], None]:
    told: list[str] = []

    def on_slice(text: str) -> None:
        told.append(text)
        if len(told) == slices:
            raise KilledError

    return on_slice


@given(some_days, st.integers(1, 400), st.randoms(use_true_random=False))
def test_every_day_is_in_one_slice_and_in_order(
    affected: dict[str, set[date]], most_rows: int, chance: random.Random
) -> None:
    dates = sorted({day for days in affected.values() for day in days})
    rows = {day: chance.randrange(0, 120) for day in dates}
    slices = cut(affected, rows=rows, most_rows=most_rows)
    assert [day for one in slices for day in one.dates] == dates
    for zone, days in affected.items():
        assert [day for one in slices for day in one.days[zone]] == sorted(days)
    for one in slices:
        assert one.rows <= most_rows or len(one.dates) == 1


@given(some_days.filter(lambda found: any(found.values())))
def test_halves_are_the_whole(affected: dict[str, set[date]]) -> None:
    (whole,) = cut(affected, rows={}, most_rows=1)
    halves = whole.halves()
    assert [day for half in halves for day in half.dates] == whole.dates
    assert len(halves) == min(len(whole.dates), 2)


def test_no_error_advises_a_setting_that_users_do_not_have() -> None:
    with (
        duckdb.connect(config={"memory_limit": "20MB", "threads": "1", "temp_directory": ""}) as db,
        pytest.raises(duckdb.OutOfMemoryException) as caught,
    ):
        db.execute("select count(distinct hash(range)) from range(9000000)")
    error = explained(f"dbt build failed\n{caught.value}", memory=2_000_000_000)
    assert isinstance(error, WarehouseError)
    assert "ENERGY_PLATFORM_MEMORY" in str(error)
    for foreign in ("SET ", "PRAGMA", "memory_limit", "preserve_insertion_order", "duckdb.org"):
        assert foreign not in str(error)


@pytest.mark.parametrize("text", ["failure in test x", "Parser Error: nonsense"])
def test_other_failures_stay_as_they_are(text: str) -> None:
    error = explained(text, memory=2_000_000_000)
    assert str(error) == text
    assert not isinstance(error, OutOfMemoryError)
