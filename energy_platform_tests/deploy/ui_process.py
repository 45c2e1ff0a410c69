"""``energy-platform ui`` as a process of its own, and what may be asked of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from energy_platform_tests.alive.daemon import until
from energy_platform_tests.cli.test_app import ROOT, typed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUBSCRIPTION = "subscription { locationStateChangeEvents { event { message } } }"


class Ui(NamedTuple):
    """A UI that runs, the folder it was started in, and its environment's additions."""

    folder: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str]

    def health(self) -> tuple[int, str]:
        """Return what ``energy-platform health`` says."""
        said = typed("health", folder=self.folder, env=self.environment)
        return said.returncode, said.stdout.strip() + said.stderr.strip()


@contextmanager
def simulated_ui(folder: Path, *, port: int, variables: Mapping[str, str]) -> Iterator[Ui]:
    """Run a UI on simulated vendors, without schedules, until the context is left."""
    environment = {"ENERGY_PLATFORM_AUTOSTART": "false", **variables}
    process = subprocess.Popen(  # noqa: S603 - our own command
        [
            *(sys.executable, "-c", "from energy_platform.cli import main; main()"),
            *("ui", "--simulated", "--port", str(port)),
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "Dagster: http" in line:
                break
        assert "Dagster: http" in lines[-1], lines
        yield Ui(folder, port, environment, process)
        process.terminate()
        assert process.wait(120) == 0
    finally:
        process.kill()


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def subscribed(
    url: str,
    headers: Mapping[str, str],
    *,
    through: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> str:
    """Open Dagster's subscription as its pages do; return the server's first word to it.

    Args:
        url: Address of the subscription.
        headers: What is sent besides.
        through: Port on loopback to connect to, whatever the address says.
        tls: Whom to trust.

    Raises:
        websockets.exceptions.InvalidStatus: The handshake was refused.
    """
    connected = None if through is None else socket.create_connection(("127.0.0.1", through))
    with connect(
        url,
        additional_headers=dict(headers),
        subprotocols=[Subprotocol("graphql-ws")],
        sock=connected,
        ssl=tls,
        proxy=None,
    ) as opened:
        opened.send(json.dumps({"type": "connection_init", "payload": {}}))
        word: str = json.loads(opened.recv(60))["type"]
        start = {"id": "1", "type": "start", "payload": {"query": SUBSCRIPTION}}
        opened.send(json.dumps(start))
        assert opened.subprotocol == "graphql-ws"
        return word


def healthy(ui: Ui) -> str:
    """Wait until all is well, and return the line that says so."""

    def look() -> str | None:
        code, line = ui.health()
        return line if code == 0 else None

    return until(look, seconds=240)
