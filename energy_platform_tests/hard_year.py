"""A year of meters that are hard to read, from readings to the published days, as a table.

    python -m energy_platform_tests.hard_year

A meter per row, read as such meters are: in whole kWh, once it stood still, replaced with and
without notice, with a limit in the wrong unit, with wrong readings in between. What each local day
used is known from the load that the meter was given. A day whose figure is ``final`` and wrong,
without being estimated, is an error that nobody would see. Exit code 1 when there is any.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import polars as pl

from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.published import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

ZONE: Final = ZoneInfo("Europe/Paris")
FIRST: Final = date(2025, 1, 1)
DAYS: Final = 365
MINUTES: Final = 1440
PEAK_W: Final = 6000
"""No load is higher."""

SETTLING_WH: Final = PEAK_W * 3 // 4 // 10
"""What three readings settle together is spread evenly over their three quarters of an hour: a
midnight within them may shift so much, loads being what they are here. So it is where a reading at
midnight is false: the step over it is shorter than ``gap_after``, hence not estimated."""


@dataclass(frozen=True, kw_only=True)
class HardMeter:
    """A meter, what it counted and how it is read.

    Attributes:
        name: Serial number, and what is hard about it.
        every: Minutes between readings.
        step: Wh that its last digit stands for; no day can be known better.
        unit: What it prints.
        shows: What it shows at each reading, in its unit, from what it counted in Wh.
        policy: Lines of its point in the portfolio.
        needs: What the published days must say somewhere, beside being right or marked.
    """

    name: str
    every: int = 15
    step: int = 1
    unit: str = "Wh"
    shows: Callable[[NDArray[np.int64]], NDArray[np.float64]] = field(
        default=lambda counted: counted.astype(np.float64)
    )
    policy: str = "max_power_w: 8000"
    needs: frozenset[str] = frozenset()


def load_w(minute: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a building's load in W: a working day, a season, and never quite the same."""
    day, of_day = minute // MINUTES, minute % MINUTES
    works = (of_day > 7 * 60) & (of_day < 18 * 60) & (day % 7 < 5)
    season = 600 * (1 + np.cos(2 * np.pi * day / 365))
    noise = (minute // 15 * 7919 % 997) * 1.5
    watts: NDArray[np.int64] = np.minimum(180 + season + works * 2200 + noise, PEAK_W).astype(
        np.int64
    )
    return watts


def counted_wh(days: int) -> NDArray[np.int64]:
    """Return what a meter with that load has counted by each minute, in whole Wh, from 4 GWh on."""
    minutes = np.arange(days * MINUTES + 1)
    return 4_000_000_000 + np.cumsum(load_w(minutes)) // 60


def _at(day: int, hour: float = 0) -> int:
    """Return the quarter-hour at which something happens."""
    return day * 96 + int(hour * 4)


def _floored(step: int) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    return lambda counted: (counted // step * step).astype(np.float64)


def _megawatt_hours(counted: NDArray[np.int64]) -> NDArray[np.float64]:
    shown: NDArray[np.float64] = np.round(counted // 1_000 / 1_000, 3)
    return shown


def _increments(*, stamped_at_start: bool) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a meter that prints what was used in a period, at the instant of its start or end."""

    def shows(counted: NDArray[np.int64]) -> NDArray[np.float64]:
        used = np.diff(counted).astype(np.float64)
        # The one period of which nothing is known: after the last instant, or before the first.
        return np.append(used, np.nan) if stamped_at_start else np.insert(used, 0, np.nan)

    return shows


def _frozen(counted: NDArray[np.int64]) -> NDArray[np.float64]:
    shown = counted.astype(np.float64)
    for first, last in ((_at(9, 10), _at(12, 15)), (_at(18, 2), _at(18, 9)), (_at(25), _at(26))):
        shown[first:last] = shown[first]
    return shown


def _replaced(by: int) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a meter that is replaced, on the 15th day at noon, by one that shows so much more."""

    def shows(counted: NDArray[np.int64]) -> NDArray[np.float64]:
        shown = counted.astype(np.float64)
        shown[_at(15, 12) :] += by
        return shown

    return shows


def _restarts(readings: int) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Return a counter that shows a session's or a day's energy and then begins again."""

    def shows(counted: NDArray[np.int64]) -> NDArray[np.float64]:
        begins = np.maximum(np.arange(counted.size) - 1, 0) // readings * readings
        shown: NDArray[np.float64] = (counted - counted[begins]).astype(np.float64)
        return shown

    return shows


def _disturbed(counted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Show zeros, spikes and dips now and then, one or two at a time, never three."""
    shown = counted.astype(np.float64)
    place = np.arange(counted.size)
    shown[place % 211 == 7] = 0
    shown[place % 307 == 11] *= 3
    shown[place % 401 == 13] *= 0.5
    for offset in (0, 1):
        shown[place % 503 == 17 + offset] = 12_345
    return shown


def _silent(counted: NDArray[np.int64]) -> NDArray[np.float64]:
    shown = counted.astype(np.float64)
    shown[_at(7, 3) : _at(13, 5)] = np.nan
    return shown


MARKER: Final = (
    "reset_markers: [{at: '2025-01-16T12:00:00Z', final_wh: %(final)d, start_wh: %(start)d}]"
)


def meters(days: int = DAYS) -> tuple[HardMeter, ...]:
    """Return the meters of a year, or of its first days."""
    counted = counted_wh(days)
    exchanged = int(counted[_at(15, 12) * 15])
    marker = MARKER % {"final": exchanged, "start": exchanged - 3_999_000_000}
    return (
        HardMeter(name="plain"),
        HardMeter(name="whole kWh each minute", every=1, step=1000, shows=_floored(1000)),
        HardMeter(
            name="whole kWh, no limit", step=1000, shows=_floored(1000), policy="max_power_w: none"
        ),
        HardMeter(name="tenths of a kWh", step=100, shows=_floored(100)),
        HardMeter(name="MWh with three decimals", step=1_000, unit="MWh", shows=_megawatt_hours),
        HardMeter(
            name="stamped at the start",
            shows=_increments(stamped_at_start=True),
            policy="kind: increment, stamp: start, width: 15m",
        ),
        HardMeter(
            name="stamped at the end",
            shows=_increments(stamped_at_start=False),
            policy="kind: increment, stamp: end, width: 15m",
        ),
        HardMeter(
            name="whole 100 kWh, no limit",
            step=100_000,
            shows=_floored(100_000),
            policy="max_power_w: none",
        ),
        HardMeter(name="frozen", shows=_frozen),
        HardMeter(name="frozen, no limit", shows=_frozen, policy="max_power_w: none"),
        HardMeter(
            name="replaced by one that shows less",
            shows=_replaced(-350_000_000),
            needs=frozenset({"disputed"}),
        ),
        HardMeter(
            name="replaced by a new one",
            shows=_replaced(-4_000_000_000 + 137),
            needs=frozenset({"disputed"}),
        ),
        HardMeter(
            name="replaced by one that shows more",
            shows=_replaced(7_000_000),
            policy="max_power_w: none",
            needs=frozenset({"disputed"}),
        ),
        HardMeter(
            name="replaced with notice",
            shows=_replaced(-3_999_000_000),
            policy=f"max_power_w: 8000, {marker}",
        ),
        HardMeter(name="counter of a day", shows=_restarts(96), step=SETTLING_WH),
        HardMeter(name="counter of sessions", shows=_restarts(14), step=SETTLING_WH),
        HardMeter(
            name="limit in kW",
            policy="max_power_w: 8",
            step=SETTLING_WH,
            needs=frozenset({"over limit"}),
        ),
        HardMeter(
            name="limit a quarter too small",
            policy="max_power_w: 2000",
            needs=frozenset({"over limit"}),
        ),
        HardMeter(
            name="rolls over",
            shows=lambda counted: (counted % 100_000).astype(np.float64),
            policy="max_power_w: 8000, register_modulus_wh: 100000",
            step=SETTLING_WH,
        ),
        HardMeter(name="disturbed", shows=_disturbed, step=SETTLING_WH),
        HardMeter(name="silent for six days", shows=_silent),
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the published local days of a meter come to.

    Attributes:
        right: Days within the meter's last digit.
        estimated: Days that are not, and say that they are estimated.
        marked: Days that are not, and are not final.
        silent: The others, with their figure and what was used, Wh.
        used_wh: What the meter counted on all days.
        energy_wh: What was booked.
        refused_wh: What was refused.
        said: Kinds of marks that were found.
    """

    meter: HardMeter
    right: int
    estimated: int
    marked: int
    silent: tuple[tuple[date, float, float], ...]
    used_wh: float
    energy_wh: float
    refused_wh: float
    said: frozenset[str]

    @property
    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        if self.silent:
            day, energy, used = self.silent[0]
            return f"{len(self.silent)} silent errors, first {day}: {energy:,.0f}, used {used:,.0f}"
        missing = self.meter.needs - self.said
        return f"nothing says {', '.join(sorted(missing))}" if missing else ""


def _portfolio(hard: Sequence[HardMeter]) -> Portfolio:
    devices = "".join(
        f"""
  - vendor: socomec
    serial: {meter.name}
    site: here
    name: {meter.name}
    points: [{{key: Global|0|1, name: Import, quantity: active_energy_import,
              unit: {meter.unit}, {meter.policy}}}]"""
        for meter in hard
    )
    site = "  - {id: here, name: Here, timezone: Europe/Paris}\n"
    return parse_portfolio(f"version: 1\nsites:\n{site}devices:{devices}\n")


def _readings(meter: HardMeter, counted: NDArray[np.int64]) -> pl.DataFrame:
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    at = pl.datetime_range(
        start,
        start + timedelta(minutes=counted.size - 1),
        f"{meter.every}m",
        time_unit="us",
        eager=True,
    )
    value = pl.Series(meter.shows(counted[:: meter.every])).fill_nan(None)
    return pl.DataFrame({"at": at, "value": value}).select(
        device_uuid=pl.lit(meter.name),
        serial_number=pl.lit(meter.name),
        item_type=pl.lit("Global"),
        item_index=pl.lit("0"),
        service_id=pl.lit("1"),
        at="at",
        value="value",
    )


def _datapoints(hard: Sequence[HardMeter], counted: NDArray[np.int64]) -> pl.DataFrame:
    rows = pl.concat([_readings(meter, counted) for meter in hard]).drop_nulls("value")
    return pl.concat([RAW_SOCOMEC_DATAPOINTS.empty(), rows], how="diagonal_relaxed")


def _minute_of(day: date) -> int:
    """Return the minute since the first reading at which a local day begins."""
    begins = datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)
    first = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    return int((begins - first).total_seconds()) // 60


def measure(folder: Path, *, days: int = DAYS) -> list[Verdict]:
    """Read the meters, build the marts, and judge each published local day.

    Args:
        folder: An empty data folder.
        days: How much of the year, at least 30 days, within which everything happens once.
    """
    hard, counted = meters(days), counted_wh(days)
    published = publish(folder, _datapoints(hard, counted), portfolio=_portfolio(hard))
    with duckdb.connect(str(published), read_only=True) as connection:
        rows = connection.execute(
            "select dim_device.serial, local_day, fct_energy_daily.energy_wh, estimated_wh, "
            "fct_energy_daily.refused_wh, status, over_limit_steps "
            "from fct_energy_daily join dim_point using (point_id, site_id) "
            "join dim_device using (device_id, site_id) "
            "left join fct_quality_daily using (point_id, site_id, local_day) order by local_day"
        ).pl()
    return [_judged(meter, rows.filter(pl.col("serial") == meter.name), counted) for meter in hard]


def _judged(meter: HardMeter, rows: pl.DataFrame, counted: NDArray[np.int64]) -> Verdict:
    right = estimated = marked = 0
    silent = []
    used_wh, last = 0.0, counted.size - 1
    for day, energy, guessed, _, status, _ in rows.drop("serial").iter_rows():
        begins, ends = _minute_of(day), _minute_of(day + timedelta(days=1))
        used = float(counted[min(max(ends, 0), last)] - counted[min(max(begins, 0), last)])
        used_wh += used
        if energy is not None and abs(energy - used) <= meter.step:
            right += 1
        elif status != "final":
            marked += 1
        elif guessed:
            estimated += 1
        else:
            silent.append((day, energy or 0.0, used))
    said = set(rows["status"])
    if rows["over_limit_steps"].sum():
        said.add("over limit")
    return Verdict(
        meter=meter,
        right=right,
        estimated=estimated,
        marked=marked,
        silent=tuple(silent),
        used_wh=used_wh,
        energy_wh=float(rows["energy_wh"].sum()),
        refused_wh=float(rows["refused_wh"].sum()),
        said=frozenset(said),
    )


def main() -> int:
    """Print the table; 1 when anything is wrong in silence."""
    parser = argparse.ArgumentParser(prog="hard_year", description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS, help="of the year, 30 or more")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hard-year-") as folder:
        verdicts = measure(Path(folder), days=asked.days)
    print(
        f"{'meter':34} {'days right':>10} {'estimated':>9} {'marked':>6} {'silent':>6} "
        f"{'used_wh':>14} {'energy_wh':>14} {'refused_wh':>14}"
    )
    for one in verdicts:
        print(
            f"{one.meter.name:34} {one.right:>10} {one.estimated:>9} {one.marked:>6} "
            f"{len(one.silent):>6} {one.used_wh:>14,.0f} {one.energy_wh:>14,.0f} "
            f"{one.refused_wh:>14,.0f}  {one.problem}".rstrip()
        )
    wrong = [one for one in verdicts if one.problem]
    silent = sum(len(one.silent) for one in verdicts)
    print(f"\n{len(verdicts)} meters, {silent} silent errors, {len(wrong)} meters wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
