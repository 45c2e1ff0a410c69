"""The examples in the docstrings, each run as written."""

from __future__ import annotations

import doctest
import importlib
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import energy_platform
from energy_platform.sources import BUILT_IN
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT: Final = Path(energy_platform.__file__).parent

KNOWN: Final[dict[str, Any]] = {
    "pl": pl,
    "datetime": datetime,
    "timedelta": timedelta,
    "UTC": UTC,
    "Path": Path,
}
"""What every example may use without importing it, as in the documentation of polars."""

WITHOUT_EXAMPLE: Final = {
    # Settings and state of the vectorised pass: the example is that of `energy_deltas`.
    "interval_split.contributions_of",
    "interval_split.first_of_points",
    "states.carried_register",
    "states.next_state",
    "states.read_states",
    # A series of a whole day, in test_readings.py.
    "hour_shifts.quarantine_hour_shifts",
}
"""Public functions of transforms whose use is shown by those they serve."""

DELIVERED: Final = ("packets", "sampling")
"""Modules of transforms that serve delivery; its tests show their use."""


def modules(*, under: Path = ROOT) -> Iterator[ModuleType]:
    """Yield the modules that hold an example."""
    for path in sorted(under.rglob("*.py")):
        if path.stem != "__main__" and ">>> " in path.read_text(encoding="utf-8"):
            names = path.relative_to(ROOT.parent).with_suffix("").parts
            yield importlib.import_module(".".join(names))


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        one for module in modules() for one in finder.find(module, extraglobs=KNOWN) if one.examples
    ]


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
def test_an_example_shows_what_happens(example: doctest.DocTest) -> None:
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    failed, _ = runner.run(example, out=shown.append)
    assert not failed, "".join(shown)


def test_every_public_function_of_transforms_shows_an_example() -> None:
    lacking = set()
    for path in sorted((ROOT / "transforms").glob("*.py")):
        if path.stem in DELIVERED:
            continue
        module = importlib.import_module(f"energy_platform.transforms.{path.stem}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and ">>> " not in (function.__doc__ or ""):
                lacking.add(f"{path.stem}.{name}")
    assert lacking - {one for one in lacking if one.startswith("readings.readings_of_")} == (
        WITHOUT_EXAMPLE
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_source_shows_what_its_rows_come_to(name: str) -> None:
    assert ">>> " in (sources()[name].readings.__doc__ or "")
