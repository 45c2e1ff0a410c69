"""Missing days, empty days, and values that come too late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import delivery_frame, push_wanted, stream_backlog
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.delivery.story import (
    ELECTRICITY,
    Bench,
    point,
    portfolio,
    regular,
    rising,
    steady,
    utc,
)

if TYPE_CHECKING:
    from energy_platform.portfolio import Portfolio

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
STREAMS = (
    ELECTRICITY
    + """
  - {id: t-1, kind: value, site: s, credential: default, interval: 15m,
     reading: average, unit: °C, fields: {value: socomec/M1/T}}
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""
)


@pytest.fixture
def agreed() -> Portfolio:
    return portfolio(STREAMS)


@pytest.fixture
def house(desk: Bench, agreed: Portfolio) -> Bench:
    """A register, a temperature and heat per interval over four days."""
    desk.agree(agreed)
    end = utc("2026-03-04 23:55")
    story = desk.story
    story.quantities[point(1, "T")] = ("temperature", "°C")
    story.registers[point(1)] = regular(
        START, end, every=FIVE, value=rising(START, face_wh=0, power_w=1200)
    )
    story.registers[point(1, "H")] = regular(
        START, end, every=FIVE, value=rising(START, face_wh=0, power_w=4000)
    )
    story.gauges[point(1, "T")] = regular(START, end, every=FIVE, value=steady(20.5))
    return desk


def newest(desk: Bench, stream: str) -> datetime | None:
    return desk.sim.delivery_report().streams[stream].last_at


def lose(desk: Bench, day: str) -> None:
    """Take a day out of the lake."""
    for table in (RAW_SOCOMEC_DATAPOINTS, CORE_READINGS, CORE_ENERGY_DELTAS):
        desk.story.lake.path(table, day=day).unlink()


def without_day(desk: Bench, day: str) -> None:
    """Tell four days, one of which never arrived: the registers step over it."""
    samples = {name: list(values) for name, values in desk.story.registers.items()}
    for name, values in samples.items():
        desk.story.registers[name] = [one for one in values if one[0].date().isoformat() != day]
    desk.story.tell("2026-03-01", "2026-03-04")
    lose(desk, day)
    desk.story.registers = samples


def test_streams_wait_before_a_missing_day_and_go_on_when_it_arrives(
    house: Bench, agreed: Portfolio
) -> None:
    without_day(house, "2026-03-02")
    outcome = house.push(agreed)
    for stream in ("el-1", "t-1", "part-1"):
        assert outcome.streams[stream].status == "blocked"
        assert "2026-03-02" in outcome.streams[stream].reason
        last = newest(house, stream)
        assert last is not None
        assert last < utc("2026-03-02 00:00")
    frame = delivery_frame(house.ledger, house.story.lake, agreed)
    assert frame["blocked"].to_list() == [True] * 3
    house.story.tell("2026-03-02", "2026-03-04")
    assert [one.stream_id for one in stream_backlog(house.story.lake, house.ledger, agreed)]
    house.push(agreed)
    judged = house.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert all(one.missing_intervals == 0 for one in judged.streams.values())
    assert len(house.ledger.events(kind="hold")) == 3
    assert len(house.ledger.events(kind="hold_released")) == 3


def test_after_the_longest_hold_registers_and_gauges_pass_but_interval_values_never(
    house: Bench, agreed: Portfolio
) -> None:
    without_day(house, "2026-03-02")
    house.push(agreed)
    house.now += timedelta(hours=47)
    house.push(agreed)
    assert newest(house, "el-1") == utc("2026-03-01 23:45") - timedelta(minutes=0)
    house.now += timedelta(hours=2)
    wanted = push_wanted(
        house.story.lake, house.ledger, agreed, now=house.now, max_hold=timedelta(hours=48)
    )
    assert wanted is not None
    outcome = house.push(agreed)
    values = house.values("el-1", "pC_1")
    after = min(at for at in values if at > utc("2026-03-02 00:00"))
    assert after >= utc("2026-03-03 00:00")
    assert values[after] == pytest.approx(rising(START, face_wh=0, power_w=1200)(after), abs=1)
    assert newest(house, "t-1") == utc("2026-03-04 23:45")
    assert outcome.streams["part-1"].status == "stopped"
    assert "run that day again" in outcome.problems[0]
    assert newest(house, "part-1") == utc("2026-03-01 23:45")
    released = house.ledger.events(kind="hold_released")
    assert {event.stream_id for event in released} == {"el-1", "t-1"}
    assert "2026-03-02" in str(released[0].detail["how"])
    # The day arrives after all: the register's later values stay right, nothing is sent behind.
    house.story.tell("2026-03-02", "2026-03-04")
    house.push(agreed)
    judged = house.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert judged.streams["part-1"].missing_intervals == 0
    assert house.sim.delivery_report().streams["el-1"].missing_intervals > 90


def test_a_day_known_to_be_empty_holds_nothing(house: Bench, agreed: Portfolio) -> None:
    story = house.story
    for series in (*story.registers.values(), *story.gauges.values()):
        series[:] = [one for one in series if one[0].date().isoformat() != "2026-03-02"]
    story.tell("2026-03-01", "2026-03-04")
    outcome = house.push(agreed)
    assert {one.status for one in outcome.streams.values()} == {"delivered"}
    values = house.values("el-1", "pC_1")
    assert not [at for at in values if at.date().isoformat() == "2026-03-02" and at.hour > 0]
    assert values[utc("2026-03-03 00:00")] == 48 * 1200
    assert house.values("t-1", "value").keys() & {utc("2026-03-03 06:00")}
    # Heat that fell into the gap is listed, not squeezed into one interval.
    assert max(house.values("part-1", "value").values()) == pytest.approx(1.0, abs=0.001)
    undelivered = house.ledger.events(kind="undelivered")
    assert undelivered[-1].detail["undelivered_wh"] == pytest.approx(24 * 4000, rel=0.02)


def test_a_silent_device_is_waited_for_two_intervals(house: Bench) -> None:
    both = """
  - {id: both, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E, v_1: socomec/M2/V}}
"""
    agreed = portfolio(both)
    house.agree(agreed)
    silent_from = utc("2026-03-02 06:00")
    house.story.gauges[point(2, "V")] = regular(START, silent_from, every=FIVE, value=steady(230.0))
    house.story.tell("2026-03-01")
    house.now = utc("2026-03-02 06:32")
    house.story.tell("2026-03-02", until=house.now)
    house.push(agreed)
    assert newest(house, "both") == silent_from
    house.now = utc("2026-03-02 07:02")
    house.story.tell("2026-03-02", until=house.now)
    house.push(agreed)
    found = {packet.at: set(packet.values) for packet in house.sim.packets("both")}
    assert found[utc("2026-03-02 06:15")] == {"pC_1"}
    assert max(found) == utc("2026-03-02 06:30")


def test_a_day_that_was_read_only_in_part_holds_until_it_is_closed(
    house: Bench, agreed: Portfolio
) -> None:
    house.story.tell("2026-03-01")
    house.story.tell("2026-03-02", until=utc("2026-03-02 18:00"))
    house.story.tell("2026-03-03")
    outcome = house.push(agreed)
    assert outcome.streams["t-1"].status == "blocked"
    assert newest(house, "t-1") == utc("2026-03-02 17:45")
    house.story.tell("2026-03-02", "2026-03-03")
    house.push(agreed)
    assert house.sim.delivery_report().streams["t-1"].missing_intervals == 0


def test_a_day_that_was_not_closed_yet_is_no_alarm(house: Bench, agreed: Portfolio) -> None:
    house.now = utc("2026-03-03 00:20")
    house.story.tell("2026-03-01")
    house.story.tell("2026-03-02", until=utc("2026-03-02 23:50"))
    house.story.tell("2026-03-03", until=house.now)
    outcome = house.push(agreed)
    assert {one.status for one in outcome.streams.values()} == {"delivered"}
    assert house.ledger.events(kind="hold") == []
    house.now = utc("2026-03-03 02:00")
    house.story.tell("2026-03-02")
    house.story.tell("2026-03-03", until=house.now)
    house.push(agreed)
    judged = house.sim.delivery_report()
    assert judged.clean, judged.complaints
    for one in judged.streams.values():
        assert one.missing_intervals == 0
        assert one.last_at == utc("2026-03-03 01:45")


def test_raw_days_that_are_not_refreshed_yet_are_waited_for(
    house: Bench, agreed: Portfolio
) -> None:
    house.story.tell("2026-03-01", "2026-03-03")
    for table in (CORE_READINGS, CORE_ENERGY_DELTAS):
        house.story.lake.path(table, day="2026-03-03").unlink()
    outcome = house.push(agreed)
    assert newest(house, "t-1") == utc("2026-03-02 23:45")
    assert outcome.streams["t-1"].status == "delivered"
    house.story.tell("2026-03-03")
    house.push(agreed)
    assert house.sim.delivery_report().streams["t-1"].missing_intervals == 0
