"""A real Dagster daemon on a small code location."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import dagster as dg

from energy_platform.installation.instance import render_instance
from energy_platform.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
LOCATION = "energy_platform_tests.alive.location"
PATIENCE_S = 60.0


@dataclass
class Run:
    """A run that has begun its step: its process and that process's child."""

    run_id: str
    pid: int
    child: int


class Harness:
    """A daemon that can be killed and started again on the same instance."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.instance = instance
        self._daemon: subprocess.Popen[bytes] | None = None
        self._seen: set[str] = set()

    def start(self) -> Self:
        """Start the daemon."""
        self._daemon = subprocess.Popen(  # noqa: S603 - fixed words
            [sys.executable, "-m", "dagster._daemon", "run", "-m", LOCATION],
            env=os.environ | {"ALIVE_TEST_FOLDER": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "daemon.log").open("ab"),
            start_new_session=True,
        )
        return self

    def stop(self) -> None:
        """Stop the daemon in order."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGINT)
        self._daemon.wait(timeout=PATIENCE_S)
        self._end_group()

    def kill(self) -> None:
        """Kill the daemon and its code server; its runs are processes of their own."""
        self._end_group()

    def _end_group(self) -> None:
        if self._daemon is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()

    def next_run(self) -> Run:
        """Wait for another run to begin its step."""

        def begun() -> Run | None:
            for path in self.folder.glob("*.running"):
                if path.stem not in self._seen:
                    self._seen.add(path.stem)
                    pid, child = map(int, path.read_text().split())
                    return Run(path.stem, pid, child)
            return None

        return until(begun)

    def ended(self, run: Run, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """Wait for a run to end as expected; one beyond its time is canceled, then failed."""

        def look() -> dg.DagsterRun | None:
            found = self.instance.get_run_by_id(run.run_id)
            return found if found is not None and found.status is status else None

        return until(look)

    def said_of(self, run: Run) -> str:
        """Return the words of the event that ended a run."""
        return " ".join(log.message for log in self.instance.all_logs(run.run_id))

    def close(self) -> None:
        """End all that was started."""
        self._end_group()
        for path in self.folder.glob("*.running"):
            for pid in map(int, path.read_text().split()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def harness(folder: Path) -> Iterator[Harness]:
    """Give a started daemon on an instance of its own; DAGSTER_HOME points at it."""
    home = render_instance(folder / "home", url=PlatformSettings().dagster_url)
    yaml = home / "dagster.yaml"
    quick = yaml.read_text().replace("poll_interval_seconds: 30", "poll_interval_seconds: 2")
    yaml.write_text(quick)
    with dg.DagsterInstance.get() as instance:
        found = Harness(folder, instance)
        try:
            yield found.start()
        finally:
            found.close()


def until(look: Callable[[], T | None], *, seconds: float = PATIENCE_S) -> T:
    """Look until there is something to be seen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing within {seconds:.0f} s")


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
