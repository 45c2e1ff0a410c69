"""The Socomec login against a real Keycloak; skipped by name where there is no Java or Maven."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from energy_platform.sources.http.errors import AuthenticationError, PermanentError
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.socomec.auth import KeycloakAuth
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform_tests.keycloak.server import REALM, Admin, UnavailableError, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.long

READER = "reader@socomec.example"
LEAVING = "leaving@socomec.example"
SECRETS = ("invented-client-secret", "invented-password")
HALF_LIFE_S = 3.1
"""A token of six seconds is renewed after three."""


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    try:
        with running(tmp_path_factory.mktemp("keycloak") / "server.log") as admin:
            # The first grant of a fresh server takes seconds.
            login(admin).headers()
            yield admin
    except UnavailableError as error:
        if os.environ.get("CI") or os.environ.get("KEYCLOAK_REQUIRED"):
            pytest.fail(f"the real Keycloak must be tested here, but {error}")
        pytest.skip(f"REAL KEYCLOAK NOT TESTED: {error}")


def login(admin: Admin, *, logins: RefusedLogins | None = None, **changes: Any) -> KeycloakAuth:
    given = {
        "keycloak_url": admin.url,
        "client_id": "energy-platform",
        "client_secret": SecretStr(SECRETS[0]),
        "username": READER,
        "password": SecretStr(SECRETS[1]),
        "attempts": 2,
        **changes,
    }
    return KeycloakAuth(SocomecSettings(**given), backoff_s=0.01, logins=logins)


def accepted(admin: Admin, headers: Mapping[str, str]) -> bool:
    """Whether Keycloak itself takes the token for one it issued and that still lives."""
    url = f"{admin.url}/realms/{REALM}/protocol/openid-connect/userinfo"
    return httpx.get(url, headers=headers, trust_env=False, timeout=10).status_code == 200


def test_a_login_gives_a_token_the_server_accepts(keycloak: Admin) -> None:
    auth = login(keycloak)
    headers = auth.headers()
    assert accepted(keycloak, headers)
    assert auth.headers() == headers
    assert (auth.logins, auth.refreshes) == (1, 0)


def test_the_server_refuses_a_token_of_somebody_else(keycloak: Admin) -> None:
    assert not accepted(keycloak, {"Authorization": "Bearer invented"})


def test_a_token_about_to_expire_is_refreshed_and_the_old_one_dies(keycloak: Admin) -> None:
    auth = login(keycloak)
    first = auth.headers()
    time.sleep(HALF_LIFE_S)
    second = auth.headers()
    assert second != first
    assert accepted(keycloak, second)
    assert (auth.logins, auth.refreshes) == (1, 1)
    # Keycloak counts in whole seconds.
    time.sleep(HALF_LIFE_S + 1)
    assert not accepted(keycloak, first)


def test_the_realm_really_rotates_refresh_tokens(keycloak: Admin) -> None:
    url = f"{keycloak.url}/realms/{REALM}/protocol/openid-connect/token"
    client = {"client_id": "energy-platform", "client_secret": SECRETS[0]}
    with httpx.Client(trust_env=False, timeout=10) as http:
        form = {"grant_type": "password", "username": READER, "password": SECRETS[1]}
        issued = http.post(url, data={**client, **form}).json()["refresh_token"]
        again = {**client, "grant_type": "refresh_token", "refresh_token": issued}
        assert http.post(url, data=again).status_code == 200
        assert http.post(url, data=again).status_code == 400


def test_with_rotation_each_renewal_uses_the_newest_refresh_token(keycloak: Admin) -> None:
    auth = login(keycloak)
    for renewals in range(1, 5):
        assert auth.renew(auth.headers())
        assert accepted(keycloak, auth.headers())
        assert (auth.logins, auth.refreshes) == (1, renewals)


def test_an_expired_refresh_token_leads_to_a_new_login(keycloak: Admin) -> None:
    auth = login(keycloak, client_id="energy-platform-short")
    auth.headers()
    time.sleep(2.5)
    assert accepted(keycloak, auth.headers())
    assert (auth.logins, auth.refreshes) == (2, 0)


def test_a_session_ended_at_the_server_leads_to_a_new_login(keycloak: Admin) -> None:
    auth = login(keycloak)
    headers = auth.headers()
    keycloak.end_sessions(READER)
    assert auth.renew(headers)
    assert accepted(keycloak, auth.headers())
    assert (auth.logins, auth.refreshes) == (2, 0)


def test_a_wrong_client_secret_names_the_client(keycloak: Admin) -> None:
    auth = login(keycloak, client_secret=SecretStr("wrong-client-secret"))
    with pytest.raises(AuthenticationError, match="refused the client") as refused:
        auth.headers()
    assert refused.value.status == 401
    assert "SOCOMEC_CLIENT_SECRET" in str(refused.value)
    assert "wrong-client-secret" not in str(refused.value)


def test_a_wrong_password_names_the_user(keycloak: Admin) -> None:
    auth = login(keycloak, password=SecretStr("wrong-password"))
    with pytest.raises(AuthenticationError, match="refused the user") as refused:
        auth.headers()
    assert (refused.value.status, refused.value.code) == (401, "invalid_grant")
    assert "SOCOMEC_PASSWORD" in str(refused.value)


def test_a_disabled_user_is_told_apart_from_missing_data(keycloak: Admin) -> None:
    with pytest.raises(AuthenticationError, match="user is active") as refused:
        login(keycloak, username="left@socomec.example").headers()
    assert refused.value.code == "invalid_grant"


def test_a_user_disabled_in_mid_run_ends_the_feed_with_an_alarm(keycloak: Admin) -> None:
    logins = RefusedLogins()
    auth = login(keycloak, logins=logins, username=LEAVING)
    headers = auth.headers()
    keycloak.set_enabled(LEAVING, enabled=False)
    try:
        with pytest.raises(AuthenticationError, match="refused the user"):
            auth.renew(headers)
    finally:
        keycloak.set_enabled(LEAVING, enabled=True)
    with pytest.raises(AuthenticationError, match="not tried"):
        auth.headers()
    logins.try_now("socomec", now=datetime.now(tz=UTC))
    assert accepted(keycloak, auth.headers())


def test_a_wrong_realm_is_no_matter_of_credentials(keycloak: Admin) -> None:
    with pytest.raises(PermanentError, match="SOCOMEC_REALM") as refused:
        login(keycloak, realm="Elsewhere").headers()
    assert not isinstance(refused.value, AuthenticationError)


def test_threads_that_meet_an_expired_token_renew_it_once(keycloak: Admin) -> None:
    auth = login(keycloak)
    auth.headers()
    time.sleep(HALF_LIFE_S)
    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(lambda _: tuple(auth.headers().items()), range(32)))
    assert len(set(headers)) == 1
    assert (auth.logins, auth.refreshes) == (1, 1)


def test_two_workers_of_one_account_do_not_invalidate_each_other(keycloak: Admin) -> None:
    workers = [login(keycloak), login(keycloak)]

    def work(auth: KeycloakAuth) -> list[bool]:
        good = []
        for _ in range(6):
            headers = auth.headers()
            good.append(accepted(keycloak, headers))
            auth.renew(headers)
        return good

    with ThreadPoolExecutor(2) as pool:
        good = [one for answers in pool.map(work, workers) for one in answers]
    assert all(good)
    assert [(auth.logins, auth.refreshes) for auth in workers] == [(1, 6), (1, 6)]


def test_no_credential_or_token_reaches_a_log(
    keycloak: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = login(keycloak)
    token = auth.headers()["Authorization"].split()[1]
    keycloak.end_sessions(READER)
    auth.renew(auth.headers())
    said = caplog.text + repr(auth)
    for secret in (*SECRETS, token, READER):
        assert secret not in said
