"""Company networks: one trust store and one rule for proxies, for every client alike."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from energy_platform.alerts import channels_of
from energy_platform.alerts.channels import ChannelError
from energy_platform.destinations.wattics import WatticsClient, WatticsSettings
from energy_platform.doctor.vendors import reach
from energy_platform.settings import AlertSettings, BasicCredential, SettingsError
from energy_platform.sources.belimo import BelimoClient
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.sources.http.errors import ConnectionSetupError, TransientError, VendorError
from energy_platform.sources.http.proxies import proxy_for
from energy_platform.sources.http.rate_limit import Clock
from energy_platform.sources.http.tls import ssl_context
from energy_platform.sources.skycentrics import SkycentricsClient
from energy_platform.sources.skycentrics.settings import SkycentricsSettings
from energy_platform.sources.socomec.auth import KeycloakAuth
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform_tests.sources.http.network import (
    HOST,
    Identity,
    Listener,
    connect_proxy,
    host_with,
    identity,
    socks_proxy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT: dict[str, Any] = {
    "client_id": "platform",
    "client_secret": "invented-secret",
    "username": "me@site.example",
    "password": "invented-password",
}
QUICK: dict[str, Any] = {"rps": 10_000, "timeout_s": 3, "attempts": 3, "backoff_s": 0}

TOKEN = b'{"access_token":"a","expires_in":300,"refresh_token":"b","refresh_expires_in":1800}'


def keycloak(url: str, ca_file: Path | None) -> object:
    settings = SocomecSettings(**ACCOUNT, **QUICK, keycloak_url=url, ca_file=ca_file)
    auth = KeycloakAuth(settings)
    try:
        return auth.headers()
    finally:
        auth.close()


def belimo_login(url: str, ca_file: Path | None) -> object:
    settings = BelimoSettings(
        **ACCOUNT, **QUICK, api_url=url, token_url=f"{url}/oauth/token", ca_file=ca_file
    )
    with BelimoClient(settings) as client:
        return client.devices()


def belimo(url: str, ca_file: Path | None) -> object:
    settings = BelimoSettings(**ACCOUNT, **QUICK, api_url=url, token_url=url, ca_file=ca_file)
    with BelimoClient(settings) as client:
        return client.api_info()


def skycentrics(url: str, ca_file: Path | None) -> object:
    account = {key: ACCOUNT[key] for key in ("client_id", "client_secret")}
    settings = SkycentricsSettings(**account, **QUICK, api_url=url, ca_file=ca_file)
    with SkycentricsClient(settings) as client:
        return client.device("1")


CLIENTS = {
    "socomec login": keycloak,
    "belimo login": belimo_login,
    "belimo": belimo,
    "skycentrics": skycentrics,
}
BODIES = {
    "socomec login": TOKEN,
    # One answer for the login and for the listing after it.
    "belimo login": TOKEN[:-1] + b',"data":[],"paging":{"total":0,"offset":0,"limit":500}}',
    "belimo": b'{"version":"3"}',
    "skycentrics": b'{"id":1}',
}


def wattics(url: str, ca_file: Path | None) -> WatticsClient:
    return WatticsClient(
        WatticsSettings(base_url=f"{url}/x/", ca_file=ca_file),
        credential=BasicCredential(username="one", password="invented"),
    )


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority() -> Identity:
    return identity("A company", is_authority=True)


@pytest.fixture(scope="module")
def ca_file(authority: Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority.files(tmp_path_factory.mktemp("authority"), "company")[0]


@contextmanager
def https(server: Identity, folder: Path, **options: Any) -> Iterator[Listener]:
    with host_with(server.files(folder, "server"), **options).running() as listener:
        yield listener


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_trusts_the_one_file_and_nothing_else(
    name: str, authority: Identity, ca_file: Path, tmp_path: Path
) -> None:
    ask = CLIENTS[name]
    with https(identity("host", issuer=authority), tmp_path, body=BODIES[name]) as listener:
        url = f"https://127.0.0.1:{listener.port}"
        with pytest.raises(ConnectionSetupError, match="ENERGY_PLATFORM_CA_FILE") as caught:
            ask(url, None)
        assert "certificate of 127.0.0.1" in caught.value.reason
        # A certificate does not heal by waiting.
        assert listener.connections == 1
        assert ask(url, ca_file) is not None
        assert listener.told


def test_wattics_and_the_doctor_trust_the_same_file(
    authority: Identity, ca_file: Path, tmp_path: Path
) -> None:
    with https(identity("host", issuer=authority), tmp_path) as listener:
        url = f"https://127.0.0.1:{listener.port}"
        with wattics(url, ca_file) as client:
            client.push(b"{}")
        assert len(listener.told) == 1
        now = Clock().now
        assert reach("x", url, now=now, ca_file=ca_file).finding.level == "ok"
        refused = reach("x", url, now=now).finding
        assert refused.level == "fail"
        assert "certificate" in refused.message
        assert "ENERGY_PLATFORM_CA_FILE" in refused.advice


def test_alerts_trust_the_same_file(authority: Identity, ca_file: Path, tmp_path: Path) -> None:
    with https(identity("host", issuer=authority), tmp_path) as listener:
        url = f"jsons://127.0.0.1:{listener.port}/x"
        (untrusting,) = channels_of(AlertSettings(webhook_url=url))
        with pytest.raises(ChannelError):
            untrusting.send(title="a", body="b")
        assert listener.told == []
        (channel,) = channels_of(AlertSettings(webhook_url=url, ca_file=ca_file))
        channel.send(title="a", body="b")
        assert listener.told[0].startswith("POST /x")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("name", CLIENTS)
def test_other_variables_mean_the_same_to_every_client(
    name: str,
    variable: str,
    authority: Identity,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ssl_context.cache_clear()
    monkeypatch.setenv(variable, str(ca_file))
    try:
        with https(identity("host", issuer=authority), tmp_path, body=BODIES[name]) as listener:
            url = f"https://127.0.0.1:{listener.port}"
            if variable == "SSL_CERT_FILE":
                assert CLIENTS[name](url, None) is not None
            else:
                with pytest.raises(ConnectionSetupError):
                    CLIENTS[name](url, None)
    finally:
        ssl_context.cache_clear()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("self-signed", "is self-signed"),
        ("unknown", "signed by an authority that is unknown here"),
        ("expired", "has expired"),
        ("wrong host", "is for another"),
        ("old", "TLS versions before 1.2"),
        ("plain", "does not speak TLS"),
    ],
)
def test_the_fault_of_a_certificate_is_named_and_not_waited_out(
    fault: str, said: str, authority: Identity, ca_file: Path, tmp_path: Path
) -> None:
    match fault:
        case "self-signed":
            server = identity("alone")
        case "unknown":
            server = identity("host", issuer=identity("Another company", is_authority=True))
        case "expired":
            server = identity("host", issuer=authority, expired=True)
        case "wrong host":
            server = identity("host", issuer=authority, hosts=("other.test",))
        case _:
            server = identity("host", issuer=authority)
    if fault == "plain":
        listener = Listener(lambda socket, _: socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    else:
        listener = host_with(server.files(tmp_path, "server"), old=fault == "old")
    with listener.running():
        url = f"https://127.0.0.1:{listener.port}"
        for name, ask in CLIENTS.items():
            before = listener.connections
            with pytest.raises(ConnectionSetupError, match=said) as caught:
                ask(url, ca_file)
            assert listener.connections == before + 1, name
            assert "127.0.0.1" in str(caught.value)
            assert "\n" not in str(caught.value)
        assert said in reach("x", url, now=Clock().now, ca_file=ca_file).finding.message


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_every_client_goes_through_the_proxy_which_resolves_the_name(
    kind: str,
    variable: str,
    authority: Identity,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = identity("host", issuer=authority).files(tmp_path, "server")
    for name, ask in CLIENTS.items():
        with host_with(files, body=BODIES[name]).running() as host:
            made = connect_proxy if kind == "http" else socks_proxy
            with made(lambda port=host.port: port).running() as proxy:  # type: ignore[misc]
                monkeypatch.setenv(variable, f"{kind}://127.0.0.1:{proxy.port}")
                assert ask(f"https://{HOST}", ca_file) is not None, name
                with wattics(f"https://{HOST}", ca_file) as client:
                    client.push(b"{}")
                found = reach("x", f"https://{HOST}", now=Clock().now, ca_file=ca_file)
                assert found.finding.level == "ok"
        assert all(f"{HOST}:443" in line for line in proxy.told)
        assert len(proxy.told) >= 3


def test_the_proxy_gets_its_password_and_nobody_else_sees_it(
    authority: Identity,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = identity("host", issuer=authority).files(tmp_path, "server")
    with (
        host_with(files, body=BODIES["belimo"]).running() as host,
        connect_proxy(lambda: host.port, user="me:pa55-word").running() as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pa55-word@127.0.0.1:{proxy.port}")
        assert belimo(f"https://{HOST}", ca_file)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:not-pa55@127.0.0.1:{proxy.port}")
        for ask in CLIENTS.values():
            before = len(proxy.told)
            with pytest.raises(ConnectionSetupError, match="HTTPS_PROXY") as caught:
                ask(f"https://{HOST}", ca_file)
            assert len(proxy.told) == before + 1
            assert f"127.0.0.1:{proxy.port}" in str(caught.value)
            assert "pa55" not in repr(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("address", "reply", "kind"),
    [
        ("http", "503 Service Unavailable", TransientError),
        ("http", "403 Forbidden", ConnectionSetupError),
        ("socks5", 5, TransientError),
        ("socks5", 2, ConnectionSetupError),
        ("socks5 at an http proxy", "400 Bad Request", ConnectionSetupError),
        ("http at nothing", 0, TransientError),
    ],
)
def test_a_proxy_that_fails_is_named_in_one_sentence(
    address: str,
    reply: str | int,
    kind: type[VendorError],
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheme = address.split(maxsplit=1)[0]
    proxy = (
        socks_proxy(lambda: 0, reply=reply)
        if isinstance(reply, int) and reply
        else connect_proxy(lambda: 0, status=str(reply))
    )
    with proxy.running():
        port = proxy.port
        if address.endswith("nothing"):
            proxy.stop()
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{port}")
        for ask in CLIENTS.values():
            with pytest.raises(kind, match=f"proxy 127.0.0.1:{port}"):
                ask(f"https://{HOST}", ca_file)
        with wattics(f"https://{HOST}", ca_file) as client:
            assert client.push(b"{}").kind != "stored"


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("value", ["socks4://127.0.0.1:1", "ftp://x", "http://[", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_by_every_client_in_one_sentence(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    for ask in CLIENTS.values():
        with pytest.raises(SettingsError, match=f"^{variable}: ") as caught:
            ask(f"https://{HOST}", None)
        assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=variable):
        wattics(f"https://{HOST}", None)
    assert variable in reach("x", f"https://{HOST}", now=Clock().now).finding.message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_ever_sees_loopback(
    scheme: str,
    authority: Identity,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "socks4://127.0.0.1:1")
    with https(identity("host", issuer=authority), tmp_path, body=BODIES["belimo"]) as listener:
        if scheme == "https":
            assert belimo(f"https://127.0.0.1:{listener.port}", ca_file)
        else:
            for ask in CLIENTS.values():
                # Its own fault, not the proxy's: nobody listens there.
                with pytest.raises(VendorError, match="connection failed"):
                    ask("http://127.0.0.1:9", None)


@pytest.mark.parametrize(
    ("exempt", "host", "goes"),
    [
        ("", HOST, True),
        ("*", HOST, False),
        (".test", HOST, False),
        ("other.test, vendor.test", HOST, False),
        ("vendor.test:443", HOST, False),
        ("vendor.test:444", HOST, True),
        ("endor.test", HOST, True),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
    ],
)
def test_no_proxy_is_read_as_elsewhere(
    exempt: str, host: str, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert (proxy_for(httpx.URL(f"https://{host}/x")) is not None) is goes


def test_verification_is_never_off() -> None:
    context = ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context is ssl_context()
