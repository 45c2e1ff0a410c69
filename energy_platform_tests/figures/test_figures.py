"""The recomputation over a fortnight in autumn; the program takes a year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from energy_platform_tests.figures.compare import compare
from energy_platform_tests.figures.scenario import FIRST, Scenario

if TYPE_CHECKING:
    from energy_platform.warehouse import Warehouse

pytestmark = [pytest.mark.end_to_end, pytest.mark.long]

SCENARIO = Scenario(FIRST, days=14)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return SCENARIO.build(tmp_path_factory.mktemp("figures"))


def test_every_published_figure_is_what_the_raw_files_say(warehouse: Warehouse) -> None:
    found = compare(SCENARIO, warehouse.data_dir, warehouse.published_file)
    assert {one.table: one.differences[:5] for one in found if one.differences} == {}
    assert all(one.figures for one in found)


def test_all_that_the_scenario_is_about_is_in_the_figures(warehouse: Warehouse) -> None:
    """What the comparison rests on did happen: else it would be equal about nothing."""
    energy, days = "from fct_energy_daily where point_id like", "from mart_site_energy where"
    with duckdb.connect(str(warehouse.published_file), read_only=True) as db:
        for question, answer in (
            ("count(distinct utc_offset_s) from fct_energy_15min", 4),
            (f"sum(energy_wh) {energy} '%/F1/%'", 0),
            (f"max(local_day) = '2026-10-30' {energy} '%/V1/%'", True),
            (f"count(*) {days} points_unknown > 0 and site_use_wh is null", 1),
            (f"count(*) > 0 {days} status = 'unconfirmed'", True),
            (f"count(*) {days} status = 'disputed'", 1),
            ("sum(corrected_samples) from fct_quality_daily", 100),
        ):
            assert db.execute(f"select {question}").fetchone() == (answer,), question
