"""Thirty days of every register of the simulated world: no watt-hour is lost or made."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from energy_platform.days import day_bounds, day_range
from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_ENERGY_INTERVALS
from energy_platform.simulators.world import Signal, World
from energy_platform.warehouse.calendars import day_start
from energy_platform_tests.refresh.simulated import land_signals, portfolio_of
from energy_platform_tests.refresh.world import energy_by_point

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS: Final = day_range("2026-03-08", "2026-04-06")
"""Thirty days with the change of the clock in both Los Angeles and Paris."""

COUNTS_PER_WH: Final = {"J": 3600.0, "WATT_HOUR": 1.0, "KILOWATT_HOUR": 1e-3, "kWh": 1e-3}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def signals(world: World) -> Mapping[str, Signal]:
    known = portfolio_of(world).points
    return {
        one.key: one
        for one in world.signals.values()
        if one.kind == "register"
        and one.curve is not None
        and one.unit in COUNTS_PER_WH
        and "word_swapped" not in one.traits
        and one.key in known
    }


@pytest.fixture(scope="module")
def lake(
    world: World, signals: Mapping[str, Signal], tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    made = Lake(tmp_path_factory.mktemp("month") / "lake")
    land_signals(made, signals.values(), days=DAYS)
    refresh(made, portfolio=portfolio_of(world))
    return made


def bounds() -> tuple[float, float]:
    return day_bounds(DAYS[0])[0].timestamp(), day_bounds(DAYS[-1])[1].timestamp()


def test_every_register_ends_at_last_minus_first_to_the_count(
    lake: Lake, signals: Mapping[str, Signal]
) -> None:
    energy = energy_by_point(lake)
    moved = 0
    for key, signal in signals.items():
        values = signal.samples(*bounds()).values
        step = float(values[-1] - values[0])
        if not values.any():
            continue  # a dead meter shows zeros for ever
        scale = 10**signal.decimals
        assert round(energy[key] * COUNTS_PER_WH[signal.unit] * scale) == round(step * scale), key
        moved += step > 0
    assert moved > 50


def test_the_parts_of_the_local_days_are_the_whole(
    lake: Lake, world: World, signals: Mapping[str, Signal]
) -> None:
    found: dict[str, float] = defaultdict(float)
    intervals = lake.scan(CORE_ENERGY_INTERVALS).collect()
    for site in world.sites:
        own = intervals.filter(
            pl.col("point_id").is_in([s.key for s in signals.values() if s.site == site.key])
        )
        first = date.fromisoformat(DAYS[0]) - timedelta(days=1)
        for n in range(len(DAYS) + 2):
            start = day_start(first + timedelta(days=n), timezone=site.zone)
            end = day_start(first + timedelta(days=n + 1), timezone=site.zone)
            inside = pl.col("interval_start").is_between(start, end, closed="left")
            for key, energy in (
                own.filter(inside).group_by("point_id").agg(pl.col("energy_wh").sum()).iter_rows()
            ):
                found[key] += energy
    for key, energy in energy_by_point(lake).items():
        assert found[key] == pytest.approx(energy, abs=1e-6, rel=1e-13), key
        if signals[key].unit == "WATT_HOUR":
            # Whole watt-hours: micro-watt-hours on a binary grid, so sums are exact.
            assert found[key] == energy, key


def test_the_month_is_what_truly_flowed_to_within_two_counts(
    lake: Lake, signals: Mapping[str, Signal]
) -> None:
    energy = energy_by_point(lake)
    for key, signal in signals.items():
        samples = signal.samples(*bounds())
        if not samples.values.any():
            continue
        truth = signal.true_energy_wh(float(samples.at[0]), float(samples.at[-1]))
        count = 1 / COUNTS_PER_WH[signal.unit] / 10**signal.decimals
        assert abs(energy[key] - truth) <= 2 * count, key
