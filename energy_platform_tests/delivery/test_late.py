"""What arrives too late is listed, and sent behind the cursor only where that was agreed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import reconcile, stream_backlog
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
    from energy_platform.delivery import Reconciled
    from energy_platform.portfolio import Portfolio

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
END = utc("2026-03-02 23:55")
LOST = utc("2026-03-01 06:00"), utc("2026-03-01 12:00")
STREAMS = """
  - {id: t-1, kind: value, site: s, credential: default, interval: 15m,
     reading: average, unit: °C, fields: {value: socomec/M1/T}}
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""


@pytest.fixture
def prepared(harness: DeliveryHarness) -> DeliveryHarness:
    """Two days of which six hours arrive only after they were delivered."""
    scenario = harness.scenario
    scenario.quantities[point(1, "T")] = ("temperature", "°C")
    whole = {
        "E": regular(START, END, every=FIVE, value=rising(START, face_wh=0, power_w=1200)),
        "H": regular(START, END, every=FIVE, value=rising(START, face_wh=0, power_w=4000)),
    }
    temperatures = regular(START, END, every=FIVE, value=steady(20.5))
    for key, samples in whole.items():
        scenario.registers[point(1, key)] = [
            one for one in samples if not LOST[0] < one[0] < LOST[1]
        ]
    scenario.gauges[point(1, "T")] = [one for one in temperatures if not LOST[0] < one[0] < LOST[1]]
    scenario.write_days("2026-03-01", "2026-03-02")
    for key, samples in whole.items():
        scenario.registers[point(1, key)] = samples
    scenario.gauges[point(1, "T")] = temperatures
    return harness


def look(harness: DeliveryHarness, agreed: Portfolio, **changes: object) -> dict[str, Reconciled]:
    found = reconcile(
        harness.scenario.lake,
        ledger=harness.ledger,
        portfolio=agreed,
        settings=harness.settings(**changes),
        clock=lambda: harness.now,
    )
    return {one.stream_id: one for one in found}


def test_late_values_are_listed_and_not_sent(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY + STREAMS)
    prepared.register_streams(agreed)
    prepared.push(agreed)
    assert {
        one.differences for one in look(prepared, agreed).values() if one.stream_id == "el-1"
    } == {()}
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    assert prepared.push(agreed).sent == 0
    found = look(prepared, agreed)
    assert found["t-1"].late == 23
    assert found["part-1"].late == 24
    assert found["part-1"].undelivered_wh == pytest.approx(24_000, rel=0.05)
    assert "nothing is sent behind the cursor" in found["t-1"].action
    assert found["el-1"].stored_until == found["el-1"].ledger_until == utc("2026-03-02 23:45")


def test_the_part_of_an_interval_that_readings_began_in_is_nothing_that_is_missing(
    harness: DeliveryHarness,
) -> None:
    began = START + timedelta(seconds=57)
    agreed = portfolio(STREAMS.split("\n", 3)[3])
    harness.scenario.registers[point(1, "H")] = regular(
        began, END, every=FIVE, value=rising(began, face_wh=0, power_w=4000)
    )
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    harness.register_streams(agreed)
    assert harness.push(agreed).ok
    sent = harness.values("part-1", "value")
    assert min(sent) == utc("2026-03-01 00:30"), "the first whole interval"
    assert set(sent.values()) == {1.0}
    assert look(harness, agreed)["part-1"].differences == ()
    assert harness.ledger.events(kind="undelivered") == []


def test_late_values_are_sent_behind_the_cursor_where_that_is_agreed(
    prepared: DeliveryHarness,
) -> None:
    agreed = portfolio(STREAMS.replace("15m", "15m, allow_backfill: true"))
    prepared.register_streams(agreed)
    prepared.push(agreed)
    assert stream_backlog(prepared.scenario.lake, prepared.ledger, agreed) == ()
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    assert (
        push_wanted(prepared.scenario.lake, prepared.ledger, agreed, now=prepared.now) is not None
    )
    outcome = prepared.push(agreed)
    assert outcome.ok
    assert outcome.acknowledged == 47
    judged = prepared.sim.delivery_report()
    for stream in ("t-1", "part-1"):
        one = judged.streams[stream]
        assert (one.missing_intervals, one.duplicates, one.conflicts) == (0, 0, 0)
    parts = prepared.values("part-1", "value")
    assert sum(parts.values()) == pytest.approx(4.0 * len(parts) / 4, abs=0.002)
    assert look(prepared, agreed)["part-1"].differences == ()
    assert prepared.push(agreed).sent == 0
    assert stream_backlog(prepared.scenario.lake, prepared.ledger, agreed) == ()


def test_packets_stamped_at_their_sample_arrive_once_per_interval(
    prepared: DeliveryHarness,
) -> None:
    streams = """
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m, stamp: sample,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
"""
    agreed = portfolio(streams)
    prepared.register_streams(agreed)
    odd = timedelta(minutes=5, seconds=1, milliseconds=250)
    samples = regular(START, END, every=odd, value=rising(START, face_wh=0, power_w=1200))
    prepared.scenario.registers[point(1)] = samples
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    assert prepared.push(agreed).ok
    judged = prepared.sim.delivery_report()
    assert judged.clean, judged.complaints
    truth = dict(samples)
    found = prepared.values("el-1", "pC_1")
    assert len(found) > 180
    assert found == {at: round(truth[at]) for at in found}


def test_reconcile_names_what_wattics_lost_and_what_others_sent(prepared: DeliveryHarness) -> None:
    agreed = portfolio(STREAMS)
    prepared.register_streams(agreed)
    prepared.push(agreed)
    other = prepared.settings()
    from energy_platform.destinations.wattics import WatticsClient  # noqa: PLC0415

    with WatticsClient(other, credential=other.all_credentials()["default"]) as client:
        body = b'{"id":"t-1","tsISO8601":"2026-03-04T10:00:00.000+01:00","value":1}'
        assert client.push(body).kind == "stored"
    found = look(prepared, agreed)["t-1"]
    assert any("never sent" in one for one in found.differences)
    assert "who else" in found.action
    assert look(prepared, agreed, readback=False)["t-1"].stored_until is None
