"""History from before the platform: read, refreshed, published, and partitions of Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import energy_platform
from energy_platform.days import day_range
from energy_platform.defs.partitions import first_partition
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.environment import small_portfolio, small_world

pytestmark = [pytest.mark.long, pytest.mark.end_to_end]

METER = "SN000001"
DAYS = day_range("2015-03-28", "2015-03-30")
COMMAND = "from energy_platform.cli import main; main()"
NEWEST = "2015-04-02"


def test_days_of_2015_are_read_like_any_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = small_world({METER})
    portfolio = tmp_path / "portfolio.yaml"
    portfolio.write_text(small_portfolio({METER}, valve_points=()), encoding="utf-8")
    with SimulatorSuite(world=world, wattics_streams=()) as suite:
        environment = {
            name: value
            for name, value in (os.environ | suite.environment()).items()
            if not name.startswith(("BELIMO", "SKYCENTRICS", "WATTICS", "ENERGY_PLATFORM"))
        } | {
            "ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "data"),
            "ENERGY_PLATFORM_PORTFOLIO": str(portfolio),
            "PYTHONPATH": str(Path(energy_platform.__path__[0]).parent),
        }

        # Something newer has landed, so that the partitions of other processes begin later.
        lake = Lake(tmp_path / "data" / "lake")
        land_day(
            lake,
            RAW_SOCOMEC_DATAPOINTS,
            day=NEWEST,
            frame=RAW_SOCOMEC_DATAPOINTS.empty(),
            complete_until=datetime(2015, 4, 3, tzinfo=UTC),
            closed=True,
        )
        monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.delenv("ENERGY_PLATFORM_PARTITIONS_FROM")
        assert first_partition().isoformat() == NEWEST
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", COMMAND, "backfill", "socomec", DAYS[0], DAYS[-1]],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "socomec: 3 of 3 days landed" in done.stdout
        assert first_partition().isoformat() == DAYS[0]
    assert lake.days(RAW_SOCOMEC_DATAPOINTS) == [*DAYS, NEWEST]
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb"), read_only=True) as db:
        rows = db.execute(
            "select energy_wh, expected_s from fct_energy_daily "
            "where point_id = ? and local_day = '2015-03-29'",
            [f"socomec/{METER}/Global|0|130101"],
        ).fetchall()
    ((energy, expected_s),) = rows
    assert expected_s == 23 * 3600, "the clock of Paris changed that day"
    signal = world.signals[f"socomec/{METER}/Global|0|130101"]
    start = datetime(2015, 3, 28, 23, tzinfo=UTC).timestamp()
    true = signal.true_energy_wh(start, start + expected_s)
    assert abs(energy / true - 1) < 0.001
