"""What the core step says of implausible days, in metadata and as warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.assets.core import core
from energy_platform.resources import Platform
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import Event, World
from energy_platform.storage.lake import Lake
from energy_platform_tests.refresh.simulated import land_signals

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2026-03-02"
METER = "socomec/SN000001/Global|0|130101"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def materialized(
    folder: Path, world: World, *keys: str, text: str = ""
) -> dg.ExecuteInProcessResult:
    """Run the core step on a day of some signals."""
    land_signals(Lake(folder / "lake"), [world.signals[key] for key in keys], days=[DAY])
    portfolio = folder / "portfolio.yaml"
    portfolio.write_text(text or demo_portfolio(world), encoding="utf-8")
    platform = Platform(
        data_dir=str(folder), portfolio_path=str(portfolio), dbt_project_dir=str(folder)
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [core], partition_key=DAY, resources={"platform": platform}, instance=instance
        )


def warned(result: dg.ExecuteInProcessResult) -> set[str]:
    return {one.check_name for one in result.get_asset_check_evaluations() if not one.passed} - {
        "completeness"
    }


def test_swapped_words_are_told_with_the_factor_that_would_repair_them(tmp_path: Path) -> None:
    world = World()
    swapped = next(key for key, one in world.signals.items() if "word_swapped" in one.traits)
    result = materialized(tmp_path, world, swapped)
    (event,) = [
        one
        for one in result.asset_materializations_for_node("core")
        if one.asset_key == dg.AssetKey("core_readings")
    ]
    table = event.metadata["word_swap"]
    assert isinstance(table, dg.TableMetadataValue)
    row = table.records[0].data
    assert row["point"] == swapped
    assert row["factor"] == "1.52587890625e-05 (1/65536)"
    said, repaired = (float(str(row[name]).split()[0]) for name in ("said", "repaired"))
    assert repaired == said / 65_536
    assert "nothing_quarantined" in warned(result)


def test_a_clean_day_warns_of_nothing(tmp_path: Path) -> None:
    world = World()
    assert warned(materialized(tmp_path, world, METER, _power(world))) == set()


@pytest.mark.parametrize(
    ("event", "check"),
    [
        (Event(METER, "spike", NOON, NOON + timedelta(minutes=5), 5e9), "no_spike_taken_back"),
        (Event(METER, "unit_change", NOON, None, 2.0), "registers_agree_with_power"),
    ],
)
def test_a_register_that_cannot_be_right_is_warned_of(
    tmp_path: Path, event: Event, check: str
) -> None:
    world = World()
    world.add_event(event)
    unlimited = "\n".join(
        line for line in demo_portfolio(world).splitlines() if "max_power_w" not in line
    ).replace("  serial: ", "  max_power_w: none\n  serial: ")
    result = materialized(tmp_path, world, METER, _power(world), text=unlimited)
    assert check in warned(result)


def test_a_gauge_that_shows_one_value_all_day_is_warned_of(tmp_path: Path) -> None:
    world = World()
    power = _power(world)
    world.add_event(Event(power, "stuck", NOON - timedelta(hours=13)))
    assert "gauges_move" in warned(materialized(tmp_path, world, METER, power))


def _power(world: World) -> str:
    return next(
        key
        for key, one in world.signals.items()
        if one.device == "SN000001" and one.quantity == "active_power" and one.phase == 0
    )
