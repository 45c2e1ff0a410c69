"""What a person meets in the UI: every asset described, owned, and with its columns and units."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.days import EPOCH_DAY
from energy_platform.definitions import build_definitions
from energy_platform.defs.partitions import DAILY, first_partition
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.schemas import CORE_TABLES
from energy_platform.sources.registry import day_tables, sources, tables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:
    return build_definitions().resolve_asset_graph()


def test_the_code_location_loads_without_any_secret(graph: dg.AssetGraph) -> None:
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert keys >= {*tables(), "energy_duckdb", "wattics_packets", "mart_site_energy"}


def test_every_asset_has_description_owner_kind_and_group(graph: dg.AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key


@pytest.mark.parametrize("name", sorted(tables()))
def test_every_table_shows_its_columns_with_units(graph: dg.AssetGraph, name: str) -> None:
    schema = graph.get(dg.AssetKey(name)).metadata["dagster/column_schema"]
    shown = {column.name: column for column in schema.columns}
    for column in tables()[name].columns:
        assert column.description in shown[column.name].description
        if column.unit:
            assert f"[{column.unit}]" in shown[column.name].description


def test_raw_and_core_share_one_partitions_definition_and_backfill_in_one_run(
    graph: dg.AssetGraph,
) -> None:
    for table in (*day_tables().values(), *CORE_TABLES):
        node = graph.get(dg.AssetKey(table.name))
        assert node.partitions_def == DAILY
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_data_flows_one_way(graph: dg.AssetGraph) -> None:
    rank = {**{source.group: 0 for source in sources().values()}, "core": 1}
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        for parent in node.parent_keys & graph.materializable_asset_keys:
            above = graph.get(parent)
            assert rank.get(above.group_name, 2) <= rank.get(node.group_name, 2), (parent, key)


def test_checks_on_our_own_promises_block_and_those_on_outside_data_do_not(
    graph: dg.AssetGraph,
) -> None:
    blocking = {
        (check.asset_key.to_user_string(), check.name)
        for check in graph.asset_check_keys
        if graph.get(check).blocking
    }
    for table in (*day_tables().values(), *CORE_TABLES):
        assert (table.name, "contract") in blocking
    assert ("core_energy_intervals", "conservation_of_energy") in blocking
    assert ("core_readings", "completeness") not in blocking


def test_partitions_begin_where_data_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("ENERGY_PLATFORM_PARTITIONS_FROM")
    assert first_partition() == EPOCH_DAY
    with monkeypatch.context() as stated:
        stated.setenv("SOCOMEC_START_DAY", "2015-01-01")
        assert first_partition() == date(2015, 1, 1), "nothing has landed yet"
    lake = Lake(tmp_path / "lake")
    landed = (
        (day_tables()["socomec"], "2026-03-01"),
        (day_tables()["belimo"], "2026-02-27"),
    )
    for table, day in landed:
        land_day(
            lake,
            table,
            day=day,
            frame=table.empty(),
            complete_until=datetime(2026, 3, 5, tzinfo=UTC),
            closed=True,
        )
    assert first_partition() == date(2026, 2, 27)
    monkeypatch.setenv("SOCOMEC_START_DAY", "2026-01-15")
    assert first_partition() == date(2026, 1, 15)
    monkeypatch.setenv("ENERGY_PLATFORM_PARTITIONS_FROM", "2025-06-01")
    assert first_partition() == date(2025, 6, 1)
