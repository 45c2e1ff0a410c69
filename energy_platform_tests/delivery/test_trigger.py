"""When the sensor asks for a push: whenever something is behind, never twice for the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.days import day_range, microseconds
from energy_platform.delivery import (
    Ledger,
    push_decision,
    stream_backlog,
)
from energy_platform.delivery.push import begin_run
from energy_platform.lake.lake import Lake
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    point,
    portfolio,
    push_wanted,
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
def prepared(harness: DeliveryHarness) -> DeliveryHarness:
    harness.register_streams(portfolio(ELECTRICITY))
    harness.scenario.registers[point(1)] = regular(
        START, utc("2026-03-04 23:55"), every=FIVE, value=rising(START, face_wh=0, power_w=1200)
    )
    return harness


def test_an_empty_lake_asks_for_nothing(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = prepared.scenario.lake
    assert push_wanted(lake, prepared.ledger, agreed, now=prepared.now) is None


def test_new_data_ask_for_a_push_and_the_same_lake_never_again(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = prepared.scenario.lake
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    first = push_wanted(lake, prepared.ledger, agreed, now=prepared.now)
    assert first is not None
    assert first.reason == "el-1: nothing sent yet"
    prepared.push(agreed)
    after = push_decision(lake, prepared.ledger, agreed, now=prepared.now)
    assert (after.is_wanted, after.reason) == (False, "Wattics holds all that is ready")
    prepared.scenario.write_days("2026-03-03")
    then = push_wanted(lake, prepared.ledger, agreed, now=prepared.now)
    assert then is not None
    assert then.reason == "el-1: the lake has newer data"


def test_a_run_that_was_killed_is_asked_for_again_after_a_pause(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = prepared.scenario.lake
    prepared.scenario.write_days("2026-03-01")
    begin_run(prepared.ledger, destination="wattics", now_us=microseconds(prepared.now))
    at_once = push_decision(lake, prepared.ledger, agreed, now=prepared.now)
    assert not at_once.is_wanted
    assert at_once.next_attempt_at == prepared.now + timedelta(minutes=1)
    assert "was killed or is under way" in at_once.reason
    later = push_decision(lake, prepared.ledger, agreed, now=prepared.now + timedelta(minutes=1))
    assert later.is_wanted
    assert later.last_started_at == prepared.now


def test_failures_are_asked_for_with_a_growing_pause_and_an_alert(
    prepared: DeliveryHarness,
) -> None:
    agreed = portfolio(ELECTRICITY)
    lake = prepared.scenario.lake
    prepared.scenario.write_days("2026-03-01")
    prepared.sim.faults.set("http_503=1.0")
    pauses, alerts = [], []
    for _ in range(5):
        prepared.push(agreed, give_up_s=0)
        assert push_wanted(lake, prepared.ledger, agreed, now=prepared.now) is None
        found = push_decision(lake, prepared.ledger, agreed, now=prepared.now)
        assert found.next_attempt_at is not None
        pauses.append((found.next_attempt_at - prepared.now).total_seconds())
        alerts.append(found.alert)
        prepared.now = found.next_attempt_at
        assert push_wanted(lake, prepared.ledger, agreed, now=prepared.now) is not None
    assert pauses == [60, 120, 240, 480, 960]
    assert alerts == [False, False, True, True, True]
    prepared.sim.faults.clear()
    assert prepared.push(agreed).ok
    assert push_wanted(lake, prepared.ledger, agreed, now=prepared.now) is None


def test_new_data_of_other_streams_do_not_wait_for_a_failing_one(prepared: DeliveryHarness) -> None:
    both = portfolio(ELECTRICITY + ELECTRICITY.replace("el-1", "el-x"))
    prepared.scenario.write_days("2026-03-01")
    outcome = prepared.push(both)
    assert outcome.streams["el-x"].status == "gave_up"
    assert push_wanted(prepared.scenario.lake, prepared.ledger, both, now=prepared.now) is None
    prepared.scenario.write_days("2026-03-02")
    assert push_wanted(prepared.scenario.lake, prepared.ledger, both, now=prepared.now) is not None


def test_a_stream_waiting_for_a_person_is_not_asked_for(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY.replace("fields", "on_reject: stop, fields"))
    prepared.scenario.write_days("2026-03-01")
    prepared.sim.faults.set("http_400=@4:method=POST")
    prepared.push(agreed)
    assert stream_backlog(prepared.scenario.lake, prepared.ledger, agreed) == ()


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
