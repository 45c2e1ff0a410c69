"""The proxy recipe on a real nginx before a real UI: ``make proxy``; it needs nginx, openssl."""

from __future__ import annotations

import base64
import os
import pwd
import ssl
import subprocess
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from energy_platform.deploy.filled import Proxy, proxy_alone, proxy_site
from energy_platform_tests.alive.daemon import until
from energy_platform_tests.deploy.ui_process import (
    Ui,
    free_port,
    healthy,
    simulated_ui,
    subscribed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "energy.example.com"
PERSON = ("mia", "a long password")


class Proxied(NamedTuple):
    """The UI behind nginx."""

    ui: Ui
    port: int
    tls: ssl.SSLContext

    def ask(
        self,
        path: str,
        *,
        host: str | None = None,
        auth: tuple[str, str] | None = PERSON,
        headers: dict[str, str] | None = None,
        **words: Any,
    ) -> httpx.Response:
        """Ask nginx as a browser would that finds the name at this machine."""
        named = {"Host": host or f"{HOST}:{self.port}", **(headers or {})}
        with httpx.Client(verify=self.tls, timeout=60, trust_env=False) as client:
            return client.request(
                "POST" if "json" in words else "GET",
                f"https://127.0.0.1:{self.port}{path}",
                headers=named,
                auth=auth,
                extensions={"sni_hostname": HOST},
                **words,
            )


def made(*words: str) -> str:
    """Run openssl; return what it printed."""
    command = ["openssl", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    key, certificate = folder / "tls.key", folder / "tls.crt"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    name = ("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    made("req", "-x509", *curve, *name, "-keyout", str(key), "-out", str(certificate))
    users = folder / "users"
    users.write_text(f"{PERSON[0]}:{made('passwd', '-6', PERSON[1])}\n", encoding="utf-8")
    port, ui_port = free_port(), free_port()
    proxy = Proxy(
        host=HOST,
        tls_port=port,
        port=ui_port,
        path_prefix="",
        certificate=str(certificate),
        key=str(key),
        users=str(users),
    )
    access_log = str(folder / "access.log")
    text = proxy_alone(proxy, error_log="stderr", access_log=access_log, temporary=str(folder))
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    variables = {"ENERGY_PLATFORM_UI_HOSTS": HOST}
    with (
        simulated_ui(tmp_path_factory.mktemp("ui"), port=ui_port, variables=variables) as ui,
        nginx(folder) as errors,
    ):
        healthy(ui)
        tls = ssl.create_default_context(cafile=str(certificate))
        yield Proxied(ui, port, tls)
    assert "[emerg]" not in errors.read_text(encoding="utf-8")


class nginx:  # noqa: N801 - reads as what it runs
    """Run nginx as an account without rights, from a folder that is its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Path:
        nobody = pwd.getpwnam("nobody")
        rights: dict[str, Any] = {}
        if os.geteuid() == 0:
            rights = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            for parent in self._folder.parents[:2]:
                parent.chmod(0o711)
        errors = self._folder / "errors"
        with errors.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [
                    *("/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;"),
                    *("-c", str(self._folder / "nginx.conf")),
                ],
                stderr=log,
                **rights,
            )
        until(lambda: (self._folder / "nginx.pid").exists() or None, seconds=30)
        return errors

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.wait(30) == 0


def test_nobody_sees_anything_without_a_login(proxied: Proxied) -> None:
    for path in ("/", "/graphql", "/server_info"):
        assert proxied.ask(path, auth=None).status_code == HTTPStatus.UNAUTHORIZED
        wrong = proxied.ask(path, auth=(PERSON[0], "another"))
        assert wrong.status_code == HTTPStatus.UNAUTHORIZED


def test_whoever_logs_in_works_with_the_ui(proxied: Proxied) -> None:
    page = proxied.ask("/")
    assert page.status_code == HTTPStatus.OK
    assert page.headers["Cache-Control"] == "no-store"
    assert "max-age" in page.headers["Strict-Transport-Security"]
    own = {"Origin": f"https://{HOST}:{proxied.port}", "Sec-Fetch-Site": "same-origin"}
    said = proxied.ask("/graphql", headers=own, json={"query": "{ __typename }"})
    assert said.json() == {"data": {"__typename": "Query"}}


def test_a_page_of_another_site_starts_nothing_with_the_login_of_the_browser(
    proxied: Proxied,
) -> None:
    other = {"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"}
    said = proxied.ask("/graphql", headers=other, json={"query": "{ __typename }"})
    assert said.status_code == HTTPStatus.FORBIDDEN


def test_subscriptions_pass_with_a_login_and_not_without(proxied: Proxied) -> None:
    url = f"wss://{HOST}:{proxied.port}/graphql"
    own = {"Origin": f"https://{HOST}:{proxied.port}"}
    login = f"Basic {base64.b64encode(':'.join(PERSON).encode()).decode()}"
    port, tls = proxied.port, proxied.tls
    known = {**own, "Authorization": login}
    assert subscribed(url, known, through=port, tls=tls) == "connection_ack"
    with pytest.raises(InvalidStatus) as refused:
        subscribed(url, own, through=port, tls=tls)
    assert refused.value.response.status_code == HTTPStatus.UNAUTHORIZED


def test_another_name_is_refused_with_a_login_too(proxied: Proxied) -> None:
    for host in ("attacker.example", f"127.0.0.1:{proxied.port}"):
        assert proxied.ask("/", host=host).status_code == HTTPStatus.MISDIRECTED_REQUEST


def test_a_monitor_sees_the_health_and_nothing_else(proxied: Proxied) -> None:
    said = proxied.ask("/health", auth=None)
    assert (said.status_code, said.text[:6]) == (HTTPStatus.OK, "well: ")


def test_the_site_of_a_machine_is_what_was_tried_here() -> None:
    proxy = Proxy(
        host=HOST, tls_port=443, port=3000, path_prefix="", certificate="c", key="k", users="u"
    )
    alone = proxy_alone(proxy)
    indented = "".join(f"    {line}\n" if line else "\n" for line in proxy_site(proxy).splitlines())
    assert indented.strip() in alone
