"""The arrows between the rooms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "energy_platform"

WITH_DAGSTER = ("defs", "definitions.py", "cli/runs.py")
"""All that may import Dagster; what is added beside it may not, without being listed."""

ROOMS = sorted(
    path.name for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
)


def imported(path: Path) -> set[str]:
    """Every module a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files(room: str) -> list[Path]:
    place = ROOT / room
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def may_import_dagster(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / place) for place in WITH_DAGSTER)


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in WITH_DAGSTER])
def test_rooms_with_rules_never_import_dagster(room: str) -> None:
    assert files(room)
    for path in files(room):
        if may_import_dagster(path):
            continue
        bound = {name for name in imported(path) if name.split(".")[0].startswith("dagster")}
        assert not bound, f"{path} imports {bound}"


@pytest.mark.parametrize(
    ("room", "other"),
    [
        ("simulators", "sources"),
        ("simulators", "destinations"),
        ("sources", "simulators"),
        ("destinations", "simulators"),
        ("transforms", "lake"),
    ],
)
def test_rooms_that_must_not_know_each_other(room: str, other: str) -> None:
    for path in files(room):
        bound = {n for n in imported(path) if n.startswith(f"energy_platform.{other}")}
        assert not bound, f"{path} imports {bound}"


READS_OWN_VARIABLE = re.compile(
    r"(getenv\(|environ\.get\(|environ\[)[\"'](SOCOMEC|BELIMO|SKYCENTRICS|WATTICS|ENERGY_PLATFORM)_"
)


def test_only_the_settings_read_variables_of_the_platform() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name == "settings.py" or path.parent.name == "cli":
            continue
        assert not READS_OWN_VARIABLE.search(path.read_text(encoding="utf-8")), path
