"""The reference pages name all there is, as it is."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from typer.main import get_command

from energy_platform.cli.app import app
from energy_platform.portfolio.schema import portfolio_schema
from energy_platform.reference import (
    command_reference,
    data_dictionary,
    portfolio_reference,
    settings_reference,
)
from energy_platform.settings import sections, variable
from energy_platform.sources.registry import reject_tables, tables
from energy_platform_tests.docs.pages import ROOT

MANIFEST: Final = ROOT / "dbt_models" / "target" / "manifest.json"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def dictionary(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """The lines of the dictionary by table."""
    found: dict[str, list[str]] = {}
    for part in data_dictionary(manifest).split("\n### ")[1:]:
        name, *lines = part.splitlines()
        found[name] = lines
    return found


def rows(lines: list[str]) -> dict[str, list[str]]:
    cells = [[one.strip() for one in line.split(" | ")] for line in lines if line.startswith("| `")]
    return {row[0].strip("| `"): row[1:] for row in cells}


def test_every_column_of_the_lake_has_type_unit_null_and_meaning(
    dictionary: dict[str, list[str]],
) -> None:
    for table in (*tables().values(), *reject_tables().values()):
        shown = rows(dictionary[table.name])
        assert list(shown) == [column.name for column in table.columns]
        for column in table.columns:
            type_, unit, null, *meaning = shown[column.name]
            assert type_
            assert unit == (column.unit or "")
            assert null == ("may be" if column.nullable else "never")
            assert meaning != [""]


def test_every_published_table_is_there_with_its_columns(
    dictionary: dict[str, list[str]], manifest: dict[str, Any]
) -> None:
    models = [
        one
        for one in manifest["nodes"].values()
        if one["resource_type"] == "model" and one["fqn"][1] in {"marts", "facts", "dimensions"}
    ]
    assert len(models) > 30
    for one in models:
        shown = rows(dictionary[one["name"]])
        assert list(shown) == list(one["columns"])


def test_units_follow_names_and_null_follows_the_tests_of_the_build(
    dictionary: dict[str, list[str]],
) -> None:
    daily = rows(dictionary["fct_consumption_monthly"])
    assert daily["consumption"][1] == "as `unit`"
    assert daily["covered_s"][1] == "s"
    assert daily["status"][2] == "never", "a test of the build holds it"
    assert daily["consumption"][2] == "may be"


def test_a_column_that_nobody_describes_is_refused(manifest: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(manifest))
    name = next(one for one in broken["nodes"] if one.endswith(".mart_delivery"))
    broken["nodes"][name]["columns"]["stream_id"]["description"] = ""
    with pytest.raises(ValueError, match=r"mart_delivery\.stream_id"):
        data_dictionary(broken)


def test_every_variable_is_there_once_and_no_secret_has_a_value() -> None:
    text = settings_reference()
    for section in sections().values():
        for field, info in section.model_fields.items():
            if info.validation_alias is None:
                (line,) = [
                    one
                    for one in text.splitlines()
                    if one.startswith(f"| `{variable(section, field)}` ")
                ]
                if "Secret" in str(info.annotation):
                    assert line.split(" | ")[1] in {"", "`{}`"}, line


def test_every_command_and_option_is_there() -> None:
    root: Any = get_command(app)
    text = command_reference(root)
    assert "## energy-platform delivery dead-letters" in text
    assert "## energy-platform delivery letters" not in text, "the old name is hidden"
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            continue
        part = text.partition(f"## energy-platform {name}\n")[2].partition("\n## ")[0]
        for one in command.params:
            assert one.opts[0] in part, (name, one.opts)


def test_every_key_of_the_portfolio_is_there() -> None:
    schema = portfolio_schema()
    text = portfolio_reference(schema)
    for name, entry in schema["$defs"].items():
        part = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for key, value in entry["properties"].items():
            (line,) = [one for one in part.splitlines() if one.startswith(f"| `{key}`")]
            assert len(line.split(" | ")[1].strip()) > 0, line
            assert value.get("description"), (name, key)
