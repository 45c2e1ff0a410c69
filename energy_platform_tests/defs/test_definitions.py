"""What an operator meets in the UI: assets described, owned, and with their columns and units."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.days import EPOCH_DAY
from energy_platform.definitions import build_definitions
from energy_platform.defs.freshness import freshness
from energy_platform.defs.partitions import DAILY, first_partition, range_tags
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.schemas import CORE_TABLES
from energy_platform.sources.registry import day_tables, sources, tables
from energy_platform.transforms.rules import ENERGY_RULES, INTERVAL_RULES, READINGS_RULES

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:
    return build_definitions().resolve_asset_graph()


def test_the_code_location_loads_without_any_secret(graph: dg.AssetGraph) -> None:
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert keys >= {*tables(), "energy_duckdb", "wattics_packets", "mart_site_energy"}


SAYS_OF_ITSELF: dict[str, Callable[[dg.AssetNode], object]] = {
    "description": lambda node: node.description,
    "owner": lambda node: node.owners,
    "kind": lambda node: node.kinds,
    "group": lambda node: node.group_name != "default",
    "layer": lambda node: node.tags.get("layer"),
    "page of the docs": lambda node: node.metadata.get("docs"),
}


@pytest.mark.parametrize("what", sorted(SAYS_OF_ITSELF))
def test_no_asset_lacks_what_an_operator_needs_of_it(graph: dg.AssetGraph, what: str) -> None:
    nodes = [graph.get(key) for key in graph.materializable_asset_keys]
    assert [node.key.to_user_string() for node in nodes if not SAYS_OF_ITSELF[what](node)] == []


def test_the_pages_that_assets_name_exist_with_their_headings(graph: dg.AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        path, _, anchor = str(graph.get(key).metadata["docs"].value).partition("#")
        headings = re.findall(r"^#+ (.*)$", Path(path).read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {one.lower().replace(" ", "-") for one in headings}, key


def test_served_docs_are_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_DOCS_URL", "https://docs.example/energy/")
    docs = build_definitions().resolve_asset_graph().get(dg.AssetKey("core_readings")).metadata
    assert docs["docs"] == dg.MetadataValue.url("https://docs.example/energy/energy.html")


def test_raw_days_and_packets_have_an_age_that_is_too_old_and_nothing_else_has(
    graph: dg.AssetGraph,
) -> None:
    aging = {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if graph.get(key).freshness_policy is not None
    }
    assert aging == {*(table.name for table in day_tables().values()), "wattics_packets"}


@pytest.mark.parametrize(
    ("minutes", "warns_h", "fails_h"), [(15, 2, 26), (60, 3, 26), (1440, None, 26)]
)
def test_a_source_is_late_after_some_missed_ticks_and_old_after_a_missed_day(
    minutes: int, warns_h: int | None, fails_h: int
) -> None:
    policy = freshness(minutes)["raw_socomec__datapoints"]
    assert policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=fails_h),
        warn_window=None if warns_h is None else timedelta(hours=warns_h),
    )


def test_each_table_says_by_which_rules_or_contract_it_is_made(graph: dg.AssetGraph) -> None:
    versions = {name: graph.get(dg.AssetKey(name)).code_version for name in tables()}
    assert versions["core_readings"] == READINGS_RULES
    assert versions["core_energy_deltas"] == ENERGY_RULES
    assert versions["core_energy_intervals"] == INTERVAL_RULES
    assert all(version and version.startswith("contract-") for version in raw_only(versions))
    assert len(set(raw_only(versions))) == len(raw_only(versions)), "each has its own columns"


def raw_only(versions: dict[str, str | None]) -> list[str | None]:
    return [version for name, version in versions.items() if name.startswith("raw_")]


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
    with monkeypatch.context() as arrived:
        arrived.setenv("FILES_FOLDER", str(tmp_path))
        arrived.setitem(
            vars(sources()["files"]), "arrivals", lambda *_: {"2025-11-30": datetime.now(tz=UTC)}
        )
        assert first_partition() == date(2025, 11, 30), "a file came, and has not landed"
        arrived.setenv("FILES_START_DAY", "2026-02-01")
        assert first_partition() == date(2026, 2, 1)
    monkeypatch.setenv("SOCOMEC_START_DAY", "2026-01-15")
    assert first_partition() == date(2026, 1, 15)
    monkeypatch.setenv("ENERGY_PLATFORM_PARTITIONS_FROM", "2025-06-01")
    assert first_partition() == date(2025, 6, 1)


def test_every_check_says_what_it_checks(graph: dg.AssetGraph) -> None:
    silent = [
        key for key in graph.asset_check_keys if not (graph.get(key).description or "").strip()
    ]
    assert silent == []


def test_the_way_in_is_a_group_of_its_own_and_names_things_that_exist(graph: dg.AssetGraph) -> None:
    (key,) = (one for one in graph.get_all_asset_keys() if graph.get(one).group_name == "home")
    node = graph.get(key)
    assert (node.owners, node.tags["layer"]) == (["team:energy-data"], "home")
    assert node.kinds
    assert Path(str(node.metadata["docs"].value)).is_file()
    named = set(re.findall(r"`((?:mart|core|fct)_\w+)`", node.description or ""))
    assert named
    assert named <= {one.to_user_string() for one in graph.get_all_asset_keys()}


def test_runs_say_source_and_days_where_the_list_of_runs_shows_them() -> None:
    job = build_definitions().resolve_job_def("ingest_socomec")
    assert job.tags["source"] == "socomec"
    days = ["2026-03-01", "2026-03-02"]
    assert range_tags(days)["days"] == "2026-03-01 to 2026-03-02"
    assert range_tags(days[:1])["days"] == "2026-03-01"
    shown = (key for key in range_tags(days) if not key.startswith("dagster/"))
    assert list(shown) == ["days"]
