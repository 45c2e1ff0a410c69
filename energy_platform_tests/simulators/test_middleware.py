"""The general faults as a client meets them, over real HTTP."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform_tests.simulators.web import HTTP

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def info(suite: SimulatorSuite, *, timeout: float = 5.0) -> httpx.Response:
    url = suite.url("belimo") + "/api/v3/api-info"
    return HTTP.get(url, timeout=timeout, follow_redirects=False)


@pytest.mark.parametrize("status", [401, 429, 500, 502, 503, 504])
def test_a_status_fault_answers_instead_of_the_simulator_and_then_heals(
    suite: SimulatorSuite, status: int
) -> None:
    suite.set_faults([f"belimo:http_{status}=1"])
    assert [info(suite).status_code for _ in range(2)] == [status, 200]
    assert suite.simulator(BelimoSimulator).requests == {
        ("GET api-info", status): 1,
        ("GET api-info", 200): 1,
    }


def test_retry_after_comes_in_seconds_as_a_date_or_not_at_all(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:http_429=1:retry_after=7"])
    assert info(suite).headers["retry-after"] == "7"
    suite.set_faults(["belimo:http_429=1:retry_after=date"])
    due = parsedate_to_datetime(info(suite).headers["retry-after"])
    assert abs((due - datetime.now(tz=UTC)).total_seconds()) < 3
    suite.set_faults(["belimo:http_429=1"])
    assert "retry-after" not in info(suite).headers


def test_a_body_cut_in_the_middle_breaks_the_transfer(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:cut_body=1"])
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|peer closed"):
        info(suite)
    assert info(suite).json() == {"version": "3.5.0"}


def test_a_cut_connection_gives_no_answer_at_all(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:cut_connection=1"])
    with pytest.raises(httpx.TransportError):
        info(suite)
    assert suite.simulator(BelimoSimulator).requests[("GET api-info", 0)] == 1
    assert info(suite).status_code == 200


def test_a_server_that_never_answers_leaves_it_to_the_client_to_give_up(
    suite: SimulatorSuite,
) -> None:
    suite.set_faults(["belimo:never=1"])
    with pytest.raises(httpx.ReadTimeout):
        info(suite, timeout=0.2)
    assert info(suite).status_code == 200


def test_a_slow_answer_is_still_the_right_one(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:slow=1:seconds=0.2"])
    began = time.monotonic()
    assert info(suite).json() == {"version": "3.5.0"}
    assert time.monotonic() - began >= 0.2


def test_html_broken_json_empty_bodies_and_redirects_look_like_success_or_a_login(
    suite: SimulatorSuite,
) -> None:
    suite.set_faults(["belimo:html=1"])
    page = info(suite)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    suite.set_faults(["belimo:broken_json=1"])
    with pytest.raises(ValueError, match="Expecting value"):
        info(suite).json()
    suite.set_faults(["belimo:empty_body=1"])
    assert info(suite).content == b""
    suite.set_faults(["belimo:redirect=1"])
    assert info(suite).status_code == 302
    assert info(suite).status_code == 200


def test_a_fault_of_the_login_does_not_touch_the_api(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:identity_http_503"])
    assert info(suite).status_code == 200
    url = suite.environment()["BELIMO_TOKEN_URL"]
    assert HTTP.post(url, data={"grant_type": "password"}).status_code == 503
