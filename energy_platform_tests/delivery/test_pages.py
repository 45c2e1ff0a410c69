"""A page for people with status 200, such as a login form, proves no packet stored."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.delivery import Ledger
from energy_platform.simulators.wattics import WatticsBehaviour
from energy_platform.simulators.wattics.odd_answers import ODD_ANSWERS
from energy_platform_tests.delivery.scenario import (
    ELECTRICITY,
    DeliveryHarness,
    open_harness,
    point,
    portfolio,
    regular,
    rising,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from energy_platform.simulators.middleware import App

START = utc("2026-03-01 00:00")
QUARTER = timedelta(minutes=15)
STREAMS = (
    ELECTRICITY
    + """
  - {id: part-1, kind: value, site: s, credential: default, interval: 15m,
     reading: per_interval, unit: kWh, fields: {value: socomec/M1/H}}
"""
)
PAGE = b"<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"


class Doorman:
    """Shows a page in place of some answers, and stores nothing then.

    Attributes:
        turns_away: Numbers of the requests, from 1, that get the page.
        always: Whether every request does.
        answers: The page and its type.
        method: Of the requests that are meant; empty: of all.
    """

    def __init__(self) -> None:
        self.turns_away: set[int] = set()
        self.always = False
        self.seen = 0
        self.answers = (PAGE, b"text/html")
        self.method = ""

    def before(self, app: App) -> App:
        async def door(scope: Any, receive: Any, send: Any) -> None:
            self.seen += 1
            is_meant = self.method in {"", scope["method"]}
            if not is_meant or (not self.always and self.seen not in self.turns_away):
                await app(scope, receive, send)
                return
            while (await receive()).get("more_body"):
                pass
            body, media = self.answers
            headers = [(b"content-type", media), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        return door


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
def prepared(tmp_path: Path, doorman: Doorman) -> Iterator[DeliveryHarness]:
    """A register and heat per interval over one day: 95 packets each."""
    with (
        Ledger.at(tmp_path / "ledger.sqlite") as ledger,
        open_harness(
            tmp_path, ledger=ledger, now=utc("2026-03-05 12:00"), before=doorman.before
        ) as harness,
    ):
        harness.register_streams(portfolio(STREAMS))
        for key, power_w in (("E", 1200), ("H", 4000)):
            harness.scenario.registers[point(1, key)] = regular(
                START,
                utc("2026-03-01 23:55"),
                every=QUARTER / 3,
                value=rising(START, face_wh=0, power_w=power_w),
            )
        harness.scenario.write_days("2026-03-01")
        yield harness


def check(harness: DeliveryHarness) -> None:
    """Every interval is there, once, and the ledger knows."""
    judged = harness.sim.delivery_report()
    assert judged.clean, judged.complaints
    states = harness.ledger.states()
    for stream_id, one in judged.streams.items():
        assert (one.last_at, one.missing_intervals) == (utc("2026-03-01 23:45"), 0)
        assert one.repeats == 0
        assert states[stream_id].acknowledged == one.packets


def test_a_login_page_in_between_costs_no_packet(
    prepared: DeliveryHarness, doorman: Doorman
) -> None:
    # Neighbouring ones too: the question what is stored meets the page as well.
    doorman.turns_away = {9, 30, 31, 60, 61, 90, 91}
    outcome = prepared.push(portfolio(STREAMS))
    assert outcome.ok, outcome.problems
    check(prepared)


def test_only_pages_are_an_error_that_shows_their_words_and_lose_nothing(
    prepared: DeliveryHarness, doorman: Doorman
) -> None:
    doorman.always = True
    outcome = prepared.push(portfolio(STREAMS))
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert outcome.acknowledged == 0
    assert all("page for people" in one.reason for one in outcome.streams.values())
    doorman.always = False
    assert prepared.push(portfolio(STREAMS)).ok
    check(prepared)


def test_a_session_that_ends_for_good_in_mid_run_leaves_the_streams_soon(
    prepared: DeliveryHarness, doorman: Doorman
) -> None:
    doorman.turns_away = set(range(40, 100_000))
    outcome = prepared.push(portfolio(STREAMS))
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert doorman.seen < 80
    doorman.turns_away = set()
    assert prepared.push(portfolio(STREAMS)).ok
    check(prepared)


@pytest.mark.parametrize("readback", [True, False])
def test_a_server_that_thanks_with_a_page_is_understood_by_reading_back(
    prepared: DeliveryHarness, *, readback: bool
) -> None:
    prepared.sim.behaviour = WatticsBehaviour(success_body=PAGE.decode())
    outcome = prepared.push(portfolio(STREAMS), readback=readback)
    if readback:
        assert outcome.ok, outcome.problems
        check(prepared)
    else:
        # Nobody can know: the streams are left, with the reason, and nothing is skipped.
        assert {one.status for one in outcome.streams.values()} == {"gave_up"}
        assert outcome.acknowledged == 0


@pytest.mark.parametrize("name", sorted(ODD_ANSWERS))
def test_an_odd_answer_is_never_taken_for_stored_and_nothing_goes_twice(
    prepared: DeliveryHarness, name: str
) -> None:
    # Reading back meets them as well; a third of the answers is odd, stored or not.
    prepared.sim.faults.set(f"{name}=0.15", f"stored_{name}=0.15")
    for _ in range(10):
        # Several odd ones in a row leave a stream for the next push; nobody knows better then.
        outcome = prepared.push(portfolio(STREAMS))
        if outcome.ok:
            break
    assert outcome.ok, outcome.problems
    check(prepared)
    assert prepared.sim.faults.occurred[name] > 10
    assert prepared.sim.faults.occurred[f"stored_{name}"] > 10


@pytest.mark.long
@pytest.mark.parametrize("name", ["page_words", "page_empty", "error_object"])
def test_odd_answers_for_good_leave_the_streams_and_lose_nothing(
    prepared: DeliveryHarness, name: str
) -> None:
    prepared.sim.faults.set(f"{name}=1.0")
    outcome = prepared.push(portfolio(STREAMS))
    assert {one.status for one in outcome.streams.values()} == {"gave_up"}
    assert outcome.acknowledged == 0
    prepared.sim.faults.clear()
    assert prepared.push(portfolio(STREAMS)).ok
    check(prepared)


def read_backs(harness: DeliveryHarness) -> int:
    return sum(n for key, n in harness.sim.requests.items() if key[0].startswith("GET"))


@pytest.mark.parametrize("readback", [True, False])
def test_a_harmless_word_nobody_knows_is_proven_and_then_believed(
    prepared: DeliveryHarness, *, readback: bool
) -> None:
    prepared.sim.behaviour = WatticsBehaviour(success_body='{"row":"a1b2","words":"merci"}')
    outcome = prepared.push(portfolio(STREAMS), readback=readback)
    assert outcome.ok, outcome.problems
    check(prepared)
    # Two questions where new streams begin, three proofs, and who asked at the same moment.
    assert read_backs(prepared) < (12 if readback else 1)


def test_a_word_that_also_came_with_nothing_stored_is_looked_up_each_time(
    prepared: DeliveryHarness, doorman: Doorman
) -> None:
    word = '{"words":"merci"}'
    prepared.sim.behaviour = WatticsBehaviour(success_body=word)
    doorman.answers = (word.encode(), b"application/json")
    doorman.method, doorman.turns_away = "POST", {5, 6, 7, 8}
    outcome = prepared.push(portfolio(STREAMS))
    assert outcome.ok, outcome.problems
    check(prepared)
    assert read_backs(prepared) > 150
