"""Data versions of what a run materialized: equal rows, equal version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from energy_platform.defs.assets.core import core
from energy_platform.defs.partitions import range_tags
from energy_platform.defs.resources import Platform
from energy_platform.defs.versions import data_version
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.settings import PlatformSettings
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World
from energy_platform.transforms.rules import READINGS_RULES
from energy_platform_tests.refresh.simulated import land_signals

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = "2026-03-01", "2026-03-02"
METER = "socomec/SN000001/Global|0|130101"
DATA, CODE = "dagster/data_version", "dagster/code_version"


def versions(
    instance: dg.DagsterInstance, folder: Path, *days: str, table: str = CORE_READINGS.name
) -> dict[str | None, tuple[str | None, str | None]]:
    """Run the core step for some days; the data and code version of each day it reported."""
    platform = Platform.of(
        PlatformSettings(
            data_dir=folder, portfolio=folder / "portfolio.yaml", dbt_project_dir=folder
        )
    )
    dg.materialize(
        [core], tags=range_tags(list(days)), resources={"platform": platform}, instance=instance
    )
    records = instance.fetch_materializations(dg.AssetKey(table), limit=10).records
    found: dict[str | None, tuple[str | None, str | None]] = {}
    for record in records:
        event = record.asset_materialization
        if event is not None:
            tags = event.tags or {}
            found.setdefault(event.partition, (tags.get(DATA), tags.get(CODE)))
    return found


def test_a_day_has_the_version_of_its_rows_whoever_reports_it(tmp_path: Path) -> None:
    world = World()
    lake = Lake(tmp_path / "lake")
    land_signals(lake, [world.signals[METER]], days=[FIRST, SECOND])
    (tmp_path / "portfolio.yaml").write_text(demo_portfolio(world), encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        first = versions(instance, tmp_path, SECOND)
        rows = {day: footer.content_id for day, footer in lake.footers(CORE_READINGS).items()}
        assert first == {
            SECOND: (rows[SECOND], READINGS_RULES),
            FIRST: (rows[FIRST], None),
        }, "the other stale day was made fresh too, and reported as an event of its own"
        assert versions(instance, tmp_path, SECOND)[SECOND] == first[SECOND], "nothing changed"
        both = versions(instance, tmp_path, FIRST, SECOND)
        expected = data_version([rows[FIRST], rows[SECOND]])
        assert expected is not None
        assert {version for version, _ in both.values()} == {expected.value}
        deltas = lake.footer(CORE_ENERGY_DELTAS, day=SECOND)
        assert deltas is not None
        again = versions(instance, tmp_path, SECOND, table=CORE_ENERGY_DELTAS.name)
        assert again[SECOND][0] == deltas.content_id
