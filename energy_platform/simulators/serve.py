"""Serve the suite until stopped: what ``energy-platform simulate`` runs."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from energy_platform.simulators.suite import SimulatorSuite, server_names
from energy_platform.simulators.world import Bulk, World, parse_event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the simulators are served.

    Attributes:
        seed: Of the world.
        faults: ``VENDOR:FAULT`` texts.
        bulk: Extra meters for benchmarks.
        events: What goes wrong in the data, as JSON objects with the names of ``world.Event``.
        now: Instant to stop the world's clock at; None follows the real one.
        ports: Fixed ports by name (``suite.server_names``).
        history: Whether accounts that may be without a history call have it.
        record_dir: Folder of the files that keep what was delivered.
        as_json: Print one line of JSON instead of a table.
        until_stdin_closes: Stop when standard input ends: a child never outlives its parent.
    """

    seed: int = 7
    faults: tuple[str, ...] = ()
    bulk: Bulk | None = None
    events: tuple[str, ...] = ()
    now: datetime | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    history: bool = False
    record_dir: Path | None = None
    as_json: bool = False
    until_stdin_closes: bool = False


def serve(options: ServeOptions) -> None:
    """Serve all four vendors until a signal, or the end of standard input, stops it.

    Raises:
        FaultError: A fault is unknown or written wrongly.
        ValueError: So is an event.
        KeyError: An event names an unknown signal.
        OSError: A port is taken.
    """
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    suite = SimulatorSuite(
        world=World(options.seed, events=map(parse_event, options.events), bulk=options.bulk),
        faults=options.faults,
        record_dir=options.record_dir,
        history=options.history,
        ports=options.ports,
    )
    if options.now is not None:
        suite.set_clock(options.now)
    with suite:
        if options.as_json:
            sys.stdout.write(suite.describe() + "\n")
            sys.stdout.flush()
        else:
            _show(suite)
        if options.until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
        stop.wait()


def _watch_stdin(stop: threading.Event) -> None:
    # The parent holds the other end; the kernel closes it when the parent dies.
    sys.stdin.buffer.read()
    stop.set()


def _show(suite: SimulatorSuite) -> None:
    # A pipe has no width: what it gets is never broken.
    console = Console(width=None if sys.stdout.isatty() else 1_000)
    table = Table("server", "URL", title="Simulators on this machine, invented data")
    for name in server_names():
        table.add_row(name.replace("_", " "), suite.url(name))
    console.print(table)
    console.print("The platform reads them with this environment (invented credentials):\n")
    for name, value in suite.environment().items():
        console.print(f"{name}={value}", highlight=False, soft_wrap=True)
    console.print("\nStop with Ctrl+C.")
