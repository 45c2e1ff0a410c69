"""The data folder that a demo of version 0.1.0 left, and a day more for it.

``data-0.1.0.tar.xz`` holds its lake, ledger, portfolio and what its Wattics received;
``figures-0.1.0.csv`` what its ``fct_energy_daily`` said.
"""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.raw_days import land_day
from energy_platform.simulators.wattics import WatticsSimulator, WatticsStream
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

HERE: Final = Path(__file__).parent
NOW: Final = datetime(2026, 11, 27, 1, 51, tzinfo=UTC)
"""When the demo had ended."""

LAST: Final = "2026-11-26"
NEXT: Final = "2026-11-27"


def unpack(folder: Path) -> Path:
    """Unpack the kept data folder; return it."""
    data = folder / "data"
    data.mkdir(parents=True)
    with tarfile.open(HERE / "data-0.1.0.tar.xz") as kept:
        kept.extractall(data, filter="data")
    return data


def figures() -> pl.DataFrame:
    """Return what 0.1.0 had published: ``point_id, local_day, energy_kwh, status``."""
    return pl.read_csv(HERE / "figures-0.1.0.csv", try_parse_dates=True)


def wattics(data: Path, portfolio: Portfolio) -> WatticsSimulator:
    """Return Wattics with all that it received from 0.1.0."""
    return WatticsSimulator(
        streams=[
            WatticsStream(
                id=stream.id,
                kind="electricity" if stream.kind == "electricity" else "value",
                interval_s=int(stream.interval.total_seconds()),
                reading=stream.reading,
                timezone=portfolio.zone_of(stream),
                group=stream.credential,
            )
            for stream in portfolio.streams.values()
        ],
        record=data / "demo" / "wattics.jsonl",
    )


def land_next_day(lake: Lake) -> None:
    """Land one day more: that of the day before, with registers that go on from its end."""
    for table in day_tables().values():
        if LAST not in lake.days(table):
            continue
        before = lake.read(table, day=LAST).sort(table.sort_key)
        series = [name for name in table.sort_key if name != "at"]
        value = pl.col("value")
        counts = (value.diff().over(series).fill_null(0) >= 0).all().over(series)
        rise = (value.last() - value.first()).over(series)
        land_day(
            lake,
            table,
            day=NEXT,
            frame=before.with_columns(
                at=pl.col("at") + timedelta(days=1),
                value=value + pl.when(counts).then(rise).otherwise(0.0),
            ),
            complete_until=day_bounds(NEXT)[1],
            closed=True,
        )
