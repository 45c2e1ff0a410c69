"""The suite in a process of its own, so that its work is not counted as the platform's."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from energy_platform.simulators.world import Bulk

READY_S: Final = 60.0
"""How long the child may take to listen; importing is the longest part."""

STOP_S: Final = 10.0


class SimulatorProcessError(RuntimeError):
    """The simulators could not be started, or refused an order."""


class SimulatorProcess:
    """Simulators in a child process; they end with the context, or with this process.

    Args:
        seed: Of the world.
        faults: ``VENDOR:FAULT`` texts.
        bulk: Extra meters for benchmarks.
        events: What goes wrong in the data, as JSON objects with the names of ``world.Event``.
        now: Instant to stop the world's clock at.
        record_dir: Folder of the files that keep what was delivered.
        history: Whether accounts that may be without a history call have it.

    Raises:
        SimulatorProcessError: On entering: the child ended, or said nothing in time.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        faults: Iterable[str] = (),
        bulk: Bulk | None = None,
        events: Iterable[str] = (),
        now: datetime | None = None,
        record_dir: Path | None = None,
        history: bool = False,
    ) -> None:
        command = [sys.executable, "-m", "energy_platform.simulators", "--json"]
        command += ["--until-stdin-closes", f"--seed={seed}"]
        command += [f"--faults={fault}" for fault in faults]
        command += [f"--event={event}" for event in events]
        if bulk is not None:
            command.append(f"--bulk={bulk.devices}x{bulk.services}x{bulk.period_s}")
        if now is not None:
            command.append(f"--now={now.isoformat()}")
        if record_dir is not None:
            command.append(f"--record-dir={record_dir}")
        if history:
            command.append("--history")
        self._command = command
        self._child: subprocess.Popen[str] | None = None
        self._described: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._child = child = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl+C is the parent's to handle; it then closes the child's standard input.
            start_new_session=True,
        )
        if child.stdout is None:
            raise SimulatorProcessError("the simulators have no standard output")
        too_late = threading.Timer(READY_S, child.kill)
        too_late.start()
        line = child.stdout.readline()
        too_late.cancel()
        if not line:
            code = child.wait(STOP_S)
            self._close()
            msg = f"the simulators ended with code {code} before they listened"
            raise SimulatorProcessError(msg)
        self._described = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, while it runs."""
        return None if self._child is None else self._child.pid

    def environment(self) -> dict[str, str]:
        """The environment variables that point the platform at these simulators."""
        return dict(self._described["environment"])

    def url(self, name: str) -> str:
        """Base URL of one server by its name in ``suite.server_names``."""
        return str(self._described["urls"][name])

    def ask(self, path: str, *, order: dict[str, Any] | None = None, **query: str) -> Any:
        """Ask the control endpoint, or give it an order.

        Args:
            path: For example ``/delivery-report`` or ``/faults``.
            order: Body of a POST; None asks with GET.
            query: Parameters of a GET.

        Raises:
            SimulatorProcessError: The order was refused; says why.
        """
        url = self.url("control") + path
        if order is None:
            answer = httpx.get(url, params=query, timeout=READY_S)
        else:
            answer = httpx.post(url, json=order, timeout=READY_S)
        if answer.is_error:
            raise SimulatorProcessError(f"{path}: {answer.text}")
        return answer.json()

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_S)
