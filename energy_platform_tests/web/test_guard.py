"""The UI that runs, asked over HTTP and WebSocket by those who may and those who may not."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from energy_platform.cli.ui import WEB
from energy_platform.installation.run_locks import ui_is_running
from energy_platform_tests.deploy.ui_process import (
    Ui,
    free_port,
    healthy,
    simulated_ui,
    subscribed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

PREFIX = "/energy"
STARTS_SOMETHING = {"query": "mutation { reloadWorkspace { __typename } }"}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    variables = {
        "ENERGY_PLATFORM_UI_HOSTS": "energy.example.com",
        "ENERGY_PLATFORM_UI_PATH_PREFIX": PREFIX,
    }
    folder = tmp_path_factory.mktemp("ui")
    with simulated_ui(folder, port=free_port(), variables=variables) as running:
        healthy(running)
        yield running


def asked(
    ui: Ui, path: str, headers: dict[str, str] | None = None, **words: dict[str, str]
) -> httpx.Response:
    method = "POST" if "json" in words else "GET"
    with httpx.Client(timeout=60, trust_env=False) as client:
        url = f"http://127.0.0.1:{ui.port}{PREFIX}{path}"
        return client.request(method, url, headers=headers, **words)  # type: ignore[arg-type]


def test_the_ui_and_its_health_are_reached_by_the_names_that_are_allowed(ui: Ui) -> None:
    for host in (f"127.0.0.1:{ui.port}", f"localhost:{ui.port}", "energy.example.com"):
        assert '"assetPrefix":"/energy"' in asked(ui, "/", {"Host": host}).text
        assert asked(ui, "/health", {"Host": host}).text.startswith("well: ")
    said = asked(ui, "/graphql", json=STARTS_SOMETHING)
    assert said.json() == {"data": {"reloadWorkspace": {"__typename": "Workspace"}}}


def test_a_name_that_points_here_without_being_allowed_reads_and_starts_nothing(ui: Ui) -> None:
    rebound = {"Host": f"attacker.example:{ui.port}"}
    for path in ("/", "/health", "/server_info", "/graphql"):
        said = asked(ui, path, rebound)
        assert said.status_code == HTTPStatus.FORBIDDEN
        assert "ENERGY_PLATFORM_UI_HOSTS" in said.text
    assert asked(ui, "/graphql", rebound, json=STARTS_SOMETHING).status_code == 403
    assert "attacker.example" in (ui.folder / "data/dagster/ui.log").read_text(encoding="utf-8")


def test_a_page_of_another_site_starts_nothing_by_a_form_a_picture_or_a_link(ui: Ui) -> None:
    other = {"Origin": "http://attacker.example", "Content-Type": "text/plain"}
    assert asked(ui, "/graphql", other, params=STARTS_SOMETHING).status_code == 403
    for mode in ("no-cors", "navigate"):
        fetched = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert asked(ui, "/graphql", fetched, params=STARTS_SOMETHING).status_code == 403
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert asked(ui, "/runs", linked).status_code == HTTPStatus.OK


def test_subscriptions_are_for_pages_of_the_ui(ui: Ui) -> None:
    url = f"ws://127.0.0.1:{ui.port}{PREFIX}/graphql"
    own = f"http://127.0.0.1:{ui.port}"
    assert subscribed(url, {"Origin": own}) == "connection_ack"
    for foreign in ({"Origin": "http://attacker.example"}, {"Host": "attacker.example"}):
        with pytest.raises(InvalidStatus) as refused:
            subscribed(url, foreign)
        assert refused.value.response.status_code == HTTPStatus.FORBIDDEN


def test_health_says_what_died_and_that_it_is_back(ui: Ui) -> None:
    _kill_web_server(ui)
    code, line = ui.health()
    assert (code, line.split(" ")[:3]) == (1, ["the", "web", "server"])
    assert healthy(ui).startswith("well: ")


def test_health_of_a_platform_that_does_not_run_says_how_to_start_it(tmp_path: Path) -> None:
    stopped = Ui(tmp_path, 0, {}, None)  # type: ignore[arg-type]
    code, line = stopped.health()
    assert code == 1
    assert line == "the UI and daemon are not running: start `energy-platform ui`, or the service"
    assert not ui_is_running(tmp_path / "data" / "dagster")
    assert [*tmp_path.iterdir()] == []


def _kill_web_server(ui: Ui) -> None:
    """Kill the one process whose command names the module and the port."""
    named = {WEB, str(ui.port)}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_text(encoding="utf-8").split("\0")
            found += [int(folder.name)] if named <= set(words) else []
    (pid,) = found
    os.kill(pid, signal.SIGKILL)
