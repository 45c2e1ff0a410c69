"""Keeps the processes of ``energy-platform ui`` running, and ends them with it, whatever happens.

A small process of its own, with the standard library only. It lives as long as its standard input
is open: the kernel closes that when the starter ends, by ``kill -9`` as well, and then nothing of
the tree is left behind. Each component is the leader of a process group, so that what it has
started ends with it.

The first line on standard input is a JSON object with the fields of `Orders`. On standard output
one JSON object a line says what became of a component.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

FIRST_S: Final = 1.0
"""Seconds the component that starts work is given before the others are asked to end.

Dagster's daemon stops its threads at once and takes seconds more to end.
"""

STEADY_S: Final = 300.0
"""A component that ran this long starts again without a pause when it ends."""

LONGEST_PAUSE_S: Final = 60.0

_TICK_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Component:
    """One process to keep running.

    Attributes:
        name: What to call it.
        command: Program and arguments.
        waits_for: A file, such as a socket, that has to be there first; for at most a minute.
        mark: A file that is touched at each start; its time says since when the process may live.
    """

    name: str
    command: list[str]
    waits_for: str | None = None
    mark: str | None = None


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What to run.

    Attributes:
        components: In the order in which they are started. The last one gives the others their
            work: it is stopped first.
        log: File for everything they print.
        folder: Their working directory.
        afterwards: Commands to run when all have ended, such as one that ends what has left the
            process groups.
        grace_s: Seconds that the components and what they started may take to end; what is left is
            killed.
        log_bytes: Size at which the log begins again; one older part is kept.
        look_s: Seconds between two looks at the log and the folder.
    """

    components: list[Component]
    log: str
    folder: str
    afterwards: list[list[str]] = field(default_factory=list)
    grace_s: float = 5.0
    log_bytes: int = 20_000_000
    look_s: float = 30.0

    @classmethod
    def parse(cls, text: str) -> Orders:
        """Read the orders of the first line."""
        content = json.loads(text)
        components = [Component(**one) for one in content.pop("components")]
        return cls(components=components, **content)


class _Supervised:
    """A component and its process."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self._began = 0.0
        self._pause = 0.0

    def start(self, *, log: IO[bytes], folder: str) -> None:
        self._began = time.monotonic()
        if self.component.mark is not None:
            mark = Path(self.component.mark)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        self.process = subprocess.Popen(  # noqa: S603 - the starter's own words
            self.component.command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended by itself; then plan the next start."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        _kill_group(self.process.pid, signal.SIGKILL)
        self.process = None
        now = time.monotonic()
        steady = now - self._began > STEADY_S
        self._pause = 0.0 if steady else min(max(1.0, self._pause * 2), LONGEST_PAUSE_S)
        self.due = now + self._pause
        return code

    def ask(self) -> None:
        """Ask the process and what it has started to end."""
        if self.process is not None:
            _kill_group(self.process.pid, signal.SIGTERM)

    def gone(self) -> bool:
        """Say whether the process and its whole group have ended."""
        if self.process is None:
            return True
        # Collected first, so that a dead leader does not count as its group.
        return self.process.poll() is not None and not _kill_group(self.process.pid, 0)

    def kill(self) -> None:
        """End what is left."""
        if self.process is not None:
            _kill_group(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _stop(supervised: list[_Supervised], *, grace_s: float, hurry: threading.Event) -> None:
    """Ask the last component first: it starts work for the others. Then ask the rest, then kill."""
    for part, wait_s in ((supervised[-1:], FIRST_S), (supervised, grace_s)):
        for one in part:
            one.ask()
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and not hurry.is_set():
            if all(one.gone() for one in part):
                break
            time.sleep(_TICK_S / 2)
    for one in supervised:
        one.kill()


def _kill_group(group: int, number: int) -> bool:
    """Signal a process group; return whether there was one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def _say(**what: Any) -> None:
    with contextlib.suppress(OSError, ValueError):  # the starter is gone
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def _shorten(log: IO[bytes], path: Path, *, most: int) -> None:
    """Keep the log from growing: what writes to it appends, so it may be cut under it."""
    if os.fstat(log.fileno()).st_size > most:
        with contextlib.suppress(OSError):  # removed, or the disk is full: cut it all the more
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.ftruncate(log.fileno(), 0)


def supervise(orders: Orders, *, stop: threading.Event, hurry: threading.Event) -> None:
    """Run the components until told to stop, then end them.

    Args:
        orders: What to run.
        stop: Set when all shall end.
        hurry: Set when it shall be killed instead of asked.

    Raises:
        OSError: A process could not be started, or the folder is gone; the others were ended.
    """
    supervised = [_Supervised(component) for component in orders.components]
    with Path(orders.log).open("ab", buffering=0) as log:
        try:
            _run(supervised, orders, log=log, stop=stop)
        finally:
            _stop(supervised, grace_s=orders.grace_s, hurry=hurry)
            for command in orders.afterwards:
                subprocess.run(  # noqa: S603 - the starter's own words
                    command, stdout=log, stderr=log, check=False
                )


def _run(
    supervised: list[_Supervised], orders: Orders, *, log: IO[bytes], stop: threading.Event
) -> None:
    look_again = 0.0
    first_wait = time.monotonic() + 60.0
    while not stop.is_set():
        for one in supervised:
            code = one.ended()
            if code is not None:
                _say(event="ended", component=one.component.name, code=code)
            needed = one.component.waits_for
            ready = needed is None or Path(needed).exists() or time.monotonic() > first_wait
            if one.process is None and time.monotonic() >= one.due and ready:
                one.start(log=log, folder=orders.folder)
                _say(event="started", component=one.component.name)
        if time.monotonic() > look_again:
            _shorten(log, Path(orders.log), most=orders.log_bytes)
            if not Path(orders.folder).is_dir():
                raise FileNotFoundError(f"{orders.folder} is gone")
            look_again = time.monotonic() + orders.look_s
        stop.wait(_TICK_S)


def main() -> None:
    """Read the orders and carry them out until standard input ends or a signal comes."""
    stop, hurry = threading.Event(), threading.Event()

    def asked(*_: object) -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, asked)
    orders = Orders.parse(sys.stdin.readline())

    def watch() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        supervise(orders, stop=stop, hurry=hurry)
    except OSError as error:
        _say(event="failed", why=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
