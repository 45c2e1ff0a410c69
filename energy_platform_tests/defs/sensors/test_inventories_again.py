"""Failed inventories are asked for again as soon as every source has answered."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import time_machine

from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.lake.raw_days import land_day
from energy_platform.settings import PlatformSettings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILED_AT = datetime(2026, 1, 10, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    return Platform.of(PlatformSettings())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def end(instance: dg.DagsterInstance, *, at: datetime, well: bool = False) -> None:
    """Let a run of the inventories begin and end."""
    run = dg.DagsterRun(job_name="inventories", run_id=str(uuid.uuid4()))
    with time_machine.travel(at, tick=False):
        instance.add_run(run)
        if well:
            event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
            instance.report_dagster_event(event, run.run_id)
        else:
            instance.report_run_failed(run)


def answer(platform: Platform, *, at: datetime) -> None:
    land_day(
        platform.lake,
        RAW_SOCOMEC_DATAPOINTS,
        day="2026-01-10",
        frame=RAW_SOCOMEC_DATAPOINTS.empty(),
        complete_until=at,
        closed=False,
    )


def look(
    platform: Platform, instance: dg.DagsterInstance, *, at: datetime
) -> dg.SensorExecutionData:
    (sensor,) = [
        one for one in build_sensors(PlatformSettings()) if one.name == "inventories_again"
    ]
    with (
        time_machine.travel(at, tick=False),
        dg.build_sensor_context(instance=instance, resources={"platform": platform}) as context,
    ):
        return sensor.evaluate_tick(context)


def test_they_are_asked_for_again_once_the_source_answers(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    end(instance, at=FAILED_AT)
    asked = look(platform, instance, at=FAILED_AT + 10 * MINUTE)
    assert not asked.run_requests
    assert "socomec has not answered since" in str(asked.skip_message)
    answer(platform, at=FAILED_AT + 15 * MINUTE)
    (request,) = look(platform, instance, at=FAILED_AT + 16 * MINUTE).run_requests or []
    assert {key.to_user_string() for key in request.asset_selection or []} == {
        "raw_socomec__sites",
        "raw_socomec__devices",
        "raw_socomec__variables",
        "raw_socomec__customers",
        "raw_socomec__last_values",
    }


def test_inventories_that_keep_failing_rest_longer_and_longer(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    for minute in (0, 16, 18):
        end(instance, at=FAILED_AT + minute * MINUTE)
    answer(platform, at=FAILED_AT + 19 * MINUTE)
    assert not look(platform, instance, at=FAILED_AT + 20 * MINUTE).run_requests
    assert look(platform, instance, at=FAILED_AT + 23 * MINUTE).run_requests


def test_inventories_that_were_read_are_left_to_the_schedule(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    end(instance, at=FAILED_AT)
    end(instance, at=FAILED_AT + 16 * MINUTE, well=True)
    answer(platform, at=FAILED_AT + 17 * MINUTE)
    assert not look(platform, instance, at=FAILED_AT + 18 * MINUTE).run_requests
