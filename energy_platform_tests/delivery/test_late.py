"""What arrives too late is listed, and sent behind the cursor only where that was agreed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import push_wanted, reconcile, stream_backlog
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
def house(desk: Bench) -> Bench:
    """Two days of which six hours arrive only after they were delivered."""
    story = desk.story
    story.quantities[point(1, "T")] = ("temperature", "°C")
    whole = {
        "E": regular(START, END, every=FIVE, value=rising(START, face_wh=0, power_w=1200)),
        "H": regular(START, END, every=FIVE, value=rising(START, face_wh=0, power_w=4000)),
    }
    temperatures = regular(START, END, every=FIVE, value=steady(20.5))
    for key, samples in whole.items():
        story.registers[point(1, key)] = [one for one in samples if not LOST[0] < one[0] < LOST[1]]
    story.gauges[point(1, "T")] = [one for one in temperatures if not LOST[0] < one[0] < LOST[1]]
    story.tell("2026-03-01", "2026-03-02")
    for key, samples in whole.items():
        story.registers[point(1, key)] = samples
    story.gauges[point(1, "T")] = temperatures
    return desk


def look(desk: Bench, agreed: Portfolio, **changes: object) -> dict[str, Reconciled]:
    found = reconcile(
        desk.story.lake,
        ledger=desk.ledger,
        portfolio=agreed,
        settings=desk.settings(**changes),
        clock=lambda: desk.now,
    )
    return {one.stream_id: one for one in found}


def test_late_values_are_listed_and_not_sent(house: Bench) -> None:
    agreed = portfolio(ELECTRICITY + STREAMS)
    house.agree(agreed)
    house.push(agreed)
    assert {one.differences for one in look(house, agreed).values() if one.stream_id == "el-1"} == {
        ()
    }
    house.story.tell("2026-03-01", "2026-03-02")
    assert house.push(agreed).sent == 0
    found = look(house, agreed)
    assert found["t-1"].late == 23
    assert found["part-1"].late == 24
    assert found["part-1"].undelivered_wh == pytest.approx(24_000, rel=0.05)
    assert "nothing is sent behind the cursor" in found["t-1"].action
    assert found["el-1"].stored_until == found["el-1"].ledger_until == utc("2026-03-02 23:45")


def test_the_part_of_an_interval_that_readings_began_in_is_nothing_that_is_missing(
    desk: Bench,
) -> None:
    began = START + timedelta(seconds=57)
    agreed = portfolio(STREAMS.split("\n", 3)[3])
    desk.story.registers[point(1, "H")] = regular(
        began, END, every=FIVE, value=rising(began, face_wh=0, power_w=4000)
    )
    desk.story.tell("2026-03-01", "2026-03-02")
    desk.agree(agreed)
    assert desk.push(agreed).ok
    sent = desk.values("part-1", "value")
    assert min(sent) == utc("2026-03-01 00:30"), "the first whole interval"
    assert set(sent.values()) == {1.0}
    assert look(desk, agreed)["part-1"].differences == ()
    assert desk.ledger.events(kind="undelivered") == []


def test_late_values_are_sent_behind_the_cursor_where_that_is_agreed(house: Bench) -> None:
    agreed = portfolio(STREAMS.replace("15m", "15m, allow_backfill: true"))
    house.agree(agreed)
    house.push(agreed)
    assert stream_backlog(house.story.lake, house.ledger, agreed) == ()
    house.story.tell("2026-03-01", "2026-03-02")
    assert push_wanted(house.story.lake, house.ledger, agreed, now=house.now) is not None
    outcome = house.push(agreed)
    assert outcome.ok
    assert outcome.acknowledged == 47
    judged = house.sim.delivery_report()
    for stream in ("t-1", "part-1"):
        one = judged.streams[stream]
        assert (one.missing_intervals, one.duplicates, one.conflicts) == (0, 0, 0)
    parts = house.values("part-1", "value")
    assert sum(parts.values()) == pytest.approx(4.0 * len(parts) / 4, abs=0.002)
    assert look(house, agreed)["part-1"].differences == ()
    assert house.push(agreed).sent == 0
    assert stream_backlog(house.story.lake, house.ledger, agreed) == ()


def test_packets_stamped_at_their_sample_arrive_once_per_interval(house: Bench) -> None:
    streams = """
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m, stamp: sample,
     reading: cumulative, fields: {pC_1: socomec/M1/E}}
"""
    agreed = portfolio(streams)
    house.agree(agreed)
    odd = timedelta(minutes=5, seconds=1, milliseconds=250)
    samples = regular(START, END, every=odd, value=rising(START, face_wh=0, power_w=1200))
    house.story.registers[point(1)] = samples
    house.story.tell("2026-03-01", "2026-03-02")
    assert house.push(agreed).ok
    judged = house.sim.delivery_report()
    assert judged.clean, judged.complaints
    truth = dict(samples)
    found = house.values("el-1", "pC_1")
    assert len(found) > 180
    assert found == {at: round(truth[at]) for at in found}


def test_reconcile_names_what_wattics_lost_and_what_others_sent(house: Bench) -> None:
    agreed = portfolio(STREAMS)
    house.agree(agreed)
    house.push(agreed)
    other = house.settings()
    from energy_platform.destinations.wattics import WatticsClient  # noqa: PLC0415

    with WatticsClient(other, credential=other.all_credentials()["default"]) as client:
        body = b'{"id":"t-1","tsISO8601":"2026-03-04T10:00:00.000+01:00","value":1}'
        assert client.push(body).kind == "stored"
    found = look(house, agreed)["t-1"]
    assert any("never sent" in one for one in found.differences)
    assert "who else" in found.action
    assert look(house, agreed, readback=False)["t-1"].stored_until is None
