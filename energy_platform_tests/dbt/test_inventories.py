"""Customers and last values from the simulated SoData into the two files anyone can query."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from energy_platform.ingest.run import ingest_inventory
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.simulators.socomec import SocomecSimulator, uid
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.registry import open_source
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_CUSTOMERS, RAW_SOCOMEC_LAST_VALUES
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def suite() -> Iterator[SimulatorSuite]:
    with SimulatorSuite(clock=lambda: NOON) as suite:
        yield suite


def read_inventory(suite: SimulatorSuite, lake: Lake, patch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SOCOMEC_"):
            patch.delenv(name)
    for name, value in (suite.environment() | {"SOCOMEC_ATTEMPTS": "1"}).items():
        patch.setenv(name, value)
    portfolio = parse_portfolio(suite.portfolio())
    opened = open_source("socomec", portfolio=portfolio, landing=lake.root, logins=None)
    with opened as source:
        ingest_inventory(source, vendor="socomec", lake=lake)


@pytest.fixture(scope="module")
def warehouse(
    suite: SimulatorSuite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    data = tmp_path_factory.mktemp("inventories")
    lake = Lake(data / "lake")
    made = Warehouse(data_dir=data, lake=lake, dbt_project_dir=PROJECT)
    with pytest.MonkeyPatch.context() as patch:
        read_inventory(suite, lake, patch)
        made.build(parse_portfolio(suite.portfolio()))
        made.publish()
        yield made


def asked(warehouse: Warehouse, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse.published_file), read_only=True) as db:
        return db.execute(query).fetchall()


def test_customers_are_there_with_their_devices(warehouse: Warehouse) -> None:
    rows = asked(
        warehouse,
        "select customer_name, sites_quantity, devices from dim_customer order by customer_name",
    )
    assert rows == [("Demo customer", 2, 11), ("Demo customer abroad", 1, 4)]


def test_a_last_value_names_its_point_site_and_customer(
    suite: SimulatorSuite, warehouse: Warehouse
) -> None:
    point = "socomec/SN000001/Global|0|130101"
    (row,) = asked(
        warehouse,
        "select site_id, title, epoch(sampled_at), value, unit, value_text, customer_name "
        "from mart_last_values join dim_customer using (customer_uuid) "
        f"where point_id = '{point}'",
    )
    newest = suite.world.signals[point].newest(NOON.timestamp())
    assert newest is not None
    at, value = newest
    assert row == (
        *("paris", "Positive active energy", at, value, "WATT_HOUR", None),
        "Demo customer",
    )


def test_every_last_value_is_there_once_alarms_as_texts_and_old_ones_with_their_date(
    suite: SimulatorSuite, warehouse: Warehouse
) -> None:
    signals = sum(len(one.signals) for one in suite.world.of_vendor("socomec"))
    assert asked(warehouse, "select count(*), count(distinct point_id) from mart_last_values") == [
        (signals, signals)
    ]
    alarms = asked(
        warehouse, "select distinct service_type from mart_last_values where value_text is not null"
    )
    assert alarms == [("Alarm",)]
    old = asked(
        warehouse,
        "select distinct year(sampled_at), title from mart_last_values "
        "where sampled_at < '2026-03-01' order by all",
    )
    assert old == [(2022, "Ups battery capacity")]


def test_nothing_personal_is_in_either_file(warehouse: Warehouse) -> None:
    """The simulated account is full of contacts: none of them is asked for or kept."""
    for file in (warehouse.published_file, warehouse.live_file):
        with duckdb.connect(str(file), read_only=True) as db:
            tables = [name for (name,) in db.execute("select name from (show tables)").fetchall()]
            text = repr([db.execute(f'from "{name}"').fetchall() for name in tables])
        assert "customer.example" not in text
        assert "Demo Person" not in text
        assert "+00 000 000" not in text


def test_the_live_views_show_the_snapshots(warehouse: Warehouse) -> None:
    with duckdb.connect(str(warehouse.live_file), read_only=True) as db:
        customers = db.execute(
            f"select name from {RAW_SOCOMEC_CUSTOMERS.name} order by name"
        ).fetchall()
        value = db.execute(
            f"select value from {RAW_SOCOMEC_LAST_VALUES.name} "
            f"where device_uuid = '{uid('device', 'SN000001')}' and service_id = '130051'"
        ).fetchall()
    assert customers == [("Demo customer",), ("Demo customer abroad",)]
    assert value == [(0.96,)]


def test_a_lake_without_any_inventory_builds_and_is_stale_once_there_is_one(
    suite: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    warehouse = Warehouse(data_dir=tmp_path, lake=lake, dbt_project_dir=PROJECT)
    portfolio = parse_portfolio(suite.portfolio())
    warehouse.build(portfolio)
    warehouse.publish()
    assert asked(warehouse, "from dim_customer") == asked(warehouse, "from mart_last_values") == []
    assert not warehouse.plan(portfolio).stale
    read_inventory(suite, lake, monkeypatch)
    assert warehouse.plan(portfolio).why == ("the inventories changed",)


def test_who_may_not_read_customers_has_the_last_values_all_the_same(
    suite: SimulatorSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    suite.simulator(SocomecSimulator).may_read_customers = False
    try:
        read_inventory(suite, lake, monkeypatch)
    finally:
        suite.simulator(SocomecSimulator).may_read_customers = True
    assert lake.path(RAW_SOCOMEC_CUSTOMERS).exists()
    assert lake.read(RAW_SOCOMEC_CUSTOMERS).is_empty()
    assert lake.read(RAW_SOCOMEC_LAST_VALUES).height > 100
