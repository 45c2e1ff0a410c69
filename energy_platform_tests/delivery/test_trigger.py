"""When the sensor asks for a push: whenever something is behind, never twice for the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.days import day_range, microseconds
from energy_platform.delivery import (
    Ledger,
    next_attempt,
    push_decision,
    push_wanted,
    stream_backlog,
)
from energy_platform.delivery.backlog import begin_run
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.delivery.story import (
    ELECTRICITY,
    Bench,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from pathlib import Path

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
HOLD = timedelta(hours=48)


@pytest.fixture
def meter(desk: Bench) -> Bench:
    desk.agree(portfolio(ELECTRICITY))
    desk.story.registers[point(1)] = regular(
        START, utc("2026-03-04 23:55"), every=FIVE, value=rising(START, face_wh=0, power_w=1200)
    )
    return desk


def test_an_empty_lake_asks_for_nothing(meter: Bench) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = meter.story.lake
    assert push_wanted(lake, meter.ledger, agreed, now=meter.now) is None


def test_new_data_ask_for_a_push_and_the_same_lake_never_again(meter: Bench) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = meter.story.lake
    meter.story.tell("2026-03-01", "2026-03-02")
    first = push_wanted(lake, meter.ledger, agreed, now=meter.now)
    assert first is not None
    assert first.reason == "el-1: nothing sent yet"
    meter.push(agreed)
    after = push_decision(lake, meter.ledger, agreed, now=meter.now)
    assert (after.is_wanted, after.reason) == (False, "Wattics holds all that is ready")
    meter.story.tell("2026-03-03")
    then = push_wanted(lake, meter.ledger, agreed, now=meter.now)
    assert then is not None
    assert then.reason == "el-1: the lake has newer data"


def test_a_run_that_was_killed_is_asked_for_again_after_a_pause(meter: Bench) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = meter.story.lake
    meter.story.tell("2026-03-01")
    begin_run(meter.ledger, destination="wattics", now_us=microseconds(meter.now))
    at_once = push_decision(lake, meter.ledger, agreed, now=meter.now)
    assert not at_once.is_wanted
    assert at_once.next_attempt_at == meter.now + timedelta(minutes=1)
    assert "was killed or is under way" in at_once.reason
    later = push_decision(lake, meter.ledger, agreed, now=meter.now + timedelta(minutes=1))
    assert later.is_wanted
    assert later.last_started_at == meter.now


def test_failures_are_asked_for_with_a_growing_pause_and_an_alert(meter: Bench) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = meter.story.lake
    meter.story.tell("2026-03-01")
    meter.sim.faults.set("http_503=1.0")
    pauses, alerts = [], []
    for _ in range(5):
        meter.push(agreed, give_up_s=0)
        assert push_wanted(lake, meter.ledger, agreed, now=meter.now) is None
        attempt = next_attempt(meter.ledger, now=meter.now)
        assert attempt.not_before is not None
        pauses.append((attempt.not_before - meter.now).total_seconds())
        alerts.append(attempt.alert)
        meter.now = attempt.not_before
        assert push_wanted(lake, meter.ledger, agreed, now=meter.now) is not None
    assert pauses == [60, 120, 240, 480, 960]
    assert alerts == [False, False, True, True, True]
    meter.sim.faults.clear()
    assert meter.push(agreed).ok
    assert push_wanted(lake, meter.ledger, agreed, now=meter.now) is None


def test_new_data_of_other_streams_do_not_wait_for_a_failing_one(meter: Bench) -> None:
    both = portfolio(ELECTRICITY + ELECTRICITY.replace("el-1", "el-x"))
    meter.story.tell("2026-03-01")
    outcome = meter.push(both)
    assert outcome.streams["el-x"].status == "gave_up"
    assert push_wanted(meter.story.lake, meter.ledger, both, now=meter.now) is None
    meter.story.tell("2026-03-02")
    assert push_wanted(meter.story.lake, meter.ledger, both, now=meter.now) is not None


def test_a_stream_waiting_for_a_person_is_not_asked_for(meter: Bench) -> None:
    agreed = portfolio(ELECTRICITY.replace("fields", "on_reject: stop, fields"))
    meter.story.tell("2026-03-01")
    meter.sim.faults.set("http_400=@4:method=POST")
    meter.push(agreed)
    assert stream_backlog(meter.story.lake, meter.ledger, agreed) == ()


def test_ten_thousand_new_files_are_one_push(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    days = day_range("2017-01-01", "2026-02-17")[:3334]
    closed = {"complete_until": "2030-01-01T00:00:00+00:00", "closed": "true"}
    for table in (RAW_SOCOMEC_DATAPOINTS, CORE_READINGS, CORE_ENERGY_DELTAS):
        lake.write(table, table.empty(), day=days[0], meta=closed)
        for day in days[1:]:
            path = lake.path(table, day=day)
            path.parent.mkdir(parents=True)
            path.hardlink_to(lake.path(table, day=days[0]))
    agreed = portfolio(ELECTRICITY)
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        ledger.register_streams(["el-1"], destination="wattics")
        now = datetime(2026, 3, 5, tzinfo=UTC)
        first = push_wanted(lake, ledger, agreed, now=now, max_hold=HOLD)
        again = push_wanted(lake, ledger, agreed, now=now, max_hold=HOLD)
    assert first == again
    assert first is not None
    assert len(first.behind) == 1
