"""Local days of many zones, from readings through the real marts, as a table.

    python -m energy_platform_tests.zones

A meter per row is read every quarter-hour of its days; the lake, the walk, dbt and the published
file are the platform's own. What a local day should hold is found another way: the quarter-hours
whose local date, by Python's ``zoneinfo``, is that day. Exit code 1 when any row is wrong.
"""

# ruff: noqa: T201

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.published import publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

QUARTER: Final = timedelta(minutes=15)

AROUND: Final = timedelta(hours=3)
"""A meter is read so long before and after its local day: no neighbour's energy may leak in."""

ROUNDING: Final = 1e-9
"""Energies are whole watt-hours; sums of them are exact far below this."""


class LocalDay(NamedTuple):
    """A local day and how long it is; 0 hours: the zone skipped it."""

    timezone: str
    day: str
    hours: float
    why: str = ""


LOCAL_DAYS: Final = (
    LocalDay("Europe/Paris", "2026-03-29", 23, "spring"),
    LocalDay("Europe/Paris", "2026-06-01", 24),
    LocalDay("Europe/Paris", "2026-10-25", 25, "autumn"),
    LocalDay("America/Los_Angeles", "2026-03-08", 23, "spring"),
    LocalDay("America/Los_Angeles", "2026-06-01", 24),
    LocalDay("America/Los_Angeles", "2026-11-01", 25, "autumn"),
    LocalDay("Asia/Kolkata", "2026-03-29", 24, "half past, no change"),
    LocalDay("Asia/Kolkata", "2026-10-25", 24, "half past, no change"),
    LocalDay("Asia/Kathmandu", "2026-03-29", 24, "a quarter to, no change"),
    LocalDay("Asia/Kathmandu", "2026-10-25", 24, "a quarter to, no change"),
    LocalDay("Australia/Lord_Howe", "2026-04-05", 24.5, "autumn, half an hour"),
    LocalDay("Australia/Lord_Howe", "2026-06-01", 24),
    LocalDay("Australia/Lord_Howe", "2026-10-04", 23.5, "spring, half an hour"),
    LocalDay("Pacific/Chatham", "2026-04-05", 25, "autumn, a quarter to"),
    LocalDay("Pacific/Chatham", "2026-06-01", 24),
    LocalDay("Pacific/Chatham", "2026-09-27", 23, "spring, a quarter to"),
    LocalDay("America/Sao_Paulo", "2018-11-04", 23, "spring, no midnight"),
    LocalDay("America/Sao_Paulo", "2019-02-16", 25, "autumn, the last one"),
    LocalDay("America/Sao_Paulo", "2019-11-03", 24, "rule dropped"),
    LocalDay("Asia/Pyongyang", "2015-08-14", 24.5, "new offset, half an hour back"),
    LocalDay("Asia/Pyongyang", "2018-05-04", 23.5, "old offset again"),
    LocalDay("Asia/Pyongyang", "2018-05-05", 24),
    LocalDay("Europe/Volgograd", "2018-10-28", 23, "new offset"),
    LocalDay("Europe/Volgograd", "2020-12-27", 25, "old offset again"),
    LocalDay("Europe/Volgograd", "2026-03-29", 24),
    LocalDay("Africa/Casablanca", "2025-02-23", 25, "before Ramadan"),
    LocalDay("Africa/Casablanca", "2025-03-10", 24, "in Ramadan"),
    LocalDay("Africa/Casablanca", "2025-04-06", 23, "after Ramadan"),
    LocalDay("Pacific/Apia", "2011-12-29", 24),
    LocalDay("Pacific/Apia", "2011-12-30", 0, "skipped with the date line"),
    LocalDay("Pacific/Apia", "2011-12-31", 24),
    LocalDay("UTC", "2026-03-29", 24),
    LocalDay("UTC", "2026-10-25", 24),
)
"""Days on which clocks change, or do not: of the year's two changes both, and a plain day."""


class Row(NamedTuple):
    """A local day as the marts have it, and as it should be; figures are None without a row."""

    said: LocalDay
    expected_s: float | None
    covered_s: float | None
    energy_wh: float | None
    status: str | None
    true_s: float
    true_wh: float

    @property
    def problem(self) -> str:
        """What is wrong with the row; empty when nothing is."""
        if self.said.hours * 3600 != self.true_s:
            return f"zoneinfo says {self.true_s / 3600:g} h"
        if not self.true_s:
            return "" if self.expected_s is None else "a day that never was has a row"
        if self.expected_s is None or self.covered_s is None or self.energy_wh is None:
            return "no row"
        if self.expected_s != self.true_s:
            return f"expected_s should be {self.true_s:g}"
        if self.covered_s != self.true_s:
            return f"covered_s should be {self.true_s:g}"
        if abs(self.energy_wh - self.true_wh) > ROUNDING:
            return f"energy_wh should be {self.true_wh:g}"
        return "" if self.status == "final" else "should be final"


def quarters_of(said: LocalDay) -> list[datetime]:
    """Return the quarter-hours that begin on a local day, asking of each what its date is there."""
    zone, day = ZoneInfo(said.timezone), date.fromisoformat(said.day)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    near = (noon + n * QUARTER for n in range(-192, 193))
    return [at for at in near if at.astimezone(zone).date() == day]


def energy_of(quarter: datetime) -> int:
    """Return the energy of a quarter-hour, whole Wh, different for each one near it."""
    return 100 + int(quarter.timestamp()) // 900 * 7919 % 997


def _read_at(said: LocalDay) -> list[datetime]:
    """Return when a day's meter is read; one of a day that never was, around its midnight UTC."""
    own = quarters_of(said) or [datetime.fromisoformat(f"{said.day}T10:00:00Z")]
    first, last = own[0] - AROUND, own[-1] + QUARTER + AROUND
    return [first + n * QUARTER for n in range((last - first) // QUARTER + 1)]


def _serial(said: LocalDay) -> str:
    return f"{said.timezone.replace('/', '-')}-{said.day}"


def _portfolio(days: Iterable[LocalDay]) -> Portfolio:
    days = list(days)
    sites = "".join(
        f"  - {{id: {zone.replace('/', '-')}, name: {zone}, timezone: {zone}}}\n"
        for zone in dict.fromkeys(said.timezone for said in days)
    )
    devices = "".join(
        f"""
  - vendor: socomec
    serial: {_serial(said)}
    site: {said.timezone.replace("/", "-")}
    name: {_serial(said)}
    points: [{{key: Global|0|1, name: Import, quantity: active_energy_import, unit: Wh,
              max_power_w: none}}]"""
        for said in days
    )
    return parse_portfolio(f"version: 1\nsites:\n{sites}devices:{devices}\n")


def _datapoints(days: Iterable[LocalDay]) -> pl.DataFrame:
    rows = []
    for said in days:
        register = 5000
        for at in _read_at(said):
            rows.append({"serial_number": _serial(said), "at": at, "value": float(register)})
            register += energy_of(at)
    return pl.DataFrame(
        [
            {"device_uuid": row["serial_number"], "item_type": "Global", "item_index": "0"}
            | {"service_id": "1", **row}
            for row in rows
        ],
        schema=RAW_SOCOMEC_DATAPOINTS.schema,
    )


def measure(folder: Path, days: Sequence[LocalDay] = LOCAL_DAYS) -> list[Row]:
    """Read the meters, build the marts, and ask the published file for each local day.

    Args:
        folder: An empty data folder.
        days: Which local days; each has a meter of its own.
    """
    published = publish(folder, _datapoints(days), portfolio=_portfolio(days))
    with duckdb.connect(str(published), read_only=True) as connection:
        found = {
            (point_id, str(day)): rest
            for point_id, day, *rest in connection.execute(
                "select point_id, local_day, expected_s, covered_s, energy_wh, status "
                "from fct_energy_daily"
            ).fetchall()
        }
    rows = []
    for said in days:
        own = quarters_of(said)
        point_id = f"socomec/{_serial(said)}/Global|0|1"
        expected_s, covered_s, energy_wh, status = found.get((point_id, said.day), [None] * 4)
        rows.append(
            Row(
                said,
                expected_s=expected_s,
                covered_s=covered_s,
                energy_wh=energy_wh,
                status=status,
                true_s=len(own) * QUARTER.total_seconds(),
                true_wh=float(sum(map(energy_of, own))),
            )
        )
    return rows


def _line(row: Row) -> str:
    said = row.said
    figures = (
        ("-", "-", "-", "no such day")
        if row.expected_s is None
        else (
            f"{row.expected_s:,.0f}",
            f"{row.covered_s:,.0f}",
            f"{row.energy_wh:,.1f}",
            str(row.status),
        )
    )
    expected_s, covered_s, energy_wh, status = figures
    verdict = f"WRONG: {row.problem}" if row.problem else said.why
    return (
        f"{said.timezone:20} {said.day}  {said.hours:>5g}  {expected_s:>10}  {covered_s:>9}  "
        f"{energy_wh:>9}  {status:11}  {verdict}"
    ).rstrip()


def main() -> int:
    """Print the table; 1 when any row is wrong."""
    with tempfile.TemporaryDirectory(prefix="zones-") as folder:
        rows = measure(Path(folder))
    print(
        f"{'zone':20} {'local day':10}  {'hours':>5}  {'expected_s':>10}  {'covered_s':>9}  "
        f"{'energy_wh':>9}  {'status':11}  what happens"
    )
    print("\n".join(map(_line, rows)))
    wrong = [row for row in rows if row.problem]
    print(f"\n{len(rows)} local days of {len({r.said.timezone for r in rows})} zones: ", end="")
    print(f"{len(wrong)} WRONG" if wrong else "all as zoneinfo and the meters say")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
