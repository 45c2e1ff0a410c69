"""Where a site's electricity goes: attributed per quarter-hour, conserved, never out of nothing.

``attributed`` is the rule in plain Python, written from docs/energy.md and not from the SQL.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from energy_platform_tests.dbt.metered import metered, rows
from energy_platform_tests.warehouse.warehouse_world import QUARTER, days_from, utc

if TYPE_CHECKING:
    from energy_platform.warehouse import Warehouse

DAYS = days_from("2026-10-01", 3)
START = utc("2026-10-01T00:00")
COUNT = 96 * 3

SITE = """
  - {{vendor: socomec, serial: "{site}-main", site: {site}, name: Main, role: main,
     max_power_w: none, points: [
      {{key: in, name: In, quantity: active_energy_import}},
      {{key: out, name: Out, quantity: active_energy_export}}]}}
  - {{vendor: socomec, serial: "{site}-pv", site: {site}, name: Plant, role: generation,
     max_power_w: none, peak_power_w: 5000, points: [
      {{key: made, name: Made, quantity: generation_energy}}]}}
  - {{vendor: socomec, serial: "{site}-bat", site: {site}, name: Battery, role: storage,
     max_power_w: none, points: [
      {{key: up, name: Up, quantity: battery_energy_charge}},
      {{key: down, name: Down, quantity: battery_energy_discharge}}]}}
"""
"""Main, plant and battery."""

NET = """
  - {vendor: socomec, serial: net-main, site: net, name: Main, role: main, max_power_w: none,
     points: [{key: net, name: Net, quantity: active_energy_net}]}
  - {vendor: socomec, serial: net-pv, site: net, name: Plant, role: generation,
     max_power_w: none, points: [{key: made, name: Made, quantity: generation_energy}]}
"""
OTHERS = """
  - {vendor: socomec, serial: day-sub, site: day, name: Tracked, role: sub, max_power_w: none,
     points: [{key: in, name: In, quantity: active_energy_import}]}
  - {vendor: socomec, serial: day-gas, site: day, name: Gas, role: main, carrier: gas,
     max_power_w: none, points: [{key: in, name: In, quantity: active_energy_import}]}
  - {vendor: socomec, serial: plain-main, site: plain, name: Main, role: main,
     max_power_w: none, points: [{key: in, name: In, quantity: active_energy_import}]}
"""

PORTFOLIO = (
    "version: 1\nsites:\n"
    + "".join(
        f"  - {{id: {site}, name: {site}, timezone: UTC}}\n"
        for site in ("any", "day", "net", "plain")
    )
    + "devices:"
    + SITE.format(site="any")
    + SITE.format(site="day")
    + NET
    + OTHERS
)

Flows = dict[str, float]

TERMS = {"import": "main/in", "export": "main/out", "production": "pv/made"} | {
    "charge": "bat/up",
    "discharge": "bat/down",
}


def attributed(metered_wh: Flows) -> Flows:
    """Give each sink, in its turn, what its sources in their turn still have."""
    left = {
        "production": metered_wh["production"],
        "battery": metered_wh["discharge"],
        "grid": metered_wh["import"],
    }
    load = sum(left.values()) - metered_wh["export"] - metered_wh["charge"]
    wanted = {"grid": metered_wh["export"], "load": max(load, 0.0), "battery": metered_wh["charge"]}
    turns = [
        *(("grid", source) for source in ("production", "battery")),
        *(("load", source) for source in ("production", "battery", "grid")),
        *(("battery", source) for source in ("production", "grid", "battery")),
        ("grid", "grid"),
    ]
    flows: Flows = {}
    for sink, source in turns:
        given = min(left[source], wanted[sink])
        left[source] -= given
        wanted[sink] -= given
        flows[f"{source}_to_{sink}_wh"] = given
    return flows | {"load_wh": load, "unexplained_wh": max(-load, 0.0)}


def _random_day(chance: random.Random) -> Flows:
    """Metered energies of a quarter-hour; often nothing, now and then a contradiction."""
    return {
        term: 0.0 if chance.random() < 0.4 else chance.choice([1.0, 250.0]) * chance.random()
        for term in TERMS
    }


RANDOM = [_random_day(random.Random(seed)) for seed in range(COUNT)]  # noqa: S311
"""Of the site `any`."""


def _scripted() -> list[Flows]:
    """Of the site `day`: the wrong results that people report, a quarter-hour each, daily alike."""
    nothing = dict.fromkeys(TERMS, 0.0)
    day = [dict(nothing) for _ in range(96)]
    # At night the battery is charged from the grid next to the load.
    for quarter in range(8, 16):
        day[quarter] |= {"import": 300.0, "charge": 200.0}
    # At noon it is charged from the sun; what is left goes out.
    for quarter in range(44, 52):
        day[quarter] |= {"production": 800.0, "charge": 400.0, "export": 300.0}
    # In the morning one phase sends out what the sun brings while another takes from the grid.
    for quarter in range(36, 40):
        day[quarter] |= {"production": 500.0, "export": 120.0, "import": 400.0}
    # In the evening it feeds the load, and later sells to the grid.
    for quarter in range(72, 80):
        day[quarter] |= {"discharge": 450.0}
    for quarter in range(80, 84):
        day[quarter] |= {"discharge": 250.0, "export": 180.0}
    return day * 3


SCRIPTED = _scripted()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    energies: dict[str, list[float | None]] = {
        f"socomec/{site}-{point}": [quarter[term] for quarter in quarters]
        for site, quarters in (("any", RANDOM), ("day", SCRIPTED))
        for term, point in TERMS.items()
    }
    # For an hour of the last day nothing covers the plant.
    energies["socomec/day-pv/made"][-20:-16] = [None] * 4
    energies |= {
        "socomec/day-sub/in": [5_000.0] * COUNT,
        "socomec/day-gas/in": [9_000.0] * COUNT,
        "socomec/net-main/net": [-300.0 if n % 2 else 200.0 for n in range(COUNT)],
        "socomec/net-pv/made": [400.0] * COUNT,
        "socomec/plain-main/in": [100.0] * COUNT,
    }
    return metered(
        tmp_path_factory.mktemp("flows"),
        PORTFOLIO,
        start=START,
        days=[*DAYS, "2026-10-04"],
        energies=energies,
    )


@pytest.fixture(scope="module")
def flows(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"any": [], "day": [], "net": []}
    for row in rows(warehouse, "select * from mart_energy_flows order by interval_start"):
        found[str(row["site_id"])].append(row)
    return found


SOURCES = {"production": "production", "battery": "discharge", "grid": "import"}
SINKS = {"grid": "export", "load": "load", "battery": "charge"}


def test_the_sql_gives_what_the_rule_gives_in_plain_python(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    assert len(flows["any"]) == COUNT
    for row, said in zip(flows["any"], RANDOM, strict=True):
        for name, expected in attributed(said).items():
            assert row[name] == pytest.approx(expected, abs=1e-6), (row["interval_start"], name)


def test_energy_is_conserved_and_no_flow_exceeds_its_source_or_its_sink(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    contradicting = 0
    for row in (*flows["any"], *flows["net"]):
        given = {name: row[name] for name in row if "_to_" in str(name)}
        assert len(given) == 9
        assert min(given.values()) >= 0
        out = {s: sum(v for n, v in given.items() if n.startswith(f"{s}_to")) for s in SOURCES}
        into = {s: sum(v for n, v in given.items() if n.endswith(f"to_{s}_wh")) for s in SINKS}
        for source, term in SOURCES.items():
            assert out[source] == pytest.approx(row[f"{term}_wh"], abs=1e-6)
        for sink, term in SINKS.items():
            assert into[sink] <= max(row[f"{term}_wh"], 0) + 1e-6
        missing = sum(max(row[f"{term}_wh"], 0) for term in SINKS.values()) - sum(into.values())
        assert missing == pytest.approx(row["unexplained_wh"], abs=1e-6)
        contradicting += row["unexplained_wh"] > 0
    assert 0 < contradicting < COUNT


def _quarter(flows: dict[str, list[dict[str, Any]]], number: int) -> dict[str, Any]:
    row = flows["day"][number]
    assert row["interval_start"] == START + number * QUARTER
    return {name: value for name, value in row.items() if "_to_" in name and value}


def test_a_battery_charged_at_night_is_charged_by_the_grid(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    assert _quarter(flows, 8) == {"grid_to_load_wh": 100.0, "grid_to_battery_wh": 200.0}


def test_the_sun_serves_the_load_before_the_battery(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    assert _quarter(flows, 44) == {
        "production_to_load_wh": 100.0,
        "production_to_battery_wh": 400.0,
        "production_to_grid_wh": 300.0,
    }


def test_what_goes_out_while_the_grid_comes_in_on_another_phase_is_the_suns(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    assert _quarter(flows, 36) == {
        "production_to_grid_wh": 120.0,
        "production_to_load_wh": 380.0,
        "grid_to_load_wh": 400.0,
    }


def test_a_battery_that_sells_to_the_grid_feeds_no_load_with_it(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    assert _quarter(flows, 80) == {"battery_to_grid_wh": 180.0, "battery_to_load_wh": 70.0}


def test_a_net_register_is_import_above_zero_and_export_below(
    flows: dict[str, list[dict[str, Any]]],
) -> None:
    taken, given = flows["net"][0], flows["net"][1]
    assert (taken["import_wh"], taken["export_wh"], taken["load_wh"]) == (200.0, 0.0, 600.0)
    assert (given["import_wh"], given["export_wh"], given["load_wh"]) == (0.0, 300.0, 100.0)


def test_self_sufficiency_counts_of_the_battery_what_the_sun_put_in(warehouse: Warehouse) -> None:
    day = rows(
        warehouse,
        "select * from mart_self_consumption_daily where site_id = 'day' order by local_day",
    )[1]
    assert day["status"] == "final"
    assert day["covered_share"] == 1.0
    # By hand: load 8 x 100 + 8 x 100 + 4 x 780 + 8 x 450 + 4 x 70; sun 8 x 800 + 4 x 500.
    assert day["load_wh"] == 8600.0
    assert day["production_wh"] == 8400.0
    assert day["self_consumption"] == pytest.approx(1 - (8 * 300 + 4 * 120) / 8400)
    share = 8 * 400 / (8 * 400 + 8 * 200)
    assert day["battery_production_share"] == pytest.approx(share)
    sun, battery = 8 * 100 + 4 * 380, 8 * 450 + 4 * 70
    assert day["self_sufficiency"] == pytest.approx((sun + share * battery) / 8600)
    assert day["self_sufficiency_least"] == pytest.approx(sun / 8600)
    assert day["self_sufficiency_most"] == pytest.approx((sun + battery) / 8600)
    assert day["specific_yield_kwh_per_kwp"] == pytest.approx(8400 / 5000)


def test_gas_and_tracked_consumption_above_the_main_are_no_part_of_the_load(
    warehouse: Warehouse,
) -> None:
    found = rows(
        warehouse,
        "select import_wh, load_wh, (select site_use_wh from mart_site_energy "
        "where site_id = 'day' and local_day = date '2026-10-02') as site_use_wh "
        "from mart_self_consumption_daily "
        "where site_id = 'day' and local_day = date '2026-10-02'",
    )
    assert found == [{"import_wh": 8 * 300.0 + 4 * 400.0, "load_wh": 8600.0, "site_use_wh": 8600.0}]


def test_a_quarter_hour_with_a_point_unknown_has_no_flows_and_makes_the_day_partial(
    warehouse: Warehouse, flows: dict[str, list[dict[str, Any]]]
) -> None:
    row = flows["day"][-20]
    assert (row["points_unknown"], row["load_wh"], row["grid_to_load_wh"]) == (1, None, None)
    day = rows(
        warehouse,
        "select covered_s, expected_s, status, is_final from mart_self_consumption_daily "
        "where site_id = 'day' and local_day = date '2026-10-03'",
    )
    assert day == [{"covered_s": 82800.0, "expected_s": 86400.0} | _partial()]


def _partial() -> dict[str, object]:
    return {"status": "partial", "is_final": False}


def test_a_month_is_the_sum_of_its_days_and_open_until_its_end(warehouse: Warehouse) -> None:
    (month,) = rows(warehouse, "select * from mart_self_consumption_monthly where site_id = 'day'")
    days = rows(
        warehouse,
        "select sum(load_wh) as load_wh, sum(production_wh) as production_wh "
        "from mart_self_consumption_daily where site_id = 'day'",
    )[0]
    assert (month["load_wh"], month["production_wh"]) == (days["load_wh"], days["production_wh"])
    assert (month["days"], month["status"], month["is_final"]) == (3, "open", False)


def test_a_site_without_plant_or_battery_has_no_flows(warehouse: Warehouse) -> None:
    assert not rows(warehouse, "select 1 from mart_energy_flows where site_id = 'plain'")
