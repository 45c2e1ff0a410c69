"""Load factor, peak, base load and energy per area of sites, against plain Python."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import duckdb
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    QUARTER,
    World,
    days_from,
    energy_of_quarter,
    portfolio_text,
    quarter_of,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.portfolio import Portfolio

SITES: Final = {"paris": "Europe/Paris", "lord-howe": "Australia/Lord_Howe"}
DAYS: Final = days_from("2026-10-01", 47)
"""Paris gains an hour on 25 October, Lord Howe loses half an hour on 4 October."""

FLOOR_AREA: Final = 1250.0
SILENT: Final = (utc("2026-10-20T03:00"), utc("2026-10-20T21:30"))
"""The Paris export is silent: its energy is spread over a long step, and no hour of it counts."""

HOLIDAYS: Final = {date(2026, 11, 1), date(2026, 11, 11)}
"""All Saints' Day and Armistice Day, by the French labour code (L3133-1)."""

OCCUPANCY: Final = (
    f"    floor_area_m2: {FLOOR_AREA}\n    country: FR\n"
    "    occupancy: {mon-thu: 07:30-19:00, fri: 08:00-12:00, sat: 22:00-02:00}\n"
)


def portfolio(*, floor_area: float = FLOOR_AREA) -> Portfolio:
    """Return two sites, of which Paris says when it is occupied; its valve's gauge is outdoors."""
    text = portfolio_text(
        SITES,
        extra="""
  - vendor: belimo
    serial: roof
    site: paris
    name: Roof
    every: 15m
    points:
      - {key: outside, name: Outside, quantity: outdoor_temperature}
""",
    )
    text = text.replace(
        "  - {id: paris, name: Paris, timezone: Europe/Paris}\n",
        f"  - id: paris\n    name: Paris\n    timezone: Europe/Paris\n{OCCUPANCY}",
    ).replace(str(FLOOR_AREA), str(floor_area))
    return parse_portfolio(text)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    data = tmp_path_factory.mktemp("sites")
    world = World(
        lake=Lake(data / "lake"),
        portfolio=portfolio(),
        start=utc("2026-10-01T00:00"),
        silent={"socomec/paris/export": SILENT},
    )
    world.write(DAYS)
    warehouse = Warehouse(data_dir=data, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(world.portfolio)
    return warehouse


@pytest.fixture(scope="module")
def database(built: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(built.work_file), read_only=True) as connection:
        yield connection


def quarters(site: str, days: set[date]) -> list[datetime]:
    """Return the quarter-hours of local days, as instants."""
    zone = ZoneInfo(SITES[site])
    at = datetime.fromisoformat(DAYS[0]).replace(tzinfo=UTC)
    until = at + timedelta(days=len(DAYS))
    found = []
    while at < until:
        if at.astimezone(zone).date() in days:
            found.append(at)
        at += QUARTER
    return found


def site_use(site: str, at: datetime) -> float:
    index = quarter_of(at)
    return energy_of_quarter(index, point="x/import") - energy_of_quarter(index, point="x/export")


def is_occupied(site: str, hour: datetime) -> bool:
    """Say whether people are in at any moment of an hour of the site's clock."""
    if site != "paris":
        return hour.hour >= 6
    begins, ends = hour.hour * 60, hour.hour * 60 + 60
    today, yesterday = hour.date(), hour.date() - timedelta(days=1)
    spans = []
    if today not in HOLIDAYS:
        if today.weekday() <= 3:
            spans.append((7 * 60 + 30, 19 * 60))
        if today.weekday() == 4:
            spans.append((8 * 60, 12 * 60))
        if today.weekday() == 5:
            spans.append((22 * 60, 24 * 60))
    if yesterday not in HOLIDAYS and yesterday.weekday() == 5:
        spans.append((0, 2 * 60))
    return any(begins < until and ends > since for since, until in spans)


def base_load(site: str, days: set[date]) -> tuple[float, int, int]:
    """Return the base load of local days, the hours that count, and all unoccupied ones."""
    zone = ZoneInfo(SITES[site])
    hours: dict[tuple[datetime, timedelta | None], list[datetime]] = {}
    for at in quarters(site, days):
        local = at.astimezone(zone)
        clock = local.replace(minute=0, tzinfo=None)
        hours.setdefault((clock, local.utcoffset()), []).append(at)
    empty = {key: found for key, found in hours.items() if not is_occupied(site, key[0])}
    powers = [
        sum(site_use(site, at) for at in found) * 4 / len(found)
        for found in empty.values()
        if site != "paris" or not any(SILENT[0] - QUARTER <= at < SILENT[1] for at in found)
    ]
    return statistics.quantiles(powers, n=4, method="inclusive")[0], len(powers), len(empty)


def days_of(grain: str, start: date) -> set[date]:
    if grain == "day":
        return {start}
    if grain == "week":
        return {start + timedelta(days=n) for n in range(7)}
    until = (start + timedelta(days=31)).replace(day=1)
    return {start + timedelta(days=n) for n in range((until - start).days)}


TABLES: Final = {
    "day": "mart_site_energy",
    "week": "mart_site_energy_weekly",
    "month": "mart_site_energy_monthly",
}
PERIODS: Final = [
    ("paris", "day", date(2026, 10, 14)),
    ("paris", "day", date(2026, 10, 25)),
    ("paris", "day", date(2026, 11, 11)),
    ("paris", "week", date(2026, 10, 19)),
    ("paris", "week", date(2026, 11, 9)),
    ("lord-howe", "day", date(2026, 10, 4)),
    ("lord-howe", "week", date(2026, 10, 5)),
]


def row_of(
    database: duckdb.DuckDBPyConnection, site: str, grain: str, start: date
) -> dict[str, Any]:
    cursor = database.execute(
        f"select * from {TABLES[grain]} where site_id = ? and local_{grain} = ?",
        [site, start],
    )
    names = [one[0] for one in cursor.description or ()]
    (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize(("site", "grain", "start"), PERIODS)
def test_figures_of_a_site_are_those_of_plain_python(
    database: duckdb.DuckDBPyConnection, site: str, grain: str, start: date
) -> None:
    days = days_of(grain, start)
    own = quarters(site, days)
    use = sum(site_use(site, at) for at in own)
    bought = {at: energy_of_quarter(quarter_of(at), point="x/import") for at in own}
    peak_at = max(own, key=lambda at: (round(bought[at], 6), -own.index(at)))
    base, counted, unoccupied = base_load(site, days)

    row = row_of(database, site, grain, start)

    assert row["site_use_wh"] == pytest.approx(use, rel=1e-9)
    assert row["expected_s"] == len(own) * 900
    assert row["peak_w"] == pytest.approx(bought[peak_at] * 4, rel=1e-9)
    assert row["peak_at"] == peak_at
    assert row["peak_ends_at"] == peak_at + QUARTER
    assert row["load_factor"] == pytest.approx(
        sum(bought.values()) / len(own) / bought[peak_at], rel=1e-9
    )
    assert row["peak_points_share"] == 1
    assert (row["base_load_hours"], row["unoccupied_hours"]) == (counted, unoccupied)
    assert row["base_load_w"] == pytest.approx(base, rel=1e-9)
    assert row["occupancy_basis"] == ("occupancy" if site == "paris" else "nights")
    if site == "paris":
        assert row["use_kwh_per_m2"] == pytest.approx(use / 1000 / FLOOR_AREA, rel=1e-9)
    else:
        assert row["use_kwh_per_m2"] is None


def test_a_public_holiday_is_named_and_unoccupied(database: duckdb.DuckDBPyConnection) -> None:
    row = row_of(database, "paris", "day", date(2026, 11, 11))
    assert row["holiday"] == "Armistice Day"
    assert row["unoccupied_hours"] == 24
    assert row_of(database, "paris", "day", date(2026, 11, 12))["holiday"] is None
    assert row_of(database, "lord-howe", "day", date(2026, 11, 11))["holiday"] is None


def test_a_base_load_that_rests_on_too_few_measured_hours_is_unknown(
    database: duckdb.DuckDBPyConnection,
) -> None:
    """What is spread over a long step is flat, and would pass for a base load."""
    row = row_of(database, "paris", "day", date(2026, 10, 20))
    assert row["unoccupied_hours"] == 12
    assert row["base_load_hours"] == 4
    assert row["base_load_w"] is None


def test_the_month_of_an_october_with_25_hours_adds_up(
    database: duckdb.DuckDBPyConnection,
) -> None:
    row = row_of(database, "paris", "month", date(2026, 10, 1))
    assert row["expected_s"] == (31 * 24 + 1) * 3600
    # The first hours of the month, before the first reading, are unknown.
    assert row["least_covered_share"] < 1
    peak = database.execute(
        "select peak_w from mart_peak_demand "
        "where scope = 'site' and site_id = 'paris' and local_month = '2026-10-01'"
    ).fetchone()
    assert peak == (row["peak_w"],)
    whole = database.execute(
        "select sum(import_wh) from mart_site_energy where site_id = 'paris' "
        "and date_trunc('month', local_day) = date '2026-10-01'"
    ).fetchone()
    assert whole is not None
    assert row["import_wh"] == pytest.approx(whole[0], rel=1e-12)


def test_the_temperature_outside_stands_next_to_the_peak(
    database: duckdb.DuckDBPyConnection,
) -> None:
    row = row_of(database, "paris", "day", date(2026, 10, 14))
    hour = row["peak_at"].replace(minute=0)
    values = [1000.0 + (quarter_of(hour + n * QUARTER) * 31 % 41) for n in range(4)]
    assert row["peak_outdoor_temperature"] == pytest.approx(statistics.mean(values))
    assert (
        row_of(database, "lord-howe", "day", date(2026, 10, 4))["peak_outdoor_temperature"] is None
    )


def test_another_floor_area_rebuilds_that_site_and_no_other(
    built: Warehouse, tmp_path: Path
) -> None:
    shutil.copytree(built.data_dir, tmp_path / "data")
    warehouse = replace(built, data_dir=tmp_path / "data", lake=Lake(tmp_path / "data" / "lake"))
    assert not warehouse.prepare(portfolio()).full
    prepared = warehouse.prepare(portfolio(floor_area=2500.0))
    assert not prepared.full
    assert {zone for zone, days in prepared.affected.items() if days} == {"Europe/Paris"}
    assert {date.fromisoformat(day) for day in DAYS} <= {*prepared.affected["Europe/Paris"]}
