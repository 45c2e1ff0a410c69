"""Ticks of the push sensor over 10,002 day files: an idle one, one that looks, the first of all.

    python -m benchmarks.sensor

The peers are what a tick did before there was a catalogue, reading each file's footer, and a hive
scan that counts the rows of the same files with polars.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.days import day_range
from energy_platform.delivery import Ledger, push_decision
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

PORTFOLIO = """
version: 1
sites: [{id: s, name: S, timezone: Europe/Paris}]
devices:
  - {vendor: socomec, serial: SN1, site: s, name: Main, role: main, points: [
      {key: "G|0|1", name: E, quantity: active_energy_import, unit: Wh, max_power_w: none}]}
streams:
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m, reading: cumulative,
     fields: {pC_1: "socomec/SN1/G|0|1"}}
"""


def seconds(run: Callable[[], object]) -> float:
    """Return the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    """Print the figures and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        days = day_range("2017-01-01", "2026-02-17")[:3334]
        closed = {"complete_until": "2030-01-01T00:00:00+00:00", "closed": "true"}
        tables = (RAW_SOCOMEC_DATAPOINTS, CORE_READINGS, CORE_ENERGY_DELTAS)
        for table in tables:
            lake.write(table, table.empty(), day=days[0], meta=closed)
            for day in days[1:]:
                path = lake.path(table, day=day)
                path.parent.mkdir(parents=True)
                path.hardlink_to(lake.path(table, day=days[0]))
        began = time.perf_counter()
        version = lake.version()
        first = time.perf_counter() - began
        idle = seconds(lambda: lake.version() == version)
        agreed = parse_portfolio(PORTFOLIO)
        with Ledger.at(Path(folder) / "ledger.sqlite") as ledger:
            ledger.register_streams(["el-1"], destination="wattics")
            look = seconds(
                lambda: push_decision(
                    lake,
                    ledger,
                    agreed,
                    now=datetime(2026, 3, 5, tzinfo=UTC),
                    max_hold=timedelta(hours=48),
                )
            )
        footers = seconds(
            lambda: [lake.footer(table, day=day) for table in tables for day in lake.days(table)]
        )
        scan = seconds(
            lambda: [
                pl.scan_parquet(lake.pattern(table)).select(pl.len()).collect() for table in tables
            ]
        )
    files = len(days) * len(tables)
    sys.stdout.write(
        f"{files:,} files, seconds: first look {first:.2f}, idle tick {idle:.3f}, full look "
        f"{look:.3f}; every footer {footers:.2f} ({footers / look:.1f}x a full look, "
        f"{footers / idle:.0f}x an idle tick); polars hive scan {scan:.2f}\n"
    )


if __name__ == "__main__":
    main()
