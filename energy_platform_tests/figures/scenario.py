"""A small installation with all that goes wrong: raw day files and the portfolio that reads them.

Two sites on two clocks, both with their clock change: two mains of which one is silent for days, a
feeder that stands at zero, a valve that is taken out of service, a register that restarts, is
glitched, jumps and pauses, increments, integrated power, states, slow gauges, and a correction
whose dates are local days.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.sources.registry import day_tables
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.schemas import Vendor

QUARTER: Final = timedelta(minutes=15)
FIRST: Final = "2026-10-22"
"""The clocks of both sites change in the fortnight from here, and again in spring."""

LATE_DAYS: Final[dict[Vendor, int]] = {"socomec": 1, "belimo": 2, "skycentrics": 3}

PORTFOLIO: Final = """
version: 1
sites:
  - {id: paris, name: Paris office, timezone: Europe/Paris, country: FR}
  - {id: la, name: Los Angeles shop, timezone: America/Los_Angeles}
devices:
  - vendor: socomec
    serial: M1
    site: paris
    name: Main A
    role: main
    carrier: electricity
    max_power_w: 40000
    every: 15m
    points:
      - {key: "Global|0|1", name: Import, quantity: active_energy_import, unit: Wh}
      - {key: "Global|0|2", name: Reactive, quantity: reactive_energy_import, unit: kvarh}
      - {key: "Global|0|3", name: Power, quantity: active_power, unit: kW}
  - vendor: socomec
    serial: M2
    site: paris
    name: Main B
    role: main
    carrier: electricity
    max_power_w: 40000
    every: 15m
    points:
      - {key: "Global|0|1", name: Import, quantity: active_energy_import, unit: kWh}
      - {key: "Global|0|2", name: Export, quantity: active_energy_export, unit: Wh}
  - vendor: socomec
    serial: F1
    site: paris
    name: Feeder
    role: sub
    max_power_w: 5000
    points:
      - {key: "Load|1|1", name: Unused feeder, quantity: active_energy_import, unit: Wh}
  - vendor: belimo
    serial: V1
    site: paris
    name: Valve
    max_power_w: 90000
    until: {until}
    points:
      - {key: evcloud.1, name: Heat, quantity: heating_energy, unit: J, every: 1h}
      - {key: evcloud.2, name: Water, quantity: volume, unit: l}
      - {key: evcloud.3, name: Flow temperature, quantity: temperature, unit: K}
      - {key: evcloud.4, name: Alarm, quantity: state, states: {INACTIVE: 0, ACTIVE: 1}}
  - vendor: socomec
    serial: M3
    site: la
    name: Main
    role: main
    max_power_w: 20000
    every: 15m
    points:
      - {key: "Global|0|1", name: Import, quantity: active_energy_import, unit: Wh}
  - vendor: skycentrics
    serial: G1
    site: la
    name: Gateway
    points:
      - {key: solar, name: Solar, quantity: generation_energy, unit: Wh, kind: increment,
         every: 15m, role: generation, max_power_w: none, confidence: medium}
      - {key: battery, name: Battery, quantity: active_power, unit: kW, energy_from_power: true,
         role: storage}
      - {key: starts, name: Starts, quantity: other, unit: count, kind: increment, every: 15m}
corrections:
  - points: ["socomec/M3/Global|0|1"]
    reason: wired to the wrong phase
    from: {dropped}
    to: {dropped_end}
    drop: true
"""

Sample = tuple[str, str, datetime, float | None, str | None]
"""Serial number, key, instant, number and text."""


class Scenario:
    """What happens from the first day on; all of it within the first thirteen days.

    Args:
        first: First UTC day; its Sunday within a week should change a clock.
        days: UTC days.
    """

    def __init__(self, first: str, *, days: int) -> None:
        self.start = datetime.fromisoformat(first).replace(tzinfo=UTC)
        self.days = days
        self.end = self.start + timedelta(days=days)
        self._restart: float | None = None

    def day(self, number: int, hour: float = 0) -> datetime:
        """Return an instant by the number of its UTC day."""
        return self.start + timedelta(days=number, hours=hour)

    @property
    def portfolio(self) -> str:
        """The portfolio's text."""
        text = PORTFOLIO.replace("{until}", f"{self.day(9):%Y-%m-%d}")
        text = text.replace("{dropped}", f"{self.day(10):%Y-%m-%d}")
        return text.replace("{dropped_end}", f"{self.day(11):%Y-%m-%d}")

    def build(self, folder: Path) -> Warehouse:
        """Land the raw days, derive everything, and publish."""
        lake = Lake(folder / "lake")
        self._land(lake)
        portfolio = parse_portfolio(self.portfolio)
        refresh(lake, portfolio=portfolio)
        warehouse = Warehouse(
            data_dir=folder, lake=lake, dbt_project_dir=PROJECT, late_days=LATE_DAYS
        )
        warehouse.build(portfolio)
        warehouse.publish()
        return warehouse

    def _land(self, lake: Lake) -> None:
        samples: dict[tuple[Vendor, int], list[Sample]] = {
            (vendor, day): [] for vendor in day_tables() for day in range(self.days)
        }
        for vendor, sample in self._samples():
            samples[vendor, (sample[2] - self.start).days].append(sample)
        for (vendor, day), rows in samples.items():
            land_day(
                lake,
                day_tables()[vendor],
                day=f"{self.day(day):%Y-%m-%d}",
                frame=_frame(vendor, rows),
                complete_until=self.day(day + 1),
                closed=True,
            )

    def _samples(self) -> Iterator[tuple[Vendor, Sample]]:
        n = 0
        at = self.start + 5 * QUARTER  # so the first local day is partial on both clocks
        registers = {"M1": 5e6, "M2": 7e5, "M2x": 9e5, "M3": 3e6, "V": 4e9, "W": 12_000.0, "Q": 8e5}
        while at < self.end:
            load = 400 + 300 * math.sin(n / 15) + n * 7919 % 97
            registers["M1"] += round(load)
            registers["Q"] += round(load / 3)
            registers["M2"] += round(load / 2)
            registers["M2x"] += round(load / 9)
            registers["M3"] += round(load * 1.5)
            registers["V"] += round(load * 1000)
            registers["W"] += round(load / 20)
            yield from self._at(at, n, load, registers)
            n, at = n + 1, at + QUARTER

    def _at(
        self, at: datetime, n: int, load: float, registers: dict[str, float]
    ) -> Iterator[tuple[Vendor, Sample]]:
        yield "socomec", ("M1", "Global|0|1", at, registers["M1"], None)
        yield "socomec", ("M1", "Global|0|2", at, registers["Q"] / 1000, None)
        if n % 3 == 0:
            broken = n % 57 == 0
            yield "socomec", ("M1", "Global|0|3", at, None if broken else load / 250, None)
        if not self.day(2, 9) <= at < self.day(5, 14):  # silent for days
            yield "socomec", ("M2", "Global|0|1", at, registers["M2"] / 1000, None)
        yield "socomec", ("M2", "Global|0|2", at, registers["M2x"], None)
        yield "socomec", ("F1", "Load|1|1", at, 0.0, None)
        if n == 200:
            yield "socomec", ("M1", "Global|0|99", at, 1.0, None)  # nothing the portfolio knows
        yield from self._main_of_la(at, registers["M3"])
        if at < self.day(8, 7):  # the valve stops for good before it is said to
            if n % 4 == 0:
                yield "belimo", ("V1", "evcloud.1", at, registers["V"], None)
                yield "belimo", ("V1", "evcloud.2", at, registers["W"], None)
                word = "ACTIVE" if n // 24 % 5 == 0 else "INACTIVE"
                yield "belimo", ("V1", "evcloud.4", at, None, word)
            if n % 25 == 0:
                yield "belimo", ("V1", "evcloud.3", at, 290 + n % 11, None)
        if n % 400 < 390:
            yield "skycentrics", ("G1", "solar", at, max(0.0, 300 * math.sin(n / 15)), None)
            if not self.day(4, 20) <= at < self.day(7):  # nothing says what the battery did
                yield "skycentrics", ("G1", "battery", at, 2 * math.sin(n / 30), None)
            yield "skycentrics", ("G1", "starts", at, float(n % 3), None)

    def _main_of_la(self, at: datetime, value: float) -> Iterator[tuple[Vendor, Sample]]:
        """A register that pauses, shows a zero and a spike, restarts at nothing, and jumps."""
        if self.day(1, 3) <= at < self.day(1, 5.75):
            return
        if self.day(6) <= at:
            value -= self._restarted_at(value)
        if self.day(8) <= at:
            value += 5_000_000
        if at == self.day(3, 4):
            value = 0.0
        elif at == self.day(4, 4):
            value += 900_000
        yield "socomec", ("M3", "Global|0|1", at, value, None)

    def _restarted_at(self, value: float) -> float:
        """Keep the register's value of the moment it restarts."""
        if self._restart is None:
            self._restart = value - 11
        return self._restart


def _frame(vendor: Vendor, samples: list[Sample]) -> pl.DataFrame:
    rows = []
    for serial, key, at, value, text in samples:
        row: dict[str, object] = {"at": at, "value": value, "value_text": text}
        row["serial_number"] = serial
        if vendor == "socomec":
            kind, index, service = key.split("|")
            row |= {"item_type": kind, "item_index": index, "service_id": service}
            row |= {"device_uuid": f"uuid-{serial}", "data_type": "double", "ca_uuid": "ca"}
        elif vendor == "belimo":
            row |= {"device_id": f"scope-{serial}", "datapoint_id": key, "dataprofile": "p/1"}
        else:
            units = {"solar": "Wh", "battery": "kW", "starts": "count"}[key]
            row |= {"device_id": serial, "sensor_id": key, "units": units, "source": "history"}
            del row["serial_number"]
        rows.append(row)
    return pl.DataFrame(rows, schema=day_tables()[vendor].schema)
