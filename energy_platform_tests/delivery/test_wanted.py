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
def house(desk: Bench) -> Bench:
    """Registers, heat and a temperature over nine days that no file holds yet."""
    story = desk.story
    story.quantities[point(1, "T")] = ("temperature", "°C")
    for meter, key, power_w in ((1, "E", 1200), (1, "H", 4000), (2, "E", 300)):
        story.registers[point(meter, key)] = regular(
            START, END, every=FIVE, value=rising(START, face_wh=0, power_w=power_w)
        )
    story.gauges[point(1, "T")] = regular(START, END, every=FIVE, value=steady(20.5))
    desk.now = START
    desk.settings_extra = {
        "credentials": {"other": {"username": "demo-user", "password": "demo-password"}}
    }
    return desk


def agree(desk: Bench, text: str = STREAMS) -> Portfolio:
    agreed = portfolio(text)
    desk.agree(agreed)
    return agreed


def decide(desk: Bench, agreed: Portfolio, **changes: Any) -> PushDecision:
    found = push_decision(
        desk.story.lake,
        desk.ledger,
        agreed,
        now=desk.now,
        max_hold=HOLD,
        credentials=desk.settings(**changes).all_credentials(),
    )
    assert found.reason
    return found


def state_of(desk: Bench) -> tuple[Any, Any]:
    """Return what a push sends, settles or says, and what it only notes."""
    with desk.ledger.engine.connect() as connection:
        packets = connection.execute(sa.select(tables.packets)).all()
        streams = connection.execute(sa.select(tables.streams)).all()
    return (desk.sim.delivery_report().packets, packets, desk.ledger.events()), streams


def attempt(desk: Bench, agreed: Portfolio, **changes: Any) -> Tried:
    decision = decide(desk, agreed, **changes)
    acts, notes = state_of(desk)
    outcome = desk.push(agreed, **changes)
    acts_then, notes_then = state_of(desk)
    return Tried(decision, outcome, acts != acts_then, notes != notes_then)


def one_group(desk: Bench) -> Portfolio:
    return agree(desk, STREAMS.replace("credential: other", "credential: default"))


def happen(dice: random.Random, desk: Bench, written: datetime) -> datetime:
    """Let something happen to the lake, the clock or Wattics; return up to where files reach."""
    match dice.randrange(6):
        case 0 | 1:  # the next day or a part of it
            written += timedelta(hours=dice.choice([6, 24, 24, 7.1]))
            desk.story.tell((written - FIVE).date().isoformat(), until=written)
        case 2:  # a day is left out
            written = written.replace(hour=0, minute=0) + timedelta(days=2)
            desk.story.tell((written - FIVE).date().isoformat())
        case 3 if written > START:  # every day is there
            desk.story.tell("2026-03-01", (written - FIVE).date().isoformat(), until=written)
        case 4:
            desk.now += timedelta(hours=dice.choice([0.1, 1, 20, 50]))
        case _:
            desk.sim.faults.set(dice.choice(["http_503=1.0", "http_400=1:method=POST"]))
    desk.now = max(desk.now, written)
    return written


@pytest.mark.parametrize("seed", range(8))
def test_a_push_is_wanted_exactly_when_it_would_do_something(house: Bench, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a seed to repeat a run with
    agreed = one_group(house)
    written = START
    wanted = 0
    for _ in range(14):
        written = happen(dice, house, written)
        tried = attempt(house, agreed, give_up_s=0)
        house.sim.faults.clear()
        decision = tried.decision
        wanted += decision.is_wanted
        # What it would do is asked for, unless it has to pause; what is asked for is done.
        assert not tried.acted or decision.is_wanted or decision.next_attempt_at, decision
        assert not decision.is_wanted or tried.acted or tried.noted, decision
        for letter in house.ledger.dead_letters():
            skip_dead_letter(house.ledger, letter.id, now=house.now)
        failing = any(one.status == "gave_up" for one in tried.outcome.streams.values())
        if not failing and not house.ledger.pending_counts():
            after = decide(house, agreed)
            assert not after.is_wanted, after
    assert wanted
    assert house.sim.delivery_report().clean, house.sim.delivery_report().complaints


def test_a_start_in_the_future_asks_for_nothing_until_it_comes(house: Bench) -> None:
    agreed = agree(house, STREAMS[STREAMS.index("  - {id: later-1") :])
    house.story.tell("2026-03-01", "2026-03-02")
    house.now = utc("2026-03-03 12:00")
    for _ in range(2):
        found = decide(house, agreed)
        assert (found.is_wanted, "begins at 2026-03-05 05:00 UTC" in found.reason) == (False, True)
        house.push(agreed)
    house.story.tell("2026-03-03", "2026-03-05")
    house.now = utc("2026-03-06 00:00")
    assert decide(house, agreed).is_wanted
    assert house.push(agreed).acknowledged > 0


def test_streams_of_vendors_with_different_first_days_ask_once(house: Bench) -> None:
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
    house.agree(agreed)
    house.story.tell("2026-03-02")
    closed = {"complete_until": "2026-03-02T00:00:00+00:00", "closed": "true"}
    for day in ("2026-03-01", "2026-03-02"):
        house.story.lake.write(
            RAW_SKYCENTRICS_SAMPLES, RAW_SKYCENTRICS_SAMPLES.empty(), day=day, meta=closed
        )
    for table in (CORE_READINGS, CORE_ENERGY_DELTAS):
        house.story.lake.write(table, table.empty(), day="2026-03-01")
    house.now = utc("2026-03-03 00:00")
    assert decide(house, agreed).is_wanted
    assert house.push(agreed).sent == 0
    assert not decide(house, agreed).is_wanted


def test_a_stream_whose_credential_is_not_set_is_not_asked_for(house: Bench) -> None:
    agreed = portfolio(STREAMS)
    house.agree(one_group(house))
    house.story.tell("2026-03-01")
    house.now = utc("2026-03-02 00:00")
    house.push(agreed, credentials={})
    found = decide(house, agreed, credentials={})
    assert not found.is_wanted
    assert "credential 'other' is not set" in found.reason
    assert decide(house, agreed).is_wanted


def test_a_refused_credential_is_asked_for_again_at_its_probe_and_says_so(house: Bench) -> None:
    agreed = one_group(house)
    house.story.tell("2026-03-01")
    house.now = utc("2026-03-02 00:00")
    house.push(agreed, password="wrong")
    house.story.tell("2026-03-02")
    house.now += timedelta(minutes=1)
    found = decide(house, agreed)
    assert not found.is_wanted
    assert "next probe at 2026-03-02 00:05 UTC" in found.reason
    house.now += timedelta(minutes=4)
    assert decide(house, agreed).is_wanted


def test_a_hold_that_is_over_while_its_day_may_still_close_asks_for_nothing(house: Bench) -> None:
    agreed = agree(house, ELECTRICITY)
    house.story.tell("2026-03-01")
    house.story.tell("2026-03-03")
    house.now = utc("2026-03-04 00:00")
    house.push(agreed)
    assert house.ledger.states()["el-1"].blocked_day == "2026-03-02"
    # A day of which a part is there waits for the run that closes it.
    house.story.tell("2026-03-02", until=utc("2026-03-02 12:00"))
    house.push(agreed)
    house.now += timedelta(minutes=10)
    found = push_decision(
        house.story.lake, house.ledger, agreed, now=house.now, max_hold=timedelta(minutes=1)
    )
    house.push(agreed, max_hold_h=1 / 60)
    again = push_decision(
        house.story.lake, house.ledger, agreed, now=house.now, max_hold=timedelta(minutes=1)
    )
    assert (found.is_wanted, again.is_wanted) in {(False, False), (True, False)}


def test_streams_left_untried_in_an_outage_wait_for_the_pause_too(
    house: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.delivery.run.CHUNK_STREAMS", 1)
    agreed = one_group(house)
    house.story.tell("2026-03-01")
    house.now = utc("2026-03-02 00:00")
    house.sim.faults.set("http_503=1.0")
    outcome = house.push(agreed, give_up_s=0)
    assert any("not tried" in one.reason for one in outcome.streams.values())
    found = decide(house, agreed)
    assert not found.is_wanted
    assert found.next_attempt_at is not None
    assert "next attempt at" in found.reason


def test_data_ahead_of_the_clock_are_sent_when_their_time_comes(house: Bench) -> None:
    agreed = agree(house, ELECTRICITY)
    house.story.tell("2026-03-01")
    house.now = utc("2026-03-01 12:00")
    assert house.push(agreed).acknowledged > 0
    assert not decide(house, agreed).is_wanted
    house.now += timedelta(minutes=10)
    assert not decide(house, agreed).is_wanted
    house.now += timedelta(minutes=5)
    assert decide(house, agreed).is_wanted
    assert house.push(agreed).acknowledged == 1
    assert not decide(house, agreed).is_wanted


def test_an_empty_portfolio_and_an_empty_lake_say_why(house: Bench) -> None:
    nothing = portfolio("  []")
    assert decide(house, nothing).reason == "the portfolio has no streams"
    found = decide(house, agree(house, ELECTRICITY))
    assert (found.is_wanted, found.reason) == (False, "Wattics holds all that is ready")
