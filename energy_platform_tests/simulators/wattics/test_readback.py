"""The last packet of a stream, in every form that the document leaves open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from energy_platform.simulators.wattics import PUSH_PATH, WatticsBehaviour, WatticsSimulator
from energy_platform.simulators.wattics.streams import WatticsStream
from energy_platform_tests.simulators.wattics.pusher import METER, Pusher, meter, serving


def test_the_last_packet_is_read_back_to_the_byte(pusher: Pusher) -> None:
    pusher.push(meter(0))
    body = b'{"tsISO8601":"2026-01-15T12:15:00.000+01:00", "pC_1":1001.50,"id":"meter-1"}'
    pusher.push(body)
    reply = pusher.last(METER.id)
    assert (reply.status, reply.body) == (200, body)


def test_a_dropped_packet_is_not_read_back(wattics: WatticsSimulator, pusher: Pusher) -> None:
    wattics.behaviour = WatticsBehaviour(older="drop")
    pusher.push(meter(30))
    pusher.push(meter(0))
    assert json.loads(pusher.last(METER.id).body) == meter(30)


def test_an_id_may_need_escaping() -> None:
    odd = WatticsStream(id="Zähler 1/[a]&b")
    simulator = WatticsSimulator(streams=(odd,))
    packet = meter() | {"id": odd.id}
    with serving(simulator) as port, Pusher(port) as pusher:
        assert pusher.push(packet).status == 200
        reply = pusher.last("Z%C3%A4hler+1%2F%5Ba%5D%26b")
    assert json.loads(reply.body) == packet


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("array", [meter()]),
        ("epoch_ms", meter() | {"tsISO8601": 1768474800000}),
        ("utc", meter() | {"tsISO8601": "2026-01-15T11:00:00.000Z"}),
    ],
)
def test_the_answer_may_have_another_shape(
    wattics: WatticsSimulator, pusher: Pusher, shape: Any, expected: object
) -> None:
    pusher.push(meter())
    wattics.behaviour = WatticsBehaviour(readback=shape)
    assert json.loads(pusher.last(METER.id).body) == expected


def test_the_answer_may_have_unknown_keys(wattics: WatticsSimulator, pusher: Pusher) -> None:
    pusher.push(meter())
    wattics.behaviour = WatticsBehaviour(readback="extra_keys")
    answer = json.loads(pusher.last(METER.id).body)
    assert answer.keys() - meter().keys() == {"receivedAt", "quality"}
    assert meter().items() <= answer.items()


@pytest.mark.parametrize(
    ("nothing", "status", "body"),
    [
        ("404", 404, b""),
        ("200", 200, b""),
        ("204", 204, b""),
        ("empty_object", 200, b"{}"),
        ("epoch_zero", 200, b'{"id":"meter-1","tsISO8601":"1970-01-01T00:00:00.000+00:00"}'),
    ],
)
def test_nothing_stored_has_several_shapes(
    wattics: WatticsSimulator, pusher: Pusher, nothing: Any, status: int, body: bytes
) -> None:
    wattics.behaviour = WatticsBehaviour(readback_nothing=nothing)
    reply = pusher.last(METER.id)
    assert (reply.status, reply.body) == (status, body)


def test_reading_back_needs_credentials_and_a_stream(port: int, pusher: Pusher) -> None:
    assert pusher.request("GET", PUSH_PATH).status == 400
    with Pusher(port, credential=None) as stranger:
        assert stranger.last(METER.id).status == 401
