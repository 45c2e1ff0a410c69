"""The project as Dagster's own commands find it: ``dg`` by pyproject.toml, others by workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a stranger at a fresh clone: no instance, no secret, another data folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAGSTER_", "ENERGY_PLATFORM_"))
    }
    return kept | {
        "HOME": str(tmp_path),
        "DO_NOT_TRACK": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(ROOT),
        "VIRTUAL_ENV": str(ROOT / ".venv"),
        "ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "data"),
    }


def run(*words: str, environment: dict[str, str]) -> str:
    """Run a command in the clone without its .env, which would overrule the environment."""
    program = Path(sys.executable).with_name(words[0])
    clone = Path(environment["HOME"]) / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "workspace.yaml", "energy_platform", "dbt_models"):
        (clone / name).symlink_to(ROOT / name)
    done = subprocess.run(  # noqa: S603 - Dagster's own commands
        [program, *words[1:]],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_dg_and_the_workspace_name_the_same_code_location() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert entry["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }


def test_the_workspace_is_valid(environment: dict[str, str]) -> None:
    run("dagster", "definitions", "validate", "-w", "workspace.yaml", environment=environment)


def test_dg_checks_the_definitions(environment: dict[str, str]) -> None:
    assert "All definitions loaded" in run("dg", "check", "defs", environment=environment)


def test_dg_lists_the_definitions(environment: dict[str, str]) -> None:
    found = json.loads(run("dg", "list", "defs", "--json", environment=environment))
    assert {"core_readings", "energy_duckdb", "wattics_packets"} <= {
        one["asset_key"] for one in found["assets"]
    }
    assert {one["name"] for one in found["jobs"]} >= {"refresh", "push", "everything"}
