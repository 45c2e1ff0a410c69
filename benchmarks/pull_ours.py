"""Our whole path: login, transport, decoding, contract, merge and staged Parquet in the lake.

Run by ``benchmarks.pull``; the settings come from the environment, as in a real run.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

# Loaded by httpx and polars when first used; nobody's imports are measured.
import httpcore  # noqa: F401
import numpy.ma  # noqa: F401

from benchmarks.pull_task import Task, measured
from energy_platform.ingest.run import ingest_days
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio
from energy_platform.sources.socomec import SocomecClient
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform.sources.socomec.source import SocomecSource

if TYPE_CHECKING:
    from energy_platform.ingest.run import DayOutcome


def pull(task: Task) -> None:
    """Read and land the day as the raw asset does."""
    lake = Lake(Path(task.target))
    until = datetime.fromisoformat(task.until)
    with SocomecClient(SocomecSettings()) as client:
        outcomes: list[DayOutcome] = list(
            ingest_days(
                SocomecSource(client, Portfolio()),
                vendor="socomec",
                lake=lake,
                days=[task.day],
                now=until,
            )
        )
    if outcomes[0].landed is None:
        raise SystemExit(str(outcomes[0].error))


if __name__ == "__main__":
    measured(pull)
