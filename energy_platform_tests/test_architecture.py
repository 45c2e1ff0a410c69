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
    if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.name not in KNOW_DAGSTER
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
        if path.name == "settings.py" or path.parent.name in {"settings", "cli"}:
            continue
        assert not READS_OWN_VARIABLE.search(path.read_text(encoding="utf-8")), path


def test_nothing_outside_its_folder_names_a_source() -> None:
    """Neither code nor comments nor docstrings do, but for the registration."""
    named = re.compile(r"socomec|belimo|skycentrics|sodata|sources[./]files", re.IGNORECASE)
    outside = {
        path.relative_to(ROOT).as_posix(): path
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] != "simulators"
        and path.relative_to(ROOT).parts[:2] not in {("sources", name) for name in BUILT_IN}
    }
    naming = {
        place for place, path in outside.items() if named.search(path.read_text(encoding="utf-8"))
    }
    assert naming == {"sources/__init__.py"}


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
