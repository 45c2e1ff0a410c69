"""What the sensor of a source's due days asks for, what it waits for and what it reports."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import time_machine

from energy_platform.days import day_range
from energy_platform.defs import ingest_requests
from energy_platform.defs.partitions import RANGE_END, RANGE_START, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.schedules import build_schedules
from energy_platform.defs.sensors import polls
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.raw_days import land_day
from energy_platform.settings import PlatformSettings
from energy_platform.sources.skycentrics.pull import PollReport
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS, RAW_SOCOMEC_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 1, 10, 9, 5, tzinfo=UTC)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    monkeypatch.setenv("SOCOMEC_LATE_DAYS", "0")
    return Platform.of(PlatformSettings())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def close(platform: Platform, *days: str) -> None:
    for day in days:
        land_day(
            platform.lake,
            RAW_SOCOMEC_DATAPOINTS,
            day=day,
            frame=RAW_SOCOMEC_DATAPOINTS.empty(),
            complete_until=NOW,
            closed=True,
        )
        with Catalogue(platform.data) as catalogue:
            catalogue.record(source="socomec", day=day, state="whole", now=NOW)


def read_today(platform: Platform) -> None:
    land_day(
        platform.lake,
        RAW_SOCOMEC_DATAPOINTS,
        day="2026-01-10",
        frame=RAW_SOCOMEC_DATAPOINTS.empty(),
        complete_until=NOW,
        closed=False,
    )


def look(
    platform: Platform,
    instance: dg.DagsterInstance,
    *,
    at: datetime = NOW,
    cursor: str | None = None,
) -> dg.SensorExecutionData:
    sensors = {one.name: one for one in build_sensors(PlatformSettings())}
    with (
        time_machine.travel(at, tick=False),
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"platform": platform}
        ) as context,
    ):
        return sensors["socomec_days_due"].evaluate_tick(context)


def asked(data: dg.SensorExecutionData) -> tuple[str, str, str]:
    (request,) = data.run_requests or []
    return request.tags[RUN_KIND], request.tags[RANGE_START], request.tags[RANGE_END]


def add_run(
    instance: dg.DagsterInstance,
    *,
    kind: str,
    days: tuple[str, str],
    at: datetime,
    lasts: timedelta = timedelta(0),
) -> None:
    """Let a run begin, and fail after a while."""
    run = dg.DagsterRun(
        job_name="ingest_socomec",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={RUN_KIND: kind, RANGE_START: days[0], RANGE_END: days[1]},
    )
    with time_machine.travel(at, tick=False):
        instance.add_run(run)
    with time_machine.travel(at + lasts, tick=False):
        instance.report_run_failed(run)


def under_way(monkeypatch: pytest.MonkeyPatch, run: dg.DagsterRun) -> None:
    monkeypatch.setattr(ingest_requests, "living_runs", lambda _: [run])


def test_holes_are_asked_for_newest_first_in_blocks(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-01", "2026-01-06", "2026-01-09")
    assert asked(look(platform, instance)) == ("due", "2026-01-07", "2026-01-08")
    close(platform, "2026-01-07", "2026-01-08")
    assert asked(look(platform, instance)) == ("due", "2026-01-02", "2026-01-05")
    close(platform, *day_range("2026-01-02", "2026-01-05"))
    read_today(platform)
    assert "every day that is over is whole" in str(look(platform, instance).skip_message)


def test_today_is_read_soon_after_a_start_and_not_only_at_the_next_tick(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-09")
    assert asked(look(platform, instance)) == ("intraday", "2026-01-10", "2026-01-10")
    at_the_tick = NOW - timedelta(minutes=4)
    assert "is whole" in str(look(platform, instance, at=at_the_tick).skip_message), "its own time"
    add_run(instance, kind="intraday", days=("2026-01-10", "2026-01-10"), at=at_the_tick)
    assert "is whole" in str(look(platform, instance).skip_message), "the tick was served"
    read_today(platform)
    later = NOW + timedelta(minutes=30)
    assert "is whole" in str(look(platform, instance, at=later).skip_message)


def test_a_long_outage_takes_several_runs(platform: Platform, instance: dg.DagsterInstance) -> None:
    close(platform, "2025-06-01")
    assert asked(look(platform, instance)) == ("due", "2025-12-27", "2026-01-09")


@pytest.mark.parametrize(
    "run",
    [
        dg.DagsterRun(job_name="ingest_socomec", status=dg.DagsterRunStatus.STARTING),
        dg.DagsterRun(job_name="everything", status=dg.DagsterRunStatus.STARTED),
        dg.DagsterRun(
            job_name="__ASSET_JOB",
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset({dg.AssetKey(RAW_SOCOMEC_DATAPOINTS.name)}),
        ),
    ],
    ids=["being started", "everything", "from the UI"],
)
def test_a_source_has_one_run_at_a_time_whoever_asked_for_it(
    platform: Platform,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run: dg.DagsterRun,
) -> None:
    close(platform, "2026-01-01")
    under_way(monkeypatch, run)
    assert "socomec is being read by run" in str(look(platform, instance).skip_message)
    schedules = {one.name: one for one in build_schedules(PlatformSettings())}
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as kept:
        for name, minute in (("daily", 20), ("intraday", 30)):
            context = dg.build_schedule_context(
                instance=kept, scheduled_execution_time=NOW.replace(hour=0, minute=minute)
            )
            data = schedules[f"ingest_socomec_{name}"].evaluate_tick(context)
            assert not data.run_requests
            assert "socomec is being read by run" in str(data.skip_message)


@pytest.mark.parametrize(
    "run",
    [
        dg.DagsterRun(job_name="ingest_belimo", status=dg.DagsterRunStatus.STARTED),
        dg.DagsterRun(job_name="refresh", status=dg.DagsterRunStatus.STARTED),
        dg.DagsterRun(
            job_name="__ASSET_JOB",
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset({dg.AssetKey(RAW_SOCOMEC_VARIABLES.name)}),
        ),
    ],
    ids=["another source", "refresh", "an inventory"],
)
def test_other_runs_hold_no_day_up(
    platform: Platform,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    run: dg.DagsterRun,
) -> None:
    close(platform, "2026-01-01")
    under_way(monkeypatch, run)
    assert look(platform, instance).run_requests


def test_today_comes_between_two_blocks_when_its_tick_fell_into_one(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-01", "2026-01-06")
    chunk = ("2026-01-07", "2026-01-09")
    minutes = timedelta(minutes=1)
    add_run(instance, kind="due", days=chunk, at=NOW - 8 * minutes, lasts=2 * minutes)
    close(platform, *day_range(*chunk))
    assert asked(look(platform, instance)) == ("due", "2026-01-02", "2026-01-05")
    add_run(instance, kind="due", days=chunk, at=NOW - 8 * minutes, lasts=6 * minutes)
    # A newer run is the first of the list, whenever it was made.
    assert asked(look(platform, instance)) == ("intraday", "2026-01-10", "2026-01-10")
    close(platform, *day_range("2026-01-02", "2026-01-05"))
    assert asked(look(platform, instance))[0] == "intraday", "also when no day is missing"
    add_run(instance, kind="intraday", days=("2026-01-10", "2026-01-10"), at=NOW)
    assert look(platform, instance).skip_message


def test_runs_that_die_without_a_word_are_asked_for_again_with_a_growing_pause(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-08")
    keys = set()
    at = NOW
    for pause in (10, 20, 40):
        found = look(platform, instance, at=at)
        (request,) = found.run_requests or []
        assert request.run_key not in keys, "Dagster drops a key that it knows"
        keys.add(request.run_key)
        add_run(instance, kind="daily", days=("2026-01-09", "2026-01-09"), at=at)
        soon = at + timedelta(minutes=pause - 1)
        assert "without a word" in str(look(platform, instance, at=soon).skip_message)
        at += timedelta(minutes=pause)


def test_days_that_rest_are_named_with_their_next_attempt(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-08")
    read_today(platform)
    with Catalogue(platform.data) as catalogue:
        catalogue.record(
            source="socomec", day="2026-01-09", state="failed", now=NOW, why="HTTP 503"
        )
    said = str(look(platform, instance, at=NOW + timedelta(minutes=1)).skip_message)
    assert "next attempt at 2026-01-10 09:15 UTC; newest 2026-01-09: HTTP 503" in said
    later = look(platform, instance, at=NOW + timedelta(minutes=10))
    assert asked(later) == ("due", "2026-01-09", "2026-01-09")


def test_the_check_is_reported_when_something_changed_and_then_not_again(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-07", "2026-01-09")
    first = look(platform, instance)
    (event,) = first.asset_events
    assert isinstance(event, dg.AssetCheckEvaluation)
    assert not event.passed
    assert event.severity is dg.AssetCheckSeverity.WARN
    assert event.asset_key == dg.AssetKey(RAW_SOCOMEC_DATAPOINTS.name)
    again = look(platform, instance, cursor=first.cursor, at=NOW + timedelta(minutes=1))
    assert again.asset_events == []
    close(platform, "2026-01-08")
    (healed,) = look(platform, instance, cursor=first.cursor).asset_events
    assert isinstance(healed, dg.AssetCheckEvaluation)
    assert healed.passed


def test_a_catalogue_that_cannot_be_used_is_named_with_what_to_do(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    close(platform, "2026-01-08")
    for path in platform.data.glob("catalogue.sqlite*"):
        path.unlink()
    (platform.data / "catalogue.sqlite").mkdir()
    said = str(look(platform, instance).skip_message)
    assert "catalogue.sqlite" in said
    assert "remove it" in said


def test_late_samples_of_a_poll_wait_for_the_run_under_way_and_are_not_lost(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYCENTRICS_CLIENT_ID", "client")
    reports = [
        PollReport(landed={}, failed={}, late_days=frozenset(days))
        for days in (["2026-01-09"], ["2026-01-08", "2026-01-10"], [])
    ]
    monkeypatch.setattr(polls, "poll_source", lambda *_, **__: reports.pop(0))
    sensors = {one.name: one for one in build_sensors(PlatformSettings())}

    def poll(cursor: str | None) -> dg.SensorExecutionData:
        with (
            time_machine.travel(NOW, tick=False),
            dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"platform": platform}
            ) as context,
        ):
            return sensors["poll_skycentrics"].evaluate_tick(context)

    run = dg.DagsterRun(job_name="ingest_skycentrics", status=dg.DagsterRunStatus.STARTED)
    with monkeypatch.context() as patch:
        patch.setattr(ingest_requests, "living_runs", lambda _: [run])
        held = poll(None)
    assert "late samples of 2026-01-09 wait: skycentrics is being read" in str(held.skip_message)
    both = poll(held.cursor)
    assert asked(both) == ("poll", "2026-01-08", "2026-01-09")
    assert "0 new samples" in str(poll(both.cursor).skip_message)
