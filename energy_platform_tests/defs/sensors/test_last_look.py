"""What makes a sensor look again: a change of anything that its answer depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.last_look import seen_by
from energy_platform.schemas import CORE_REGISTER_REJECTS
from energy_platform.settings import PlatformSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    (tmp_path / "portfolio.yaml").write_text("version: 1\nsites: []\n")
    (tmp_path / "portfolio.d").mkdir()
    return Platform.of(PlatformSettings())


def test_a_part_of_the_portfolio_that_comes_changes_or_goes_is_looked_at(
    platform: Platform, tmp_path: Path
) -> None:
    seen = [seen_by(platform, runs="")]
    part = tmp_path / "portfolio.d" / "devices.yaml"
    for text in ("devices: []\n", "devices: []\ncorrections: []\n"):
        part.write_text(text)
        seen.append(seen_by(platform, runs=""))
    assert len(set(seen)) == 3
    part.unlink()
    assert seen_by(platform, runs="") == seen[0]


def test_a_day_that_landed_is_looked_at(platform: Platform) -> None:
    before = seen_by(platform, runs="")
    table = CORE_REGISTER_REJECTS
    platform.lake.write(table, table.empty(), day="2026-03-01")
    assert seen_by(platform, runs="") != before
    assert seen_by(platform, runs="") == seen_by(platform, runs="")
    assert seen_by(platform, runs="another") != seen_by(platform, runs="")
