"""The properties that the energy figures keep, tried on many examples, as a table.

    python -m energy_platform_tests.properties                      10,000 examples, 1,000 histories
    python -m energy_platform_tests.properties --only lake          those with this word only

``make test`` tries each of these hypothesis properties a few dozen times; here each is tried as
often as asked, drawn at random again, shared among processes. A history is a whole lake: days
landed in some order, late, partly or twice, and refreshed in between.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import importlib
import inspect
import multiprocessing
import os
import sys
import time
import traceback
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES: Final = tuple(
    f"energy_platform_tests.transforms.{path.stem}"
    for path in sorted((Path(__file__).parent / "transforms").glob("test_*.py"))
)
"""Modules whose properties are about single frames."""

HISTORIES: Final = ("energy_platform_tests.refresh.test_properties",)
"""Modules whose properties are about whole lakes."""


class Attempt(NamedTuple):
    """A share of the tries of a property.

    Attributes:
        examples: How many examples held.
        failure: The counterexample and its trace; empty when there is none.
    """

    module: str
    name: str
    examples: int
    seconds: float
    failure: str


def properties(module: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the properties of a module by name."""
    for name, test in inspect.getmembers(importlib.import_module(module), inspect.isfunction):
        if name.startswith("test_") and hasattr(test, "hypothesis"):
            yield name, test


def try_property(job: tuple[str, str]) -> Attempt:
    """Try one property as often as the environment says, counting the examples that held."""
    module, name = job
    test = dict(properties(module))[name]
    handle = test.hypothesis  # type: ignore[attr-defined]
    inner, passed = handle.inner_test, 0

    def counted(*args: object, **kwargs: object) -> None:
        nonlocal passed
        inner(*args, **kwargs)
        passed += 1

    handle.inner_test = counted
    started, failure = time.perf_counter(), ""
    try:
        test()
    except Exception:  # noqa: BLE001 (a property that fails is what is reported)
        failure = traceback.format_exc()
    return Attempt(module, name, passed, time.perf_counter() - started, failure)


def main() -> int:
    """Try all properties and print the table; 1 when any fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a word of the property's name or module")
    given = parser.parse_args()
    share = given.processes
    os.environ["PROPERTY_EXAMPLES"] = str(-(-given.examples // share))
    os.environ["ENERGY_PLATFORM_HISTORIES"] = str(-(-given.histories // share))
    os.environ["POLARS_MAX_THREADS"] = "1"
    jobs = [
        (module, name)
        for module in (*EXAMPLES, *HISTORIES)
        for name, _ in properties(module)
        if given.only in f"{module}.{name}"
        for _ in range(share)
    ]
    print(f"{'examples':>8}  {'seconds':>7}  property", flush=True)
    results: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    failures = []
    with multiprocessing.get_context("spawn").Pool(share, maxtasksperchild=1) as pool:
        for attempt in pool.imap(try_property, jobs):
            parts = results[attempt.module, attempt.name]
            parts.append(attempt)
            if attempt.failure:
                failures.append(attempt.failure)
            if len(parts) == share:
                title = attempt.name.removeprefix("test_").replace("_", " ")
                failed = " FAILED" if any(part.failure for part in parts) else ""
                examples = sum(part.examples for part in parts)
                seconds = max(part.seconds for part in parts)
                print(f"{examples:8,}  {seconds:7.0f}  {title}{failed}", flush=True)
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
