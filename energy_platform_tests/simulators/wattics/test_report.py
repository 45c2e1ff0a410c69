"""The delivery report: order, duplicates, gaps, offsets, the same after a restart."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.simulators.wattics import (
    WatticsBehaviour,
    WatticsRecord,
    WatticsSimulator,
    WatticsStream,
)
from energy_platform.simulators.wattics.packets import read_packet
from energy_platform_tests.simulators.wattics.pusher import (
    GAS,
    METER,
    NOON,
    Pusher,
    gas,
    meter,
    serving,
    stamp,
)

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.simulators.wattics.report import StreamReport


def judged(simulator: WatticsSimulator, stream: str = METER.id) -> StreamReport:
    return simulator.delivery_report().streams[stream]


def test_a_falling_register_is_noticed_once(wattics: WatticsSimulator, pusher: Pusher) -> None:
    for minutes, pc in ((0, 5000), (15, 4000), (30, 4100)):
        pusher.push(meter(minutes, pc=pc))
    assert judged(wattics).falling == 1
    assert not wattics.delivery_report().clean
    assert "cumulative values below" in wattics.delivery_report().complaints[0]


def test_a_value_per_interval_may_fall(wattics: WatticsSimulator, pusher: Pusher) -> None:
    for minutes, value in ((0, 5), (15, 4)):
        pusher.push(gas(minutes, value=value))
    assert judged(wattics, GAS.id).falling == 0


def test_a_cumulative_value_may_not_fall() -> None:
    heat = WatticsStream(id="heat", kind="value", reading="cumulative", unit="kWh")
    simulator = WatticsSimulator(streams=(heat,))
    with serving(simulator) as port, Pusher(port) as pusher:
        for minute, value in ((0, 5), (15, 4)):
            at = f"2026-01-15T12:{minute:02d}:00.000+00:00"
            pusher.push({"id": "heat", "tsISO8601": at, "value": value})
    assert judged(simulator, "heat").falling == 1


def test_a_changed_packet_under_an_old_stamp_is_a_conflict(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    pusher.push(meter(0, pc=1000))
    pusher.push(meter(0, pc=1001))
    assert (judged(wattics).conflicts, judged(wattics).duplicates) == (1, 0)


def test_two_requests_of_one_stream_at_once_are_noticed(
    wattics: WatticsSimulator, port: int
) -> None:
    wattics.behaviour = WatticsBehaviour(latency_s=0.3)

    def push(packet: dict[str, Any]) -> None:
        with Pusher(port) as pusher:
            assert pusher.push(packet).status == 200

    threads = [
        threading.Thread(target=push, args=[packet]) for packet in (meter(0), meter(15), gas(0))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert judged(wattics).concurrent == 1
    assert judged(wattics, GAS.id).concurrent == 0


def test_one_request_after_the_other_never_counts_as_concurrent(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    wattics.behaviour = WatticsBehaviour(latency_s=0.01)
    for minutes in range(0, 150, 15):
        pusher.push(meter(minutes))
    assert judged(wattics).concurrent == 0


def test_a_client_that_timed_out_may_send_again(wattics: WatticsSimulator, port: int) -> None:
    wattics.behaviour = WatticsBehaviour(latency_s=30)
    with Pusher(port, timeout=0.2) as hasty, pytest.raises(TimeoutError):
        hasty.push(meter(0))
    wattics.behaviour = WatticsBehaviour()
    with Pusher(port) as pusher:
        assert pusher.push(meter(0)).status == 200
    assert (judged(wattics).repeats, judged(wattics).duplicates) == (1, 0)
    assert judged(wattics).concurrent == 0


def test_holes_and_crowded_intervals_are_counted(wattics: WatticsSimulator, pusher: Pusher) -> None:
    for minutes in (0, 15, 20, 75):
        pusher.push(meter(minutes))
    found = judged(wattics)
    assert (found.missing_intervals, found.crowded_intervals, found.off_grid) == (3, 1, 1)
    (gap,) = found.gaps
    assert gap.after == NOON + timedelta(minutes=15)
    assert gap.before == NOON + timedelta(minutes=75)
    assert wattics.packets_per_interval(METER.id) == {
        NOON: 1,
        NOON + timedelta(minutes=15): 2,
        NOON + timedelta(minutes=75): 1,
    }


def test_the_repeated_hour_of_autumn_is_in_order_by_instant() -> None:
    hourly = WatticsStream(id="h", interval_s=1800, timezone="Europe/Paris")
    simulator = WatticsSimulator(streams=(hourly,), clock=lambda: datetime(2026, 11, 1, tzinfo=UTC))
    stamps = ["02:00:00.000+02:00", "02:30:00.000+02:00", "02:00:00.000+01:00"]
    stamps += ["02:30:00.000+01:00", "03:00:00.000+01:00"]
    with serving(simulator) as port, Pusher(port) as pusher:
        for pc, at in enumerate(stamps):
            pusher.push({"id": "h", "tsISO8601": f"2026-10-25T{at}", "pC_1": pc})
    found = judged(simulator, "h")
    assert simulator.delivery_report().clean, simulator.delivery_report().complaints
    assert (found.missing_intervals, found.crowded_intervals) == (0, 0)


def test_intervals_follow_the_local_clock_of_a_half_hour_zone() -> None:
    kolkata = WatticsStream(id="k", interval_s=3600, timezone="Asia/Kolkata")
    simulator = WatticsSimulator(streams=(kolkata,))
    with serving(simulator) as port, Pusher(port) as pusher:
        for pc, at in enumerate(("10:00", "10:45", "11:00")):
            stamp = f"2026-01-15T{at}:00.000+05:30"
            pusher.push({"id": "k", "tsISO8601": stamp, "pC_1": pc})
    found = judged(simulator, "k")
    assert (found.crowded_intervals, found.missing_intervals, found.off_grid) == (1, 0, 1)


def test_a_stamp_without_the_sites_offset_is_noticed(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    pusher.push(meter() | {"tsISO8601": "2026-01-15T12:00:00.000+00:00"})
    pusher.push(meter() | {"tsISO8601": "2026-01-15T14:00:00.000+01:00"})
    assert judged(wattics).wrong_offset == 1


def test_other_slips_are_named(wattics: WatticsSimulator, pusher: Pusher) -> None:
    pusher.push({"id": METER.id, "tsISO8601": stamp(0), "value": 1})
    pusher.push(b'{"id":"meter-1","tsISO8601":"2026-01-15T12:15:00.000+01:00","pC_1":1e3}')
    pusher.push(meter() | {"tsISO8601": "2026-03-15T12:00:00.000+01:00"})
    pusher.push(b"[]")
    pusher.push(meter() | {"x": 1})
    found = judged(wattics)
    assert (found.wrong_kind, found.exponents, found.future, found.refused) == (1, 1, 1, 1)
    assert wattics.delivery_report().refused == 2


def test_the_report_travels_as_json(wattics: WatticsSimulator, pusher: Pusher) -> None:
    pusher.push(meter(0))
    pusher.push(meter(60))
    report = wattics.delivery_report()
    text = msgspec.json.encode(report)
    assert msgspec.json.decode(text, type=type(report)) == report


def test_a_record_outlives_the_simulator(tmp_path: Path) -> None:
    path = tmp_path / "wattics.jsonl"
    clock = lambda: datetime(2026, 2, 1, tzinfo=UTC)  # noqa: E731
    first = WatticsSimulator(streams=(METER, GAS), record=path, clock=clock)
    first.faults.set("stored_cut=@3")
    with serving(first) as port:
        for minutes in (0, 15):
            with Pusher(port) as pusher:
                pusher.push(meter(minutes))
        with Pusher(port) as pusher, pytest.raises(ConnectionError):
            pusher.push(meter(30))
        with Pusher(port, cookies=False) as pusher:
            pusher.push(gas(0))
            pusher.push(b"nonsense")
    first.close()
    with path.open("ab") as file:
        file.write(b'{"type":"packet","number":99')  # the process ended in the middle of a line
    second = WatticsSimulator(streams=(METER, GAS), record=path, clock=clock)
    assert second.delivery_report() == first.delivery_report()
    assert second.packets(METER.id) == first.packets(METER.id)
    with serving(second) as port, Pusher(port) as pusher:
        pusher.push(meter(30))
        pusher.push(meter(15))
    second.close()
    found = judged(WatticsSimulator(streams=(METER, GAS), record=path, clock=clock))
    assert (found.packets, found.repeats, found.duplicates, found.order_violations) == (5, 1, 1, 1)


def test_another_file_is_not_taken_for_a_record(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(ValueError, match=r"notes.txt, line 1.*move the file away"):
        WatticsSimulator(streams=(METER,), record=path)


def test_a_stream_can_be_agreed_anew_while_running(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    pusher.push(meter(0))
    pusher.push(meter(60))
    wattics.register(msgspec.structs.replace(METER, interval_s=3600))
    wattics.register(WatticsStream(id="late-comer"))
    assert judged(wattics).missing_intervals == 0
    assert judged(wattics).packets == 2
    assert judged(wattics, "late-comer").packets == 0


@given(st.lists(st.integers(0, 12), max_size=30), st.sampled_from(["accept", "drop"]))
def test_order_and_repeats_are_counted_as_a_reader_would(quarters: list[int], older: Any) -> None:
    record = WatticsRecord((METER,))
    behaviour = WatticsBehaviour(older=older)
    stored: list[int] = []
    violations = duplicates = 0
    for quarter in quarters:
        body = msgspec.json.encode(meter(15 * quarter))
        record.receive(
            read_packet(body, behaviour=behaviour),
            body=body,
            received_at=2e9,
            route="unifiedjson",
            behaviour=behaviour,
            overlapping=False,
        )
        is_older = bool(stored) and quarter < max(stored)
        violations += is_older
        duplicates += quarter in stored
        if not is_older or older == "accept":
            stored.append(quarter)
    found = record.delivery_report().streams[METER.id]
    assert found.order_violations == violations
    assert found.duplicates == duplicates
    assert found.packets == len(stored)
    span = max(stored) - min(stored) + 1 if stored else 0
    assert found.missing_intervals == span - len(set(stored))
