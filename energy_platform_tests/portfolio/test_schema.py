"""The schema that editors check a portfolio by: what loads passes, what is mistyped does not."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from energy_platform.cli.app import run
from energy_platform.discovery.yaml_editor import NEW_FILE
from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.schema import MODELINE, SCHEMA_FILE, portfolio_schema
from energy_platform.portfolio.text import read_yaml
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.world import World
from energy_platform_tests.portfolio.test_refused import TEXT

DOCUMENTED = Path(__file__).parents[2] / "docs" / "portfolio.md"


def as_an_editor_reads(value: Any) -> Any:
    """Return what a language server makes of a text: to YAML 1.2 a date is a text."""
    if isinstance(value, dict):
        return {str(key): as_an_editor_reads(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_an_editor_reads(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def problems(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(portfolio_schema())
    errors = validator.iter_errors(as_an_editor_reads(read_yaml(text).content))
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message}" for one in errors]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(portfolio_schema())


@pytest.mark.parametrize(
    "text",
    [
        demo_portfolio(World()),
        TEXT,
        NEW_FILE,
        DOCUMENTED.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0],
        "devices:\n  - {vendor: files, serial: 42, site: s, name: Part, max_power_w: 8e3}\n",
        "version: 1\nsites:\nstreams:\ndevice_types:\n",
        "accept: [{points: [a], reason: new line, from: 2026-03-04 14:00, to: 2026-03-05}]",
    ],
)
def test_what_loads_passes(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: Import,", "nmae: Import,"),
        ("quantity: active_power", "quantity: active_pover"),
        ("vendor: socomec, ", ""),
        ("vendor: socomec", "vendor: sokomec"),
        ("max_power_w: 50000", "max_power_w: 50 kW"),
        ("max_power_w: 50000", "max_power_w: -1"),
        ("max_power_w: 50000", "max_power_w: true"),
        ("unit: kWh}", "unit: kWh, every: 15}"),
        ("unit: kWh}", "unit: kWh, every: 15 minutes}"),
        ("unit: kWh}", "unit: kWh, sign: 2}"),
        ("unit: kWh}", "unit: kWh, confirm: 2.5}"),
        ("unit: kWh}", "unit: kWh, gap_after: always}"),
        ("unit: kWh}", "unit: kWh, until: soon}"),
        ("factor: 2", "factor: twice"),
        ("reason: read by hand", "reason: x"),
        ("points: [socomec/SN1/Global|0|1]", "points: []"),
        ("kind: value", "kind: velue"),
        ("interval: 15m, ", ""),
        ("reading: cumulative", "reading: sometimes"),
        ("devices:", "devcies:"),
        ("version: 1", "version: 2"),
    ],
)
def test_what_is_mistyped_is_marked_where_it_stands(old: str, new: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    assert problems(text), "an editor marks it"
    with pytest.raises(PortfolioError):
        parse_portfolio(text)


def test_every_key_says_what_it_means() -> None:
    schema = portfolio_schema()
    entries = {"the file": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, entry in entries.items()
        for key, value in entry["properties"].items()
        if not value.get("description")
    ]
    assert silent == []


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["portfolio", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == portfolio_schema()


def test_a_new_portfolio_names_it() -> None:
    assert NEW_FILE.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    assert NEW_FILE.startswith(MODELINE)
