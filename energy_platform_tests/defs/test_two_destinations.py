"""What Dagster, the settings and the doctor know of a destination of another package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from energy_platform_tests.destinations import json_lines

ROOT = Path(__file__).parents[2]
ASKED = """
import json
from energy_platform.definitions import build_definitions
from energy_platform.defs.instance.secrets import secret_values
from energy_platform.destinations.base import why_nothing_is_sent
from energy_platform.settings_example import env_example
from energy_platform.doctor.destinations import check_destinations
from energy_platform.cli.simulated import FOREIGN
from energy_platform.portfolio import load_portfolio
from energy_platform.settings import Settings

found = build_definitions()
graph = found.resolve_asset_graph()
streams = load_portfolio(Settings.load().platform.portfolio).streams
print(json.dumps({
    "assets": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
    "pushed": sorted(
        key.to_user_string()
        for key in found.resolve_job_def("push").asset_layer.executable_asset_keys
    ),
    "compared": sorted(
        key.to_user_string()
        for key in found.resolve_job_def("reconcile").asset_layer.asset_graph.asset_check_keys
    ),
    "pools": sorted(
        node.definition.pool for node in found.resolve_job_def("push").nodes if node.definition.pool
    ),
    "resources": sorted(found.resources),
    "secrets": sorted(secret_values()),
    "unsent": why_nothing_is_sent(),
    "example": env_example(),
    "foreign": list(FOREIGN),
    "doctor": [
        [one.check, one.level, one.message]
        for one in check_destinations(Settings.load().destinations, streams=streams)
    ],
}))
"""
PORTFOLIO = """version: 1
sites:
  - {id: s, name: Site, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: M1
    site: s
    name: Meter
    max_power_w: none
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
streams:
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
  - {id: l-1, destination: json_lines, site: s, credential: default, interval: 15m,
     reading: cumulative, unit: kWh, fields: {energy: socomec/M1/E}}
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says in whose environment the line server's package is installed."""
    folder = tmp_path_factory.mktemp("installed")
    json_lines.install(folder / "site-packages")
    (folder / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    prefixes = ("WATTICS_", "ENERGY_PLATFORM_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)} | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "site-packages")]),
        "ENERGY_PLATFORM_HOME": str(folder),
        "JSON_LINES_BASE_URL": "https://lines.example/",
        "JSON_LINES_USERNAME": "u",
        "JSON_LINES_PASSWORD": "p",
        "JSON_LINES_READBACK": "false",
    }
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", ASKED],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_has_an_asset_a_pool_a_resource_and_its_place_in_the_jobs(known: dict[str, Any]) -> None:
    assert {"wattics_packets", "json_lines_packets"} <= set(known["assets"])
    assert known["pushed"] == ["json_lines_packets", "wattics_packets"]
    assert known["pools"] == ["json_lines_api", "wattics_api"]
    assert {"wattics", "json_lines"} <= set(known["resources"])
    assert len(known["compared"]) == 2


def test_its_variables_are_shown_given_to_dagster_and_kept_from_a_simulation(
    known: dict[str, Any],
) -> None:
    assert "\n#JSON_LINES_BASE_URL=\n" in known["example"]
    assert "read by the delivery to the line server" in known["example"]
    assert known["secrets"] == ["JSON_LINES_PASSWORD"]
    assert "JSON_LINES_" in known["foreign"]
    assert known["unsent"] == (
        "WATTICS_BASE_URL and JSON_LINES_BASE_URL are not set: nothing is sent"
    )


def test_the_doctor_checks_each_way_that_streams_take(known: dict[str, Any]) -> None:
    assert [tuple(one[:2]) for one in known["doctor"]] == [
        ("wattics", "fail"),
        ("json_lines", "ok"),
        ("json_lines", "ok"),
    ]
    assert "WATTICS_BASE_URL is not set" in known["doctor"][0][2]
    assert "JSON_LINES_READBACK is off" in known["doctor"][2][2]
