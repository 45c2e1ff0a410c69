"""Increments that come with another stamp than before: the newer answer counts, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from energy_platform.ingest.landing_days import DayLanding, increments_of
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_ENERGY_DELTAS
from energy_platform.sources.registry import reject_tables
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from pathlib import Path

DAY: Final = "2026-03-02"
START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
QUARTER: Final = timedelta(minutes=15)
PORTFOLIO: Final = """
version: 1
sites: [{id: a, name: A, timezone: UTC}]
devices:
  - vendor: socomec
    serial: S1
    site: a
    name: Meter
    points:
      - {key: Global|0|1, name: Delta, quantity: active_energy_import, unit: Wh, kind: increment,
         every: EVERY}
      - {key: Global|0|2, name: Power, quantity: active_power, unit: W}
"""


def rows(*values: tuple[datetime, float], service: str = "1") -> pl.DataFrame:
    frame = pl.DataFrame(
        [
            {
                "device_uuid": "u",
                "item_type": "Global",
                "item_index": "0",
                "service_id": service,
                "at": at,
                "value": value,
                "serial_number": "S1",
                "ca_uuid": "c",
            }
            for at, value in values
        ],
        schema=RAW_SOCOMEC_DATAPOINTS.schema,
    )
    return frame.sort(RAW_SOCOMEC_DATAPOINTS.sort_key)


class Site:
    """A lake, and the answers that come one after the other."""

    def __init__(self, folder: Path, *, every: str) -> None:
        self.lake = Lake(folder / "lake")
        self.portfolio = parse_portfolio(PORTFOLIO.replace("EVERY", every))
        self.warnings: tuple[str, ...] = ()

    def land(self, *frames: pl.DataFrame, hour: int) -> None:
        landing = DayLanding(
            lake=self.lake,
            vendor="socomec",
            now=datetime(2026, 3, 3, hour, tzinfo=UTC),
            increments=increments_of(self.portfolio, vendor="socomec"),
        )
        outcome = landing.land(Day(pl.concat(frames).sort(RAW_SOCOMEC_DATAPOINTS.sort_key)))
        assert outcome.error is None
        self.warnings = outcome.warnings

    def energy(self) -> float:
        refresh(self.lake, portfolio=self.portfolio)
        return float(self.lake.read(CORE_ENERGY_DELTAS, day=DAY)["energy_wh"].sum())


class Day:
    """A pulled day."""

    day = DAY
    error = None
    duplicates = conflicts = nulls = 0
    warnings: tuple[str, ...] = ()
    devices = rejects = ()

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame


POWER: Final = rows(*((START + n * QUARTER, 400.0) for n in range(4)), service="2")
HUNDRED: Final = [(START + n * QUARTER, 100.0) for n in range(4)]


@pytest.mark.parametrize("every", ["15m", "1h", "5m"])
@pytest.mark.parametrize("away", [30, -30, 140])
def test_the_newer_answer_counts_once(tmp_path: Path, every: str, away: int) -> None:
    site = Site(tmp_path, every=every)
    site.land(rows(*HUNDRED), POWER, hour=1)
    assert site.energy() == 400
    restamped = [(at + timedelta(seconds=away), 110.0) for at, _ in HUNDRED]
    moved = POWER.with_columns(pl.col("at") + timedelta(seconds=away))
    site.land(rows(*restamped), moved, hour=2)
    assert site.energy() == 440
    assert any("S1: 4 increments came with another stamp" in one for one in site.warnings)
    aside = site.lake.read(reject_tables()["socomec"], day=DAY)
    assert aside.select("device", "series", "value_text").unique().rows() == [
        ("S1", "Global|0|1", "100.0")
    ]
    raw = site.lake.read(RAW_SOCOMEC_DATAPOINTS, day=DAY)
    assert raw.filter(pl.col("service_id") == "2").height == 8, "nothing else is ever dropped"
    # The same answer again changes nothing.
    site.land(rows(*restamped), moved, hour=3)
    assert site.energy() == 440
    assert site.lake.read(reject_tables()["socomec"], day=DAY).equals(aside)


def test_a_conflicting_newer_increment_of_the_same_stamp_replaces_the_older(tmp_path: Path) -> None:
    site = Site(tmp_path, every="15m")
    site.land(rows(*HUNDRED), hour=1)
    site.land(rows(*((at, 70.0) for at, _ in HUNDRED)), hour=2)
    assert site.energy() == 280


def test_an_answer_that_lacks_increments_loses_none(tmp_path: Path) -> None:
    site = Site(tmp_path, every="1h")
    site.land(rows(*HUNDRED), hour=1)
    site.land(rows(*HUNDRED[2:], (START + 4 * QUARTER, 100.0)), hour=2)
    assert site.energy() == 500


def test_what_an_older_version_landed_twice_counts_once(tmp_path: Path) -> None:
    site = Site(tmp_path, every="15m")
    restamped = [(at + timedelta(seconds=30), 100.0) for at, _ in HUNDRED]
    site.land(rows(*HUNDRED, *restamped), hour=1)
    assert site.energy() == 400
