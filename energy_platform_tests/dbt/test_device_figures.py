"""Figures of valves, UPS and batteries against what can be worked out by hand."""

from __future__ import annotations

import math
import shutil
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS, CORE_TABLES
from energy_platform.warehouse import Warehouse
from energy_platform_tests.dbt.metered import metered, rows
from energy_platform_tests.warehouse.warehouse_world import PROJECT, World, days_from, utc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAYS = days_from("2026-09-30", 5)
START = utc("2026-10-01T00:00")
QUARTERS = 96 * 3
FIVE_MINUTES = timedelta(minutes=5)
J_PER_M3_K = 4.18e6

PORTFOLIO = """
version: 1
sites:
  - {id: s, name: S, timezone: UTC}
devices:
  - {vendor: belimo, serial: even, site: s, name: Even, max_power_w: none, design_delta_t_k: 7,
     points: [
      {key: heat, name: Heat, quantity: heating_energy},
      {key: difference, name: Difference, quantity: temperature_difference, unit: K},
      {key: flow, name: Flow, quantity: volume_flow, unit: m³/h},
      {key: position, name: Position, quantity: valve_position, unit: "%"}]}
  - {vendor: belimo, serial: pair, site: s, name: Pair, max_power_w: none,
     points: [
      {key: cold, name: Cold, quantity: cooling_energy, confidence: low},
      {key: supply, name: Supply, quantity: supply_temperature, unit: °C},
      {key: return, name: Return, quantity: return_temperature, unit: °C},
      {key: position, name: Position, quantity: valve_position, unit: "%"}]}
  - {vendor: socomec, serial: ups, site: s, name: UPS, max_power_w: none,
     points: [
      {key: rate, name: Load rate, quantity: load_rate, unit: "%"},
      {key: in, name: In, quantity: input_energy},
      {key: out, name: Out, quantity: active_energy_import},
      {key: over, name: Overloads, quantity: overload_count, kind: increment, unit: count},
      {key: battery, name: On battery, quantity: time_on_battery, unit: s},
      {key: bypass, name: On bypass, quantity: time_on_bypass, unit: s}]}
  - {vendor: socomec, serial: main, site: s, name: Main, role: main, max_power_w: none,
     points: [{key: in, name: In, quantity: active_energy_import}]}
  - {vendor: socomec, serial: battery, site: s, name: Battery, role: storage, max_power_w: none,
     rated_capacity_wh: 100000, points: [
      {key: up, name: Up, quantity: battery_energy_charge},
      {key: down, name: Down, quantity: battery_energy_discharge},
      {key: soc, name: State of charge, quantity: state_of_charge, unit: "%"}]}
"""

CAPACITY_WH = 90_000.0
EFFICIENCY = 0.88


def _difference(seconds: float) -> float:
    return 8 + 2 * math.sin(2 * math.pi * seconds / 7200)


def _position(seconds: float) -> float:
    return round(50 + 35 * math.sin(2 * math.pi * seconds / 43_200))


def _restless(seconds: float) -> float:
    """Fully open from six to noon; from then on for an hour it turns round at every reading."""
    of_day = seconds % 86_400
    if of_day < 6 * 3600:
        return 40.0
    if of_day < 12 * 3600:
        return 100.0
    if of_day < 13 * 3600:
        return 60.0 + 6.0 * (of_day // 300 % 2)
    return 60.0


def _load(seconds: float) -> float:
    """40 % for twelve hours, 80 % for eleven, 110 % for one."""
    hour = seconds % 86_400 / 3600
    return 40.0 if hour < 12 else 80.0 if hour < 23 else 110.0


FALLS, RISES = (7_300.0, 36_100.0), (50_500.0, 79_300.0)
"""Seconds of the day in which the battery gives and takes, off the quarter-hours."""


def _done(seconds: float, span: tuple[float, float]) -> float:
    """Return which part of a span of the day is over."""
    return min(max(seconds % 86_400 - span[0], 0.0) / (span[1] - span[0]), 1.0)


def _soc(seconds: float) -> float:
    """Down by 60 % in the morning, up by as much in the evening; by less on the third day."""
    rise = 60.0 if seconds < 2 * 86_400 else 40.0
    return 80 - 60 * _done(seconds, FALLS) + rise * _done(seconds, RISES)


def _energies(span: tuple[float, float], wh: float) -> list[float]:
    """Return the quarter-hours of a day in which so much flows evenly over a span."""
    edges = [_done(min(n * 900.0, 86_399.999), span) for n in range(97)]
    return [(after - before) * wh for before, after in pairwise(edges)]


def _read(
    of: Callable[[float], float], unit: str, *, late_s: int = 0
) -> list[tuple[datetime, float, str]]:
    """Return readings every five minutes, up to a while after the energies."""
    late = timedelta(seconds=late_s)
    numbers = range(-1 if late_s else 0, 3 * 24 * 12 + 2)
    return [(START + n * FIVE_MINUTES + late, of(n * 300.0 + late_s), unit) for n in numbers]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    given = CAPACITY_WH * 0.6
    halves = [n % 96 < 48 for n in range(QUARTERS)]
    power_w = 6000.0
    return metered(
        tmp_path_factory.mktemp("devices"),
        PORTFOLIO,
        start=START,
        days=DAYS,
        energies={
            "belimo/even/heat": [power_w / 4] * QUARTERS,
            # Twice as much energy in the hours in which the difference is 4 K as when it is 12 K.
            "belimo/pair/cold": [200.0 if half else 100.0 for half in halves],
            "socomec/main/in": [9000.0] * QUARTERS,
            "socomec/ups/in": [250.0] * QUARTERS,
            "socomec/ups/out": [235.0] * QUARTERS,
            "socomec/battery/down": _energies(FALLS, given) * 3,
            "socomec/battery/up": [
                wh * share for share in (1, 1, 2 / 3) for wh in _energies(RISES, given / EFFICIENCY)
            ],
        },
        readings={
            "belimo/even/difference": _read(_difference, "K"),
            "belimo/even/flow": _read(
                lambda s: power_w / (_difference(s) * J_PER_M3_K) * 3600, "m³/h", late_s=60
            ),
            "belimo/even/position": _read(_position, "%"),
            "belimo/pair/supply": _read(lambda _: 6.0, "°C"),
            "belimo/pair/return": _read(lambda s: 10.0 if s % 86_400 < 43_200 else 18.0, "°C"),
            "belimo/pair/position": _read(_restless, "%"),
            "socomec/ups/rate": _read(_load, "%"),
            # Between the quarter-hours, as gauges are read.
            "socomec/battery/soc": _read(_soc, "%", late_s=100),
        },
        amounts={
            "socomec/ups/over": [1.0 if n % 48 == 0 else 0.0 for n in range(QUARTERS)],
            "socomec/ups/battery": [90.0 if n % 96 == 5 else 0.0 for n in range(QUARTERS)],
            "socomec/ups/bypass": [0.0] * QUARTERS,
        },
    )


def _day(warehouse: Warehouse, mart: str, device: str, day: str = "2026-10-02") -> dict[str, Any]:
    (found,) = rows(
        warehouse, f"from {mart} where device_id = '{device}' and local_day = date '{day}'"
    )
    return found


def test_a_valve_s_difference_is_weighted_by_energy_and_its_share_below_design_is_exact(
    warehouse: Warehouse,
) -> None:
    day = _day(warehouse, "mart_valve_daily", "belimo/even")
    assert day["energy_wh"] == 144_000.0
    assert day["energy_weighted_delta_t_k"] == pytest.approx(8.0, rel=1e-3)
    # 8 + 2 sin(x) < 7 for a third of the time.
    assert day["below_design_share"] == pytest.approx(1 / 3, rel=5e-3)
    assert (day["covered_share"], day["status"], day["is_final"]) == (1.0, "final", True)


def test_energy_from_flow_and_difference_agrees_with_the_valve_s_register(
    warehouse: Warehouse,
) -> None:
    day = _day(warehouse, "mart_valve_daily", "belimo/even")
    assert day["flow_energy_ratio"] == pytest.approx(1.0, rel=1e-3)
    assert day["energy_with_flow_wh"] == 144_000.0


def test_two_sensors_make_a_difference_where_the_valve_shows_none(warehouse: Warehouse) -> None:
    day = _day(warehouse, "mart_valve_daily", "belimo/pair")
    # 4 K for two thirds of the energy and 12 K for a third, but for five minutes of change.
    assert day["energy_weighted_delta_t_k"] == pytest.approx((2 * 4 + 12) / 3, rel=5e-3)
    assert day["below_design_share"] is None
    assert day["energy_from_flow_wh"] is None
    assert (day["unconfirmed_points"], day["status"]) == (1, "unconfirmed")


def test_saturation_is_the_time_fully_open_and_hunting_how_often_it_turns_round(
    warehouse: Warehouse,
) -> None:
    calm = _day(warehouse, "mart_valve_daily", "belimo/even")
    assert (calm["saturated_s"], calm["position_reversals"]) == (0.0, 4)
    restless = _day(warehouse, "mart_valve_daily", "belimo/pair")
    assert restless["saturated_s"] == 6 * 3600
    # Up at six, down at noon, eleven times in the hour after it, and down for good.
    assert restless["position_reversals"] == 14
    assert restless["reversals_per_hour"] == restless["position_reversals"] / 24


def test_a_ups_is_judged_by_the_time_at_each_load(warehouse: Warehouse) -> None:
    day = _day(warehouse, "mart_ups_daily", "socomec/ups")
    assert (day["load_rate_p50"], day["load_rate_p95"], day["load_rate_max"]) == (40.0, 80.0, 110.0)
    assert day["load_rate_mean"] == pytest.approx((12 * 40 + 11 * 80 + 110) / 24)
    assert day["overload_s"] == 3600.0
    assert (day["overload_events"], day["time_on_battery_s"]) == (2.0, 90.0)
    assert day["time_on_bypass_s"] == 0.0
    assert day["efficiency"] == pytest.approx(0.94)
    assert (day["covered_share"], day["status"]) == (1.0, "final")


def test_a_battery_s_capacity_is_what_it_gave_for_the_charge_it_lost(warehouse: Warehouse) -> None:
    day = _day(warehouse, "mart_battery_daily", "socomec/battery")
    assert day["discharge_wh"] == pytest.approx(CAPACITY_WH * 0.6)
    assert day["charge_wh"] == pytest.approx(CAPACITY_WH * 0.6 / EFFICIENCY)
    assert (day["soc_start"], day["soc_end"]) == (pytest.approx(80.0), pytest.approx(80.0))
    assert (day["soc_min"], day["soc_max"]) == (
        pytest.approx(20, abs=0.2),
        pytest.approx(80, abs=0.2),
    )
    assert day["usable_capacity_wh"] == pytest.approx(CAPACITY_WH)
    assert day["equivalent_cycles"] == pytest.approx(0.54)
    assert day["status"] == "final"


def test_a_round_trip_is_taken_between_equal_charges(warehouse: Warehouse) -> None:
    (month,) = rows(warehouse, "from mart_battery_monthly where local_month = date '2026-10-01'")
    # The third day ends 20 % lower than it began: its energies say nothing of losses.
    assert (str(month["window_first_day"]), month["window_days"]) == ("2026-10-01", 2)
    assert month["window_soc_difference"] == pytest.approx(0.0)
    assert month["round_trip_efficiency"] == pytest.approx(EFFICIENCY)
    assert month["usable_capacity_wh"] == pytest.approx(CAPACITY_WH)
    assert month["capacity_drift"] == pytest.approx(-0.1)
    assert month["equivalent_cycles"] == pytest.approx(3 * 0.54)
    assert month["status"] == "open"


MARTS = (
    *("mart_valve_daily", "mart_ups_daily", "mart_battery_daily", "mart_battery_monthly"),
    *("mart_energy_flows", "mart_self_consumption_daily", "mart_self_consumption_monthly"),
)


@pytest.mark.long
def test_a_build_of_what_changed_ends_where_a_build_of_everything_does(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folders = tmp_path / "again", tmp_path / "anew"
    shutil.copytree(warehouse.published_file.parent, folders[0])
    again = Warehouse(data_dir=folders[0], lake=Lake(folders[0] / "lake"), dbt_project_dir=PROJECT)
    portfolio = parse_portfolio(PORTFOLIO)
    day = "2026-10-02"
    readings = again.lake.read(CORE_READINGS, day=day)
    is_changed = pl.col("point_id").is_in(["belimo/even/difference", "socomec/battery/soc"]) & (
        pl.col("at").dt.hour() == 0
    )
    changed = pl.when(is_changed).then(pl.col("value") + 1).otherwise("value")
    again.lake.write(CORE_READINGS, readings.with_columns(value=changed), day=day)
    steps = again.lake.read(CORE_ENERGY_DELTAS, day=day)
    twice = pl.when(pl.col("point_id") == "socomec/main/in").then(pl.col("energy_wh") * 2)
    steps = steps.with_columns(energy_wh=twice.otherwise("energy_wh"))
    again.lake.write(CORE_ENERGY_DELTAS, steps, day=day)
    World(lake=again.lake, portfolio=portfolio, start=START).spread(day)
    again.build(portfolio, delivery=None)
    again.publish()
    shutil.copytree(folders[0] / "lake", folders[1] / "lake")
    anew = Warehouse(data_dir=folders[1], lake=Lake(folders[1] / "lake"), dbt_project_dir=PROJECT)
    anew.build(portfolio, delivery=None)
    anew.publish()
    for mart in MARTS:
        query = f"from {mart} order by all"
        found = rows(again, query)
        assert found == rows(anew, query), mart
        assert found != rows(warehouse, query) or mart == "mart_ups_daily", mart


@pytest.mark.long
def test_a_device_of_a_new_kind_has_the_figures_as_if_it_had_always_been_there(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Models of what a portfolio has no point of are left out, until it has some.

    A UPS is what comes without a build of everything: what counts in a site's use rebuilds it.
    """
    lake = Lake(tmp_path / "lake")
    shutil.copytree(warehouse.lake.root, lake.root)
    head, *devices = PORTFOLIO.split("  - {vendor")
    others = "".join(f"  - {{vendor{one}" for one in devices if "serial: ups" not in one)
    for table in CORE_TABLES:
        for day in lake.days(table):
            frame = lake.read(table, day=day)
            if "point_id" in frame.columns:
                is_other = ~pl.col("point_id").str.starts_with("socomec/ups/")
                lake.write(table, frame.filter(is_other), day=day)
    later = Warehouse(data_dir=tmp_path, lake=lake, dbt_project_dir=PROJECT)
    before = parse_portfolio(head + others)
    later.build(before, delivery=None)
    assert "mart_ups_daily" in later.build(before, delivery=None).prepared.empty
    for table in CORE_TABLES:
        for day in warehouse.lake.days(table):
            lake.write(table, warehouse.lake.read(table, day=day), day=day)
    built = later.build(parse_portfolio(PORTFOLIO), delivery=None)
    assert built.prepared.why == ()
    later.publish()
    for mart in (*MARTS, "fct_measurement_hourly", "fct_measurement_daily", "mart_site_energy"):
        query = f"from {mart} order by all"
        found = rows(warehouse, query)
        assert found, mart
        assert rows(later, query) == found, mart
