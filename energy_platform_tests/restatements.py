"""A year of corrections and late data: what every publication said as final is told again.

    python -m energy_platform_tests.restatements

Days land week by week, some of them late or with samples missing; corrections of past days come and
go. After each publication all final figures are noted here, by day, week and month, of points and
sites. At the end each publication is told again from the published figures and
``mart_restatements`` alone, and every reason is compared with what was done. Exit code 1 when a
figure is told otherwise, or a reason is not what happened.
"""

# ruff: noqa: T201, S311 - a program that prints; its dice decide no secret

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.refresh import refresh
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT

FIRST: Final = date(2025, 10, 1)
"""So that a year holds both changes of the clock, a leap of the year, and whole months."""

PACE: Final = timedelta(minutes=5)
"""One sample of 288 missing leaves 99.65 % of a day covered: final, and another figure later."""

LATE_DAYS: Final = {"socomec": 1, "belimo": 1, "skycentrics": 1}
TOLERANCE: Final = 1e-6
"""What figures may differ by and be the same, see the journal."""

KEY: Final = "Global|0|1"
METERS: Final = {"M1": "paris", "M2": "paris", "M3": "la"}
"""Each says the energy of five minutes. M1 and M2 are mains of one site."""

FIGURES: Final = (
    ("point", "energy", "day", "fct_energy_daily", "energy_wh"),
    ("point", "energy", "week", "fct_energy_weekly", "energy_wh"),
    ("point", "energy", "month", "fct_energy_monthly", "energy_wh"),
    ("site", "site_use", "day", "mart_site_energy", "site_use_wh"),
    ("site", "site_use", "week", "mart_site_energy_weekly", "site_use_wh"),
    ("site", "site_use", "month", "mart_site_energy_monthly", "site_use_wh"),
)

Figure = tuple[str, str, str, str, date]
"""Scope, whose it is, name, grain and first day of its period."""


class Correction(NamedTuple):
    """An entry of the portfolio."""

    serial: str
    day: date
    factor: float


class Wrong(NamedTuple):
    """What was told otherwise, in words, and how many figures were told at all."""

    told: int
    differences: list[str]


@dataclass
class Year:
    """An installation that gets its days week by week.

    Attributes:
        events: Corrections and late data altogether.
        publications: Over how many publications they and the days are spread.
    """

    folder: Path
    events: int
    publications: int
    days: int = 365
    seed: int = 13
    corrections: list[Correction] = field(default_factory=list)
    withheld: dict[tuple[str, date], set[int]] = field(default_factory=dict)
    landed: int = 0
    said: list[tuple[datetime, dict[Figure, float]]] = field(default_factory=list)
    done: list[set[str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.lake = Lake(self.folder / "lake")
        self.warehouse = Warehouse(
            data_dir=self.folder, lake=self.lake, dbt_project_dir=PROJECT, late_days=LATE_DAYS
        )

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio with the corrections of now."""
        devices = "".join(
            f"""
  - vendor: socomec
    serial: {serial}
    site: {site}
    name: {serial}
    role: main
    every: 5m
    points:
      - {{key: "{KEY}", name: Energy, quantity: active_energy_import, unit: Wh, kind: increment,
         carrier: electricity, max_power_w: none}}
"""
            for serial, site in METERS.items()
        )
        corrections = "".join(
            f"  - {{points: ['socomec/{one.serial}/{KEY}'], from: {one.day}T08:00:00Z, "
            f"to: {one.day}T11:00:00Z, factor: {one.factor}, reason: random}}\n"
            for one in self.corrections
        )
        return parse_portfolio(
            "version: 1\nsites:\n  - {id: paris, name: Paris, timezone: Europe/Paris}\n"
            "  - {id: la, name: Los Angeles, timezone: America/Los_Angeles}\n"
            f"devices:{devices}" + (f"corrections:\n{corrections}" if corrections else "")
        )

    def run(self) -> None:
        """Live through the year, publication by publication."""
        for number in range(self.publications):
            until = self.days * (number + 1) // self.publications
            new = [FIRST + timedelta(days=n) for n in range(self.landed, until)]
            for day in new:
                for serial in METERS:
                    missing = {self.dice.randrange(288) for _ in range(self.dice.choice((0, 0, 2)))}
                    self.withheld[serial, day] = missing
                self._land(day)
            before, self.landed = self.landed, until
            done = {"late data"} if new else set()
            share = self.events * number // max(1, self.publications - 1)
            for _ in range(share - self.counts["events"]):
                if before:
                    done.add(self._event(before))
            self.done.append(done)
            portfolio = self.portfolio
            refresh(self.lake, portfolio=portfolio)
            self.warehouse.build(portfolio)
            self.warehouse.publish()
            self._note()

    def _event(self, landed: int) -> str:
        day = FIRST + timedelta(days=self.dice.randrange(landed))
        serial = self.dice.choice(tuple(METERS))
        self.counts["events"] += 1
        missing = self.withheld[serial, day]
        if missing and self.dice.random() < 0.7:
            missing.pop()
            self._land(day)
            return self._counted("late data")
        if self.corrections and self.dice.random() < 0.3:
            self.corrections.pop(self.dice.randrange(len(self.corrections)))
        else:
            factor = round(self.dice.uniform(0.5, 2), 3)
            self.corrections.append(Correction(serial, day, factor))
        return self._counted("correction")

    def _counted(self, kind: str) -> str:
        self.counts[kind] += 1
        return kind

    def _land(self, day: date) -> None:
        start, end = day_bounds(day.isoformat())
        rows = []
        for number, serial in enumerate(METERS):
            for n in range(int((end - start) / PACE)):
                if n in self.withheld[serial, day]:
                    continue
                of_all = int((start - datetime(2025, 1, 1, tzinfo=UTC)) / PACE) + n
                value = 10.0 + number + of_all * 7919 % 97 / 8
                rows.append((serial, start + (n + 1) * PACE - timedelta(seconds=1), value))
        frame = pl.DataFrame(
            [
                {
                    "device_uuid": f"uuid-{serial}",
                    "serial_number": serial,
                    "item_type": "Global",
                    "item_index": "0",
                    "service_id": "1",
                    "data_type": "double",
                    "ca_uuid": "ca",
                    "at": at,
                    "value": value,
                }
                for serial, at, value in rows
            ],
            schema=RAW_SOCOMEC_DATAPOINTS.schema,
        )
        land_day(
            self.lake,
            RAW_SOCOMEC_DATAPOINTS,
            day=day.isoformat(),
            frame=frame.sort(RAW_SOCOMEC_DATAPOINTS.sort_key),
            complete_until=end,
            closed=True,
        )

    def figures(self) -> dict[Figure, float]:
        """Return what is published as final now."""
        found: dict[Figure, float] = {}
        with duckdb.connect(str(self.warehouse.work_file), read_only=True) as db:
            for scope, name, grain, table, value in FIGURES:
                for whose, period, figure in db.execute(
                    f"select {scope}_id, local_{grain}, {value} from {table} where is_final"
                ).fetchall():
                    found[scope, whose, name, grain, period] = figure
        return found

    def _note(self) -> None:
        self.said.append((datetime.now(tz=UTC), self.figures()))

    def told_again(self) -> Wrong:
        """Tell every publication again from what is published now and ``mart_restatements``."""
        with duckdb.connect(str(self.warehouse.work_file), read_only=True) as db:
            changes = db.execute(
                "select scope, scope_id, figure, grain, period_start, restated_at, old_value "
                "from mart_restatements order by restated_at desc"
            ).fetchall()
        now = self.figures()
        told, differences = 0, []
        for number, (at, figures) in enumerate(self.said):
            then: dict[Figure, float | None] = dict(now)
            for scope, whose, name, grain, period, restated_at, old in changes:
                if restated_at > at:
                    then[scope, whose, name, grain, period] = old
            for one, value in figures.items():
                told += 1
                found = then.get(one)
                if found is None or abs(found - value) > TOLERANCE + 1e-9 * abs(value):
                    differences.append(f"publication {number}: {one}: {found}, was {value}")
        return Wrong(told, differences)

    def reasons(self) -> Wrong:
        """Compare the reasons that were given with what was done before each publication."""
        with duckdb.connect(str(self.warehouse.work_file), read_only=True) as db:
            rows = db.execute(
                "select restated_at, why, count(*) from mart_restatements group by all"
            ).fetchall()
        told, differences = 0, []
        for restated_at, why, count in rows:
            number = next(n for n, (at, _) in enumerate(self.said) if restated_at <= at)
            told += count
            self.counts[f"restated by {why}"] += count
            if not {*why.split(", ")} <= self.done[number]:
                differences.append(f"publication {number}: {why}, but {sorted(self.done[number])}")
        return Wrong(told, differences)


def main() -> int:
    """Print what was done and told; 1 when anything is told otherwise than it was said."""
    parser = argparse.ArgumentParser(prog="restatements", description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--events", type=int, default=1000, help="Corrections and late data.")
    parser.add_argument("--publications", type=int, default=52)
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        year = Year(
            Path(folder),
            events=options.events,
            publications=options.publications,
            days=options.days,
            seed=options.seed,
        )
        year.run()
        told, reasons = year.told_again(), year.reasons()
        size = sum(one.stat().st_size for one in (Path(folder) / "restatements").rglob("*.parquet"))
    for name, count in sorted(year.counts.items()):
        print(f"{count:9,} {name}")
    print(f"{options.publications} publications in {time.monotonic() - began:.0f} s")
    print(f"{told.told:,} final figures told again, {len(told.differences)} otherwise")
    print(f"{reasons.told:,} restatements, {len(reasons.differences)} with a reason that was none")
    print(f"{size / 1e6:.2f} MB of journal")
    for one in [*told.differences, *reasons.differences][:20]:
        print(f"    {one}")
    return 1 if told.differences or reasons.differences else 0


if __name__ == "__main__":
    sys.exit(main())
