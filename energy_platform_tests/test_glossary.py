"""The glossary names only what exists: each word can be met where the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest
import yaml
from pydantic import BaseModel

from energy_platform.cli.app import app
from energy_platform.portfolio.model import PortfolioFile
from energy_platform.schemas import DeltaStatus, Status
from energy_platform.sources.registry import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "glossary.md"
ROW: Final = re.compile(r"\| (?P<word>[^|]+) \| (?P<meaning>[^|]+) \| (?P<found_as>[^|]+) \|")
PLACE: Final = re.compile(r"(?P<kind>[a-z ]+) `(?P<name>[^`]+)`")

FEWEST_WORDS: Final = 40


def rows() -> list[re.Match[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = [row for line in lines if (row := ROW.fullmatch(line))]
    return found[1:]


def named() -> list[tuple[str, str]]:
    """Return kind and name of every row that says where its word can be met."""
    places = [PLACE.fullmatch(row["found_as"].strip()) for row in rows()]
    return [(place["kind"], place["name"]) for place in places if place]


def models() -> list[dict[str, Any]]:
    """Return what the dbt project says of its models."""
    found: list[dict[str, Any]] = []
    for path in sorted((ROOT / "dbt_models" / "models").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        found += content.get("models", [])
    return found


def commands(group: typer.Typer, *, above: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield above + (command.name or command.callback.__name__.replace("_", "-"))
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, above=f"{above}{below.name} ")


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield every key that may stand in the portfolio."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        yield from (key for below in entries(field.annotation) for key in keys(below))


def entries(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for below in get_args(annotation):
        yield from entries(below)


def known(kind: str) -> set[str]:
    """Return the names of a kind that exist."""
    if kind == "column":
        own = {column.name for table in tables().values() for column in table.columns}
        return own | {one["name"] for model in models() for one in model.get("columns", [])}
    if kind == "table":
        return {*tables(), *(model["name"] for model in models())}
    if kind == "status":
        return {*get_args(DeltaStatus), *get_args(Status), *_statuses(models())}
    if kind == "command":
        return set(commands(app))
    if kind == "portfolio key":
        return set(keys(PortfolioFile))
    if kind == "setting":
        lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        return {line.lstrip("# ").partition("=")[0] for line in lines if "=" in line}
    assert kind == "check", f"the page speaks of a {kind}"
    sources = (ROOT / "energy_platform" / "defs").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    return set(re.findall(r': Final = "([a-z_]+)"', text))


def _statuses(content: Any) -> Iterator[str]:
    """Yield the words that a status may have by the tests of dbt."""
    if isinstance(content, dict):
        if content.get("values"):
            yield from map(str, content["values"])
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _statuses(one)


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in named()}))
def test_each_word_exists_where_the_page_says(kind: str) -> None:
    assert {name for one, name in named() if one == kind} <= known(kind)


def test_the_page_has_the_words_of_the_field_each_once_and_in_order() -> None:
    words = [row["word"].strip().casefold() for row in rows()]
    assert len(words) >= FEWEST_WORDS
    assert words == sorted(set(words))
    assert all(row["meaning"].strip() for row in rows())


def test_every_row_says_where_its_word_is_met_or_that_it_is_a_word_only() -> None:
    odd = [row["word"] for row in rows() if not PLACE.fullmatch(row["found_as"].strip())]
    assert all(row["found_as"].strip() == "-" for row in rows() if row["word"] in odd)
