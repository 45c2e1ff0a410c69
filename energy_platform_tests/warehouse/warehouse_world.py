"""A small lake in the shapes of the contracts: registers whose energy is known for any window.

Every register runs at a power that steps with the quarter-hour, so the energy of a local day, DST
or not, is a sum anyone can do by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.days import day_bounds, day_of, day_range
from energy_platform.lake.raw_days import CLOSED, COMPLETE_UNTIL
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    Table,
    Vendor,
)
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake

PROJECT = Path(__file__).parents[2] / "dbt_models"
QUARTER = timedelta(minutes=15)
GAP = timedelta(hours=2)

UNITS = {
    "active_energy_import": "Wh",
    "active_energy_export": "Wh",
    "heating_energy": "Wh",
    "volume": "m³",
    "state": "1",
}

ZONES = {
    "paris": "Europe/Paris",
    "los-angeles": "America/Los_Angeles",
    "kolkata": "Asia/Kolkata",
    "lord-howe": "Australia/Lord_Howe",
}


def portfolio_text(zones: dict[str, str], *, extra: str = "") -> str:
    sites = "".join(
        f"  - {{id: {site}, name: {site.title()}, timezone: {zone}}}\n"
        for site, zone in zones.items()
    )
    devices = "".join(
        f"""
  - vendor: socomec
    serial: {site}
    site: {site}
    name: Main meter
    role: main
    max_power_w: none
    every: 15m
    points:
      - {{key: import, name: Import, quantity: active_energy_import, carrier: electricity}}
      - {{key: export, name: Export, quantity: active_energy_export, carrier: electricity}}
      - {{key: power, name: Power, quantity: active_power, kind: gauge}}
  - vendor: belimo
    serial: {site}-valve
    site: {site}
    name: Valve
    max_power_w: none
    every: 15m
    points:
      - {{key: heat, name: Heat, quantity: heating_energy}}
"""
        for site in zones
    )
    return f"version: 1\nsites:\n{sites}devices:{devices}{extra}"


def portfolio_of(zones: dict[str, str], *, extra: str = "") -> Portfolio:
    return parse_portfolio(portfolio_text(zones, extra=extra))


def energy_of_quarter(index: int, *, point: str) -> float:
    """Energy of the quarter-hour that is the index-th since 1970, Wh; thirds test the rounding."""
    base = {"import": 100.0, "export": 7.0, "heat": 31.0, "water": 1.0}[point.rsplit("/", 1)[1]]
    return base + (index * 7919 % 97) / 3


def quarter_of(instant: datetime) -> int:
    return int(instant.timestamp()) // 900


def true_energy(point: str, *, start: datetime, end: datetime) -> float:
    return sum(
        energy_of_quarter(index, point=point) for index in range(quarter_of(start), quarter_of(end))
    )


@dataclass
class World:
    """Writes the core day files of a portfolio; samples stand on quarter-hours."""

    lake: Lake
    portfolio: Portfolio
    start: datetime
    silent: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    scale: dict[str, float] = field(default_factory=dict)
    unbridged: set[str] = field(default_factory=set)

    def samples(self, point: str, *, end: datetime) -> list[datetime]:
        gap = self.silent.get(point)
        count = int((end - self.start) / QUARTER)
        times = [self.start + n * QUARTER for n in range(count)]
        return [at for at in times if gap is None or not gap[0] <= at < gap[1]]

    def write(self, days: list[str], *, complete: bool = True) -> None:
        """Write the day files; a day's energy may depend on any earlier sample."""
        for day in days:
            self._write_day(day)
        for vendor in ("socomec", "belimo"):
            for day in days:
                self.land(vendor, day=day, closed=complete)

    def land(
        self, vendor: Vendor, *, day: str, closed: bool, until: datetime | None = None
    ) -> None:
        table = day_tables()[vendor]
        end = until or day_bounds(day)[1]
        self.lake.write(
            table,
            table.empty(),
            day=day,
            meta={COMPLETE_UNTIL: end.isoformat(), CLOSED: "true" if closed else "false"},
        )

    def _write_day(self, day: str) -> None:
        start, end = day_bounds(day)
        readings: list[dict[str, object]] = []
        deltas: list[dict[str, object]] = []
        for point in self.portfolio.points.values():
            times = self.samples(point.point_id, end=end)
            today = [at for at in times if at >= start]
            is_register = point.kind == "register"
            for at in today:
                value = 1000.0 + (quarter_of(at) * 31 % 41) if not is_register else 1.0
                readings.append(
                    {
                        "point_id": point.point_id,
                        "at": at,
                        "quantity": point.quantity,
                        "value": value,
                        "unit": UNITS.get(point.quantity, "W"),
                        "text": None,
                        "status": "ok",
                        "reason": None,
                    }
                )
            if is_register:
                before = [at for at in times if at < start][-1:]
                deltas += self._deltas(point.point_id, before=before, today=today)
        self.put(CORE_READINGS, readings, day=day)
        water = [row for row in deltas if str(row["point_id"]).endswith("/water")]
        energy = [row for row in deltas if row not in water]
        self.put(CORE_ENERGY_DELTAS, energy, day=day)
        self.put(CORE_REGISTER_REJECTS, [], day=day)
        self.put(CORE_ENERGY_INTERVALS, intervals(energy), day=day)
        if water:
            self.put(CORE_CONSUMPTION_DELTAS, _as_volume(water), day=day)
            self.put(CORE_CONSUMPTION_INTERVALS, _as_volume(intervals(water)), day=day)

    def _deltas(
        self, point: str, *, before: list[datetime], today: list[datetime]
    ) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        previous = before[0] if before else None
        for at in today:
            start = at if previous is None else previous
            if at - start > GAP and point in self.unbridged:
                start = at
            is_first = start == at
            energy = true_energy(point, start=start, end=at) * self.scale.get(point, 1.0)
            long = at - start > GAP
            rows.append(
                {
                    "point_id": point,
                    "end_at": at,
                    "start_at": start,
                    "counted_from": start,
                    "register_start_wh": None,
                    "register_end_wh": None,
                    "energy_wh": None if is_first else energy,
                    "status": "first" if is_first else "gap" if long else "ok",
                    "estimated": long,
                    "dropped": 0,
                    "reason": None,
                    "method": "register",
                }
            )
            previous = at
        return rows

    def spread(self, day: str) -> None:
        """Make a day's buckets from its steps as they are now."""
        rows = self.lake.read(CORE_ENERGY_DELTAS, day=day).to_dicts()
        self.put(CORE_ENERGY_INTERVALS, intervals(rows), day=day)

    def put(self, table: Table, rows: list[dict[str, object]], *, day: str) -> None:
        frame = pl.DataFrame(rows, schema=table.schema).sort(table.sort_key)
        self.lake.write(table, frame, day=day)


def _as_volume(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Call watt-hours cubic metres."""
    names = {
        "register_start_wh": "register_start",
        "register_end_wh": "register_end",
        "energy_wh": "consumption",
        "estimated_wh": "estimated_consumption",
    }
    said = {"quantity": "volume", "unit": "m³", "refused": 0.0}
    return [{names.get(name, name): row[name] for name in row} | said for row in rows]


def intervals(deltas: list[dict[str, object]]) -> list[dict[str, object]]:
    """Spread each step evenly over the quarter-hours it spans; samples stand on the grid."""
    sums: dict[tuple[str, datetime], list[float]] = {}
    for delta in deltas:
        energy = delta["energy_wh"]
        start, end = delta["start_at"], delta["end_at"]
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        if not isinstance(energy, float) or start == end:
            continue
        count = int((end - start) / QUARTER)
        for n in range(count):
            found = sums.setdefault((str(delta["point_id"]), start + n * QUARTER), [0.0, 0.0, 0.0])
            found[0] += energy / count
            found[1] += energy / count if delta["estimated"] else 0.0
            found[2] += 900.0
    return [
        {
            "point_id": point,
            "interval_start": at,
            "energy_wh": energy,
            "estimated_wh": estimated,
            "covered_s": covered,
            "method": "register",
        }
        for (point, at), (energy, estimated, covered) in sums.items()
    ]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_from(first: str, count: int) -> list[str]:
    start = date.fromisoformat(first)
    return day_range(first, (start + timedelta(days=count - 1)).isoformat())


__all__ = [
    "GAP",
    "PROJECT",
    "QUARTER",
    "ZONES",
    "World",
    "day_of",
    "days_from",
    "energy_of_quarter",
    "intervals",
    "portfolio_of",
    "portfolio_text",
    "true_energy",
    "utc",
]
