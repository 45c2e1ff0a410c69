"""Faults of Wattics: what is stored under each, and what is answered."""

from __future__ import annotations

import pytest

from energy_platform.simulators.faults import FaultError, Faults
from energy_platform.simulators.wattics import WatticsSimulator
from energy_platform_tests.simulators.wattics.pusher import METER, Pusher, meter


@pytest.mark.parametrize("fault", ["stored_cut", "cut_body"])
def test_a_packet_stored_without_an_answer_may_come_again(
    wattics: WatticsSimulator, port: int, fault: str
) -> None:
    wattics.faults.set(f"{fault}=1")
    with Pusher(port) as pusher, pytest.raises(ConnectionError):
        pusher.push(meter(0))
    assert len(wattics.packets(METER.id)) == 1
    with Pusher(port) as pusher:
        assert pusher.push(meter(0)).status == 200
        assert pusher.push(meter(15)).status == 200
    found = wattics.delivery_report().streams[METER.id]
    assert (found.repeats, found.duplicates, found.packets) == (1, 0, 3)
    assert wattics.delivery_report().clean, wattics.delivery_report().complaints
    assert wattics.requests["POST unifiedjson", 0] == 1


def test_only_the_first_repeat_is_excused(wattics: WatticsSimulator, port: int) -> None:
    wattics.faults.set("stored_cut=1")
    with Pusher(port) as pusher, pytest.raises(ConnectionError):
        pusher.push(meter(0))
    with Pusher(port) as pusher:
        pusher.push(meter(0))
        pusher.push(meter(0))
    found = wattics.delivery_report().streams[METER.id]
    assert (found.repeats, found.duplicates) == (1, 1)


def test_a_server_may_store_and_then_fall_silent(wattics: WatticsSimulator, port: int) -> None:
    wattics.faults.set("stored_silence=1")
    with Pusher(port, timeout=0.2) as pusher, pytest.raises(TimeoutError):
        pusher.push(meter(0))
    with Pusher(port) as pusher:
        assert pusher.push(meter(0)).status == 200
    found = wattics.delivery_report().streams[METER.id]
    assert (found.repeats, found.concurrent, found.packets) == (1, 0, 2)


def test_a_503_may_lie_about_a_stored_packet(wattics: WatticsSimulator, pusher: Pusher) -> None:
    wattics.faults.set("stored_503=1")
    assert [pusher.push(meter(0)).status for _ in range(2)] == [503, 200]
    assert wattics.delivery_report().streams[METER.id].repeats == 1
    assert wattics.delivery_report().clean


@pytest.mark.parametrize("fault", ["http_500", "http_502", "http_503", "http_404", "redirect"])
def test_a_refused_request_stores_nothing(
    wattics: WatticsSimulator, pusher: Pusher, fault: str
) -> None:
    wattics.faults.set(f"{fault}=1")
    assert pusher.push(meter(0)).status in {302, 404, 500, 502, 503}
    assert wattics.packets(METER.id) == ()
    assert pusher.push(meter(0)).status == 200


def test_too_many_requests_tells_when_to_come_back(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    wattics.faults.set("http_429=1:retry_after=7")
    reply = pusher.push(meter(0))
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")


def test_a_redirect_ends_at_a_login_page(wattics: WatticsSimulator, pusher: Pusher) -> None:
    wattics.faults.set("redirect=1")
    reply = pusher.push(meter(0))
    assert reply.status == 302
    page = pusher.request("GET", reply.headers["location"])
    assert (page.status, page.headers["content-type"]) == (200, "text/html;charset=utf-8")


def test_good_credentials_may_be_refused_for_a_while(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    wattics.faults.set("unauthorized=2")
    replies = [pusher.push(meter(0)) for _ in range(3)]
    assert [reply.status for reply in replies] == [401, 401, 200]
    assert b"Full authentication is required" in replies[0].body


def test_a_server_that_never_answers_stores_nothing(wattics: WatticsSimulator, port: int) -> None:
    wattics.faults.set("never=1")
    with Pusher(port, timeout=0.2) as pusher, pytest.raises(TimeoutError):
        pusher.push(meter(0))
    assert wattics.packets(METER.id) == ()


def test_a_slow_server_stores_nothing_for_a_client_that_left(
    wattics: WatticsSimulator, port: int
) -> None:
    wattics.faults.set("slow=1:seconds=0.4")
    with Pusher(port, timeout=0.1) as pusher, pytest.raises(TimeoutError):
        pusher.push(meter(0))
    with Pusher(port) as pusher:
        assert pusher.push(meter(0)).status == 200
    assert wattics.delivery_report().clean


def test_a_misspelt_fault_is_refused() -> None:
    with pytest.raises(FaultError, match="stored_cutt"):
        WatticsSimulator(streams=(METER,), faults=Faults()).faults.set("stored_cutt=1")
