"""Cookies: who has to bring one back, and what a lost session costs."""

from __future__ import annotations

from typing import Any

import pytest

from energy_platform.simulators.wattics import (
    DEMO_CREDENTIAL,
    WatticsBehaviour,
    WatticsCredential,
    WatticsSimulator,
)
from energy_platform_tests.simulators.wattics.pusher import METER, Pusher, meter, serving


def test_a_sender_that_keeps_its_cookie_is_clean(wattics: WatticsSimulator, pusher: Pusher) -> None:
    first = pusher.push(meter(0))
    assert first.headers["set-cookie"].startswith("JSESSIONID=")
    assert "set-cookie" not in pusher.push(meter(15)).headers
    report = wattics.delivery_report()
    assert (report.sessions, report.without_cookie) == (1, 0)
    assert report.clean


def test_a_sender_that_drops_its_cookie_is_counted(wattics: WatticsSimulator, port: int) -> None:
    with Pusher(port, cookies=False) as pusher:
        for minutes in (0, 15, 30):
            assert pusher.push(meter(minutes)).status == 200
    assert wattics.delivery_report().without_cookie == 2
    assert "without the cookie" in wattics.delivery_report().complaints[0]


def test_strict_cookies_refuse_the_second_request_without_one(
    wattics: WatticsSimulator, port: int
) -> None:
    wattics.behaviour = WatticsBehaviour(strict_cookies=True)
    with Pusher(port, cookies=False) as pusher:
        assert [pusher.push(meter(minutes)).status for minutes in (0, 15)] == [200, 401]
    with Pusher(port) as pusher:
        assert [pusher.push(meter(minutes)).status for minutes in (30, 45)] == [200, 200]


def test_parallel_and_restarted_senders_may_begin_without_a_cookie(
    wattics: WatticsSimulator, port: int
) -> None:
    for minutes in (0, 15, 30):
        with Pusher(port) as pusher:
            pusher.push(meter(minutes))
    report = wattics.delivery_report()
    assert (report.without_cookie, report.sessions) == (0, 3)
    assert wattics.sessions.connections == 3


def test_by_credential_only_the_very_first_request_may_lack_it(
    wattics: WatticsSimulator, port: int
) -> None:
    wattics.behaviour = WatticsBehaviour(cookie_scope="credential")
    for minutes in (0, 15, 30):
        with Pusher(port) as pusher:
            pusher.push(meter(minutes))
    assert wattics.delivery_report().without_cookie == 2


@pytest.mark.parametrize(
    ("expired", "statuses"),
    [
        ("renew", [200, 200, 200, 200]),
        ("refuse", [200, 200, 401, 200]),
        ("login", [200, 200, 302, 200]),
    ],
)
def test_a_cookie_that_expires_in_mid_run_is_replaced(
    wattics: WatticsSimulator, pusher: Pusher, expired: Any, statuses: list[int]
) -> None:
    wattics.behaviour = WatticsBehaviour(expired_session=expired)
    wattics.faults.set("cookie_expiry=2")
    replies = [pusher.push(meter(15 * number)) for number in range(4)]
    assert [reply.status for reply in replies] == statuses
    assert ["set-cookie" in reply.headers for reply in replies] == [True, False, True, False]
    assert wattics.delivery_report().without_cookie == 0


def test_a_cookie_of_another_credential_is_noticed() -> None:
    other = WatticsCredential(username="other", password="other")
    simulator = WatticsSimulator(streams=(METER,), credentials=(DEMO_CREDENTIAL, other))
    with serving(simulator) as port, Pusher(port) as pusher:
        pusher.push(meter(0))
        pusher.credential = other
        assert pusher.push(meter(15)).status == 200
    assert simulator.delivery_report().foreign_cookie == 1
    assert not simulator.delivery_report().clean
