"""The supervised processes of ``energy-platform ui``, as their starter sees them."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from energy_platform.installation import supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from energy_platform.installation.supervisor import Orders

STOP_S: Final = 60.0
"""Seconds until a supervisor that does not end is killed; it takes six when all hangs."""


class Tree:
    """Processes that end with the context, or with this process.

    Args:
        orders: What to run.
        environment: The processes' environment.
        inherited: File descriptors to keep open as long as the supervisor lives.
    """

    def __init__(
        self, orders: Orders, *, environment: Mapping[str, str], inherited: Sequence[int] = ()
    ) -> None:
        self._orders = orders
        self._environment = dict(environment)
        self._inherited = tuple(inherited)
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._child = child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, str(Path(supervisor.__file__))],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl+C reaches this process alone, which then ends the tree in order.
            start_new_session=True,
            pass_fds=self._inherited,
        )
        if child.stdin is not None:
            child.stdin.write(json.dumps(asdict(self._orders)) + "\n")
            child.stdin.flush()
        threading.Thread(target=self._listen, args=(child,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(OSError):
            if child.stdin is not None:
                child.stdin.close()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def running(self) -> bool:
        """Say whether the supervisor runs."""
        return self._child is not None and self._child.poll() is None

    def news(self) -> Iterator[str]:
        """Yield what became of the processes since the last call, for the terminal."""
        with suppress(queue.Empty):
            while True:
                yield self._news.get_nowait()

    def _listen(self, child: subprocess.Popen[str]) -> None:
        for line in child.stdout or ():
            event = json.loads(line)
            if event["event"] == "failed":
                self._news.put(f"Dagster was stopped: {event['why']}")
            elif event["event"] == "ended":
                code = event["code"]
                how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
                self._news.put(f"{event['component']} {how} and is started again")
