"""The arrows between the rooms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from energy_platform.destinations import destination_names
from energy_platform.sources import BUILT_IN

ROOT = Path(__file__).parents[1] / "energy_platform"

KNOW_DAGSTER = {"defs", "definitions.py"}
"""The packages and files that may import Dagster; every other one is looked at."""

WITHOUT_DAGSTER = sorted(
    path.name
    for path in ROOT.iterdir()
    if (path.is_dir() or path.suffix == ".py") and path.name not in {*KNOW_DAGSTER, "__pycache__"}
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


@pytest.mark.parametrize("room", WITHOUT_DAGSTER)
def test_only_the_definitions_import_dagster(room: str) -> None:
    assert files(room)
    for path in files(room):
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


NAMED_OUTSIDE = {
    "sources/__init__.py",
    # An option of the simulated account, not of the source.
    "cli/app.py",
    "cli/simulate.py",
    "cli/simulated.py",
}
"""Files outside a source's folder whose code names a source: the registration, and simulators."""


def words_of(path: Path) -> set[str]:
    """The names and texts of a file's code; docstrings may tell of anything."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(body := getattr(node, "body", None), list)
        for statement in body
        if isinstance(statement, ast.Expr)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            found.add(node.value)
        found |= {
            name
            for attribute in ("id", "attr", "name", "arg", "module")
            if isinstance(name := getattr(node, attribute, None), str)
        }
    return found


def test_no_code_outside_its_folder_names_a_source() -> None:
    named = re.compile("socomec|belimo|skycentrics|sodata|sources.files", re.IGNORECASE)
    outside = {
        path.relative_to(ROOT).as_posix(): path
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] != "simulators"
        and path.relative_to(ROOT).parts[:2] not in {("sources", name) for name in BUILT_IN}
    }
    naming = {place for place, path in outside.items() if any(map(named.search, words_of(path)))}
    assert naming == NAMED_OUTSIDE


def test_no_file_outside_its_folder_names_a_destination() -> None:
    named = re.compile("|".join(destination_names()), re.IGNORECASE)
    own = {("destinations", one) for one in destination_names()}
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] != "simulators"
        and path.relative_to(ROOT).parts[:2] not in own
        and named.search(path.read_text(encoding="utf-8"))
    }
    # The registration, and a layout of files that others write as well.
    assert naming == {"destinations/__init__.py", "sources/files/layout.py"}
