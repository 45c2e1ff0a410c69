"""The login of SoData: what Keycloak grants, refuses and forgets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from keycloak import KeycloakOpenID

from energy_platform.simulators.credentials import SOCOMEC
from energy_platform_tests.simulators.web import HTTP

from .soda import ACCOUNT, TOKEN_PATH, login, renew

if TYPE_CHECKING:
    from energy_platform.simulators.fleet import Fleet


def calls_api(fleet: Fleet, token: str) -> int:
    url = fleet.url("socomec") + ACCOUNT
    return HTTP.get(url, headers={"authorization": f"Bearer {token}"}).status_code


def test_a_login_brings_both_tokens_and_their_lifetimes(fleet: Fleet) -> None:
    granted = login(fleet, scope="openid").json()
    assert granted["expires_in"] == 300
    assert granted["refresh_expires_in"] == 1800
    assert granted["token_type"] == "Bearer"
    assert calls_api(fleet, granted["access_token"]) == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"password": "wrong"}, 401, "invalid_grant"),
        ({"username": "nobody"}, 401, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "unauthorized_client"),
        ({"client_id": "nobody"}, 401, "unauthorized_client"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
    ],
)
def test_a_wrong_login_is_refused_in_keycloaks_words(
    fleet: Fleet, change: dict[str, str], status: int, error: str
) -> None:
    refused = login(fleet, **change)
    assert (refused.status_code, refused.json()["error"]) == (status, error)


def test_only_forms_are_accepted(fleet: Fleet) -> None:
    url = fleet.url("socomec_identity") + TOKEN_PATH
    assert HTTP.post(url, json={"grant_type": "password"}).status_code == 415
    assert HTTP.get(url).status_code == 405


def test_a_refresh_token_works_once_and_reuse_ends_the_session(fleet: Fleet) -> None:
    first = login(fleet).json()["refresh_token"]
    second = renew(fleet, first).json()["refresh_token"]
    assert second != first
    reused = renew(fleet, first)
    assert reused.status_code == 400
    assert "reuse" in reused.json()["error_description"]
    assert renew(fleet, second).status_code == 400


def test_without_rotation_a_refresh_token_stays_good(fleet: Fleet) -> None:
    keycloak = fleet.socomec.keycloak
    keycloak.rotate = False
    try:
        token = login(fleet).json()["refresh_token"]
        assert [renew(fleet, token).status_code for _ in range(2)] == [200, 200]
    finally:
        keycloak.rotate = True


def test_an_access_token_dies_when_its_time_is_over(fleet: Fleet) -> None:
    keycloak = fleet.socomec.keycloak
    keycloak.access_ttl_s = 0.2
    try:
        token = login(fleet).json()["access_token"]
        assert calls_api(fleet, token) == 200
        time.sleep(0.25)
        assert calls_api(fleet, token) == 401
    finally:
        keycloak.access_ttl_s = 300


def test_a_token_can_die_in_the_middle_of_a_listing(fleet: Fleet) -> None:
    fleet.set_faults(["socomec:expire_token_after=2"])
    token = login(fleet).json()["access_token"]
    assert [calls_api(fleet, token) for _ in range(3)] == [200, 200, 401]
    assert calls_api(fleet, login(fleet).json()["access_token"]) == 200


def test_a_refresh_can_be_refused_while_a_login_works(fleet: Fleet) -> None:
    token = login(fleet).json()["refresh_token"]
    fleet.set_faults(["socomec:refuse_refresh"])
    refused = renew(fleet, token)
    assert (refused.status_code, refused.json()["error_description"]) == (
        400,
        "Token is not active",
    )
    assert login(fleet).status_code == 200


def test_a_disabled_user_neither_logs_in_nor_uses_an_old_token(fleet: Fleet) -> None:
    token = login(fleet).json()["access_token"]
    fleet.socomec.keycloak.enabled = False
    try:
        assert login(fleet).json()["error_description"] == "Account disabled"
        assert calls_api(fleet, token) == 401
    finally:
        fleet.socomec.keycloak.enabled = True


def test_revoked_tokens_are_worth_nothing(fleet: Fleet) -> None:
    granted = login(fleet).json()
    HTTP.post(fleet.url("control") + "/tokens", json={"refresh": True}).raise_for_status()
    assert calls_api(fleet, granted["access_token"]) == 401
    assert renew(fleet, granted["refresh_token"]).status_code == 400


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer wrong"])
def test_the_api_answers_401_in_json_without_a_good_token(fleet: Fleet, header: str) -> None:
    headers = {"authorization": header} if header else {}
    refused = HTTP.get(fleet.url("socomec") + ACCOUNT, headers=headers)
    assert refused.status_code == 401
    assert refused.json()["statusCode"] == 401


def test_python_keycloak_discovers_logs_in_and_renews(fleet: Fleet) -> None:
    client = KeycloakOpenID(
        server_url=fleet.url("socomec_identity") + "/",
        realm_name="Socomec",
        client_id=SOCOMEC.client_id,
        client_secret_key=SOCOMEC.client_secret,
    )
    assert client.well_known()["token_endpoint"].endswith(TOKEN_PATH)
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    assert calls_api(fleet, client.refresh_token(granted["refresh_token"])["access_token"]) == 200
