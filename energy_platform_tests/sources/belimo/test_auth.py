"""Logins at BelimoID: renewed in time, by one thread, never with a secret in a message."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import AuthenticationError
from energy_platform.sources.http.rate_limit import Clock
from energy_platform_tests.sources.belimo.cloud import CLIENT_SECRET, PASSWORD, USER, Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud().running() as server:
        assert isinstance(server, Cloud)
        yield server


@dataclass
class Hands:
    """A clock that a test moves."""

    now: float = 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now)


def test_the_first_call_logs_in_with_audience_and_reading_scopes_only(cloud: Cloud) -> None:
    with cloud.client() as client:
        client.devices()
    grant = cloud.grants[0]
    assert grant["grant_type"] == "password"
    assert grant["audience"] == "https://api.cloud.belimo.com/"
    assert grant["scope"] == "public.read offline_access read:dataprofile"
    assert (grant["client_id"], grant["client_secret"]) == ("demo-client", CLIENT_SECRET)
    assert len(cloud.grants) == 1


def test_a_token_about_to_expire_is_refreshed_before_the_vendor_refuses_it(cloud: Cloud) -> None:
    cloud.lifetime = 600
    hands = Hands()
    with cloud.client(clock=hands.clock()) as client:
        client.devices()
        hands.now += 539
        client.devices()
        assert len(cloud.grants) == 1
        hands.now += 2
        client.devices()
    assert [grant["grant_type"] for grant in cloud.grants] == ["password", "refresh_token"]
    assert cloud.grants[1]["refresh_token"] == "refresh-1"
    assert all(seen.headers["authorization"] for seen in cloud.calls("/devices"))


def test_the_old_refresh_token_is_kept_when_the_answer_holds_none(cloud: Cloud) -> None:
    cloud.lifetime = 100
    hands = Hands()
    with cloud.client(clock=hands.clock()) as client:
        for _ in range(3):
            client.devices()
            hands.now += 99
    assert [grant.get("refresh_token") for grant in cloud.grants] == [
        None,
        "refresh-1",
        "refresh-1",
    ]


def test_a_lifetime_shorter_than_the_margin_does_not_mean_a_login_per_request(
    cloud: Cloud,
) -> None:
    cloud.lifetime = 40
    hands = Hands()
    with cloud.client(clock=hands.clock()) as client:
        client.devices()
        hands.now += 10
        client.devices()
    assert len(cloud.grants) == 1


def test_a_refused_refresh_falls_back_to_a_new_login(cloud: Cloud) -> None:
    cloud.lifetime = 100
    cloud.is_refresh_good = False
    hands = Hands()
    with cloud.client(clock=hands.clock()) as client:
        client.devices()
        hands.now += 99
        client.devices()
    assert [grant["grant_type"] for grant in cloud.grants] == [
        "password",
        "refresh_token",
        "password",
    ]


def test_a_token_revoked_in_mid_run_is_renewed_once_by_all_threads_together(
    cloud: Cloud,
) -> None:
    with cloud.client(max_in_flight=4) as client:
        client.devices()
        cloud.valid.clear()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: client.devices(), range(8)))
    assert len(cloud.grants) == 2


def test_a_refused_login_names_the_settings_and_is_not_tried_again(cloud: Cloud) -> None:
    cloud.is_login_good = False
    with cloud.client() as client:
        for _ in range(3):
            with pytest.raises(AuthenticationError) as caught:
                client.devices()
    assert "BELIMO_PASSWORD" in str(caught.value)
    assert "access_denied" in str(caught.value)
    assert caught.value.status == 401
    assert len(cloud.grants) == 1, "repeated wrong logins lock the user out"


def test_no_secret_shows_in_a_refusal(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.is_login_good = False
    caplog.set_level("DEBUG")
    with cloud.client() as client, pytest.raises(AuthenticationError) as caught:
        client.devices()
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(client)
    for secret in (PASSWORD, CLIENT_SECRET, USER):
        assert secret not in shown


def test_a_missing_credential_names_its_variable(cloud: Cloud) -> None:
    with (
        cloud.client(client_secret=None) as client,
        pytest.raises(SettingsError, match="BELIMO_CLIENT_SECRET"),
    ):
        client.devices()
