"""A folder with the export of one logger, for the contract test."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds
from energy_platform.portfolio import Portfolio
from energy_platform_tests.faults.harness import environment
from energy_platform_tests.sources.cases import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY: Final = "2026-03-03"
STEP: Final = timedelta(minutes=15)


def _export(*days: str) -> str:
    """A register that counts 250 Wh each quarter of an hour, through whole days."""
    start, end = day_bounds(days[0])[0], day_bounds(days[-1])[1]
    lines = [
        f"{(start + n * STEP).isoformat()},{1000 + n / 4}" for n in range((end - start) // STEP + 1)
    ]
    return "\n".join(["time,Energy import [kWh]", *lines]) + "\n"


@contextmanager
def serve(folder: Path) -> Iterator[Case]:
    """Drop an export of three days into an inbox that the source reads."""
    inbox = folder / "inbox"
    path = inbox / "meter" / "march.csv"
    path.parent.mkdir(parents=True)
    path.write_text(_export("2026-03-02", "2026-03-04"), encoding="utf-8")
    _, end = day_bounds(DAY)
    variables = {"FILES_FOLDER": str(inbox), "FILES_SETTLE_S": "0"}

    def silence() -> None:
        path.write_text(_export("2026-02-27", "2026-03-01"), encoding="utf-8")

    def break_it() -> None:
        os.rename(inbox, folder / "elsewhere")  # noqa: PTH104 - the path stays as it was set

    with environment(variables):
        yield Case(
            portfolio=Portfolio(),
            variables=variables,
            secrets=(),
            now=end + timedelta(days=2),
            day=DAY,
            break_it=break_it,
            silence_it=silence,
        )
