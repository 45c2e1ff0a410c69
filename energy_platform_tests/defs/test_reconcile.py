"""The daily comparison in Dagster: apart from the push, a warning and never a failed push."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.defs.assets.delivery import PACKETS_ASSETS, RECONCILED_CHECKS
from energy_platform.defs.jobs import push, reconcile
from energy_platform.defs.resources import Platform, build_resources
from energy_platform.defs.schedules import build_schedules
from energy_platform.delivery import Ledger
from energy_platform.destinations.wattics import WatticsClient
from energy_platform.settings import PlatformSettings
from energy_platform_tests.delivery.scenario import (
    DeliveryHarness,
    open_harness,
    point,
    regular,
    rising,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TODAY = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = TODAY - timedelta(days=2)
FIVE = timedelta(minutes=5)
PORTFOLIO = """
version: 1
sites:
  - {id: s, name: Site, timezone: UTC}
device_types:
  meter:
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
devices:
  - {vendor: socomec, serial: M1, site: s, name: M1, type: meter, max_power_w: none}
streams:
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
"""


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeliveryHarness]:
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    data = tmp_path / "data"
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(data))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    monkeypatch.delenv("ENERGY_PLATFORM_LEDGER_URL", raising=False)
    with (
        Ledger.at(data / "ledger.sqlite") as ledger,
        open_harness(data, ledger=ledger, now=TODAY) as harness,
    ):
        monkeypatch.setenv("WATTICS_BASE_URL", harness.url)
        monkeypatch.setenv("WATTICS_USERNAME", "demo-user")
        monkeypatch.setenv("WATTICS_PASSWORD", "demo-password")
        harness.register_streams(Platform.of(PlatformSettings()).portfolio())
        harness.scenario.registers[point(1)] = regular(
            START, TODAY - FIVE, every=FIVE, value=rising(START, face_wh=0, power_w=1200)
        )
        first = START.date().isoformat()
        harness.scenario.write_days(first, (TODAY - FIVE).date().isoformat())
        yield harness


def run(job: str) -> dg.ExecuteInProcessResult:
    return (
        dg.Definitions(
            assets=PACKETS_ASSETS,
            asset_checks=RECONCILED_CHECKS,
            jobs=[push, reconcile],
            resources=build_resources(PlatformSettings()),
        )
        .resolve_job_def(job)
        .execute_in_process(instance=dg.DagsterInstance.ephemeral())
    )


def test_a_push_does_not_compare_and_a_comparison_does_not_push(harness: DeliveryHarness) -> None:
    done = run(reconcile.name)
    assert done.success
    assert harness.sim.delivery_report().packets == 0
    names = {one.check_name for one in run(push.name).get_asset_check_evaluations()}
    assert names == {"nothing_refused"}
    assert harness.sim.delivery_report().packets > 0


def test_what_differs_is_a_warning_that_lists_the_stream_and_what_will_be_done(
    harness: DeliveryHarness,
) -> None:
    run(push.name)
    (good,) = run(reconcile.name).get_asset_check_evaluations()
    assert (good.check_name, good.passed) == ("reconciled", True)
    settings = harness.settings()
    with WatticsClient(settings, credential=settings.all_credentials()["default"]) as stranger:
        stamp = TODAY.strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
        stranger.push(f'{{"id":"el-1","tsISO8601":"{stamp}","pC_1":999999}}'.encode())
    done = run(reconcile.name)
    assert done.success, "a comparison that finds something is no failed run"
    (bad,) = done.get_asset_check_evaluations()
    assert (bad.passed, bad.severity) == (False, dg.AssetCheckSeverity.WARN)
    table = bad.metadata["differences"]
    assert isinstance(table, dg.TableMetadataValue)
    (record,) = table.records
    assert record.data["stream"] == "el-1"
    assert "who else" in str(record.data["action"])


def test_it_is_compared_once_a_day_and_only_where_there_is_a_wattics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_HOME", str(tmp_path))  # whose .env names none
    (daily,) = [one for one in build_schedules(PlatformSettings()) if one.name == "reconcile_daily"]
    context = dg.build_schedule_context(scheduled_execution_time=TODAY)
    monkeypatch.delenv("WATTICS_BASE_URL", raising=False)
    assert "WATTICS_BASE_URL" in str(daily.evaluate_tick(context).skip_message)
    monkeypatch.setenv("WATTICS_BASE_URL", "https://collector.example/measurements/")
    assert len(daily.evaluate_tick(context).run_requests or []) == 1
