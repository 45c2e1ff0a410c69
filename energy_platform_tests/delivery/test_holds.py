"""Missing days, empty days, and values that come too late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from energy_platform.delivery import delivery_frame, stream_backlog
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
def prepared(harness: DeliveryHarness, agreed: Portfolio) -> DeliveryHarness:
    """A register, a temperature and heat per interval over four days."""
    harness.register_streams(agreed)
    end = utc("2026-03-04 23:55")
    scenario = harness.scenario
    scenario.quantities[point(1, "T")] = ("temperature", "°C")
    scenario.registers[point(1)] = regular(
        START, end, every=FIVE, value=rising(START, face_wh=0, power_w=1200)
    )
    scenario.registers[point(1, "H")] = regular(
        START, end, every=FIVE, value=rising(START, face_wh=0, power_w=4000)
    )
    scenario.gauges[point(1, "T")] = regular(START, end, every=FIVE, value=steady(20.5))
    return harness


def newest(harness: DeliveryHarness, stream: str) -> datetime | None:
    return harness.sim.delivery_report().streams[stream].last_at


def standing(harness: DeliveryHarness, agreed: Portfolio, stream: str) -> tuple[bool, str | None]:
    """Return whether a stream is blocked and why, as ``delivery status`` and the marts say it."""
    frame = delivery_frame(harness.ledger, harness.scenario.lake, agreed)
    row = frame.row(by_predicate=pl.col("stream_id") == stream, named=True)
    return row["blocked"], row["reason"]


def lose(harness: DeliveryHarness, day: str) -> None:
    """Take a day out of the lake."""
    for table in (RAW_SOCOMEC_DATAPOINTS, CORE_READINGS, CORE_ENERGY_DELTAS):
        harness.scenario.lake.path(table, day=day).unlink()


def without_day(harness: DeliveryHarness, day: str) -> None:
    """Tell four days, one of which never arrived: the registers step over it."""
    samples = {name: list(values) for name, values in harness.scenario.registers.items()}
    for name, values in samples.items():
        harness.scenario.registers[name] = [
            one for one in values if one[0].date().isoformat() != day
        ]
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    lose(harness, day)
    harness.scenario.registers = samples


def test_streams_wait_before_a_missing_day_and_go_on_when_it_arrives(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    without_day(prepared, "2026-03-02")
    outcome = prepared.push(agreed)
    for stream in ("el-1", "t-1", "part-1"):
        assert outcome.streams[stream].status == "blocked"
        assert "2026-03-02" in outcome.streams[stream].reason
        last = newest(prepared, stream)
        assert last is not None
        assert last < utc("2026-03-02 00:00")
    frame = delivery_frame(prepared.ledger, prepared.scenario.lake, agreed)
    assert frame["blocked"].to_list() == [True] * 3
    prepared.scenario.write_days("2026-03-02", "2026-03-04")
    assert [
        one.stream_id for one in stream_backlog(prepared.scenario.lake, prepared.ledger, agreed)
    ]
    prepared.push(agreed)
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert all(one.missing_intervals == 0 for one in judged.streams.values())
    assert len(prepared.ledger.events(kind="hold")) == 3
    assert len(prepared.ledger.events(kind="hold_released")) == 3


def without_hours(harness: DeliveryHarness, first: datetime, last: datetime) -> None:
    """Tell four days, of the second of which some hours were not answered: it is partial."""
    kept = harness.scenario.registers, harness.scenario.gauges
    harness.scenario.registers, harness.scenario.gauges = (
        {
            name: [one for one in values if not first < one[0] < last]
            for name, values in samples.items()
        }
        for samples in kept
    )
    harness.scenario.write_days("2026-03-01")
    harness.scenario.write_days("2026-03-02", partial="no answer for some hours")
    harness.scenario.write_days("2026-03-03", "2026-03-04")
    harness.scenario.registers, harness.scenario.gauges = kept


@pytest.mark.parametrize("hours", [(10, 24), (10, 18), (0, 24)])
def test_what_a_partial_day_lacks_is_waited_for_and_sent_when_it_is_filled(
    prepared: DeliveryHarness, agreed: Portfolio, hours: tuple[int, int]
) -> None:
    day = utc("2026-03-02 00:00")
    first, last = (day + timedelta(hours=hour) for hour in hours)
    without_hours(prepared, first, last)
    prepared.push(agreed, max_hold_h=240)
    for stream in ("el-1", "part-1"):
        sent = newest(prepared, stream)
        assert sent is not None
        assert sent <= first
        assert standing(prepared, agreed, stream) == (
            True,
            "waits for what is missing of 2026-03-02: the day was read only in part",
        )
    prepared.scenario.write_days("2026-03-02", "2026-03-04")
    assert not prepared.push(agreed).problems
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert all(judged.streams[one].missing_intervals == 0 for one in ("el-1", "part-1"))
    assert newest(prepared, "el-1") == utc("2026-03-04 23:45")


def test_a_partial_day_that_is_never_filled_is_passed_after_the_longest_hold(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    without_hours(prepared, utc("2026-03-02 10:00"), utc("2026-03-02 18:00"))
    prepared.push(agreed, max_hold_h=48)
    # Known up to the 5th: two days after 10:00 of the 2nd are over.
    assert newest(prepared, "el-1") == utc("2026-03-04 23:45")
    assert prepared.sim.delivery_report().streams["el-1"].missing_intervals == 31


def test_a_device_that_a_partial_day_lacks_nothing_of_goes_on(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.scenario.write_days("2026-03-01")
    prepared.scenario.write_days("2026-03-02", partial="another device does not answer")
    prepared.scenario.write_days("2026-03-03", "2026-03-04")
    prepared.push(agreed)
    judged = prepared.sim.delivery_report()
    for stream in ("el-1", "t-1", "part-1"):
        assert judged.streams[stream].last_at == utc("2026-03-04 23:45")
        assert judged.streams[stream].missing_intervals == 0
        assert standing(prepared, agreed, stream) == (False, None)


def test_after_the_longest_hold_registers_and_gauges_pass_but_interval_values_never(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    without_day(prepared, "2026-03-02")
    prepared.push(agreed)
    prepared.now += timedelta(hours=47)
    prepared.push(agreed)
    assert newest(prepared, "el-1") == utc("2026-03-01 23:45") - timedelta(minutes=0)
    prepared.now += timedelta(hours=2)
    wanted = push_wanted(
        prepared.scenario.lake,
        prepared.ledger,
        agreed,
        now=prepared.now,
        max_hold=timedelta(hours=48),
    )
    assert wanted is not None
    outcome = prepared.push(agreed)
    values = prepared.values("el-1", "pC_1")
    after = min(at for at in values if at > utc("2026-03-02 00:00"))
    assert after >= utc("2026-03-03 00:00")
    assert values[after] == pytest.approx(rising(START, face_wh=0, power_w=1200)(after), abs=1)
    assert newest(prepared, "t-1") == utc("2026-03-04 23:45")
    assert outcome.streams["part-1"].status == "stopped"
    assert "run that day again" in outcome.problems[0]
    assert newest(prepared, "part-1") == utc("2026-03-01 23:45")
    released = prepared.ledger.events(kind="hold_released")
    assert {event.stream_id for event in released} == {"el-1", "t-1"}
    assert "2026-03-02" in str(released[0].detail["how"])
    # The day arrives after all: the register's later values stay right, nothing is sent behind.
    prepared.scenario.write_days("2026-03-02", "2026-03-04")
    prepared.push(agreed)
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert judged.streams["part-1"].missing_intervals == 0
    assert prepared.sim.delivery_report().streams["el-1"].missing_intervals > 90


def test_a_day_known_to_be_empty_holds_nothing(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    scenario = prepared.scenario
    for series in (*scenario.registers.values(), *scenario.gauges.values()):
        series[:] = [one for one in series if one[0].date().isoformat() != "2026-03-02"]
    scenario.write_days("2026-03-01", "2026-03-04")
    outcome = prepared.push(agreed)
    assert {one.status for one in outcome.streams.values()} == {"delivered"}
    values = prepared.values("el-1", "pC_1")
    assert not [at for at in values if at.date().isoformat() == "2026-03-02" and at.hour > 0]
    assert values[utc("2026-03-03 00:00")] == 48 * 1200
    assert prepared.values("t-1", "value").keys() & {utc("2026-03-03 06:00")}
    # Heat that fell into the gap is listed, not squeezed into one interval.
    assert max(prepared.values("part-1", "value").values()) == pytest.approx(1.0, abs=0.001)
    undelivered = prepared.ledger.events(kind="undelivered")
    assert undelivered[-1].detail["undelivered_wh"] == pytest.approx(24 * 4000, rel=0.02)


def test_a_silent_device_is_waited_for_two_intervals(prepared: DeliveryHarness) -> None:
    both = """
  - {id: both, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M1/E, v_1: socomec/M2/V}}
"""
    agreed = portfolio(both)
    prepared.register_streams(agreed)
    silent_from = utc("2026-03-02 06:00")
    prepared.scenario.gauges[point(2, "V")] = regular(
        START, silent_from, every=FIVE, value=steady(230.0)
    )
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-02 06:32")
    prepared.scenario.write_days("2026-03-02", until=prepared.now)
    prepared.push(agreed)
    assert newest(prepared, "both") == silent_from
    prepared.now = utc("2026-03-02 07:02")
    prepared.scenario.write_days("2026-03-02", until=prepared.now)
    prepared.push(agreed)
    found = {packet.at: set(packet.values) for packet in prepared.sim.packets("both")}
    assert found[utc("2026-03-02 06:15")] == {"pC_1"}
    assert max(found) == utc("2026-03-02 06:30")


def test_a_day_that_was_read_only_in_part_holds_until_it_is_closed(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.scenario.write_days("2026-03-01")
    prepared.scenario.write_days("2026-03-02", until=utc("2026-03-02 18:00"))
    prepared.scenario.write_days("2026-03-03")
    outcome = prepared.push(agreed)
    assert outcome.streams["t-1"].status == "blocked"
    assert newest(prepared, "t-1") == utc("2026-03-02 17:45")
    prepared.scenario.write_days("2026-03-02", "2026-03-03")
    prepared.push(agreed)
    assert prepared.sim.delivery_report().streams["t-1"].missing_intervals == 0


def test_a_day_that_was_not_closed_yet_is_no_alarm(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.now = utc("2026-03-03 00:20")
    prepared.scenario.write_days("2026-03-01")
    prepared.scenario.write_days("2026-03-02", until=utc("2026-03-02 23:50"))
    prepared.scenario.write_days("2026-03-03", until=prepared.now)
    outcome = prepared.push(agreed)
    assert {one.status for one in outcome.streams.values()} == {"delivered"}
    assert prepared.ledger.events(kind="hold") == []
    prepared.now = utc("2026-03-03 02:00")
    prepared.scenario.write_days("2026-03-02")
    prepared.scenario.write_days("2026-03-03", until=prepared.now)
    prepared.push(agreed)
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    for one in judged.streams.values():
        assert one.missing_intervals == 0
        assert one.last_at == utc("2026-03-03 01:45")


def test_raw_days_that_are_not_refreshed_yet_are_waited_for(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.scenario.write_days("2026-03-01", "2026-03-03")
    for table in (CORE_READINGS, CORE_ENERGY_DELTAS):
        prepared.scenario.lake.path(table, day="2026-03-03").unlink()
    outcome = prepared.push(agreed)
    assert newest(prepared, "t-1") == utc("2026-03-02 23:45")
    assert outcome.streams["t-1"].status == "delivered"
    prepared.scenario.write_days("2026-03-03")
    prepared.push(agreed)
    assert prepared.sim.delivery_report().streams["t-1"].missing_intervals == 0
