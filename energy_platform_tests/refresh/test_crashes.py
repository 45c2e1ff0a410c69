"""Killed anywhere, the next refresh finds by the fingerprints what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.lake import files
from energy_platform.lake import lake as lake_module
from energy_platform.lake.lake import Lake
from energy_platform.refresh import RefreshedDay, refresh, stale
from energy_platform_tests.refresh.world import (
    DAYS,
    METER,
    copied,
    core_bytes,
    fresh_lake,
    land,
    portfolio,
    steady,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.crash

FEW_DAYS = DAYS[:3]
LATE = (METER, FEW_DAYS[0], 1_430, 5_000.0 + 10 * 1_430)


class PowerCut(BaseException):
    """The machine is gone."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose raw days have moved on since it was refreshed."""
    lake = fresh_lake(Lake(tmp_path_factory.mktemp("before") / "lake"), steady(FEW_DAYS))
    land(lake, [*steady(FEW_DAYS[:1]), LATE])
    return lake


@pytest.fixture(scope="module")
def expected(before: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = copied(before, tmp_path_factory.mktemp("expected") / "lake")
    refresh(lake, portfolio=portfolio())
    return lake


@pytest.mark.parametrize("after_rename", [False, True], ids=["before", "after"])
def test_a_refresh_cut_at_any_rename_is_finished_by_the_next(
    before: Lake,
    expected: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after_rename: bool,
) -> None:
    wanted = core_bytes(expected)
    assert core_bytes(before) != wanted
    renames = 0
    for allowed in range(100):
        lake = copied(before, tmp_path / f"cut{allowed}")
        left = allowed

        def put_in_place(staged: Path, target: Path) -> None:
            nonlocal left
            if left == 0 and not after_rename:
                raise PowerCut
            staged.replace(target)
            left -= 1
            if left < 0:
                raise PowerCut

        with monkeypatch.context() as patched:
            # Of sets of points, and of day files.
            for module in (files, lake_module):
                patched.setattr(module, "put_in_place", put_in_place)
            try:
                refresh(lake, portfolio=portfolio())
            except PowerCut:
                renames += 1
            else:
                break
        refresh(lake, portfolio=portfolio())
        assert core_bytes(lake) == wanted
        assert stale(lake, portfolio()) == ()
    assert renames >= 9


def test_a_refresh_whose_caller_fails_goes_on_where_it_stopped(
    before: Lake, expected: Lake, tmp_path: Path
) -> None:
    lake = copied(before, tmp_path / "lake")
    told: list[str] = []

    def fail(day: RefreshedDay) -> None:
        told.append(day.day)
        raise RuntimeError("event storage is full")

    with pytest.raises(RuntimeError):
        refresh(lake, portfolio=portfolio(), on_day=fail)
    rest = refresh(lake, portfolio=portfolio())
    assert told == [FEW_DAYS[0]]
    assert [day.day for day in rest.days] == [FEW_DAYS[1]]
    assert core_bytes(lake) == core_bytes(expected)
