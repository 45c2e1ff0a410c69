"""No fault of a simulator stays untested, and a moved device keeps its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.ingest.run import ingest_days, ingest_inventory
from energy_platform.simulators.belimo import FAULTS as BELIMO
from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform.simulators.faults import GENERIC
from energy_platform.simulators.middleware import identity_faults
from energy_platform.simulators.skycentrics import FAULTS as SKYCENTRICS
from energy_platform.simulators.socomec import FAULTS as SOCOMEC
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.registry import open_source
from energy_platform_tests.faults.cases import declared
from energy_platform_tests.faults.harness import DAY, NOW, FaultHarness, open_harness

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.ingest.run import DayOutcome
    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor

MOVED = "22005-50035-105-007"
CONTENT = ["serial_number", "datapoint_id", "at", "value", "value_text"]


@pytest.mark.parametrize(
    ("vendor", "names"),
    [
        ("socomec", SOCOMEC | GENERIC | identity_faults()),
        ("belimo", (BELIMO | GENERIC | identity_faults()) - {"transfer"}),
        ("skycentrics", SKYCENTRICS | GENERIC),
    ],
)
def test_every_fault_a_simulator_declares_is_in_the_matrix(
    vendor: Vendor, names: frozenset[str]
) -> None:
    assert declared(names, vendor) == frozenset()


def test_a_valve_that_moved_with_its_history_loses_no_row(tmp_path: Path) -> None:
    with open_harness(tmp_path) as harness:
        reference = pl.read_parquet(harness.reference("belimo"))
        outcome, frame = _day_after_transfer(harness, with_data=True)
    by_content = frame.sort(CONTENT).select(CONTENT)
    assert by_content.equals(reference.sort(CONTENT).select(CONTENT))
    assert any(MOVED in warning and "transferred" in warning for warning in outcome.warnings)


def test_a_valve_that_moved_without_its_history_is_named_and_costs_no_other_row(
    tmp_path: Path,
) -> None:
    with open_harness(tmp_path) as harness:
        reference = pl.read_parquet(harness.reference("belimo"))
        outcome, frame = _day_after_transfer(harness, with_data=False)
    others = pl.col("serial_number") != MOVED
    assert frame.equals(reference.filter(others))
    assert any(MOVED in warning and "transferred" in warning for warning in outcome.warnings)


def test_a_day_read_before_the_valve_moved_keeps_its_rows_and_says_so(tmp_path: Path) -> None:
    with open_harness(tmp_path) as harness:
        lake = harness.new_lake()
        assert harness.run("belimo", lake=lake).content == harness.reference("belimo")
        outcome, frame = _day_after_transfer(harness, with_data=False, lake=lake)
        reference = pl.read_parquet(harness.reference("belimo"))
    assert frame.equals(reference)
    assert outcome.landed is not None
    assert outcome.landed.lost == reference.filter(pl.col("serial_number") == MOVED).height


def _day_after_transfer(
    harness: FaultHarness, *, with_data: bool, lake: Lake | None = None
) -> tuple[DayOutcome, pl.DataFrame]:
    lake = lake or harness.new_lake()
    with open_source(
        "belimo", portfolio=harness.portfolio, landing=harness.folder, logins=None
    ) as source:
        ingest_inventory(source, vendor="belimo", lake=lake)
        harness.suite.simulator(BelimoSimulator).transfer(MOVED, with_data=with_data)
        (outcome,) = ingest_days(source, vendor="belimo", lake=lake, days=[DAY], now=NOW)
    return outcome, lake.read(RAW_BELIMO_SAMPLES, day=DAY)
