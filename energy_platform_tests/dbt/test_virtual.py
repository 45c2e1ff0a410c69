"""Virtual points in the marts: points like others, and counted where their role says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh
from energy_platform.warehouse import Warehouse
from energy_platform_tests.refresh.test_virtual import LEAVES, LOAD, REST, USE, VIRTUAL
from energy_platform_tests.refresh.world import (
    DAYS,
    METER,
    PORTFOLIO,
    SOLAR,
    VALVE,
    land,
    portfolio,
    steady,
)
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAT: Final = "virtual/heat/twice"
CAMPUS: Final = "virtual/campus/main"

MAINS: Final = PORTFOLIO.replace(
    "sites:\n", "sites:\n  - {id: campus, name: Campus, timezone: Europe/Paris}\n"
).replace("name: Main meter\n", "name: Main meter\n    role: main\n")

MORE: Final = f"""\
  - vendor: virtual
    serial: heat
    site: mill
    name: Heat
    points:
      - {{key: twice, name: Twice, quantity: heating_energy, of: [{{point: {VALVE}, factor: 2}}]}}
  - vendor: virtual
    serial: campus
    site: campus
    name: Campus
    role: main
    points:
      - {{key: main, name: All, quantity: active_energy_import, of: ["{METER}"]}}
"""

SILENT: Final = DAYS[3]


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    data = tmp_path_factory.mktemp("virtual")
    lake = Lake(data / "lake")
    known = portfolio(MAINS + VIRTUAL + MORE)
    land(lake, [one for one in steady(DAYS[:5]) if one[0] != SOLAR or one[1] < SILENT])
    refresh(lake, portfolio=known)
    warehouse = Warehouse(data_dir=data, lake=lake, dbt_project_dir=PROJECT)
    warehouse.build(known)
    with duckdb.connect(str(warehouse.work_file), read_only=True) as connection:
        yield connection


def rows(marts: duckdb.DuckDBPyConnection, query: str, *args: object) -> list[tuple[Any, ...]]:
    return marts.execute(query, args).fetchall()


def day_of_point(marts: duckdb.DuckDBPyConnection, point: str, day: str) -> tuple[Any, ...]:
    query = (
        "select energy_wh, covered_share, status, is_closed, method from fct_energy_daily "
        "where point_id = ? and local_day = ?::date"
    )
    (found,) = rows(marts, query, point, day)
    return found


def test_a_day_is_the_sum_over_the_parts_and_as_settled_as_they_are(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    for point, leaves in LEAVES.items():
        energy, covered, status, is_closed, method = day_of_point(marts, point, DAYS[1])
        parts = [day_of_point(marts, leaf, DAYS[1]) for leaf in leaves]
        constant = 24 * 60.0 if point == REST else 0.0
        expected = sum(f * one[0] for f, one in zip(leaves.values(), parts, strict=True))
        assert energy == pytest.approx(expected + constant)
        assert (covered, is_closed, method) == (1.0, True, "virtual")
        assert {status} == {one[2] for one in parts}


def test_a_missing_part_is_a_figure_that_is_not_known(marts: duckdb.DuckDBPyConnection) -> None:
    energy, covered, status, is_closed, _ = day_of_point(marts, USE, SILENT)
    assert covered < 0.05
    assert not is_closed
    assert status in {"open", "incomplete", "partial"}
    assert energy is None or energy < 0.05 * day_of_point(marts, METER, SILENT)[0]


def test_it_counts_at_its_site_where_its_role_says_so(marts: duckdb.DuckDBPyConnection) -> None:
    terms = dict(rows(marts, "select point_id, site_term from dim_point where vendor = 'virtual'"))
    assert terms == {USE: None, REST: None, LOAD: None, HEAT: None, CAMPUS: "import"}
    use = dict(
        rows(
            marts, "select site_id, site_use_wh from mart_site_energy where local_day = ?", DAYS[1]
        )
    )
    assert use["mill"] == use["campus"] == pytest.approx(day_of_point(marts, METER, DAYS[1])[0])
    (heat,) = rows(
        marts,
        "select heating_wh from mart_site_energy where site_id = 'mill' and local_day = ?",
        DAYS[1],
    )
    assert heat[0] == pytest.approx(day_of_point(marts, VALVE, DAYS[1])[0])


def test_powers_are_measurements(marts: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select min_value, max_value, unit, samples from fct_measurement_daily "
        "where point_id = ? and local_day = ?"
    )
    assert rows(marts, query, LOAD, DAYS[1]) == [(-500.0, 2_500.0, "W", 24)]
