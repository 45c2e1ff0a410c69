"""A push from the lake to Wattics: what is sent, in which order, and what a later one adds."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import Ledger, stream_backlog
from energy_platform.settings import SettingsError
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    open_harness,
    point,
    portfolio,
    regular,
    rising,
    steady,
    utc,
)

if TYPE_CHECKING:
    from pathlib import Path

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:02")


def fill(harness: DeliveryHarness, *, meters: int = 1, last: str = "2026-03-04") -> None:
    """Four days of registers at constant power, five minutes apart."""
    end = utc(f"{last} 23:59")
    for meter in range(1, meters + 1):
        harness.scenario.registers[point(meter)] = regular(
            START, end, every=FIVE, value=rising(START, face_wh=1000 * meter, power_w=1200)
        )


def test_every_interval_arrives_once_in_order_and_the_registers_are_right(
    harness: DeliveryHarness,
) -> None:
    streams = "".join(
        f"  - {{id: el-{n}, kind: electricity, site: s, credential: default, interval: 15m,"
        f" reading: cumulative, fields: {{pC_1: socomec/M{n}/E, aP_1: socomec/M{n}/P}}}}\n"
        for n in range(1, 9)
    )
    agreed = portfolio(streams, meters=8)
    harness.register_streams(agreed)
    fill(harness, meters=8)
    for n in range(1, 9):
        harness.scenario.gauges[point(n, "P")] = regular(
            START, utc("2026-03-04 23:59"), every=FIVE, value=steady(1200.0)
        )
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    outcome = harness.push(agreed)
    assert outcome.ok
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert judged.sessions <= harness.settings().parallel_streams
    for n in range(1, 9):
        one = judged.streams[f"el-{n}"]
        assert one.missing_intervals == one.crowded_intervals == one.off_grid == 0
        assert one.first_at == utc("2026-03-01 00:15")
        assert one.last_at == utc("2026-03-04 23:45")
        registers = harness.values(f"el-{n}", "pC_1")
        expected = rising(START, face_wh=1000 * n, power_w=1200)
        assert registers == {at: round(expected(at)) for at in registers}
        assert set(harness.values(f"el-{n}", "aP_1").values()) == {1200.0}


def test_streams_with_many_packets_a_day_leave_no_sender_without_one(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the day of one stream were more than a push plans at a time.
    monkeypatch.setattr("energy_platform.delivery.run.PLAN_PACKETS", 1)
    monkeypatch.setattr("energy_platform.delivery.run.CHUNK_PACKETS", 1)
    senders = harness.settings().parallel_streams
    streams = "".join(
        f"  - {{id: el-{n}, kind: electricity, site: s, credential: default, interval: 15m,"
        f" reading: cumulative, fields: {{pC_1: socomec/M{n}/E}}}}\n"
        for n in range(1, senders + 1)
    )
    agreed = portfolio(streams, meters=senders)
    harness.register_streams(agreed)
    fill(harness, meters=senders, last="2026-03-01")
    harness.scenario.write_days("2026-03-01")
    # A stream takes longer to send than the others to plan.
    harness.sim.faults.set("slow=1.0:seconds=0.03")
    assert harness.push(agreed).ok
    arrived = [harness.sim.packets(f"el-{n}") for n in range(1, senders + 1)]
    last_to_begin = max(packets[0].number for packets in arrived)
    first_to_end = min(packets[-1].number for packets in arrived)
    assert last_to_begin < first_to_end


def test_a_second_push_with_nothing_new_sends_nothing(harness: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    assert harness.push(agreed).acknowledged == 383
    before = sum(harness.sim.requests.values())
    again = harness.push(agreed)
    assert (again.sent, again.acknowledged, again.ok) == (0, 0, True)
    assert sum(harness.sim.requests.values()) == before
    assert stream_backlog(harness.scenario.lake, harness.ledger, agreed) == ()


def test_what_became_garbage_during_a_push_is_found_after_it(harness: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    assert harness.push(agreed).ok
    assert gc.get_freeze_count() == 0


def test_the_next_day_goes_on_where_the_last_one_ended(harness: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    first = harness.push(agreed)
    harness.scenario.write_days("2026-03-03", "2026-03-04")
    assert [
        one.stream_id for one in stream_backlog(harness.scenario.lake, harness.ledger, agreed)
    ] == ["el-1"]
    second = harness.push(agreed)
    assert first.acknowledged + second.acknowledged == 383
    one = harness.sim.delivery_report().streams["el-1"]
    assert (one.packets, one.missing_intervals, one.violations) == (383, 0, {})


def test_an_open_day_is_sent_as_it_grows_and_no_interval_twice(harness: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-03")
    at = utc("2026-03-04 00:10")
    while at < utc("2026-03-05 00:00"):
        harness.now = at
        harness.scenario.write_days("2026-03-04", until=at)
        harness.push(agreed)
        newest = harness.sim.delivery_report().streams["el-1"].last_at
        assert newest is not None
        # Settled at 00:07, 00:12 …: whatever ended before the newest reading is there at once.
        assert at - newest <= timedelta(minutes=20)
        at += timedelta(minutes=100)
    harness.now = utc("2026-03-05 02:00")
    harness.scenario.write_days("2026-03-04")
    harness.push(agreed)
    one = harness.sim.delivery_report().streams["el-1"]
    assert (one.packets, one.missing_intervals, one.violations) == (383, 0, {})


def test_a_packet_is_never_stamped_in_the_future(harness: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    harness.now = utc("2026-03-02 10:07")
    harness.push(agreed)
    assert harness.sim.delivery_report().streams["el-1"].last_at == utc("2026-03-02 10:00")


def test_the_subset_that_exists_is_sent_and_no_empty_packet(harness: DeliveryHarness) -> None:
    streams = """
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {v_1: socomec/M1/V, pC_1: socomec/M1/E}}
"""
    agreed = portfolio(streams)
    harness.register_streams(agreed)
    harness.scenario.registers[point(1)] = regular(
        START, utc("2026-03-01 11:59"), every=FIVE, value=rising(START, face_wh=0, power_w=600)
    )
    harness.scenario.gauges[point(1, "V")] = regular(
        utc("2026-03-01 06:00"), utc("2026-03-01 18:00"), every=FIVE, value=steady(230.25)
    )
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    assert harness.push(agreed).ok
    found = {packet.at: set(packet.values) for packet in harness.sim.packets("el-1")}
    assert found[utc("2026-03-01 00:15")] == {"pC_1"}
    assert found[utc("2026-03-01 06:00")] == {"pC_1", "v_1"}
    assert found[utc("2026-03-01 18:00")] == {"v_1"}
    assert max(found) == utc("2026-03-01 18:00")
    assert b'"v_1":230.25' in harness.sim.packets("el-1")[-1].body.encode()


def test_a_gauge_older_than_its_interval_is_never_sent(harness: DeliveryHarness) -> None:
    streams = """
  - {id: t-1, kind: value, site: s, credential: default, interval: 15m,
     reading: average, unit: °C, fields: {value: socomec/M1/T}}
"""
    agreed = portfolio(streams)
    harness.register_streams(agreed)
    harness.scenario.quantities[point(1, "T")] = ("temperature", "°C")
    harness.scenario.gauges[point(1, "T")] = [
        (utc("2026-03-01 00:10"), 20.1234),
        (utc("2026-03-01 00:30"), 21.0),
        (utc("2026-03-01 01:31"), 22.5),
    ]
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    harness.push(agreed)
    assert harness.values("t-1", "value") == {
        utc("2026-03-01 00:15"): 20.123,
        utc("2026-03-01 00:30"): 21.0,
        utc("2026-03-01 01:45"): 22.5,
    }


def test_values_are_sent_in_the_agreed_unit(harness: DeliveryHarness) -> None:
    streams = """
  - {id: heat-kwh, kind: value, site: s, credential: default, interval: 1h,
     reading: cumulative, unit: kWh, fields: {value: socomec/M1/H}}
  - {id: heat-mj, kind: value, site: s, credential: default, interval: 1h,
     reading: cumulative, unit: MJ, fields: {value: socomec/M1/H}}
  - {id: heat-part, kind: value, site: s, credential: default, interval: 1h,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""
    agreed = portfolio(streams, zone="Asia/Kolkata")
    harness.register_streams(agreed)
    harness.scenario.registers[point(1, "H")] = regular(
        START,
        utc("2026-03-02 23:59"),
        every=FIVE,
        value=rising(START, face_wh=1e9, power_w=1234.5),
    )
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    assert harness.push(agreed).ok
    at = utc("2026-03-01 05:30")
    truth = rising(START, face_wh=1e9, power_w=1234.5)
    assert harness.values("heat-kwh", "value")[at] == pytest.approx(truth(at) / 1000, abs=0.0005)
    assert harness.values("heat-mj", "value")[at] == pytest.approx(truth(at) * 0.0036, abs=0.0005)
    parts = harness.values("heat-part", "value")
    assert parts[at] == pytest.approx(1.2345, abs=0.0011)
    # Rounding of single values never adds up.
    hours = len(parts)
    assert sum(parts.values()) == pytest.approx(1.2345 * hours, abs=0.002)
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    assert all(one.missing_intervals == one.off_grid == 0 for one in judged.streams.values())


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Paris", "2026-10-25"),
        ("America/Los_Angeles", "2026-03-08"),
        ("Australia/Lord_Howe", "2026-04-04"),
    ],
)
def test_days_with_a_clock_change_have_every_interval_once(
    tmp_path: Path, zone: str, day: str
) -> None:
    start = utc(f"{day} 00:00") - timedelta(days=1)
    with (
        Ledger.at(tmp_path / "ledger.sqlite") as ledger,
        open_harness(tmp_path, ledger=ledger, now=start + timedelta(days=5)) as harness,
    ):
        agreed = portfolio(ELECTRICITY, zone=zone)
        harness.register_streams(agreed)
        end = start + timedelta(days=3, minutes=-1)
        harness.scenario.registers[point(1)] = regular(
            start, end, every=FIVE, value=rising(start, face_wh=0, power_w=1200)
        )
        first = start.date().isoformat()
        harness.scenario.write_days(first, (end.date()).isoformat())
        assert harness.push(agreed).ok
        judged = harness.sim.delivery_report()
        assert judged.clean, judged.complaints
        one = judged.streams["el-1"]
        assert one.packets == 3 * 96
        assert one.missing_intervals == one.off_grid == 0


def test_a_stream_begins_at_its_agreed_start(harness: DeliveryHarness) -> None:
    streams = """
  - {id: el-1, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, start: 2026-03-03T06:00:00+00:00, fields: {pC_1: socomec/M1/E}}
"""
    agreed = portfolio(streams)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    harness.push(agreed)
    assert min(harness.values("el-1", "pC_1")) == utc("2026-03-03 06:00")


def test_a_new_ledger_goes_on_from_what_wattics_holds(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    agreed = portfolio(ELECTRICITY)
    harness.register_streams(agreed)
    fill(harness)
    harness.scenario.write_days("2026-03-01", "2026-03-02")
    harness.push(agreed)
    harness.scenario.write_days("2026-03-03", "2026-03-04")
    with Ledger.at(tmp_path / "another.sqlite") as another:
        harness.ledger = another
        assert harness.push(agreed).ok
        one = harness.sim.delivery_report().streams["el-1"]
        assert (one.packets, one.missing_intervals, one.violations) == (383, 0, {})
        assert [event.kind for event in another.events(stream_id="el-1")] == [
            "resumed_from_readback"
        ]


def test_without_an_address_nothing_is_pushed_and_the_variable_is_named(
    harness: DeliveryHarness,
) -> None:
    agreed = portfolio(ELECTRICITY)
    with pytest.raises(SettingsError, match="WATTICS_BASE_URL"):
        harness.push(agreed, base_url=None)


def test_a_stream_whose_credential_is_missing_does_not_stop_the_others(
    harness: DeliveryHarness,
) -> None:
    streams = (
        ELECTRICITY
        + """
  - {id: el-2, kind: electricity, site: s, credential: partner, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M2/E}}
"""
    )
    agreed = portfolio(streams)
    harness.register_streams(agreed)
    fill(harness, meters=2)
    harness.scenario.write_days("2026-03-01", "2026-03-04")
    outcome = harness.push(agreed)
    assert outcome.streams["el-1"].acknowledged == 383
    assert outcome.streams["el-2"].status == "stopped"
    assert "WATTICS_CREDENTIALS" in outcome.streams["el-2"].reason


def test_streams_of_different_credentials_use_their_own(tmp_path: Path) -> None:
    from energy_platform.lake.lake import Lake  # noqa: PLC0415
    from energy_platform.simulators.serving import LoopbackServers  # noqa: PLC0415
    from energy_platform.simulators.wattics import (  # noqa: PLC0415
        DEMO_CREDENTIAL,
        PUSH_PATH,
        WatticsCredential,
        WatticsSimulator,
    )
    from energy_platform_tests.delivery.scenario import Scenario  # noqa: PLC0415

    sim = WatticsSimulator(
        credentials=[
            DEMO_CREDENTIAL,
            WatticsCredential(username="partner", password="other", group="partner"),
        ]
    )
    streams = (
        ELECTRICITY
        + """
  - {id: el-2, kind: electricity, site: s, credential: partner, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M2/E}}
"""
    )
    agreed = portfolio(streams)
    with (
        LoopbackServers({"wattics": sim.app}) as servers,
        Ledger.at(tmp_path / "ledger.sqlite") as ledger,
    ):
        harness = DeliveryHarness(
            Scenario(Lake(tmp_path / "lake")),
            ledger,
            sim,
            servers.url("wattics") + PUSH_PATH,
            datetime(2026, 3, 5, 12, tzinfo=UTC),
        )
        harness.register_streams(agreed)
        fill(harness, meters=2)
        harness.scenario.write_days("2026-03-01", "2026-03-04")
        outcome = harness.push(
            agreed, credentials={"partner": {"username": "partner", "password": "other"}}
        )
        assert outcome.ok
        judged = sim.delivery_report()
        assert judged.clean, judged.complaints
        assert judged.streams["el-2"].packets == 383
