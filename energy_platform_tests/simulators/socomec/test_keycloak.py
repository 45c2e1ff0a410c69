"""The login of SoData: what Keycloak grants, refuses and forgets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from keycloak import KeycloakAuthenticationError, KeycloakOpenID, KeycloakPostError

from energy_platform.simulators.socomec import ACCOUNT as SOCOMEC
from energy_platform.simulators.socomec import SocomecSimulator
from energy_platform_tests.simulators.web import HTTP

from .soda import ACCOUNT, OPENID, TOKEN_PATH, login, renew

if TYPE_CHECKING:
    from energy_platform.simulators.suite import SimulatorSuite


def calls_api(suite: SimulatorSuite, token: str) -> int:
    url = suite.url("socomec") + ACCOUNT
    return HTTP.get(url, headers={"authorization": f"Bearer {token}"}).status_code


def test_a_login_brings_both_tokens_and_their_lifetimes(suite: SimulatorSuite) -> None:
    granted = login(suite, scope="openid").json()
    assert granted["expires_in"] == 300
    assert granted["refresh_expires_in"] == 1800
    assert granted["token_type"] == "Bearer"
    assert calls_api(suite, granted["access_token"]) == 200


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
    suite: SimulatorSuite, change: dict[str, str], status: int, error: str
) -> None:
    refused = login(suite, **change)
    assert (refused.status_code, refused.json()["error"]) == (status, error)


def test_only_forms_are_accepted(suite: SimulatorSuite) -> None:
    url = suite.url("socomec_identity") + TOKEN_PATH
    assert HTTP.post(url, json={"grant_type": "password"}).status_code == 415
    assert HTTP.get(url).status_code == 405


def test_a_refresh_token_works_once_and_reuse_ends_the_session(suite: SimulatorSuite) -> None:
    first = login(suite).json()["refresh_token"]
    second = renew(suite, first).json()["refresh_token"]
    assert second != first
    reused = renew(suite, first)
    assert reused.status_code == 400
    assert "reuse" in reused.json()["error_description"]
    assert renew(suite, second).status_code == 400


def test_without_rotation_a_refresh_token_stays_good(suite: SimulatorSuite) -> None:
    keycloak = suite.simulator(SocomecSimulator).keycloak
    keycloak.rotate = False
    try:
        token = login(suite).json()["refresh_token"]
        assert [renew(suite, token).status_code for _ in range(2)] == [200, 200]
    finally:
        keycloak.rotate = True


def test_an_access_token_dies_when_its_time_is_over(suite: SimulatorSuite) -> None:
    keycloak = suite.simulator(SocomecSimulator).keycloak
    keycloak.access_ttl_s = 0.2
    try:
        token = login(suite).json()["access_token"]
        assert calls_api(suite, token) == 200
        time.sleep(0.25)
        assert calls_api(suite, token) == 401
    finally:
        keycloak.access_ttl_s = 300


def test_a_token_can_die_in_the_middle_of_a_listing(suite: SimulatorSuite) -> None:
    suite.set_faults(["socomec:expire_token_after=2"])
    token = login(suite).json()["access_token"]
    assert [calls_api(suite, token) for _ in range(3)] == [200, 200, 401]
    assert calls_api(suite, login(suite).json()["access_token"]) == 200


def test_a_refresh_can_be_refused_while_a_login_works(suite: SimulatorSuite) -> None:
    token = login(suite).json()["refresh_token"]
    suite.set_faults(["socomec:refuse_refresh"])
    refused = renew(suite, token)
    assert (refused.status_code, refused.json()["error_description"]) == (
        400,
        "Token is not active",
    )
    assert login(suite).status_code == 200


def test_a_disabled_user_neither_logs_in_nor_uses_an_old_token(suite: SimulatorSuite) -> None:
    token = login(suite).json()["access_token"]
    suite.simulator(SocomecSimulator).keycloak.enabled = False
    try:
        assert login(suite).json()["error_description"] == "Account disabled"
        assert calls_api(suite, token) == 401
    finally:
        suite.simulator(SocomecSimulator).keycloak.enabled = True


def test_revoked_tokens_are_worth_nothing(suite: SimulatorSuite) -> None:
    granted = login(suite).json()
    HTTP.post(suite.url("control") + "/tokens", json={"refresh": True}).raise_for_status()
    assert calls_api(suite, granted["access_token"]) == 401
    assert renew(suite, granted["refresh_token"]).status_code == 400


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer wrong"])
def test_the_api_answers_401_in_json_without_a_good_token(
    suite: SimulatorSuite, header: str
) -> None:
    headers = {"authorization": header} if header else {}
    refused = HTTP.get(suite.url("socomec") + ACCOUNT, headers=headers)
    assert refused.status_code == 401
    assert refused.json()["statusCode"] == 401


@pytest.fixture
def client(suite: SimulatorSuite) -> KeycloakOpenID:
    return KeycloakOpenID(
        server_url=suite.url("socomec_identity") + "/",
        realm_name="Socomec",
        client_id=SOCOMEC.client_id,
        client_secret_key=SOCOMEC.client_secret,
    )


def test_python_keycloak_discovers_logs_in_and_renews(
    suite: SimulatorSuite, client: KeycloakOpenID
) -> None:
    assert client.well_known()["token_endpoint"].endswith(TOKEN_PATH)
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    assert calls_api(suite, client.refresh_token(granted["refresh_token"])["access_token"]) == 200


def test_python_keycloak_asks_who_is_logged_in(client: KeycloakOpenID) -> None:
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    user = client.userinfo(granted["access_token"])
    assert isinstance(user, dict)
    assert user["preferred_username"] == SOCOMEC.username
    assert user["sub"] == client.decode_token(granted["id_token"])["sub"]
    with pytest.raises(KeycloakAuthenticationError, match="Token verification failed"):
        client.userinfo("invented")


def test_userinfo_wants_the_openid_scope_which_the_vendors_example_does_not_send(
    suite: SimulatorSuite,
) -> None:
    granted = login(suite).json()
    assert granted["scope"] == "email profile"
    assert "id_token" not in granted
    assert calls_api(suite, granted["access_token"]) == 200
    refused = HTTP.get(
        suite.url("socomec_identity") + OPENID + "/userinfo",
        headers={"authorization": f"Bearer {granted['access_token']}"},
    )
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert "insufficient_scope" in refused.headers["www-authenticate"]


def test_python_keycloak_checks_the_signature_of_a_token(client: KeycloakOpenID) -> None:
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    claims = client.decode_token(granted["access_token"])
    assert claims["iss"] == client.well_known()["issuer"]
    assert claims["azp"] == SOCOMEC.client_id
    header, _, signature = granted["access_token"].split(".")
    forged = ".".join((header, granted["refresh_token"].split(".")[1], signature))
    with pytest.raises(JWException):
        client.decode_token(forged)
    key = f"-----BEGIN PUBLIC KEY-----\n{client.public_key()}\n-----END PUBLIC KEY-----".encode()
    assert client.decode_token(granted["access_token"], key=JWK.from_pem(key)) == claims


def test_python_keycloak_looks_into_a_token_and_sees_it_die(
    suite: SimulatorSuite, client: KeycloakOpenID
) -> None:
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    seen = client.introspect(granted["access_token"])
    assert (seen["active"], seen["username"]) == (True, SOCOMEC.username)
    assert client.introspect(granted["refresh_token"])["active"]
    assert client.introspect("invented") == {"active": False}
    HTTP.post(suite.url("control") + "/tokens", json={"refresh": True}).raise_for_status()
    assert client.introspect(granted["access_token"]) == {"active": False}


def test_python_keycloak_logs_out_and_nothing_of_the_session_is_left(
    suite: SimulatorSuite, client: KeycloakOpenID
) -> None:
    granted = client.token(SOCOMEC.username, SOCOMEC.password)
    other = client.token(SOCOMEC.username, SOCOMEC.password)
    assert client.logout(granted["refresh_token"]) == {}
    assert calls_api(suite, granted["access_token"]) == 401
    with pytest.raises(KeycloakPostError, match="Invalid refresh token"):
        client.refresh_token(granted["refresh_token"])
    with pytest.raises(KeycloakPostError, match="Invalid refresh token"):
        client.logout(granted["refresh_token"])
    assert calls_api(suite, other["access_token"]) == 200


def test_a_token_can_be_revoked(suite: SimulatorSuite) -> None:
    granted = login(suite).json()
    url = suite.url("socomec_identity") + OPENID + "/revoke"
    form = {"client_id": SOCOMEC.client_id, "client_secret": SOCOMEC.client_secret}
    assert HTTP.post(url, data=form | {"token": granted["access_token"]}).status_code == 200
    assert calls_api(suite, granted["access_token"]) == 401
    assert HTTP.post(url, data=form | {"token": "unknown"}).status_code == 200
    assert HTTP.post(url, data={"token": granted["refresh_token"]}).status_code == 401


@pytest.mark.parametrize("path", ["/token/introspect", "/logout", "/revoke"])
def test_who_is_no_client_learns_and_ends_nothing(suite: SimulatorSuite, path: str) -> None:
    granted = login(suite).json()
    form = {
        "client_id": SOCOMEC.client_id,
        "client_secret": "wrong",
        "token": granted["access_token"],
        "refresh_token": granted["refresh_token"],
    }
    refused = HTTP.post(suite.url("socomec_identity") + OPENID + path, data=form)
    assert refused.status_code == 401
    assert "active" not in refused.json()
    assert calls_api(suite, granted["access_token"]) == 200


def test_every_address_that_is_announced_answers(
    suite: SimulatorSuite, client: KeycloakOpenID
) -> None:
    announced = client.well_known()
    addresses = [announced[key] for key in announced if key.endswith(("_endpoint", "_uri"))]
    assert len(addresses) == 7
    for address in [*addresses, announced["issuer"]]:
        assert address.startswith(suite.url("socomec_identity"))
        assert HTTP.get(address).status_code != 404
