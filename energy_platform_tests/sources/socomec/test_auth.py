"""Logins at Keycloak: renewed in time, by one thread, never with a secret in a message."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from energy_platform.settings import SettingsError
from energy_platform.sources.http.client import Clock
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, TransientError
from energy_platform.sources.socomec import SocomecClient
from energy_platform_tests.sources.http.loopback import Reply
from energy_platform_tests.sources.socomec.sodata import (
    SECRETS,
    TOKEN_PATH,
    SoData,
    connected,
    settings,
)


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now_s, sleep=lambda _: None)


def test_login_sends_the_documented_form_and_calls_carry_the_token() -> None:
    with connected(SoData()) as (client, server):
        client.corporate_accounts()
        login, call = server.seen
        assert (login.method, login.path, login.target) == ("POST", TOKEN_PATH, TOKEN_PATH)
        assert login.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "authorization" not in login.headers
        wanted = {
            "grant_type": "password",
            "client_id": "platform",
            "client_secret": SECRETS[0],
            "username": "me@site.example",
            "password": SECRETS[1],
            "scope": "openid",
        }
        assert login.form == wanted
        assert call.headers["authorization"] == "Bearer access-1"


def test_a_token_is_renewed_before_it_expires_with_the_newest_refresh_token() -> None:
    time, sodata = Time(), SoData()
    with connected(sodata, clock=time.clock) as (client, server):
        for seconds in (0, 269, 2, 269, 2):
            time.now_s += seconds
            client.corporate_accounts()
        assert sodata.grants == ["password", "refresh_token", "refresh_token"]
        used = [seen.form["refresh_token"] for seen in server.seen if "refresh" in str(seen.body)]
        assert used == ["refresh-1", "refresh-2"]


def test_a_refused_refresh_leads_to_a_new_login() -> None:
    time, sodata = Time(), SoData()
    with connected(sodata, clock=time.clock) as (client, _):
        client.corporate_accounts()
        sodata.refuse_refresh = True
        time.now_s += 299
        assert client.corporate_accounts()
        assert sodata.grants == ["password", "refresh_token", "password"]


def test_an_aged_refresh_token_is_not_even_tried() -> None:
    time, sodata = Time(), SoData()
    with connected(sodata, clock=time.clock) as (client, _):
        client.corporate_accounts()
        time.now_s += 1801
        client.corporate_accounts()
        assert sodata.grants == ["password", "password"]


def test_a_refresh_token_without_an_end_is_used_for_ever() -> None:
    time, sodata = Time(), SoData()
    sodata.refresh_expires_in = 0
    with connected(sodata, clock=time.clock) as (client, _):
        client.corporate_accounts()
        time.now_s += 90_000
        client.corporate_accounts()
        assert sodata.grants == ["password", "refresh_token"]


def test_tokens_shorter_than_the_margin_are_still_used() -> None:
    time, sodata = Time(), SoData()
    sodata.expires_in = 10
    with connected(sodata, clock=time.clock) as (client, _):
        for _ in range(3):
            client.corporate_accounts()
            time.now_s += 1
        assert sodata.grants == ["password"]


def test_many_threads_log_in_and_renew_once() -> None:
    sodata = SoData()
    with connected(sodata, max_in_flight=8) as (client, _), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.corporate_accounts(), range(16)))
        assert sodata.grants == ["password"]
        sodata.access.clear()
        list(pool.map(lambda _: client.corporate_accounts(), range(16)))
        assert sodata.grants == ["password", "refresh_token"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"password": "not-the-passw0rd"}, "SOCOMEC_PASSWORD"),
        ({"client_secret": "not-the-s3cret"}, "SOCOMEC_CLIENT_SECRET"),
    ],
)
def test_wrong_credentials_are_named_once_and_never_shown(
    wrong: dict[str, Any], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(SoData(), **wrong) as (client, server):
        with pytest.raises(AuthenticationError) as caught:
            client.corporate_accounts()
        assert named in str(caught.value)
        assert caught.value.status == 401
        assert len(server.seen) == 1
        told = caplog.text + repr(caught.value) + repr(client.settings)
        for secret in (*wrong.values(), *SECRETS):
            assert secret not in told


@pytest.mark.parametrize(
    "fault",
    [Reply(status=503), Reply(status=429), Reply(body=b"<html>"), Reply(body=b"{}", cut=1)],
    ids=["503", "429", "html", "cut"],
)
def test_a_keycloak_that_recovers_does_not_fail_the_run(fault: Reply) -> None:
    sodata = SoData()
    sodata.token_faults = [fault, fault]
    with connected(sodata) as (client, _):
        assert client.corporate_accounts()


def test_a_keycloak_that_stays_away_is_a_transient_error_without_its_page() -> None:
    sodata = SoData()
    sodata.token_faults = [Reply(body=b"<html>token=abc</html>")] * 9
    with connected(sodata) as (client, server):
        with pytest.raises(TransientError, match="socomec token: expected JSON") as caught:
            client.corporate_accounts()
        assert "abc" not in repr(caught.value)
        assert len(server.seen) == 3


@pytest.mark.parametrize(
    "place",
    [Reply(status=404), Reply(status=307, headers={"Location": "/elsewhere"})],
    ids=["404", "redirect"],
)
def test_a_wrong_realm_or_address_gets_the_credentials_once_and_says_what_to_set(
    place: Reply,
) -> None:
    sodata = SoData()
    sodata.token_faults = [place]
    with connected(sodata) as (client, server):
        with pytest.raises(PermanentError, match="SOCOMEC_REALM"):
            client.corporate_accounts()
        assert [seen.path for seen in server.seen] == [TOKEN_PATH]


def test_a_token_answer_of_another_shape_is_loud_and_shows_no_token() -> None:
    sodata = SoData()
    sodata.token_faults = [Reply(body=b'{"access_token": "eyJ-s3cret", "expires_in": null}')]
    with connected(sodata) as (client, _):
        with pytest.raises(PermanentError, match="expires_in") as caught:
            client.corporate_accounts()
        assert "eyJ" not in repr(caught.value)


def test_a_missing_credential_is_named_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="SOCOMEC_CLIENT_SECRET"):
        SocomecClient(settings("http://127.0.0.1:9", client_secret=None))


def test_a_token_revoked_in_mid_paging_loses_no_record() -> None:
    sodata = SoData()
    sodata.listings["devices"] = [{"uuid": f"d{n}", "name": None} for n in range(7)]
    gate = threading.Event()
    pages = sodata.page

    def revoke_after_first(kind: str, seen: object) -> Reply:
        if not gate.is_set():
            gate.set()
            sodata.access.clear()
        return pages(kind, seen)  # type: ignore[arg-type]

    sodata.page = revoke_after_first  # type: ignore[method-assign]
    with connected(sodata, page_size=3) as (client, _):
        found = client.devices("11111111-0000-4000-8000-000000000001")
        assert [one.uuid for one in found] == [f"d{n}" for n in range(7)]
        assert sodata.grants == ["password", "refresh_token"]
