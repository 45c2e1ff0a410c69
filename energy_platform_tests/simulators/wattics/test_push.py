"""Which packets Wattics stores and which it refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from energy_platform.simulators.wattics import (
    PUSH_PATH,
    WatticsBehaviour,
    WatticsCredential,
    WatticsSimulator,
    WatticsStream,
)
from energy_platform_tests.simulators.wattics.pusher import (
    METER,
    NOON,
    Pusher,
    gas,
    meter,
    serving,
    stamp,
)


def test_a_packet_is_stored_exactly_as_sent(wattics: WatticsSimulator, pusher: Pusher) -> None:
    body = json.dumps(meter(pc=8423692)).encode()
    reply = pusher.push(body)
    assert (reply.status, reply.body) == (200, b"")
    (packet,) = wattics.packets(METER.id)
    assert packet.body.encode() == body
    assert packet.at == NOON
    assert packet.values == {"aP_1": 1800.5, "pC_1": 8423692}
    assert wattics.requests == {("POST unifiedjson", 200): 1}


def test_packets_keep_the_order_they_arrived_in(wattics: WatticsSimulator, pusher: Pusher) -> None:
    for minutes in (0, 30, 15):
        pusher.push(meter(minutes))
    assert [packet.at for packet in wattics.packets(METER.id)] == [
        NOON + timedelta(minutes=minutes) for minutes in (0, 30, 15)
    ]
    numbers = [packet.number for packet in wattics.packets(METER.id)]
    assert numbers == sorted(numbers)


BROKEN: dict[str, bytes | dict[str, Any]] = {
    "an array": json.dumps([meter()]).encode(),
    "two objects": json.dumps(meter()).encode() * 2,
    "a raw line break": json.dumps(meter(), indent=1).encode(),
    "a line break at the end": json.dumps(meter()).encode() + b"\n",
    "a carriage return": json.dumps(meter()).encode().replace(b" ", b"\r", 1),
    "no JSON": b"id=meter-1&value=1",
    "nothing": b"",
    "typographic quotes": "{“id”:“meter-1”}".encode(),
    "Latin-1 text": json.dumps(meter() | {"id": "z"}).encode().replace(b'"z"', b'"z\xe4hler"'),
    "a number as id": meter() | {"id": 5},
    "no stamp": {"id": METER.id, "pC_1": 1},
    "a stamp in Z": meter() | {"tsISO8601": "2026-01-15T12:00:00.000Z"},
    "an offset without colon": meter() | {"tsISO8601": "2026-01-15T12:00:00.000+0100"},
    "no decimals": meter() | {"tsISO8601": "2026-01-15T12:00:00+01:00"},
    "six decimals": meter() | {"tsISO8601": "2026-01-15T12:00:00.000000+01:00"},
    "a 13th month": meter() | {"tsISO8601": "2026-13-15T12:00:00.000+01:00"},
    "epoch milliseconds": meter() | {"tsISO8601": 1768474800000},
    "no field": {"id": METER.id, "tsISO8601": stamp()},
    "text as number": meter() | {"pC_1": "1000"},
    "a boolean": meter() | {"pC_1": True},
    "NaN": json.dumps(meter(pc=float("nan"))).encode(),
    "a null": meter() | {"aP_2": None},
    "a THD": meter() | {"thd_1": 2.5},
    "wrong letter case": {"id": METER.id, "tsISO8601": stamp(), "AP_1": 1},
    "value among electrical fields": meter() | {"value": 1},
    "an unregistered stream": meter(stream="nobody"),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_malformed_packet_is_refused_and_not_stored(
    wattics: WatticsSimulator, pusher: Pusher, body: bytes | dict[str, Any]
) -> None:
    assert pusher.push(body).status == 400
    assert wattics.packets(METER.id) == ()
    assert wattics.delivery_report().refused == 1
    assert wattics.record.refusals[0].reason


@pytest.mark.parametrize("status", [400, 401, 404])
def test_an_unknown_stream_gets_the_status_that_was_set(status: Any) -> None:
    simulator = WatticsSimulator(streams=(METER,), behaviour=WatticsBehaviour(unknown_id=status))
    with serving(simulator) as port, Pusher(port) as pusher:
        assert pusher.push(meter(stream="nobody")).status == status
        assert pusher.last("nobody").status == status


def test_lenient_settings_let_nulls_and_unknown_fields_through() -> None:
    lenient = WatticsBehaviour(nulls="accept", unknown_fields="accept")
    simulator = WatticsSimulator(streams=(METER,), behaviour=lenient)
    with serving(simulator) as port, Pusher(port) as pusher:
        assert pusher.push(meter() | {"aP_2": None, "thd_1": 2.5}).status == 200
        assert pusher.push({"id": METER.id, "tsISO8601": stamp(), "aP_1": None}).status == 400
    assert wattics_values(simulator) == {"aP_1": 1800.5, "pC_1": 1000}


def wattics_values(simulator: WatticsSimulator) -> dict[str, float]:
    return simulator.packets(METER.id)[0].values


def test_the_wrong_kind_of_packet_can_be_refused() -> None:
    simulator = WatticsSimulator(streams=(METER,), behaviour=WatticsBehaviour(wrong_kind="refuse"))
    with serving(simulator) as port, Pusher(port) as pusher:
        assert pusher.push({"id": METER.id, "tsISO8601": stamp(), "value": 1}).status == 400


@pytest.mark.parametrize(
    ("behaviour", "status", "body"),
    [
        (WatticsBehaviour(success=201, success_body='{"ok":true}'), 201, b'{"ok":true}'),
        (WatticsBehaviour(success=202), 202, b""),
        (WatticsBehaviour(success=204, success_body="never sent"), 204, b""),
    ],
)
def test_success_may_look_different(behaviour: WatticsBehaviour, status: int, body: bytes) -> None:
    simulator = WatticsSimulator(streams=(METER,), behaviour=behaviour)
    with serving(simulator) as port, Pusher(port) as pusher:
        for minutes in (0, 15):
            reply = pusher.push(meter(minutes))
            assert (reply.status, reply.body) == (status, body)


@pytest.mark.parametrize(
    ("older", "status", "stored"), [("accept", 200, 3), ("drop", 200, 2), ("conflict", 409, 2)]
)
def test_an_older_packet_meets_the_policy_and_is_always_recorded(
    older: Any, status: int, stored: int
) -> None:
    simulator = WatticsSimulator(streams=(METER,), behaviour=WatticsBehaviour(older=older))
    with serving(simulator) as port, Pusher(port) as pusher:
        pusher.push(meter(0))
        pusher.push(meter(30))
        assert pusher.push(meter(15)).status == status
    judged = simulator.delivery_report().streams[METER.id]
    assert (judged.order_violations, judged.packets) == (1, stored)


@pytest.mark.parametrize(
    ("equal", "status", "stored"), [("accept", 200, 2), ("drop", 200, 1), ("conflict", 409, 1)]
)
def test_a_repeated_packet_meets_the_policy_and_is_always_recorded(
    equal: Any, status: int, stored: int
) -> None:
    simulator = WatticsSimulator(streams=(METER,), behaviour=WatticsBehaviour(equal=equal))
    with serving(simulator) as port, Pusher(port) as pusher:
        pusher.push(meter(0))
        assert pusher.push(meter(0)).status == status
    judged = simulator.delivery_report().streams[METER.id]
    assert (judged.duplicates, judged.packets) == (1, stored)


def test_the_final_slash_belongs_to_the_url(pusher: Pusher) -> None:
    assert pusher.push(meter(), path=PUSH_PATH.rstrip("/")).status == 404


def test_optional_routes_exist_only_when_switched_on(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    utc = {"id": METER.id, "tsISO8601": "2026-01-15T11:00:00.000+00:00", "pC_1": 1}
    path = PUSH_PATH.replace("unifiedjson", "unifiedjson_utc")
    assert pusher.push(utc, path=path).status == 404
    wattics.behaviour = WatticsBehaviour(utc_route=True, partial_route=True)
    assert pusher.push(utc, path=path).status == 200
    partial = PUSH_PATH.replace("unifiedjson", "unifiedjson_partial")
    assert pusher.push(meter(15), path=partial).status == 200
    assert wattics.delivery_report().streams[METER.id].wrong_offset == 0


def test_other_methods_are_not_allowed(pusher: Pusher) -> None:
    assert pusher.request("PUT", PUSH_PATH, b"{}").status == 405


@pytest.mark.parametrize(
    "credential",
    [None, WatticsCredential(username="demo-user", password="wrong")],
    ids=["none", "wrong"],
)
def test_without_good_credentials_the_documented_page_answers(
    port: int, wattics: WatticsSimulator, credential: WatticsCredential | None
) -> None:
    with Pusher(port, credential=credential) as pusher:
        reply = pusher.push(meter())
    assert reply.status == 401
    assert reply.headers["content-type"].startswith("text/html")
    assert b"HTTP Status 401 - Full authentication is required" in reply.body
    assert reply.headers["www-authenticate"] == 'Basic realm="demo"'
    assert wattics.packets(METER.id) == ()
    assert wattics.delivery_report().unauthorized == 1


def test_a_credential_reaches_the_streams_of_its_group_only() -> None:
    simulator = WatticsSimulator(
        streams=(WatticsStream(id="a", group="north"), WatticsStream(id="b", group="south")),
        credentials=(
            WatticsCredential(username="n", password="1", group="north"),
            WatticsCredential(username="s", password="2", group="south"),
        ),
    )
    north, south = simulator.credentials
    at = "2026-01-15T12:00:00.000+00:00"
    with serving(simulator) as port:
        with Pusher(port, credential=north) as pusher:
            assert pusher.push({"id": "a", "tsISO8601": at, "pC_1": 1}).status == 200
            assert pusher.push({"id": "b", "tsISO8601": at, "pC_1": 1}).status == 400
            assert pusher.last("b").status == 400
        with Pusher(port, credential=south) as pusher:
            assert pusher.push({"id": "b", "tsISO8601": at, "pC_1": 1}).status == 200
    assert "1" not in repr(north)


def test_both_kinds_of_packet_are_accepted_side_by_side(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    for minutes in (0, 15, 30):
        assert pusher.push(meter(minutes, pc=1000 + minutes)).status == 200
        assert pusher.push(gas(minutes)).status == 200
    report = wattics.delivery_report()
    assert report.clean, report.complaints
    assert report.packets == 6
