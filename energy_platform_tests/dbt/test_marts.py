"""What people read: the marts of four sites on four clocks, October 2026 with its clock changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from energy_platform.days import day_bounds
from energy_platform.lake.lake import Lake
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
)
from energy_platform.warehouse import DELIVERY, Warehouse
from energy_platform.warehouse.calendars import day_start
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    QUARTER,
    ZONES,
    World,
    days_from,
    energy_of_quarter,
    portfolio_of,
    quarter_of,
    true_energy,
    utc,
)
from energy_platform_tests.zones import LOCAL_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = days_from("2026-10-02", 33)
SILENT = (utc("2026-10-12T05:00"), utc("2026-10-15T07:30"))
"""The Paris export register says nothing for three days."""

SPIKE = utc("2026-10-20T10:00")
"""End of a spike of the Kolkata import register; the next step takes it back."""

STAND_IN = utc("2026-10-08T12:00")
"""For an hour from here the Paris import's energy was integrated from power."""

REFUSED = utc("2026-10-22T14:00")
"""End of a step of the Los Angeles import that refused 7 MWh."""

WATER = """
  - vendor: belimo
    serial: tap
    site: paris
    name: Tap
    every: 15m
    points:
      - {key: water, name: Water, quantity: volume}
      - {key: alarm, name: Alarm, quantity: state}
"""

OF_DEVICES = [
    *("mart_battery_daily", "mart_battery_monthly", "mart_ups_daily", "mart_valve_daily"),
    *("mart_energy_flows", "mart_self_consumption_daily", "mart_self_consumption_monthly"),
]
"""Figures of devices that no site of this world has."""

OF_TREES = ["mart_instruments", "mart_submetering"]
"""Figures of trees, which this world has none of."""

DEAD = utc("2026-10-27T03:00")
"""From here on the Lord Howe valve is silent."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    data = tmp_path_factory.mktemp("marts")
    portfolio = portfolio_of(ZONES, extra=WATER)
    world = World(
        lake=Lake(data / "lake"),
        portfolio=portfolio,
        start=utc("2026-10-02T00:00"),
        silent={
            "socomec/paris/export": SILENT,
            "belimo/lord-howe-valve/heat": (DEAD, utc("2027-01-01T00:00")),
        },
    )
    world.write(DAYS)
    _spike(world)
    _refusal(world)
    _as_version_0_1_wrote(world, day=DAYS[2])
    _stand_in(world)
    _unknown_point(world)
    _rejects(world)
    return world


def _spike(world: World) -> None:
    """Put a spike of 9 kWh and its reversal into one day's steps and buckets."""
    day = SPIKE.date().isoformat()
    point = "socomec/kolkata/import"
    deltas = world.lake.read(CORE_ENERGY_DELTAS, day=day)
    is_spike = (pl.col("point_id") == point) & (pl.col("end_at") == SPIKE)
    is_back = (pl.col("point_id") == point) & (pl.col("start_at") == SPIKE)
    energy = (
        pl.when(is_spike)
        .then(pl.col("energy_wh") + 9000)
        .when(is_back)
        .then(pl.col("energy_wh") - 9000)
        .otherwise("energy_wh")
    )
    status = pl.when(is_back).then(pl.lit("spike_reversal")).otherwise("status")
    world.lake.write(
        CORE_ENERGY_DELTAS,
        deltas.with_columns(energy.alias("energy_wh"), status.alias("status")),
        day=day,
    )
    world.spread(day)


def _refusal(world: World) -> None:
    """Let a step and its bucket refuse energy."""
    day = REFUSED.date().isoformat()
    is_point = pl.col("point_id") == "socomec/los-angeles/import"
    for table, at, place in (
        (CORE_ENERGY_DELTAS, "end_at", REFUSED),
        (CORE_ENERGY_INTERVALS, "interval_start", REFUSED - QUARTER),
    ):
        rows = world.lake.read(table, day=day)
        refused = pl.when(is_point & (pl.col(at) == place)).then(7e6).otherwise(0.0)
        world.lake.write(table, rows.with_columns(refused_wh=refused), day=day)


def _as_version_0_1_wrote(world: World, *, day: str) -> None:
    """Leave the day files of a day without the column that came later."""
    for table in (CORE_ENERGY_DELTAS, CORE_ENERGY_INTERVALS):
        path = world.lake.path(table, day=day)
        footer = pq.read_metadata(path).metadata
        rows = pq.read_table(path).drop_columns(["refused_wh"]).replace_schema_metadata(footer)
        pq.write_table(rows, path)


def _stand_in(world: World) -> None:
    """Let another method give an hour of a register's energy."""
    day = STAND_IN.date().isoformat()
    buckets = world.lake.read(CORE_ENERGY_INTERVALS, day=day)
    is_other = (pl.col("point_id") == "socomec/paris/import") & pl.col("interval_start").is_between(
        STAND_IN, STAND_IN + timedelta(hours=1), closed="left"
    )
    method = pl.when(is_other).then(pl.lit("power")).otherwise("method")
    world.lake.write(CORE_ENERGY_INTERVALS, buckets.with_columns(method.alias("method")), day=day)


def _unknown_point(world: World) -> None:
    day = DAYS[4]
    readings = world.lake.read(CORE_READINGS, day=day)
    strange = readings.head(1).with_columns(
        pl.lit("socomec/stranger/x").alias("point_id"),
        pl.lit("quarantined").alias("status"),
        pl.lit("unknown_point").alias("reason"),
    )
    timeless = readings.head(1).with_columns(
        pl.lit("socomec/paris/power").alias("point_id"),
        pl.lit(datetime(1970, 1, 1)).dt.replace_time_zone("UTC").alias("at"),  # noqa: DTZ001
        pl.lit("quarantined").alias("status"),
        pl.lit("zero_time").alias("reason"),
    )
    world.lake.write(
        CORE_READINGS,
        pl.concat([readings, strange, timeless]).sort("point_id", "at"),
        day=day,
    )


def _rejects(world: World) -> None:
    world.put(
        CORE_REGISTER_REJECTS,
        [
            {
                "point_id": "socomec/los-angeles/import",
                # 22:30 on 6 October in Los Angeles: another local day than the UTC one.
                "at": utc("2026-10-07T05:30"),
                "value_wh": 1.0,
                "reason": "suspect",
                "settled_by": utc("2026-10-07T05:45"),
            }
        ],
        day="2026-10-07",
    )


@pytest.fixture(scope="module")
def delivery() -> pl.DataFrame:
    row: dict[str, Any] = dict.fromkeys(DELIVERY)
    row |= {"stream_id": "s1", "site_id": "paris", "kind": "electricity", "blocked": False}
    return pl.DataFrame([row], schema=DELIVERY)


@pytest.fixture(scope="module")
def warehouse(world: World, delivery: pl.DataFrame) -> Warehouse:
    warehouse = Warehouse(data_dir=world.lake.root.parent, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(world.portfolio, delivery=delivery)
    warehouse.publish()
    return warehouse


@pytest.fixture
def db(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse.published_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def one(db: duckdb.DuckDBPyConnection, sql: str, *values: object) -> Any:
    row = db.execute(sql, list(values)).fetchone()
    assert row is not None, f"no row: {sql}"
    return row[0] if len(row) == 1 else row


@pytest.mark.parametrize(
    ("site", "day", "hours"),
    [
        (site, said.day, said.hours)
        for said in LOCAL_DAYS
        for site, timezone in ZONES.items()
        if said.timezone == timezone and DAYS[0] < said.day < DAYS[-1]
    ],
)
def test_a_local_days_energy_is_that_of_its_own_23_24_or_25_hours(
    db: duckdb.DuckDBPyConnection, site: str, day: str, hours: float
) -> None:
    point = f"socomec/{site}/import"
    start = day_start(date.fromisoformat(day), timezone=ZONES[site])
    end = day_start(date.fromisoformat(day) + timedelta(days=1), timezone=ZONES[site])
    energy, expected_s, covered_s = one(
        db,
        "select energy_wh, expected_s, covered_s from fct_energy_daily "
        "where point_id = ? and local_day = ?",
        point,
        day,
    )
    assert expected_s == covered_s == hours * 3600
    assert energy == pytest.approx(true_energy(point, start=start, end=end), rel=1e-12)


def test_the_sum_over_all_local_days_is_what_the_steps_brought(
    db: duckdb.DuckDBPyConnection, world: World
) -> None:
    said = (
        world.lake.scan(CORE_ENERGY_DELTAS)
        .group_by("point_id")
        .agg(pl.col("energy_wh").sum())
        .collect()
    )
    for table in (
        "fct_energy_15min",
        "fct_energy_hourly",
        "fct_energy_daily",
        "fct_energy_weekly",
        "fct_energy_monthly",
    ):
        held = dict(
            db.execute(f"select point_id, sum(energy_wh) from {table} group by 1").fetchall()
        )
        assert held.keys() == set(said["point_id"])
        for point, energy in said.iter_rows():
            assert held[point] == pytest.approx(energy, rel=1e-12), (table, point)


def test_an_hour_the_clock_repeats_is_two_rows(db: duckdb.DuckDBPyConnection) -> None:
    rows = db.execute(
        "select hour_start_at, expected_s, energy_wh from fct_energy_hourly "
        "where point_id = 'socomec/paris/import' and local_hour = '2026-10-25 02:00' order by 1"
    ).fetchall()
    assert [row[1] for row in rows] == [3600, 3600]
    for start, _, energy in rows:
        first = quarter_of(start)
        truth = sum(energy_of_quarter(first + n, point="x/import") for n in range(4))
        assert energy == pytest.approx(truth)


def test_an_hour_of_a_half_hour_zone_starts_on_the_half_hour(
    db: duckdb.DuckDBPyConnection,
) -> None:
    assert (
        one(
            db,
            "select count(distinct extract(minute from hour_start_at)) || ':' || "
            "any_value(extract(minute from hour_start_at)) from fct_energy_hourly "
            "where site_id = 'kolkata'",
        )
        == "1:30"
    )


def test_a_silence_is_estimated_energy_and_nothing_is_missing(
    db: duckdb.DuckDBPyConnection,
) -> None:
    share, covered, status = one(
        db,
        "select estimated_share, covered_share, status from fct_energy_daily "
        "where point_id = 'socomec/paris/export' and local_day = '2026-10-13'",
    )
    assert (share, covered, status) == (1.0, 1.0, "final")


def test_a_day_is_closed_final_open_or_incomplete_by_the_data_alone(
    db: duckdb.DuckDBPyConnection,
) -> None:
    def status(point: str, day: str) -> str:
        return str(
            one(
                db,
                "select status from fct_energy_daily where point_id = ? and local_day = ?",
                point,
                day,
            )
        )

    # The newest closed raw day is 3 November; one day is read again (Belimo: two).
    assert status("socomec/paris/import", "2026-11-01") == "final"
    assert status("socomec/paris/import", "2026-11-03") == "closed"
    assert status("socomec/paris/import", "2026-11-04") == "open"
    assert status("belimo/paris-valve/heat", "2026-11-01") == "final"
    assert status("belimo/paris-valve/heat", "2026-11-02") == "closed"
    assert status("belimo/lord-howe-valve/heat", "2026-10-26") == "final"
    assert status("belimo/lord-howe-valve/heat", "2026-10-27") == "incomplete"
    assert status("belimo/lord-howe-valve/heat", "2026-10-30") == "incomplete"


def test_a_period_with_refused_energy_is_disputed_and_never_final(
    db: duckdb.DuckDBPyConnection,
) -> None:
    for model, at in (
        ("fct_energy_15min", "interval_start = '2026-10-22 13:45:00Z'"),
        ("fct_energy_hourly", "hour_start_at = '2026-10-22 13:00:00Z'"),
        ("fct_energy_daily", "local_day = '2026-10-22'"),
        ("fct_energy_weekly", "local_week = '2026-10-19'"),
        ("fct_energy_monthly", "local_month = '2026-10-01'"),
    ):
        of_point = f"from {model} where point_id = 'socomec/los-angeles/import'"
        found = one(db, f"select status, refused_kwh, is_closed, is_final {of_point} and {at}")
        assert found == ("disputed", 7000.0, True, False), model
        others = one(db, f"select sum(refused_wh) {of_point} and not ({at})")
        assert others in {0.0, None}
    site = one(
        db,
        "select status, refused_wh, is_closed, is_final from mart_site_energy "
        "where site_id = 'los-angeles' and local_day = '2026-10-22'",
    )
    assert site == ("disputed", 7e6, True, False)
    quality = one(
        db,
        "select refused_wh from fct_quality_daily "
        "where point_id = 'socomec/los-angeles/import' and local_day = '2026-10-22'",
    )
    assert quality == 7e6


def test_a_silent_meter_keeps_its_rows(db: duckdb.DuckDBPyConnection) -> None:
    expected, received = one(
        db,
        "select expected_samples, received_samples from fct_quality_daily "
        "where point_id = 'belimo/lord-howe-valve/heat' and local_day = '2026-10-30'",
    )
    assert (expected, received) == (96, 0)


def test_readings_that_came_and_were_set_aside_are_counted_where_they_came(
    db: duckdb.DuckDBPyConnection,
) -> None:
    assert one(
        db,
        "select received_samples, quarantined_samples, site_id is null from fct_quality_daily "
        "where point_id = 'socomec/stranger/x' and local_day = ?",
        DAYS[4],
    ) == (1, 1, True)
    assert (
        one(
            db,
            "select quarantined_samples from fct_quality_daily "
            "where point_id = 'socomec/paris/power' and local_day = ?",
            DAYS[4],
        )
        == 1
    )
    assert (
        one(
            db,
            "select rejects from fct_quality_daily "
            "where point_id = 'socomec/los-angeles/import' and local_day = '2026-10-06'",
        )
        == 1
    )


def test_expected_samples_follow_the_length_of_the_day(db: duckdb.DuckDBPyConnection) -> None:
    assert one(
        db,
        "select expected_samples, received_samples from fct_quality_daily "
        "where point_id = 'socomec/paris/import' and local_day = '2026-10-25'",
    ) == (100, 100)


def test_site_use_is_import_less_export_and_heat_stands_beside(
    db: duckdb.DuckDBPyConnection,
) -> None:
    day = date(2026, 10, 25)
    start = day_start(day, timezone="Europe/Paris")
    end = day_start(day + timedelta(days=1), timezone="Europe/Paris")
    use, heating, generation = one(
        db,
        "select site_use_wh, heating_wh, generation_wh from mart_site_energy "
        "where site_id = 'paris' and local_day = ?",
        day,
    )
    bought = true_energy("socomec/paris/import", start=start, end=end)
    sold = true_energy("socomec/paris/export", start=start, end=end)
    assert use == pytest.approx(bought - sold)
    assert heating == pytest.approx(true_energy("belimo/paris/heat", start=start, end=end))
    assert generation is None


@pytest.mark.parametrize(
    ("table", "period", "expected"),
    [
        ("fct_energy_15min", "interval_start = '2026-10-08T12:45:00Z'", "power"),
        ("fct_energy_15min", "interval_start = '2026-10-08T13:00:00Z'", "register"),
        ("fct_energy_hourly", "hour_start_at = '2026-10-08T12:00:00Z'", "power"),
        ("fct_energy_hourly", "hour_start_at = '2026-10-08T13:00:00Z'", "register"),
        ("fct_energy_daily", "local_day = '2026-10-08'", "mixed"),
        ("fct_energy_daily", "local_day = '2026-10-09'", "register"),
        ("fct_energy_weekly", "local_week = '2026-10-05'", "mixed"),
        ("fct_energy_weekly", "local_week = '2026-10-12'", "register"),
        ("fct_energy_monthly", "local_month = '2026-10-01'", "mixed"),
    ],
)
def test_energy_of_another_method_is_seen_in_every_period(
    db: duckdb.DuckDBPyConnection, table: str, period: str, expected: str
) -> None:
    found = one(
        db,
        f"select method from {table} where point_id = 'socomec/paris/import' and {period}",
    )
    assert found == expected


def test_a_site_says_when_its_terms_were_measured_in_different_ways(
    db: duckdb.DuckDBPyConnection,
) -> None:
    days = dict(
        db.execute(
            "select local_day, method from mart_site_energy where site_id = 'paris'"
        ).fetchall()
    )
    assert days[date(2026, 10, 8)] == "mixed"
    assert days[date(2026, 10, 9)] == "register"


def test_a_spike_that_was_taken_back_is_no_peak(db: duckdb.DuckDBPyConnection) -> None:
    peak, left_out = one(
        db,
        "select peak_w, buckets_left_out from mart_peak_demand "
        "where scope = 'point' and scope_id = 'socomec/kolkata/import' "
        "and local_month = '2026-10-01'",
    )
    assert peak == pytest.approx((100 + 96 / 3) * 4)
    assert left_out >= 2
    assert (
        one(
            db,
            "select max(energy_wh) from fct_energy_15min where point_id = 'socomec/kolkata/import'",
        )
        > 9000
    )


def test_a_peak_says_when_it_was_on_the_sites_clock(db: duckdb.DuckDBPyConnection) -> None:
    at, local, peak = one(
        db,
        "select peak_at, peak_local_start, peak_w from mart_peak_demand "
        "where scope = 'site' and scope_id = 'kolkata' and local_month = '2026-10-01'",
    )
    assert local - at.replace(tzinfo=None) == timedelta(hours=5, minutes=30)
    assert energy_of_quarter(quarter_of(at), point="x/import") * 4 == pytest.approx(peak)


def test_measurements_of_a_day_are_those_of_its_readings(
    db: duckdb.DuckDBPyConnection, world: World
) -> None:
    point, day = "socomec/paris/power", date(2026, 10, 25)
    start = day_start(day, timezone="Europe/Paris")
    end = day_start(day + timedelta(days=1), timezone="Europe/Paris")
    values = (
        world.lake.scan(CORE_READINGS)
        .filter((pl.col("point_id") == point) & (pl.col("at") >= start) & (pl.col("at") < end))
        .collect()["value"]
    )
    found = one(
        db,
        "select samples, avg_value, min_value, max_value, sum_value, var_value, stdev_value, "
        "time_weighted_avg_value, held_s from fct_measurement_daily "
        "where point_id = ? and local_day = ?",
        point,
        day,
    )
    truth = (
        100,
        values.mean(),
        values.min(),
        values.max(),
        values.sum(),
        values.var(),
        values.std(),
        values.mean(),
        90_000,
    )
    assert found == pytest.approx(truth, rel=1e-9)


def test_the_time_weighted_average_weighs_a_reading_by_how_long_it_held(
    db: duckdb.DuckDBPyConnection, world: World
) -> None:
    """The last hour before the data ends has four readings of a quarter-hour each."""
    hour = day_bounds(DAYS[-1])[1] - timedelta(hours=1)
    weighted, plain, held = one(
        db,
        "select time_weighted_avg_value, avg_value, held_s from fct_measurement_hourly "
        "where point_id = 'socomec/paris/power' and hour_start_at = ?",
        hour,
    )
    assert held == 4 * QUARTER.total_seconds()
    assert weighted == pytest.approx(plain)


def test_delivery_is_shown_as_the_ledger_said(db: duckdb.DuckDBPyConnection) -> None:
    assert db.execute("select stream_id, site_id, kind from mart_delivery").fetchall() == [
        ("s1", "paris", "electricity")
    ]


def test_every_column_people_read_is_described_with_its_type(
    db: duckdb.DuckDBPyConnection,
) -> None:
    described: dict[tuple[str, str], str] = {}
    for path in sorted((PROJECT / "models").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            assert model["description"].strip(), model["name"]
            for column in model["columns"]:
                assert column["description"].strip()
                if not model["name"].startswith(("stg_", "int_")):
                    described[model["name"], column["name"]] = column["data_type"]
    held = {
        (table, column): kind.lower()
        for table, column, kind in db.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where schema_name = 'main' and not internal and table_name not like 'about%'"
        ).fetchall()
    }
    assert held == described
    silent = db.execute(
        "select table_name, column_name from duckdb_columns() "
        "where schema_name = 'main' and not internal and table_name not like 'about%' "
        "and comment is null"
    ).fetchall()
    assert silent == []


def test_what_is_published_is_tables_alone_and_says_what_it_rests_on(
    db: duckdb.DuckDBPyConnection,
) -> None:
    views = db.execute("select schema_name, view_name from duckdb_views() where not internal")
    # The same tables for clients that cannot read an instant.
    assert {schema for schema, _ in views.fetchall()} == {"utc"}
    schemas = db.execute("select distinct schema_name from duckdb_tables()").fetchall()
    assert schemas == [("main",)]
    assert one(db, "select value from about where key = 'newest_day'") == DAYS[-1]
    assert one(db, "select count(*) from about_inputs") == 6 * len(DAYS)
    empty = [
        table
        for (table,) in db.execute("select table_name from duckdb_tables()").fetchall()
        if one(db, f'select count(*) from "{table}"') == 0
    ]
    # What Socomec's account shows: test_inventories has an account, this lake has none. And nothing
    # was published before that could have been restated.
    assert sorted(empty) == sorted(
        ["dim_customer", "mart_last_values", "mart_restatements", *OF_TREES, *OF_DEVICES]
    )


def test_what_a_push_delivered_is_published_without_a_build(
    warehouse: Warehouse, world: World, delivery: pl.DataFrame
) -> None:
    later = delivery.with_columns(packets_acknowledged=pl.lit(96, DELIVERY["packets_acknowledged"]))
    assert warehouse.plan(world.portfolio, delivery=later).why == ("the ledger changed",)
    # Somebody builds: that build, or the next, brings it.
    with Warehouse(
        data_dir=warehouse.data_dir,
        lake=Lake(warehouse.lake.root),
        dbt_project_dir=PROJECT,
    ).locked():
        assert warehouse.publish_delivery(later) is None
    target = warehouse.target_path.stat().st_mtime_ns
    published = warehouse.publish_delivery(later)
    assert published is not None
    assert published.written
    assert warehouse.target_path.stat().st_mtime_ns == target
    assert not warehouse.plan(world.portfolio, delivery=later).stale
    for path in (warehouse.published_file, warehouse.live_file):
        with duckdb.connect(str(path), read_only=True) as shown:
            assert one(shown, "select stream_id, packets_acknowledged from mart_delivery") == (
                "s1",
                96,
            )
    assert warehouse.publish_delivery(delivery) is not None


def test_a_build_that_finds_only_the_ledger_changed_runs_no_dbt(
    warehouse: Warehouse, world: World, delivery: pl.DataFrame
) -> None:
    """A push that met a build leaves its rows to the next one."""
    later = delivery.with_columns(packets_acknowledged=pl.lit(97, DELIVERY["packets_acknowledged"]))
    target = warehouse.target_path.stat().st_mtime_ns
    built = warehouse.build(world.portfolio, delivery=later)
    assert (built.prepared.is_empty, built.prepared.delivery_replaced) == (True, True)
    assert warehouse.target_path.stat().st_mtime_ns == target
    warehouse.publish()
    assert not warehouse.plan(world.portfolio, delivery=later).stale
    with duckdb.connect(str(warehouse.live_file), read_only=True) as shown:
        assert one(shown, "select packets_acknowledged from mart_delivery") == 97
    assert not warehouse.build(world.portfolio, delivery=later).prepared.delivery_replaced
    assert warehouse.publish_delivery(delivery) is not None
