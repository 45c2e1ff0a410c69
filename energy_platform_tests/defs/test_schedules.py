"""Which days the schedules ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.defs.schedules import build_schedules
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.settings import PlatformSettings, sections
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.lake.catalogue import DayState

VENDORS = ("SOCOMEC", "BELIMO", "SKYCENTRICS")


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for section in sections().values():
        prefix = section.model_config.get("env_prefix", "")
        for name in section.model_fields:
            monkeypatch.delenv((prefix + name).upper(), raising=False)


@pytest.fixture
def socomec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of an installation that reads Socomec."""
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    return tmp_path


def asked(name: str, at: datetime) -> dg.RunRequest | str:
    """The one run a schedule asks for at an instant, or why it asks for none."""
    schedules = {one.name: one for one in build_schedules(PlatformSettings())}
    context = dg.build_schedule_context(scheduled_execution_time=at)
    data = schedules[name].evaluate_tick(context)
    if data.run_requests:
        (request,) = data.run_requests
        return request
    return str(data.skip_message)


def days_of(request: dg.RunRequest | str) -> tuple[str, str]:
    assert isinstance(request, dg.RunRequest), request
    return (
        request.tags["dagster/asset_partition_range_start"],
        request.tags["dagster/asset_partition_range_end"],
    )


def test_the_daily_run_is_one_range_of_yesterday_and_the_late_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BELIMO_CLIENT_ID", "client")
    monkeypatch.setenv("BELIMO_LATE_DAYS", "3")
    request = asked("ingest_belimo_daily", datetime(2026, 3, 2, 0, 25, tzinfo=UTC))
    assert days_of(request) == ("2026-02-26", "2026-03-01")


def test_the_intraday_run_asks_for_todays_open_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    request = asked("ingest_socomec_intraday", datetime(2026, 3, 2, 14, 30, tzinfo=UTC))
    assert days_of(request)[1] == "2026-03-02"


@pytest.mark.parametrize("vendor", [vendor.lower() for vendor in VENDORS])
@pytest.mark.parametrize("kind", ["daily", "intraday"])
def test_a_vendor_without_credentials_is_left_alone(vendor: str, kind: str) -> None:
    said = asked(f"ingest_{vendor}_{kind}", datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    assert f"no credentials for {vendor}" in str(said)


def test_the_inventory_run_reads_only_vendors_with_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SKYCENTRICS_CLIENT_ID", "client")
    request = asked("inventories_daily", datetime(2026, 3, 2, 0, 5, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    names = {key.to_user_string() for key in request.asset_selection or ()}
    assert names == {"raw_skycentrics__devices", "raw_skycentrics__sensors"}


def test_everything_starts_by_itself_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = build_schedules(PlatformSettings())
    assert {one.default_status for one in running} == {dg.DefaultScheduleStatus.RUNNING}
    monkeypatch.setenv("ENERGY_PLATFORM_AUTOSTART", "false")
    stopped = build_schedules(PlatformSettings())
    assert {one.default_status for one in stopped} == {dg.DefaultScheduleStatus.STOPPED}


def attempt(state: DayState, *, day: str, at: datetime, data_dir: Path) -> None:
    with Catalogue(data_dir) as catalogue:
        catalogue.record(source="socomec", day=day, state=state, now=at, why="HTTP 503")


def test_the_daily_run_takes_holes_before_its_late_days_and_leaves_resting_days(
    socomec: Path,
) -> None:
    lake = Lake(socomec / "lake")
    for day in ("2026-02-20", "2026-02-25"):
        land_day(
            lake,
            RAW_SOCOMEC_DATAPOINTS,
            day=day,
            frame=RAW_SOCOMEC_DATAPOINTS.empty(),
            complete_until=datetime(2026, 3, 1, tzinfo=UTC),
            closed=True,
        )
    tick = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)
    assert days_of(asked("ingest_socomec_daily", tick)) == ("2026-02-26", "2026-03-01")
    attempt("failed", day="2026-02-27", at=tick - timedelta(minutes=1), data_dir=socomec)
    assert days_of(asked("ingest_socomec_daily", tick)) == ("2026-02-28", "2026-03-01")
    for day in ("2026-02-28", "2026-03-01", "2026-02-26", "2026-02-24", "2026-02-23"):
        attempt("failed", day=day, at=tick - timedelta(minutes=1), data_dir=socomec)
    for day in ("2026-02-22", "2026-02-21"):
        attempt("failed", day=day, at=tick - timedelta(minutes=1), data_dir=socomec)
    said = asked("ingest_socomec_daily", tick)
    assert "8 days rest after attempts that failed" in str(said)


def test_a_run_has_a_time_limit_of_its_source_with_a_margin(
    socomec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socomec.exists()
    monkeypatch.setenv("SOCOMEC_RUN_LIMIT_S", "600")
    request = asked("ingest_socomec_daily", datetime(2026, 3, 2, 0, 20, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    # Two days, ten minutes each, and a quarter of an hour.
    assert request.tags["dagster/max_runtime"] == "2100"
