"""Three clean days, one of them with a change of the clock in Paris, through the whole path."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from energy_platform.cli.summary import QUERIES
from energy_platform.days import day_bounds
from energy_platform.defs.schedules import inventory_keys
from energy_platform.portfolio import load_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS
from energy_platform.sources.registry import day_tables
from energy_platform.transforms.quantities import ENERGY_QUANTITIES
from energy_platform_tests.docs.pages import blocks, pages
from energy_platform_tests.end_to_end.device_truth import (
    capacity_truth,
    load_truth,
    sufficiency_truth,
    valve_truth,
)
from energy_platform_tests.end_to_end.installation import (
    PUSH,
    REFRESH,
    Installation,
    install,
    must_succeed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.simulators.world import Curve

pytestmark = [pytest.mark.long, pytest.mark.end_to_end]

DAYS = ["2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"]
START, END = day_bounds(DAYS[0])[0], day_bounds(DAYS[-1])[1]

JOULES_PER_WH = 3600


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with install(tmp_path_factory.mktemp("clean"), first_day=DAYS[0]) as installation:
        must_succeed([installation.runner.run("inventories", assets=inventory_keys())])
        must_succeed(installation.ingest(DAYS))
        must_succeed(installation.settle())
        yield installation


def test_the_energy_of_every_register_is_last_minus_first_sample_in_counts(
    platform: Installation,
) -> None:
    deltas = (
        platform.lake.scan(CORE_ENERGY_DELTAS)
        .filter(pl.col("method") == "register")
        .group_by("point_id")
        .agg(pl.col("energy_wh").sum())
        .collect()
    )
    energy = dict(deltas.iter_rows())
    raw = {
        "socomec": ("serial_number", "item_type", "item_index", "service_id"),
        "belimo": ("serial_number", "datapoint_id"),
        "skycentrics": ("device_id", "sensor_id"),
    }
    checked = 0
    for signal in platform.world.signals.values():
        if signal.kind != "register" or signal.key not in energy:
            continue
        table = day_tables()[signal.vendor]
        serial, *keys = raw[signal.vendor]
        rows = (
            platform.lake.scan(table)
            .filter(
                pl.col(serial) == signal.device,
                pl.concat_str(keys, separator="|") == signal.address,
            )
            .sort("at")
            .collect()
        )
        step = rows["value"][-1] - rows["value"][0]
        counts_per_wh = {"J": JOULES_PER_WH, "WATT_HOUR": 1, "KILOWATT_HOUR": 0.001, "kWh": 0.001}
        per_wh = counts_per_wh.get(signal.unit)
        if per_wh is None:
            continue
        counted = round(energy[signal.key] * per_wh * 10**signal.decimals)
        assert counted == round(step * 10**signal.decimals), signal.key
        assert energy[signal.key] * per_wh == pytest.approx(step, rel=1e-12), signal.key
        checked += 1
    assert checked > 40


@pytest.mark.parametrize("site", ["paris", "los-angeles", "kolkata"])
def test_a_closed_local_day_is_within_half_a_percent_of_the_truth(
    platform: Installation, site: str
) -> None:
    rows = platform.sql(
        f"select local_day, timezone, site_use_wh from mart_site_energy where site_id = '{site}'"
    )
    zone = next(one.zone for one in platform.world.sites if one.key == site)
    whole = 0
    for local_day, timezone, site_use_wh in rows:
        assert timezone == zone
        start, end = _local_bounds(local_day, zone)
        if not (start >= START and end <= END):
            continue
        truth = platform.world.site_energy_wh(site, start, end)
        assert site_use_wh == pytest.approx(truth, rel=0.005), (site, local_day)
        whole += 1
    assert whole >= 3


@pytest.mark.parametrize("site", ["paris", "los-angeles", "kolkata"])
def test_each_tree_is_what_the_world_says(platform: Installation, site: str) -> None:
    rows = platform.sql(
        "select parent_point_id, member, point_id, grain, starts_at, expected_s, energy_wh "
        f"from mart_submetering where site_id = '{site}' and grain <> 'month'"
    )
    curves = {key: signal.curve for key, signal in platform.world.signals.items()}
    (main,) = {parent for parent, *_ in rows}
    children = sorted({point for _, member, point, *_ in rows if member == "child"})
    assert len(children) == {"paris": 2, "los-angeles": 9, "kolkata": 8}[site]
    checked = {"hour": 0, "day": 0}
    for _, member, point, grain, starts_at, expected_s, energy_wh in rows:
        start, end = starts_at.timestamp(), starts_at.timestamp() + expected_s
        if start < START.timestamp() + 3_600 or end > END.timestamp() - 3_600:
            continue
        truth = {one: _truth(curves[one], start, end) for one in (main, *children)}
        left = truth[main] - sum(truth[one] for one in children)
        # A register shows whole watt-hours, or hundredths of a kilowatt-hour, at its own samples.
        near = {"hour": 0.02, "day": 0.005}[grain] * truth[main]
        assert energy_wh == pytest.approx(
            left if member == "remainder" else truth[point], abs=near
        ), (member, point, starts_at)
        checked[grain] += member == "remainder"
    assert checked["day"] >= 2
    assert checked["hour"] >= 60


def _truth(curve: Curve | None, start: float, end: float) -> float:
    assert curve is not None
    return curve.energy_wh(start, end)


def test_children_and_remainder_are_what_the_main_meter_shows_every_hour(
    platform: Installation,
) -> None:
    rows = platform.sql(
        """
        select
            sum(energy_wh) filter (where member <> 'parent'),
            sum(energy_wh) filter (where member = 'parent')
        from mart_submetering group by parent_point_id, grain, starts_at
        having sum(energy_wh) filter (where member = 'parent') is not null
        """
    )
    assert len(rows) > 250
    for parts, whole in rows:
        assert parts == pytest.approx(whole, abs=1)


def test_the_load_that_is_measured_twice_is_found_to_agree_and_counts_once(
    platform: Installation,
) -> None:
    rows = platform.sql(
        "select site_id, count(*), max(abs(difference_percent)) from mart_instruments "
        "where verdict = 'agree' group by site_id order by site_id"
    )
    assert [site for site, *_ in rows] == ["kolkata", "los-angeles"]
    assert all(days >= 3 and percent < 0.1 for _, days, percent in rows)
    assert not platform.sql("select * from mart_instruments where verdict = 'differ'")


def test_the_day_the_clock_changes_has_23_hours_in_paris(platform: Installation) -> None:
    rows = platform.sql(
        "select distinct expected_s from fct_energy_daily "
        "where timezone = 'Europe/Paris' and local_day = date '2026-03-29'"
    )
    assert rows == [(23 * 3600,)]


def test_wattics_holds_every_agreed_interval_once_in_order(platform: Installation) -> None:
    judged = platform.delivery_report()
    assert judged["complaints"] == []
    assert judged["without_cookie"] == 0
    streams = judged["streams"]
    assert len(streams) >= 12
    for name, stream in streams.items():
        assert stream["packets"] > 0, name
        assert stream["missing_intervals"] == 0, (name, stream["gaps"])
        assert stream["crowded_intervals"] == 0, name
        assert stream["off_grid"] == 0, name
        last = datetime.fromisoformat(stream["last_at"])
        assert last >= END - timedelta(hours=2), name


def test_every_mart_has_rows(platform: Installation) -> None:
    tables = [name for (name,) in platform.sql("select table_name from duckdb_tables()")]
    marts = [name for name in tables if name.startswith(("fct_", "dim_", "mart_"))]
    assert len(marts) >= 12
    empty = [name for name in marts if platform.sql(f"select count(*) from {name}")[0][0] == 0]
    assert empty == ["mart_restatements"], "of clean days nothing that was final has changed"


def test_the_queries_of_the_summary_and_the_readme_can_be_pasted(platform: Installation) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", readme, flags=re.DOTALL)
    queries = [query for block in blocks for query in block.split(";") if query.strip()]
    assert len(queries) >= 4
    for query in [*queries, *QUERIES.values()]:
        assert platform.sql(query) or "from mart_restatements" in query, query


def test_every_query_of_the_docs_can_be_pasted(platform: Installation) -> None:
    queries = [
        query
        for page in pages()
        for block in blocks(page, "sql")
        for query in block.text.split(";")
        if query.strip()
    ]
    assert len(queries) > 10
    for query in queries:
        platform.sql(query)


def test_delivered_packets_are_seen_in_the_published_file(platform: Installation) -> None:
    shown = dict(platform.sql("select stream_id, packets_acknowledged from mart_delivery"))
    held = {name: one["packets"] for name, one in platform.delivery_report()["streams"].items()}
    assert shown == held


def test_running_the_same_days_again_rewrites_nothing_and_sends_nothing(
    platform: Installation,
) -> None:
    files, packets = platform.files(), platform.delivery_report()["packets"]
    must_succeed(platform.ingest(DAYS))
    assert platform.follow(REFRESH, PUSH) == []
    assert platform.files() == files
    assert platform.delivery_report()["packets"] == packets


def test_every_register_of_the_world_is_in_the_energy_tables(platform: Installation) -> None:
    found = set(
        platform.lake.scan(CORE_ENERGY_DELTAS).select("point_id").unique().collect()["point_id"]
    )
    known = load_portfolio(platform.data / "portfolio.yaml").points
    wanted = {
        signal.key
        for signal in platform.world.signals.values()
        if signal.kind == "register"
        and signal.quantity in ENERGY_QUANTITIES
        and "word_swapped" not in signal.traits
        and signal.key in known
        and signal.samples(START.timestamp(), END.timestamp()).values.any()  # not a dead meter
    }
    assert wanted <= found
    assert len(wanted) > 60


HALF_A_PERCENT = 0.005


def _whole_days(
    platform: Installation, mart: str
) -> Iterator[tuple[dict[str, Any], datetime, datetime]]:
    """Yield the rows of a mart of days that lie within the days read, with their bounds."""
    names = [name for (name,) in platform.sql(f"select column_name from (describe {mart})")]
    for row in platform.sql(f"select * from {mart} order by all"):
        day = dict(zip(names, row, strict=True))
        start, end = _local_bounds(day["local_day"], day["timezone"])
        if start >= START + MARGIN and end <= END - MARGIN:
            yield day, start, end


MARGIN = timedelta(hours=1)
"""Gauges are known up to their last reading, and from their first one on."""


def test_valves_figures_are_the_worlds(platform: Installation) -> None:
    shares: list[tuple[float, float, float]] = []
    for day, start, end in _whole_days(platform, "mart_valve_daily"):
        if day["covered_share"] < 0.99:
            continue  # the valve that reports every six hours
        _, serial = day["device_id"].split("/")
        truth = valve_truth(platform.world, serial, start=start, end=end, below_k=7.0)
        for name in ("energy_wh", "energy_weighted_delta_t_k"):
            expected = getattr(truth, name)
            assert day[name] == pytest.approx(expected, rel=HALF_A_PERCENT), (name, day)
        shares.append((truth.energy_wh, truth.below_share, day["below_design_share"]))
        assert day["flow_energy_ratio"] == pytest.approx(1, rel=HALF_A_PERCENT), day
        assert day["saturated_s"] == 0, day
        assert abs(day["position_reversals"] - (end - start) / timedelta(hours=6)) <= 1, day
    assert len(shares) >= 8
    # Of one valve and day, readings of 0.01 K every five minutes tell it to half a percent of the
    # energy; of the fleet, to half a percent of itself.
    assert all(found == pytest.approx(true, abs=0.005) for _, true, found in shares)
    below = [sum(energy * share[n] for energy, *share in shares) for n in (0, 1)]
    assert below[1] == pytest.approx(below[0], rel=HALF_A_PERCENT)


def test_a_ups_figures_are_the_worlds(platform: Installation) -> None:
    compared = 0
    for day, start, end in _whole_days(platform, "mart_ups_daily"):
        _, serial = day["device_id"].split("/")
        mean, median, high = load_truth(platform.world, serial, start=start, end=end)
        assert day["load_rate_mean"] == pytest.approx(mean, rel=HALF_A_PERCENT)
        # The display has whole percents.
        assert day["load_rate_p50"] == pytest.approx(median, abs=0.6)
        assert day["load_rate_p95"] == pytest.approx(high, abs=0.6)
        assert day["efficiency"] == pytest.approx(0.94, rel=HALF_A_PERCENT)
        seconds = (end - start).total_seconds()
        # Counted in whole overloads, and in hundredths of an hour.
        assert day["overload_events"] == pytest.approx(seconds / 7200, abs=1)
        assert day["time_on_battery_s"] == pytest.approx(seconds * 0.005, abs=36)
        assert day["overload_s"] == 0
        compared += 1
    assert compared >= 6


def test_a_batterys_figures_are_the_worlds(platform: Installation) -> None:
    names = ("site_id", "round_trip_efficiency", "usable_capacity_wh", "window_days")
    months = platform.sql(f"select {', '.join(names)} from mart_battery_monthly")
    months = [row for row in months if row[1] is not None]
    assert {row[0] for row in months} == {"paris", "los-angeles", "kolkata"}
    for site, efficiency, capacity_wh, _ in months:
        assert efficiency == pytest.approx(0.9, rel=HALF_A_PERCENT), site
        truth = capacity_truth(platform.world, site)
        assert capacity_wh == pytest.approx(truth, rel=HALF_A_PERCENT), site


def test_self_consumption_is_the_worlds(platform: Installation) -> None:
    compared = 0
    for day, start, end in _whole_days(platform, "mart_self_consumption_daily"):
        truth = sufficiency_truth(platform.world, day["site_id"], start=start, end=end)
        for name, expected in truth.items():
            assert day[name] == pytest.approx(expected, rel=HALF_A_PERCENT), (name, day)
        compared += 1
    assert compared >= 6


def _local_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    tz = ZoneInfo(zone)
    start = datetime.combine(day, time.min, tzinfo=tz).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=tz).astimezone(UTC)
    return start, end
