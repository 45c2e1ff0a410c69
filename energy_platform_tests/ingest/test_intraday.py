"""Every so many minutes means that many, or is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster import ScheduleDefinition
from dagster._utils.schedules import schedule_execution_time_iterator

from energy_platform.defs.schedules import build_schedules
from energy_platform.ingest.intraday import FINEST_MINUTES, cron, newest_tick, next_tick, refusal
from energy_platform.settings import PlatformSettings, Settings, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
EXACT = [minutes for minutes in range(5, 721) if not refusal(minutes)]


def ticks(minutes: int, *, days: int) -> list[datetime]:
    """The instants at which Dagster ticks by the cron expressions."""
    found = schedule_execution_time_iterator(
        START.timestamp(), cron(minutes), execution_timezone="UTC", ascending=True
    )
    listed: list[datetime] = []
    for at in found:
        if at >= START + timedelta(days=days):
            return listed
        listed.append(at)
    raise AssertionError("a schedule has no end")


@pytest.mark.parametrize("minutes", [5, 9, 15, 25, 45, 90, 96, 100, 125, 300, 480, 720])
def test_runs_are_that_many_minutes_apart_over_midnight(minutes: int) -> None:
    asked = [at for at in ticks(minutes, days=4) if newest_tick(at, minutes=minutes) == at]
    assert {later - at for at, later in pairwise(asked)} == {timedelta(minutes=minutes)}
    assert next_tick(asked[0], minutes=minutes) == asked[1]
    assert newest_tick(asked[1] - timedelta(seconds=1), minutes=minutes) == asked[0]


def test_no_accepted_interval_ticks_more_often_than_every_five_minutes() -> None:
    assert {15, 20, 25, 30, 45, 60, 90, 120, 300} <= set(EXACT)
    for minutes in EXACT:
        assert ScheduleDefinition(name="one", job_name="one", cron_schedule=cron(minutes))
        apart = {later - at for at, later in pairwise(ticks(minutes, days=1))}
        assert min(apart) >= timedelta(minutes=FINEST_MINUTES), minutes


@pytest.mark.parametrize(("minutes", "instead"), [(7, "use 6 or 8"), (11, "use 10 or 12")])
def test_an_interval_that_needs_a_tick_each_minute_is_refused_with_what_to_take(
    minutes: int, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_INTRADAY_MINUTES", str(minutes))
    with pytest.raises(SettingsError, match=f"ENERGY_PLATFORM_INTRADAY_MINUTES.*{instead}"):
        Settings.load()


def test_the_schedule_says_when_its_next_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    schedules = {one.name: one for one in build_schedules(PlatformSettings(intraday_minutes=25))}
    off = next(at for at in ticks(25, days=1) if newest_tick(at, minutes=25) != at)
    data = schedules["ingest_socomec_intraday"].evaluate_tick(
        dg.build_schedule_context(scheduled_execution_time=off)
    )
    assert not data.run_requests
    assert f"the next is {next_tick(off, minutes=25):%H:%M} UTC" in str(data.skip_message)
