"""``energy-platform`` as a process of its own, on a folder of its own with simulated vendors."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from energy_platform.installation.run_locks import is_held, locked_runs, owner_of
from energy_platform.simulators.process import SimulatorProcess
from energy_platform_tests.alive.daemon import until
from energy_platform_tests.environment import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 120.0
"""A command loads Dagster first; on a busy machine that takes its time."""


@dataclass
class Installation:
    """A data folder with simulated vendors; its environment is that of this process."""

    data: Path
    suite: SimulatorProcess
    environment: dict[str, str]
    started: list[Command] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """Folder of the Dagster instance."""
        return self.data / "dagster"

    def command(self, *words: str) -> Command:
        """Start a command."""
        command = Command([*words], environment=self.environment)
        self.started.append(command)
        return command

    def run_of(self, job: str) -> str:
        """Wait for a living run of a job that has begun, and return its id."""

        def look() -> str | None:
            for run_id in locked_runs(self.home):
                owner = owner_of(self.home, run_id)
                if owner is not None and owner.job == job and is_held(self.home, run_id):
                    return run_id if self.status_of(run_id) == "STARTED" else None
            return None

        return until(look, seconds=START_S)

    def status_of(self, run_id: str) -> str:
        """Return what a run is recorded as."""
        with closing(sqlite3.connect(self.home / "storage/history/runs.db")) as database:
            row = database.execute("select status from runs where run_id = ?", [run_id]).fetchone()
        return "" if row is None else str(row[0])


class Command:
    """A running command and what it printed."""

    def __init__(self, words: list[str], *, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - words of the tests
            [str(Path(sys.executable).with_name("energy-platform")), *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill it and all it started, as a power cut does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def interrupt(self) -> None:
        """Press Ctrl+C."""
        self.process.send_signal(signal.SIGINT)

    def line(self, part: str) -> str:
        """Wait for a line that holds some words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if part in line:
                return line
        raise AssertionError(f"it ended without saying {part!r}")

    def end(self, *, seconds: float = START_S * 2) -> tuple[int, str]:
        """Wait for its end and return the exit code and what it still printed."""
        try:
            output, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self.process.returncode, output


def day_ago(days: int) -> str:
    """Return a UTC day that is over."""
    return (datetime.now(tz=UTC) - timedelta(days=days)).date().isoformat()


@contextmanager
def installation(data: Path) -> Iterator[Installation]:
    """Set up a live installation against simulated vendors; Wattics' simulator is one of them."""
    data.mkdir(parents=True)
    start = datetime.fromisoformat(day_ago(4)).replace(tzinfo=UTC)
    with SimulatorProcess(history=True) as suite:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ENERGY_PLATFORM_", "DAGSTER_"))
        }
        environment |= simulated(data, suite, start=start)
        environment["ENERGY_PLATFORM_ENV_FILE"] = os.devnull
        found = Installation(data=data, suite=suite, environment=environment)
        try:
            yield found
        finally:
            for command in found.started:
                if command.process.poll() is None:
                    command.kill()


def pause(seconds: float) -> None:
    """Let a command go on for a while, to a moment nobody chose."""
    time.sleep(seconds)
