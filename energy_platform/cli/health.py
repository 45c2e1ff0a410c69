"""``energy-platform health``: whether the UI, the daemon and the code location are well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx

from energy_platform.alerts import AlertStore, channels_of, send_due, watch_service
from energy_platform.alerts.policy import writer_of
from energy_platform.cli.console import error_console
from energy_platform.installation.instance import address_of
from energy_platform.installation.origin import installation
from energy_platform.installation.run_locks import ui_is_running
from energy_platform.web.health import PATH, Health

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from energy_platform.settings import Settings

TIMEOUT_S: Final = 25.0
"""Seconds to wait for an answer: longer than the web server itself waits for Dagster's."""


def run_health(console: Console, *, as_json: bool, alert: bool) -> int:
    """Print one line; return 0 when all is well, else 1.

    Args:
        console: Where the line goes.
        as_json: Whether as one JSON object.
        alert: Whether to tell the alert channels when it begins and when it is over.

    Raises:
        SettingsError: A setting is wrong.
        AlertStoreError: What was told before cannot be read.
    """
    found = installation()
    data_dir = found.settings.platform.data_dir
    health = ask_health(data_dir / "dagster")
    if as_json:
        print(json.dumps({"healthy": health.is_healthy, "message": health.line}))  # noqa: T201
    else:
        console.print(health.line, markup=False, highlight=False)
    # Nobody waits for messages of a demo.
    if alert and found.origin == "live":
        _tell(found.settings, health)
    return 0 if health.is_healthy else 1


def ask_health(home: Path) -> Health:
    """Ask the UI that runs on an instance how all is.

    Args:
        home: Folder of the instance, such as ``data/dagster``.
    """
    address = address_of(home)
    if not ui_is_running(home) or address is None:
        return Health(
            False, "the UI and daemon are not running: start `energy-platform ui`, or the service"
        )
    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            said = client.get(address + PATH)
    except httpx.HTTPError as error:
        return Health(
            False, f"the web server on {address} does not answer ({type(error).__name__})"
        )
    if said.status_code not in {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}:
        return Health(False, f"what listens on {address} answers HTTP {said.status_code}")
    return Health(said.status_code == httpx.codes.OK, said.text.strip())


def _tell(settings: Settings, health: Health) -> None:
    now = datetime.now(tz=UTC)
    channels = channels_of(settings.alerts)
    with AlertStore.of(settings.platform.data_dir) as store:
        watch_service(
            store,
            trouble="" if health.is_healthy else health.line,
            settings=settings.alerts,
            writer=writer_of(settings),
            channels=channels,
            now=now,
        )
        failed = send_due(store, channels, now=now)
    for error in failed.values():
        error_console().print(error, markup=False)
