"""Tools kept open while builds are published: what they see, and how often they fail.

Every tool asks all the time. Before it asks, it is known which build was published last; an answer
of an older one is stale. In the rows of the month that every build makes again stands which build
made them: an answer with two builds, or with rows missing, was of half a file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from energy_platform_tests.warehouse.small_builds import (
    POINTS,
    QUARTERS,
    days_of,
    finish_build,
    small_warehouse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from energy_platform.warehouse import Warehouse
    from energy_platform_tests.readers.tools import Tool

DAYS: Final = days_of("2026-01-30", 6)
REBUILT: Final = [day for day in DAYS if day.month == 2]
ROWS: Final = len(REBUILT) * POINTS * QUARTERS

QUERIES: Final = (
    "select value from about where key = 'version'",
    (
        "select count(*), min(version), max(version) from fct_energy_15min "
        "where local_day >= '2026-02-01'"
    ),
)
"""What each tool is asked: of which build the tables are at least, and the rows made again."""

PAUSE_S: Final = 0.02
"""Between two questions of a tool, so that eight of them leave the machine to the publications."""

WAIT_S: Final = 120.0
"""How long a tool may take to answer; a machine under load starts Java slowly."""


@dataclass
class Seen:
    """What one tool saw.

    Attributes:
        tool: Its name.
        answers: Answers in all.
        stale: Answers of a build older than the one that was published before the question.
        torn: Answers whose rows were not of one build, or not all there.
        errors: Questions that failed.
        lasting: Questions that failed when they were asked again, too.
        builds: Builds that it saw.
        reasons: What errors said, each once.
    """

    tool: str
    answers: int = 0
    stale: int = 0
    torn: int = 0
    errors: int = 0
    lasting: int = 0
    builds: set[int] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)


class _Watch:
    """One tool that asks all the time, and how far it has come."""

    def __init__(self, tool: Tool, warehouse: Warehouse, *, published: list[int]) -> None:
        self.seen = Seen(tool.name)
        self._published = published
        self._open = tool.open(warehouse.live_file, marts=warehouse.marts_folder, queries=QUERIES)
        self._caught_up = threading.Condition()
        self._stop = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=tool.name, daemon=True)
        self._thread.start()

    def wait_for(self, version: int) -> None:
        with self._caught_up:
            if not self._caught_up.wait_for(
                lambda: self.error or version in self.seen.builds, timeout=WAIT_S
            ):
                raise AssertionError(f"{self.seen.tool} did not see build {version}: {self.seen}")

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        self._open.__exit__(None, None, None)

    def _run(self) -> None:
        try:
            while not self._stop.wait(PAUSE_S):
                self._ask()
        except Exception as error:  # noqa: BLE001 (raised where the tool is waited for)
            with self._caught_up:
                self.error = error
                self._caught_up.notify_all()

    def _ask(self) -> None:
        before = self._published[0]
        answer = self._open.ask()
        if answer.startswith("error: "):
            self.seen.errors += 1
            self.seen.reasons.add(answer)
            answer = self._open.ask()
        if answer.startswith("error: "):
            self.seen.lasting += 1
            self.seen.reasons.add(answer)
            return
        about, rows, least, most = (int(float(one)) for one in answer.split(","))
        self.seen.answers += 1
        self.seen.stale += min(about, least) < before
        self.seen.torn += least != most or rows != ROWS or most < about
        with self._caught_up:
            self.seen.builds.add(min(about, least))
            self._caught_up.notify_all()


def watch_publications(folder: Path, tools: Sequence[Tool], *, count: int) -> list[Seen]:
    """Publish builds one after the other while tools stay open, and return what each saw.

    Args:
        folder: An empty data folder.
        tools: The tools; each opens ``live.duckdb`` once.
        count: How many builds are published after the first; every tool sees each of them.

    Raises:
        UnavailableError: A tool cannot be had on this machine.
        RuntimeError: A tool ended.
    """
    warehouse = small_warehouse(folder)
    finish_build(warehouse, DAYS, version=1)
    warehouse.publish()
    published = [1]
    watches: list[_Watch] = []
    try:
        # One by one: those that were started are closed when another cannot be.
        for tool in tools:
            watch = _Watch(tool, warehouse, published=published)
            watches.append(watch)
        for watch in watches:
            watch.wait_for(1)
        for version in range(2, count + 2):
            finish_build(warehouse, REBUILT, version=version)
            warehouse.publish()
            published[0] = version
            for watch in watches:
                watch.wait_for(version)
                if watch.error is not None:
                    raise watch.error
    finally:
        for watch in watches:
            watch.close()
    return [watch.seen for watch in watches]


def answers_elsewhere(folder: Path, elsewhere: Path, tool: Tool) -> tuple[str, str]:
    """Return what a tool answers of ``energy.duckdb``, and of the same file in another folder."""
    warehouse = small_warehouse(folder)
    finish_build(warehouse, DAYS, version=1)
    warehouse.publish()
    answers = []
    for moved in (False, True):
        path = warehouse.published_file
        if moved:
            elsewhere.mkdir(parents=True)
            path = path.rename(elsewhere / path.name)
        with tool.open(path, marts=warehouse.marts_folder, queries=QUERIES) as opened:
            answers.append(opened.ask())
    return answers[0], answers[1]
