"""What is asked for is what a push would do: tried against real pushes, state by state."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa

from energy_platform.delivery import push_decision, skip_dead_letter
from energy_platform.delivery.ledger import tables
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    point,
    portfolio,
    regular,
    rising,
    steady,
    utc,
)

if TYPE_CHECKING:
    from energy_platform.delivery import PushDecision, PushOutcome

FIVE = timedelta(minutes=5)
START = utc("2026-03-01 00:00")
END = utc("2026-03-09 23:55")
HOLD = timedelta(hours=48)
STREAMS = (
    ELECTRICITY
    + """
  - {id: t-1, kind: value, site: s, credential: default, interval: 1h,
     reading: average, unit: °C, fields: {value: socomec/M1/T}}
  - {id: part-1, kind: value, site: s, credential: other, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
  - {id: later-1, kind: electricity, site: s, credential: default, interval: 15m,
     start: 2026-03-05T06:00:00+01:00, reading: cumulative, fields: {pC_1: socomec/M2/E}}
"""
)


class Tried(NamedTuple):
    """A decision, and what a push did right after it."""

    decision: PushDecision
    outcome: PushOutcome
    acted: bool
    noted: bool


@pytest.fixture
def prepared(harness: DeliveryHarness) -> DeliveryHarness:
    """Registers, heat and a temperature over nine days that no file holds yet."""
    scenario = harness.scenario
    scenario.quantities[point(1, "T")] = ("temperature", "°C")
    for meter, key, power_w in ((1, "E", 1200), (1, "H", 4000), (2, "E", 300)):
        scenario.registers[point(meter, key)] = regular(
            START, END, every=FIVE, value=rising(START, face_wh=0, power_w=power_w)
        )
    scenario.gauges[point(1, "T")] = regular(START, END, every=FIVE, value=steady(20.5))
    harness.now = START
    harness.settings_extra = {
        "credentials": {"other": {"username": "demo-user", "password": "demo-password"}}
    }
    return harness


def register(harness: DeliveryHarness, text: str = STREAMS) -> Portfolio:
    agreed = portfolio(text)
    harness.register_streams(agreed)
    return agreed


def decide(harness: DeliveryHarness, agreed: Portfolio, **changes: Any) -> PushDecision:
    found = push_decision(
        harness.scenario.lake,
        harness.ledger,
        agreed,
        now=harness.now,
        max_hold=HOLD,
        credentials=harness.settings(**changes).all_credentials(),
    )
    assert found.reason
    return found


def state_of(harness: DeliveryHarness) -> tuple[Any, Any]:
    """Return what a push sends, settles or says, and what it only notes."""
    with harness.ledger.engine.connect() as connection:
        packets = connection.execute(sa.select(tables.packets)).all()
        streams = connection.execute(sa.select(tables.streams)).all()
    return (harness.sim.delivery_report().packets, packets, harness.ledger.events()), streams


def attempt(harness: DeliveryHarness, agreed: Portfolio, **changes: Any) -> Tried:
    decision = decide(harness, agreed, **changes)
    acts, notes = state_of(harness)
    outcome = harness.push(agreed, **changes)
    acts_then, notes_then = state_of(harness)
    return Tried(decision, outcome, acts != acts_then, notes != notes_then)


def one_group(harness: DeliveryHarness) -> Portfolio:
    return register(harness, STREAMS.replace("credential: other", "credential: default"))


def happen(dice: random.Random, harness: DeliveryHarness, written: datetime) -> datetime:
    """Let something happen to the lake, the clock or Wattics; return up to where files reach."""
    match dice.randrange(6):
        case 0 | 1:  # the next day or a part of it
            written += timedelta(hours=dice.choice([6, 24, 24, 7.1]))
            harness.scenario.write_days((written - FIVE).date().isoformat(), until=written)
        case 2:  # a day is left out
            written = written.replace(hour=0, minute=0) + timedelta(days=2)
            harness.scenario.write_days((written - FIVE).date().isoformat())
        case 3 if written > START:  # every day is there
            harness.scenario.write_days(
                "2026-03-01", (written - FIVE).date().isoformat(), until=written
            )
        case 4:
            harness.now += timedelta(hours=dice.choice([0.1, 1, 20, 50]))
        case _:
            harness.sim.faults.set(dice.choice(["http_503=1.0", "http_400=1:method=POST"]))
    harness.now = max(harness.now, written)
    return written


@pytest.mark.parametrize("seed", range(8))
def test_a_push_is_wanted_exactly_when_it_would_do_something(
    prepared: DeliveryHarness, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - a seed to repeat a run with
    agreed = one_group(prepared)
    written = START
    wanted = 0
    for _ in range(14):
        written = happen(dice, prepared, written)
        tried = attempt(prepared, agreed, give_up_s=0)
        prepared.sim.faults.clear()
        decision = tried.decision
        wanted += decision.is_wanted
        # What it would do is asked for, unless it has to pause; what is asked for is done.
        assert not tried.acted or decision.is_wanted or decision.next_attempt_at, decision
        assert not decision.is_wanted or tried.acted or tried.noted, decision
        for letter in prepared.ledger.dead_letters():
            skip_dead_letter(prepared.ledger, letter.id, now=prepared.now)
        failing = any(one.status == "gave_up" for one in tried.outcome.streams.values())
        if not failing and not prepared.ledger.pending_counts():
            after = decide(prepared, agreed)
            assert not after.is_wanted, after
    assert wanted
    assert prepared.sim.delivery_report().clean, prepared.sim.delivery_report().complaints


def test_a_start_in_the_future_asks_for_nothing_until_it_comes(prepared: DeliveryHarness) -> None:
    agreed = register(prepared, STREAMS[STREAMS.index("  - {id: later-1") :])
    prepared.scenario.write_days("2026-03-01", "2026-03-02")
    prepared.now = utc("2026-03-03 12:00")
    for _ in range(2):
        found = decide(prepared, agreed)
        assert (found.is_wanted, "begins at 2026-03-05 05:00 UTC" in found.reason) == (False, True)
        prepared.push(agreed)
    prepared.scenario.write_days("2026-03-03", "2026-03-05")
    prepared.now = utc("2026-03-06 00:00")
    assert decide(prepared, agreed).is_wanted
    assert prepared.push(agreed).acknowledged > 0


def test_streams_of_vendors_with_different_first_days_ask_once(prepared: DeliveryHarness) -> None:
    agreed = parse_portfolio("""
version: 1
sites:
  - {id: s, name: Site, timezone: UTC}
device_types:
  meter:
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
devices:
  - {vendor: socomec, serial: M9, site: s, name: A, type: meter, max_power_w: none}
  - {vendor: skycentrics, serial: S9, site: s, name: B, type: meter, max_power_w: none}
streams:
  - {id: a, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: socomec/M9/E}}
  - {id: b, kind: electricity, site: s, credential: default, interval: 15m,
     reading: cumulative, fields: {pC_1: skycentrics/S9/E}}
""")
    prepared.register_streams(agreed)
    prepared.scenario.write_days("2026-03-02")
    closed = {"complete_until": "2026-03-02T00:00:00+00:00", "closed": "true"}
    for day in ("2026-03-01", "2026-03-02"):
        prepared.scenario.lake.write(
            RAW_SKYCENTRICS_SAMPLES, RAW_SKYCENTRICS_SAMPLES.empty(), day=day, meta=closed
        )
    for table in (CORE_READINGS, CORE_ENERGY_DELTAS):
        prepared.scenario.lake.write(table, table.empty(), day="2026-03-01")
    prepared.now = utc("2026-03-03 00:00")
    assert decide(prepared, agreed).is_wanted
    assert prepared.push(agreed).sent == 0
    assert not decide(prepared, agreed).is_wanted


def test_a_stream_whose_credential_is_not_set_is_not_asked_for(prepared: DeliveryHarness) -> None:
    agreed = portfolio(STREAMS)
    prepared.register_streams(one_group(prepared))
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-02 00:00")
    prepared.push(agreed, credentials={})
    found = decide(prepared, agreed, credentials={})
    assert not found.is_wanted
    assert "credential 'other' is not set" in found.reason
    assert decide(prepared, agreed).is_wanted


def test_a_refused_credential_is_asked_for_again_at_its_probe_and_says_so(
    prepared: DeliveryHarness,
) -> None:
    agreed = one_group(prepared)
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-02 00:00")
    prepared.push(agreed, password="wrong")
    prepared.scenario.write_days("2026-03-02")
    prepared.now += timedelta(minutes=1)
    found = decide(prepared, agreed)
    assert not found.is_wanted
    assert "next probe at 2026-03-02 00:05 UTC" in found.reason
    prepared.now += timedelta(minutes=4)
    assert decide(prepared, agreed).is_wanted


def test_a_hold_that_is_over_while_its_day_may_still_close_asks_for_nothing(
    prepared: DeliveryHarness,
) -> None:
    agreed = register(prepared, ELECTRICITY)
    prepared.scenario.write_days("2026-03-01")
    prepared.scenario.write_days("2026-03-03")
    prepared.now = utc("2026-03-04 00:00")
    prepared.push(agreed)
    assert prepared.ledger.states()["el-1"].blocked_day == "2026-03-02"
    # A day of which a part is there waits for the run that closes it.
    prepared.scenario.write_days("2026-03-02", until=utc("2026-03-02 12:00"))
    prepared.push(agreed)
    prepared.now += timedelta(minutes=10)
    found = push_decision(
        prepared.scenario.lake,
        prepared.ledger,
        agreed,
        now=prepared.now,
        max_hold=timedelta(minutes=1),
    )
    prepared.push(agreed, max_hold_h=1 / 60)
    again = push_decision(
        prepared.scenario.lake,
        prepared.ledger,
        agreed,
        now=prepared.now,
        max_hold=timedelta(minutes=1),
    )
    assert (found.is_wanted, again.is_wanted) in {(False, False), (True, False)}


def test_streams_left_untried_in_an_outage_wait_for_the_pause_too(
    prepared: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.delivery.run.CHUNK_STREAMS", 1)
    agreed = one_group(prepared)
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-02 00:00")
    prepared.sim.faults.set("http_503=1.0")
    outcome = prepared.push(agreed, give_up_s=0)
    assert any("not tried" in one.reason for one in outcome.streams.values())
    found = decide(prepared, agreed)
    assert not found.is_wanted
    assert found.next_attempt_at is not None
    assert "next attempt at" in found.reason


def test_data_ahead_of_the_clock_are_sent_when_their_time_comes(prepared: DeliveryHarness) -> None:
    agreed = register(prepared, ELECTRICITY)
    prepared.scenario.write_days("2026-03-01")
    prepared.now = utc("2026-03-01 12:00")
    assert prepared.push(agreed).acknowledged > 0
    assert not decide(prepared, agreed).is_wanted
    prepared.now += timedelta(minutes=10)
    assert not decide(prepared, agreed).is_wanted
    prepared.now += timedelta(minutes=5)
    assert decide(prepared, agreed).is_wanted
    assert prepared.push(agreed).acknowledged == 1
    assert not decide(prepared, agreed).is_wanted


def test_an_empty_portfolio_and_an_empty_lake_say_why(prepared: DeliveryHarness) -> None:
    nothing = portfolio("  []")
    assert decide(prepared, nothing).reason == "the portfolio has no streams"
    found = decide(prepared, register(prepared, ELECTRICITY))
    assert (found.is_wanted, found.reason) == (False, "Wattics holds all that is ready")
