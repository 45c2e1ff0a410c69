"""The dbt project as its own guide has it: what a reader may rely on, and its unit tests."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from energy_platform.lake.lake import Lake
from energy_platform.warehouse import Warehouse, WarehouseError
from energy_platform.warehouse.dbt_session import DbtSession
from energy_platform_tests.warehouse.warehouse_world import PROJECT, ZONES, portfolio_of

MODELS = sorted((PROJECT / "models").rglob("*.sql"))
PUBLISHED = {path.stem for path in MODELS if path.stem.startswith(("dim_", "fct_", "mart_"))}
UNIT_TESTS = sorted(
    test["name"]
    for path in (PROJECT / "unit_tests").glob("*.yml")
    for test in yaml.safe_load(path.read_text())["unit_tests"]
)

REFERENCE = re.compile(r"\b(ref|source)\(")


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((PROJECT / "target" / "manifest.json").read_text())
    return parsed


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_reads_its_inputs_at_its_top_and_has_a_file_of_texts(path: Path) -> None:
    described = yaml.safe_load(path.with_suffix(".yml").read_text())["models"]
    assert [model["name"] for model in described] == [path.stem]
    ctes = re.split(r"\n\n\)(?:,|\n)", path.read_text())
    reads = [bool(REFERENCE.search(re.sub(r"--[^\n]*", "", cte))) for cte in ctes]
    assert reads[0]
    assert reads == sorted(reads, reverse=True), "reads a table below its import CTEs"


def test_what_is_published_is_under_contract_and_exposed(manifest: dict[str, Any]) -> None:
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    enforced = {name for name, node in models.items() if node["config"]["contract"]["enforced"]}
    assert enforced == PUBLISHED
    exposures = {one["name"]: one for one in manifest["exposures"].values()}
    shown = {name.split(".")[-1] for name in exposures["energy_duckdb"]["depends_on"]["nodes"]}
    assert shown == PUBLISHED
    assert "model.energy_platform.mart_delivery" in exposures["wattics"]["depends_on"]["nodes"]


def test_all_that_a_build_hands_over_is_a_source(manifest: dict[str, Any]) -> None:
    """Lineage begins at the lake, the portfolio and the ledger, not at a model that hides them."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            assert node["depends_on"]["nodes"], node["name"]
            assert "read_parquet" not in node["raw_code"], node["name"]


@pytest.fixture(scope="module")
def unit_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What dbt says of each unit test; the tables it looks the columns up in are empty."""
    folder = tmp_path_factory.mktemp("unit_tests")
    warehouse = Warehouse(data_dir=folder, lake=Lake(folder / "lake"), dbt_project_dir=PROJECT)
    with warehouse.locked():
        env = dict(warehouse.prepare(portfolio_of(ZONES)).env)
        with DbtSession(env=env, folder=warehouse.folder, memory=warehouse.memory) as dbt:
            dbt.run("run")
        env["DBT_EXCLUDE_RESOURCE_TYPES"] = ""
        with (
            DbtSession(env=env, folder=warehouse.folder, memory=warehouse.memory) as dbt,
            suppress(WarehouseError),  # each test says what is wrong with it
        ):
            dbt.run("test", "--select", "test_type:unit")
    results = json.loads((warehouse.target_path / "run_results.json").read_text())["results"]
    return {one["unique_id"].split(".")[-1]: one["message"] or one["status"] for one in results}


@pytest.mark.parametrize("name", UNIT_TESTS)
def test_a_rule_of_the_marts(unit_results: dict[str, str], name: str) -> None:
    assert unit_results[name] == "pass"


def test_a_build_in_a_new_folder_goes_on_from_the_parse_of_the_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path("data")  # relative: dbt works in another folder
    warehouse = Warehouse(
        data_dir=data, lake=Lake(data / "lake"), dbt_project_dir=PROJECT, memory=10**9
    )
    warehouse.folder.mkdir(parents=True)
    with DbtSession(env=warehouse.env(), folder=warehouse.folder, memory=10**9) as dbt:
        dbt.run("list", "--quiet")
    told = json.loads((warehouse.folder / "parsed" / "perf_info.json").read_text())
    assert told["parsed_path_count"] == 0 < told["path_count"]
