"""What is not known is not published as a figure: silent mains, stopped valves, first days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from energy_platform.days import day_bounds
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.schemas import CORE_READINGS
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    World,
    days_from,
    energy_of_quarter,
    quarter_of,
    true_energy,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTFOLIO = """
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
  - {id: rome, name: Rome, timezone: Europe/Rome}
devices:
  - vendor: socomec
    serial: a
    site: paris
    name: Main A
    role: main
    max_power_w: none
    every: 15m
    points:
      - {key: import, name: Import, quantity: active_energy_import}
      - {key: export, name: Export, quantity: active_energy_export}
      - {key: power, name: Power, quantity: active_power, unit: kW}
  - vendor: socomec
    serial: b
    site: paris
    name: Main B
    role: main
    max_power_w: none
    points:
      - {key: import, name: Import, quantity: active_energy_import}
  - vendor: belimo
    serial: stopped
    site: paris
    name: Valve that stopped for good
    max_power_w: none
    points:
      - {key: heat, name: Heat, quantity: heating_energy}
  - vendor: belimo
    serial: retired
    site: rome
    name: Valve that was taken out
    max_power_w: none
    until: 2026-10-24
    points:
      - {key: heat, name: Heat, quantity: heating_energy}
  - vendor: socomec
    serial: c
    site: rome
    name: Main that nobody has confirmed
    role: main
    max_power_w: none
    confidence: low
    points:
      - {key: import, name: Import, quantity: active_energy_import}
"""

DAYS = days_from("2026-10-18", 12)
SILENT = (utc("2026-10-20T08:00"), utc("2026-10-23T17:00"))
"""Main B says nothing, and what it counted meanwhile is not known."""
LATE = (utc("2026-10-26T09:00"), utc("2026-10-26T13:30"))
"""The main of Rome is silent for hours; its energy is spread over them."""
STOPPED = (utc("2026-10-22T10:00"), utc("2027-01-01T00:00"))
CHANGES_SELDOM = "2026-10-24"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    data = tmp_path_factory.mktemp("unknown")
    b, valves = "socomec/b/import", ("belimo/stopped/heat", "belimo/retired/heat")
    world = World(
        lake=Lake(data / "lake"),
        portfolio=parse_portfolio(PORTFOLIO),
        start=utc("2026-10-18T00:00"),
        silent={b: SILENT, "socomec/c/import": LATE} | dict.fromkeys(valves, STOPPED),
        unbridged={b},
        scale={b: 40.0},
    )
    world.write(DAYS)
    readings = world.lake.read(CORE_READINGS, day=CHANGES_SELDOM)
    hours = {1: 3.0, 5: 4.0, 14: 2.0, 22: 5.0}
    seldom = pl.col("at").dt.hour().replace_strict(hours, default=None, return_dtype=pl.Float64())
    is_power = pl.col("point_id") == "socomec/a/power"
    kept = ~is_power | (seldom.is_not_null() & (pl.col("at").dt.minute() == 0))
    changed = readings.filter(kept).with_columns(
        value=pl.when(is_power).then(seldom).otherwise("value")
    )
    world.lake.write(CORE_READINGS, changed, day=CHANGES_SELDOM)
    warehouse = Warehouse(data_dir=data, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(world.portfolio)
    warehouse.publish()
    return warehouse


@pytest.fixture
def db(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse.published_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def one(db: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = db.execute(sql).fetchone()
    assert row is not None, f"no row: {sql}"
    return row[0] if len(row) == 1 else row


def site_day(db: duckdb.DuckDBPyConnection, columns: str, *, site: str, day: str) -> Any:
    return one(
        db,
        f"select {columns} from mart_site_energy where site_id = '{site}' and local_day = '{day}'",
    )


def test_a_silent_main_makes_site_use_unknown_not_another_number(
    db: duckdb.DuckDBPyConnection,
) -> None:
    columns = "site_use_kwh, import_kwh, export_kwh is not null, points_unknown, status"
    silent = (None, None, True, 1, "partial")
    assert site_day(db, columns, site="paris", day="2026-10-21") == silent
    assert site_day(db, columns, site="paris", day="2026-10-22") == silent
    whole = site_day(db, columns, site="paris", day="2026-10-25")
    assert whole[2:] == (True, 0, "final")
    assert whole[0] > 100


def test_a_silent_days_energy_is_unknown_not_nothing(db: duckdb.DuckDBPyConnection) -> None:
    assert one(
        db,
        "select energy_wh, estimated_wh, covered_share, status from fct_energy_daily "
        "where point_id = 'socomec/b/import' and local_day = '2026-10-21'",
    ) == (None, None, 0, "partial")


def test_a_sites_peak_is_never_that_of_some_of_its_mains(db: duckdb.DuckDBPyConnection) -> None:
    peak, at, counted, left_out = one(
        db,
        "select peak_w, peak_at, buckets_counted, buckets_left_out from mart_peak_demand "
        "where scope = 'site' and scope_id = 'paris'",
    )
    silent = int((SILENT[1] - SILENT[0]).total_seconds()) // 900
    # The quarter-hour before the silence is unknown too, and the last sample opens none.
    assert (counted, left_out) == (96 * len(DAYS) - 1 - (silent + 1), silent + 1)
    assert not SILENT[0] <= at < SILENT[1]
    assert peak == pytest.approx(
        4 * energy_of_quarter(quarter_of(at), point="x/import") * 41, rel=1e-9
    )


def test_a_peak_within_a_long_step_is_not_left_out(db: duckdb.DuckDBPyConnection) -> None:
    """What is spread over hours can only lie below the true peak."""
    mean = true_energy("x/import", start=LATE[0] - timedelta(minutes=15), end=LATE[1])
    peak, is_estimated, left_out = one(
        db,
        "select peak_w, peak_is_estimated, buckets_left_out from mart_peak_demand "
        "where scope = 'point' and scope_id = 'socomec/c/import'",
    )
    assert peak >= mean / 19 * 4
    assert (is_estimated, left_out) == (False, 19)


def test_a_valve_that_stopped_does_not_keep_the_electricity_open(
    db: duckdb.DuckDBPyConnection,
) -> None:
    columns = "status, is_final, least_covered_share, heating_status, heating_wh"
    assert site_day(db, columns, site="paris", day="2026-10-25") == (
        "final",
        True,
        1.0,
        "incomplete",
        None,
    )


def test_a_valve_out_of_service_is_expected_no_more(db: duckdb.DuckDBPyConnection) -> None:
    of_point = "where point_id = 'belimo/retired/heat'"
    for table in ("fct_energy_daily", "fct_quality_daily"):
        assert one(db, f"select max(local_day) from {table} {of_point}") == date(2026, 10, 23)
    columns = "heating_status, heating_wh, heating_least_covered_share"
    assert site_day(db, columns, site="rome", day="2026-10-25") == (None, None, None)
    assert one(db, f"select until_at from dim_point {of_point}") == utc("2026-10-23T22:00")


def test_a_figure_that_rests_on_a_guess_is_never_final(db: duckdb.DuckDBPyConnection) -> None:
    columns = "status, is_final, unconfirmed_points, site_use_wh is not null"
    assert site_day(db, columns, site="rome", day="2026-10-25") == ("unconfirmed", False, 1, True)
    assert site_day(db, columns, site="paris", day="2026-10-25") == ("final", True, 0, True)


def test_a_first_period_that_is_partly_covered_is_partial(db: duckdb.DuckDBPyConnection) -> None:
    of_point = "where point_id = 'socomec/a/import' order by 1"
    first = db.execute(f"select local_day, status from fct_energy_daily {of_point}").fetchall()
    assert first[:2] == [(date(2026, 10, 18), "partial"), (date(2026, 10, 19), "final")]
    week = db.execute(f"select local_week, status from fct_energy_weekly {of_point}").fetchall()
    assert week[:2] == [(date(2026, 10, 12), "partial"), (date(2026, 10, 19), "final")]


def test_a_reading_holds_into_hours_without_any(db: duckdb.DuckDBPyConnection) -> None:
    """Four readings of the day hold two hours each, and so does one of the evening before."""
    average, held, samples = one(
        db,
        "select sum(time_weighted_avg_value * held_s) / sum(held_s), sum(held_s), sum(samples) "
        "from fct_measurement_hourly where point_id = 'socomec/a/power' "
        "and hour_start_at >= '2026-10-24 00:00:00Z' and hour_start_at < '2026-10-25 00:00:00Z'",
    )
    midnight = day_bounds(CHANGES_SELDOM)[0]
    before = 1000.0 + (quarter_of(midnight - timedelta(minutes=15)) * 31 % 41)
    # Until the first reading at 01:00; the last one, of 22:00, holds until midnight.
    assert (samples, held) == (4, 3600 + 4 * 7200)
    assert average == pytest.approx((before * 3600 + 7200 * (3 + 4 + 2 + 5)) / held)


def test_units_of_a_point_are_those_of_its_figures(db: duckdb.DuckDBPyConnection) -> None:
    assert one(
        db, "select unit, vendor_unit from dim_point where point_id = 'socomec/a/power'"
    ) == ("W", "kW")
    wrong = "select count(*) from fct_measurement_daily join dim_point using (point_id) "
    assert one(db, wrong + "where fct_measurement_daily.unit <> dim_point.unit") == 0


def test_a_load_curve_shows_the_hour_that_comes_twice_as_two(
    db: duckdb.DuckDBPyConnection,
) -> None:
    rows = db.execute(
        "select local_start, utc_offset_s, count(*) from fct_energy_15min "
        "where point_id = 'socomec/a/import' and local_start = '2026-10-25 02:15' "
        "group by all order by 2 desc"
    ).fetchall()
    assert [row[1:] for row in rows] == [(7200, 1), (3600, 1)]
