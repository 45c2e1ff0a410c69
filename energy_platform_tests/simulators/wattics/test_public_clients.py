"""The ways in which the vendor's published clients talk, replayed byte by byte."""

from __future__ import annotations

import base64
import json

from energy_platform.simulators.wattics import DEMO_CREDENTIAL, PUSH_PATH, WatticsSimulator
from energy_platform_tests.simulators.wattics.pusher import METER, Pusher, meter


def test_the_java_client_gets_its_challenge_and_then_its_packet_through(
    wattics: WatticsSimulator, port: int
) -> None:
    body = json.dumps(meter(), separators=(",", ":")).replace("=", "\\u003d").encode("latin-1")
    headers = {"Accept": "application/json", "Content-type": "application/json"}
    with Pusher(port, credential=None, cookies=False) as java:
        challenged = java.request("POST", PUSH_PATH, body, headers)
        assert challenged.status == 401
        assert challenged.headers["www-authenticate"].startswith("Basic ")
        java.credential = DEMO_CREDENTIAL
        assert java.request("POST", PUSH_PATH, body, headers).status == 200
    assert len(wattics.packets(METER.id)) == 1


def test_the_ruby_clients_form_content_type_is_accepted(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = pusher.request("POST", PUSH_PATH, json.dumps(meter()).encode(), headers)
    assert reply.status == 200
    assert len(wattics.packets(METER.id)) == 1


def test_the_python_client_sends_no_content_type_and_keeps_its_session(
    wattics: WatticsSimulator, pusher: Pusher
) -> None:
    for minutes in (0, 15):
        body = json.dumps(meter(minutes)).encode()
        assert pusher.request("POST", PUSH_PATH, body).status == 200
    assert wattics.delivery_report().without_cookie == 0


def test_a_credential_without_padding_and_in_lower_case_is_understood(
    port: int, wattics: WatticsSimulator
) -> None:
    plain = f"{DEMO_CREDENTIAL.username}:{DEMO_CREDENTIAL.password}".encode()
    bare = base64.b64encode(plain).decode().rstrip("=")
    with Pusher(port, credential=None) as pusher:
        headers = {"authorization": f"basic {bare}"}
        assert (
            pusher.request("POST", PUSH_PATH, json.dumps(meter()).encode(), headers).status == 200
        )
    assert wattics.delivery_report().packets == 1
