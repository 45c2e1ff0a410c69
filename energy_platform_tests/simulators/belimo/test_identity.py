"""BelimoID: grants, audience, scopes, renewals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.belimo import ACCOUNT as BELIMO
from energy_platform.simulators.belimo import BelimoSimulator
from energy_platform_tests.simulators.web import HTTP

from .cloud import AUDIENCE, Cloud, token

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def stats(suite: SimulatorSuite, access_token: str) -> int:
    url = suite.environment()["BELIMO_API_URL"] + "/devices/stats"
    return HTTP.get(url, headers={"authorization": f"Bearer {access_token}"}).status_code


def renew(suite: SimulatorSuite, refresh_token: str, **changes: str) -> int:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return token(suite, **form, **changes).status_code


def test_a_login_brings_the_scopes_and_a_refresh_token(suite: SimulatorSuite) -> None:
    granted = token(suite).json()
    assert set(granted["scope"].split()) == {"public.read", "offline_access", "read:dataprofile"}
    assert granted["expires_in"] == 86_400
    assert stats(suite, granted["access_token"]) == 200


def test_without_offline_access_there_is_no_refresh_token(suite: SimulatorSuite) -> None:
    assert "refresh_token" not in token(suite, scope="public.read").json()


def test_client_credentials_may_come_by_basic_as_the_node_red_connector_sends_them(
    suite: SimulatorSuite,
) -> None:
    form = {
        "grant_type": "password",
        "username": BELIMO.username,
        "password": BELIMO.password,
        "audience": AUDIENCE,
        "scope": "public.read offline_access",
    }
    url = suite.environment()["BELIMO_TOKEN_URL"]
    granted = HTTP.post(url, data=form, auth=(BELIMO.client_id, BELIMO.client_secret))
    assert stats(suite, granted.json()["access_token"]) == 200


def test_who_asks_for_no_scope_has_the_default_ones_as_the_node_red_connector(
    suite: SimulatorSuite,
) -> None:
    form = {
        "grant_type": "password",
        "username": BELIMO.username,
        "password": BELIMO.password,
        "audience": AUDIENCE,
    }
    url = suite.environment()["BELIMO_TOKEN_URL"]
    granted = HTTP.post(url, data=form, auth=(BELIMO.client_id, BELIMO.client_secret)).json()
    assert set(granted["scope"].split()) == {"public.read", "offline_access", "read:dataprofile"}
    assert stats(suite, granted["access_token"]) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"client_id": "nobody"},
        {"client_secret": "wrong"},
        {"audience": "https://cloud.belimo.com/"},
    ],
)
def test_a_wrong_login_is_access_denied(suite: SimulatorSuite, change: dict[str, str]) -> None:
    refused = token(suite, **change)
    assert (refused.status_code, refused.json()["error"]) == (401, "access_denied")


def test_a_write_scope_is_never_granted(suite: SimulatorSuite) -> None:
    assert token(suite, scope="public.read public.write").json()["scope"] == "public.read"


def test_a_renewal_works_with_and_without_audience_and_keeps_the_old_refresh_token(
    suite: SimulatorSuite,
) -> None:
    refresh = token(suite).json()["refresh_token"]
    answer = token(suite, grant_type="refresh_token", refresh_token=refresh).json()
    assert "refresh_token" not in answer
    assert stats(suite, answer["access_token"]) == 200
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": BELIMO.client_id,
        "client_secret": BELIMO.client_secret,
    }
    assert HTTP.post(suite.environment()["BELIMO_TOKEN_URL"], data=form).status_code == 200


def test_a_refused_renewal_leaves_the_login(suite: SimulatorSuite) -> None:
    refresh = token(suite).json()["refresh_token"]
    suite.set_faults(["belimo:refuse_refresh"])
    assert renew(suite, refresh) == 403
    assert token(suite).status_code == 200
    suite.clear_faults()
    assert renew(suite, "unknown") == 403
    assert renew(suite, refresh, audience="elsewhere") == 401


def test_with_rotation_a_refresh_token_works_once(suite: SimulatorSuite) -> None:
    suite.simulator(BelimoSimulator).identity.rotate = True
    try:
        refresh = token(suite).json()["refresh_token"]
        assert [renew(suite, refresh) for _ in range(2)] == [200, 403]
    finally:
        suite.simulator(BelimoSimulator).identity.rotate = False


def test_an_expired_token_is_invalid_token(suite: SimulatorSuite) -> None:
    suite.simulator(BelimoSimulator).identity.access_ttl_s = 0.1
    try:
        granted = token(suite).json()["access_token"]
        time.sleep(0.15)
    finally:
        suite.simulator(BelimoSimulator).identity.access_ttl_s = 86_400
    url = suite.environment()["BELIMO_API_URL"] + "/devices"
    refused = HTTP.get(url, headers={"authorization": f"Bearer {granted}"})
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_token"})


def test_a_token_can_die_in_the_middle_of_paging(suite: SimulatorSuite) -> None:
    suite.set_faults(["belimo:expire_token_after=2"])
    cloud = Cloud(suite)
    found = [cloud.get("/devices", limit=10, offset=10 * page) for page in range(3)]
    assert [answer.status_code for answer in found] == [200, 200, 401]


def test_profiles_need_their_own_scope(suite: SimulatorSuite) -> None:
    cloud = Cloud(suite, scope="public.read")
    assert cloud.get("/definitions/dataprofiles").status_code == 403
    assert cloud.get("/devices").status_code == 200
