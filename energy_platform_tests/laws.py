"""The laws of the energy figures, tried on many examples, as a table.

    python -m energy_platform_tests.laws                      10,000 examples, 1,000 histories
    python -m energy_platform_tests.laws --only lake          laws with this word only

Every law is a hypothesis property that ``make test`` tries a few dozen times; here each is tried
as often as asked, drawn anew, shared among processes. A history is a whole lake: days landed in
some order, late, partly or twice, and refreshed in between.
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
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES: Final = (
    "energy_platform_tests.transforms.test_counters_laws",
    "energy_platform_tests.transforms.test_intervals",
    "energy_platform_tests.transforms.test_quality",
    "energy_platform_tests.transforms.test_register_laws",
    "energy_platform_tests.transforms.test_readings",
    "energy_platform_tests.transforms.test_registers",
    "energy_platform_tests.transforms.test_streams",
)
"""Modules whose laws are about single frames."""

HISTORIES: Final = ("energy_platform_tests.refresh.test_laws",)
"""Modules whose laws are about whole lakes."""


class Tried(NamedTuple):
    """A share of a law.

    Attributes:
        examples: How many held.
        failure: The counterexample and its trace; empty when there is none.
    """

    module: str
    law: str
    examples: int
    seconds: float
    failure: str


def laws(module: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the properties of a module by name."""
    for name, law in inspect.getmembers(importlib.import_module(module), inspect.isfunction):
        if name.startswith("test_") and hasattr(law, "hypothesis"):
            yield name, law


def attempt(job: tuple[str, str]) -> Tried:
    """Try one law as often as the environment says, counting the examples that held."""
    module, name = job
    law = dict(laws(module))[name]
    handle = law.hypothesis  # type: ignore[attr-defined]
    inner, held = handle.inner_test, 0

    def counted(*args: object, **kwargs: object) -> None:
        nonlocal held
        inner(*args, **kwargs)
        held += 1

    handle.inner_test = counted
    begun, failure = time.perf_counter(), ""
    try:
        law()
    except Exception:  # noqa: BLE001 (a law that fails is what is reported)
        failure = traceback.format_exc()
    return Tried(module, name, held, time.perf_counter() - begun, failure)


def main() -> int:
    """Try all laws and print the table; 1 when any fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a word of the law's name or module")
    given = parser.parse_args()
    share = given.processes
    os.environ["LAW_EXAMPLES"] = str(-(-given.examples // share))
    os.environ["ENERGY_PLATFORM_HISTORIES"] = str(-(-given.histories // share))
    os.environ["POLARS_MAX_THREADS"] = "1"
    jobs = [
        (module, name)
        for module in (*EXAMPLES, *HISTORIES)
        for name, _ in laws(module)
        if given.only in f"{module}.{name}"
        for _ in range(share)
    ]
    print(f"{'examples':>8}  {'seconds':>7}  law", flush=True)
    found: dict[tuple[str, str], list[Tried]] = defaultdict(list)
    failures = []
    with multiprocessing.get_context("spawn").Pool(share, maxtasksperchild=1) as pool:
        for tried in pool.imap(attempt, jobs):
            parts = found[tried.module, tried.law]
            parts.append(tried)
            if tried.failure:
                failures.append(tried.failure)
            if len(parts) == share:
                said = tried.law.removeprefix("test_").replace("_", " ")
                fell = " FAILED" if any(part.failure for part in parts) else ""
                examples = sum(part.examples for part in parts)
                seconds = max(part.seconds for part in parts)
                print(f"{examples:8,}  {seconds:7.0f}  {said}{fell}", flush=True)
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
