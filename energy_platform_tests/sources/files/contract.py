"""An inbox with one file, for the contract of every source."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy_platform.portfolio import Portfolio
from energy_platform_tests.sources.cases import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2026-02-02"


def export(day: str) -> str:
    """Return a day of hourly values, as a logger writes them."""
    lines = [f"{day} {hour:02}:00;{1000 + hour},5" for hour in range(24)]
    return "\n".join(["Zeit;Bezug [kWh]", *lines]) + "\n"


@contextmanager
def serve(folder: Path) -> Iterator[Case]:
    """Have a file lie in an inbox."""
    inbox = folder / "inbox"
    path = inbox / "meter" / "export.csv"
    path.parent.mkdir(parents=True)

    def write(day: str) -> None:
        path.write_text(export(day), encoding="utf-8")

    def go_away() -> None:
        inbox.rename(folder / "away")

    write(DAY)
    variables = {"FILES_FOLDER": str(inbox), "FILES_TIMEZONE": "UTC", "FILES_SETTLE_S": "0"}
    kept = dict(os.environ)
    try:
        os.environ.update(variables)
        yield Case(
            portfolio=Portfolio(),
            variables=variables,
            secrets=(),
            now=datetime(2026, 2, 3, 1, tzinfo=UTC),
            day=DAY,
            # The share that the inbox lies on is away.
            break_it=go_away,
            silence_it=lambda: write("2026-01-31"),
            something_new=lambda: write("2026-02-01"),
        )
    finally:
        os.environ.clear()
        os.environ.update(kept)
