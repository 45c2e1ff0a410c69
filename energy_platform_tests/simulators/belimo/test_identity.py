"""BelimoID: grants, audience, scopes, renewals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from energy_platform.simulators.credentials import BELIMO
from energy_platform_tests.simulators.web import HTTP

from .cloud import AUDIENCE, Cloud, token

if TYPE_CHECKING:
    from energy_platform.simulators.fleet import Fleet


def stats(fleet: Fleet, access_token: str) -> int:
    url = fleet.environment()["BELIMO_API_URL"] + "/devices/stats"
    return HTTP.get(url, headers={"authorization": f"Bearer {access_token}"}).status_code


def renew(fleet: Fleet, refresh_token: str, **changes: str) -> int:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return token(fleet, **form, **changes).status_code


def test_a_login_brings_the_scopes_and_a_refresh_token(fleet: Fleet) -> None:
    granted = token(fleet).json()
    assert set(granted["scope"].split()) == {"public.read", "offline_access", "read:dataprofile"}
    assert granted["expires_in"] == 86_400
    assert stats(fleet, granted["access_token"]) == 200


def test_without_offline_access_there_is_no_refresh_token(fleet: Fleet) -> None:
    assert "refresh_token" not in token(fleet, scope="public.read").json()


def test_client_credentials_may_come_by_basic_as_the_node_red_connector_sends_them(
    fleet: Fleet,
) -> None:
    form = {
        "grant_type": "password",
        "username": BELIMO.username,
        "password": BELIMO.password,
        "audience": AUDIENCE,
        "scope": "public.read offline_access",
    }
    url = fleet.environment()["BELIMO_TOKEN_URL"]
    granted = HTTP.post(url, data=form, auth=(BELIMO.client_id, BELIMO.client_secret))
    assert stats(fleet, granted.json()["access_token"]) == 200


def test_who_asks_for_no_scope_has_the_default_ones_as_the_node_red_connector(
    fleet: Fleet,
) -> None:
    form = {
        "grant_type": "password",
        "username": BELIMO.username,
        "password": BELIMO.password,
        "audience": AUDIENCE,
    }
    url = fleet.environment()["BELIMO_TOKEN_URL"]
    granted = HTTP.post(url, data=form, auth=(BELIMO.client_id, BELIMO.client_secret)).json()
    assert set(granted["scope"].split()) == {"public.read", "offline_access", "read:dataprofile"}
    assert stats(fleet, granted["access_token"]) == 200


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
def test_a_wrong_login_is_access_denied(fleet: Fleet, change: dict[str, str]) -> None:
    refused = token(fleet, **change)
    assert (refused.status_code, refused.json()["error"]) == (401, "access_denied")


def test_a_write_scope_is_never_granted(fleet: Fleet) -> None:
    assert token(fleet, scope="public.read public.write").json()["scope"] == "public.read"


def test_a_renewal_works_with_and_without_audience_and_keeps_the_old_refresh_token(
    fleet: Fleet,
) -> None:
    refresh = token(fleet).json()["refresh_token"]
    answer = token(fleet, grant_type="refresh_token", refresh_token=refresh).json()
    assert "refresh_token" not in answer
    assert stats(fleet, answer["access_token"]) == 200
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": BELIMO.client_id,
        "client_secret": BELIMO.client_secret,
    }
    assert HTTP.post(fleet.environment()["BELIMO_TOKEN_URL"], data=form).status_code == 200


def test_a_refused_renewal_leaves_the_login(fleet: Fleet) -> None:
    refresh = token(fleet).json()["refresh_token"]
    fleet.set_faults(["belimo:refuse_refresh"])
    assert renew(fleet, refresh) == 403
    assert token(fleet).status_code == 200
    fleet.clear_faults()
    assert renew(fleet, "unknown") == 403
    assert renew(fleet, refresh, audience="elsewhere") == 401


def test_with_rotation_a_refresh_token_works_once(fleet: Fleet) -> None:
    fleet.belimo.identity.rotate = True
    try:
        refresh = token(fleet).json()["refresh_token"]
        assert [renew(fleet, refresh) for _ in range(2)] == [200, 403]
    finally:
        fleet.belimo.identity.rotate = False


def test_an_expired_token_is_invalid_token(fleet: Fleet) -> None:
    fleet.belimo.identity.access_ttl_s = 0.1
    try:
        granted = token(fleet).json()["access_token"]
        time.sleep(0.15)
    finally:
        fleet.belimo.identity.access_ttl_s = 86_400
    url = fleet.environment()["BELIMO_API_URL"] + "/devices"
    refused = HTTP.get(url, headers={"authorization": f"Bearer {granted}"})
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_token"})


def test_a_token_can_die_in_the_middle_of_paging(fleet: Fleet) -> None:
    fleet.set_faults(["belimo:expire_token_after=2"])
    cloud = Cloud(fleet)
    found = [cloud.get("/devices", limit=10, offset=10 * page) for page in range(3)]
    assert [answer.status_code for answer in found] == [200, 200, 401]


def test_profiles_need_their_own_scope(fleet: Fleet) -> None:
    cloud = Cloud(fleet, scope="public.read")
    assert cloud.get("/definitions/dataprofiles").status_code == 403
    assert cloud.get("/devices").status_code == 200
