"""What happens when Wattics answers badly, or not at all."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import (
    DeadLetterError,
    push,
    resend_dead_letter,
    skip_dead_letter,
)
from energy_platform.delivery.exchange import CircuitBreaker, Obstacle
from energy_platform.simulators.wattics import WatticsBehaviour
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from energy_platform.portfolio import Portfolio

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
VALUE = """
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""
PATH = "unifiedjson"


@pytest.fixture
def agreed() -> Portfolio:
    return portfolio(ELECTRICITY + VALUE)


@pytest.fixture
def prepared(harness: DeliveryHarness, agreed: Portfolio) -> DeliveryHarness:
    """A register and heat per interval over one day: 95 packets each."""
    harness.register_streams(agreed)
    end = utc("2026-03-01 23:55")
    for key, power_w in (("E", 1200), ("H", 4000)):
        harness.scenario.registers[point(1, key)] = regular(
            START, end, every=FIVE, value=rising(START, face_wh=0, power_w=power_w)
        )
    harness.scenario.write_days("2026-03-01")
    return harness


def all_there(harness: DeliveryHarness) -> bool:
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    return all(
        (one.last_at, one.missing_intervals) == (utc("2026-03-01 23:45"), 0)
        for one in judged.streams.values()
    )


@pytest.mark.parametrize(
    "fault",
    [
        "http_503=0.1",
        "http_408=0.1",
        "http_429=2:retry_after=1",
        "cut_connection=0.1",
        "stored_cut=0.1",
        "stored_503=0.1",
        "cut_body=0.1",
        "cookie_expiry=20",
    ],
)
def test_under_each_fault_every_interval_is_stored_once_and_in_order(
    prepared: DeliveryHarness, agreed: Portfolio, fault: str
) -> None:
    prepared.sim.faults.set(fault)
    outcome = prepared.push(agreed)
    assert outcome.ok, outcome.problems
    assert all_there(prepared)
    # What may be repeated is a register whose answer was lost; values are looked up first.
    assert prepared.sim.delivery_report().streams["part-1"].repeats == 0


def test_a_hanging_answer_is_given_up_and_the_packet_sent_again(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.sim.faults.set("stored_silence=@3", "never=@9")
    assert prepared.push(agreed, read_timeout_s=0.4).ok
    assert all_there(prepared)


def test_retry_after_is_obeyed(prepared: DeliveryHarness, agreed: Portfolio) -> None:
    prepared.sim.faults.set("http_429=1:retry_after=1")
    began = time.monotonic()
    # Their own pauses would be 0.05 s at most.
    assert prepared.push(agreed).ok
    assert time.monotonic() - began >= 1


def test_a_stream_in_trouble_does_not_hold_up_the_others(harness: DeliveryHarness) -> None:
    streams = "".join(
        f"  - {{id: el-{n}, kind: electricity, site: s, credential: default, interval: 15m,"
        f" reading: cumulative, fields: {{pC_1: socomec/M{n}/E}}}}\n"
        for n in range(1, 4)
    )
    agreed = portfolio(streams, meters=3)
    harness.register_streams(agreed)
    for n in range(1, 4):
        harness.scenario.registers[point(n)] = regular(
            START, utc("2026-03-01 23:55"), every=FIVE, value=rising(START, face_wh=0, power_w=900)
        )
    harness.scenario.write_days("2026-03-01")
    harness.sim.behaviour = WatticsBehaviour(unknown_id=401)
    harness.sim.faults.set("http_503=1:retry_after=2")
    assert harness.push(agreed, parallel_streams=1).ok
    # One sender: a stream that waits for its turn would have kept the others waiting as well.
    first = {name: harness.sim.packets(name)[0].number for name in agreed.streams}
    assert max(first, key=first.__getitem__) == "el-1"
    assert harness.sim.delivery_report().clean


def test_when_wattics_is_away_the_push_gives_up_and_the_next_one_sends_all(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.sim.faults.set("http_503=1.0")
    outcome = prepared.push(agreed, give_up_s=0.2)
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert not outcome.ok
    run = prepared.ledger.run("wattics")
    assert run is not None
    assert run.not_before is not None
    assert (run.failures, run.not_before > prepared.now) == (1, True)
    prepared.sim.faults.clear()
    assert prepared.push(agreed).ok
    assert all_there(prepared)
    run = prepared.ledger.run("wattics")
    assert run is not None
    assert (run.failures, run.not_before) == (0, None)


def test_nobody_listening_is_a_fault_that_can_heal(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    real = prepared.url
    prepared.url = "http://127.0.0.1:9/measurements/v2/unifiedjson/"
    outcome = prepared.push(agreed, give_up_s=0.2)
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    prepared.url = real
    assert prepared.push(agreed).ok
    assert all_there(prepared)


def test_a_refused_packet_is_kept_and_a_register_goes_on(prepared: DeliveryHarness) -> None:
    agreed = portfolio(ELECTRICITY)
    prepared.sim.faults.set("http_400=@6:method=POST")
    outcome = prepared.push(agreed)
    assert outcome.refused == 1
    assert outcome.ok
    (letter,) = prepared.ledger.dead_letters()
    assert letter.answer == 400
    assert letter.body.startswith(b'{"id":"el-1","tsISO8601":"2026-03-01T')
    one = prepared.sim.delivery_report().streams["el-1"]
    assert (one.packets, one.missing_intervals) == (95, 1)


def test_a_refused_value_stops_its_stream_until_a_person_decides(prepared: DeliveryHarness) -> None:
    agreed = portfolio(VALUE)
    prepared.sim.faults.set("http_413=@6:method=POST")
    outcome = prepared.push(agreed)
    assert outcome.streams["part-1"].status == "stopped"
    sent = prepared.sim.delivery_report().streams["part-1"].packets
    prepared.sim.faults.clear()
    assert prepared.push(agreed).sent == 0
    (letter,) = prepared.ledger.dead_letters()
    resend_dead_letter(prepared.ledger, letter.id, now=prepared.now)
    assert prepared.push(agreed).ok
    one = prepared.sim.delivery_report().streams["part-1"]
    assert sent < one.packets == 95
    assert (one.missing_intervals, one.violations) == (0, {})


def test_a_refused_packet_may_be_skipped_and_is_not_sent_behind_newer_ones(
    prepared: DeliveryHarness,
) -> None:
    agreed = portfolio(ELECTRICITY)
    prepared.sim.faults.set("http_400=@6:method=POST")
    prepared.push(agreed)
    (letter,) = prepared.ledger.dead_letters()
    with pytest.raises(DeadLetterError, match="behind newer ones"):
        resend_dead_letter(prepared.ledger, letter.id, now=prepared.now)
    skip_dead_letter(prepared.ledger, letter.id, now=prepared.now)
    with pytest.raises(DeadLetterError, match="no open refused packet"):
        skip_dead_letter(prepared.ledger, letter.id, now=prepared.now)
    assert prepared.push(agreed).sent == 0


def test_a_stream_wattics_does_not_know_does_not_burn_its_packets(
    prepared: DeliveryHarness,
) -> None:
    streams = ELECTRICITY.replace("el-1", "el-x")
    agreed = portfolio(streams)
    outcome = prepared.push(agreed)
    assert outcome.streams["el-x"].status == "gave_up"
    assert outcome.refused == 5
    assert "not registered" in outcome.streams["el-x"].reason
    assert prepared.push(agreed).refused == 1


def test_an_order_conflict_is_settled_by_reading_back(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.sim.behaviour = WatticsBehaviour(equal="conflict")
    prepared.sim.faults.set("stored_503=0.2")
    assert prepared.push(agreed).ok
    assert all_there(prepared)
    assert prepared.ledger.dead_letters() == []


@pytest.mark.parametrize("expired", ["login", "refuse"])
def test_an_expired_session_is_begun_again(
    prepared: DeliveryHarness, agreed: Portfolio, expired: str
) -> None:
    prepared.sim.behaviour = WatticsBehaviour(expired_session=expired)  # type: ignore[arg-type]
    prepared.sim.faults.set("cookie_expiry=30")
    outcome = prepared.push(agreed)
    assert outcome.ok, outcome.problems
    assert all_there(prepared)
    assert prepared.ledger.stopped_credentials("wattics") == {}


def test_a_redirect_is_never_taken_for_success(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.sim.faults.set("redirect=1.0")
    outcome = prepared.push(agreed)
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert all("redirect" in one.reason for one in outcome.streams.values())
    assert outcome.acknowledged == 0
    prepared.sim.faults.clear()
    assert prepared.push(agreed).ok
    assert all_there(prepared)


def unauthorized(harness: DeliveryHarness) -> int:
    return sum(n for key, n in harness.sim.requests.items() if key[-1] == 401)


def test_a_wrong_password_is_probed_once_in_five_minutes_and_recovers_alone(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    for _ in range(4):
        outcome = prepared.push(agreed, password="wrong")
        assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert unauthorized(prepared) == 1
    run = prepared.ledger.run("wattics")
    assert run is not None
    assert run.not_before == prepared.now + timedelta(minutes=5)
    prepared.now += timedelta(minutes=5)
    prepared.push(agreed, password="wrong")
    prepared.push(agreed, password="wrong")
    assert unauthorized(prepared) == 2
    prepared.now += timedelta(minutes=5)
    assert prepared.push(agreed).ok
    assert all_there(prepared)
    kinds = [event.kind for event in prepared.ledger.events() if event.stream_id is None]
    assert kinds == ["auth_stopped", "auth_recovered"]


def test_a_credential_is_tried_by_one_sender_until_that_one_found_out(
    harness: DeliveryHarness,
) -> None:
    breaker = CircuitBreaker(
        harness.ledger, destination="wattics", names=["default"], now_us=lambda: 0
    )
    with ThreadPoolExecutor(1) as another:
        assert breaker.obstacle("default") is None
        assert breaker.obstacle("default") is None, "such as with a new session"
        another.submit(breaker.undecided, "default").result()
        assert another.submit(breaker.obstacle, "default").result() == Obstacle("await_probe")
        breaker.undecided("default")
        assert another.submit(breaker.obstacle, "default").result() is None
        assert breaker.obstacle("default") == Obstacle("await_probe")
        another.submit(breaker.worked, "default").result()
        assert breaker.obstacle("default") is None


def test_a_stop_ends_the_push_soon_and_the_next_one_goes_on(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    prepared.sim.behaviour = WatticsBehaviour(latency_s=0.02)
    stop = threading.Event()
    stopped_at: list[float] = []

    def stop_in_the_middle() -> None:
        while len(prepared.sim.packets("el-1")) < 10:
            time.sleep(0.01)
        stopped_at.append(time.monotonic())
        stop.set()

    threading.Thread(target=stop_in_the_middle, daemon=True).start()
    outcome = push(
        prepared.scenario.lake,
        ledger=prepared.ledger,
        portfolio=agreed,
        settings=prepared.settings(),
        clock=lambda: prepared.now,
        stop=stop,
    )
    assert time.monotonic() - stopped_at[0] < 10
    assert outcome.interrupted
    assert 0 < outcome.acknowledged < 190
    prepared.sim.behaviour = WatticsBehaviour()
    assert prepared.push(agreed).ok
    assert all_there(prepared)
    assert prepared.sim.delivery_report().streams["el-1"].repeats == 0


def test_a_stop_does_not_wait_for_an_answer_that_never_comes(
    prepared: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.delivery.sender.STOP_GRACE_S", 0.5)
    prepared.sim.faults.set("stored_silence=@5")
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    push(
        prepared.scenario.lake,
        ledger=prepared.ledger,
        portfolio=portfolio(VALUE),
        settings=prepared.settings(read_timeout_s=60, give_up_s=90),
        clock=lambda: prepared.now,
        stop=stop,
    )
    assert time.monotonic() - began < 30, "the answer would have come after a minute"
    assert not [one for one in threading.enumerate() if one.name.startswith("sender-")]
    prepared.sim.faults.clear()
    assert prepared.push(portfolio(VALUE)).ok
    one = prepared.sim.delivery_report().streams["part-1"]
    assert (one.missing_intervals, one.repeats, one.violations) == (0, 0, {})


def test_no_secret_is_in_the_ledger_or_an_outcome(
    prepared: DeliveryHarness, agreed: Portfolio
) -> None:
    outcome = prepared.push(agreed, password="hunter2-secret")
    text = repr(outcome) + repr(prepared.ledger.events()) + repr(prepared.ledger)
    text += repr(prepared.ledger.stopped_credentials("wattics"))
    assert "hunter2" not in text
