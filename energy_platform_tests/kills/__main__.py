"""Kill the platform at random moments: ``python -m energy_platform_tests.kills --times 100``.

Each time one of four is killed with SIGKILL: a ``backfill`` with all it started, the process of
a run under the real daemon, the daemon, or the whole tree as at a power cut. Then it goes on: the
next backfill ends well, or the UI, started again where it is gone, has nothing stale or behind
within two minutes. In the end the days are those of a lake that was never killed, and Wattics'
simulator has no complaint.
"""

from __future__ import annotations

import argparse
import logging
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_range
from energy_platform.defs.resources import Platform
from energy_platform.delivery import stream_backlog
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.refresh import stale
from energy_platform.schemas import CORE_TABLES
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import day_tables
from energy_platform_tests.alive.command import Command, day_ago, installation
from energy_platform_tests.environment import environment
from energy_platform_tests.kills.dagster_says import what_dagster_says
from energy_platform_tests.kills.processes import (
    daemons,
    descendants,
    kill,
    living,
    run_processes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_platform_tests.alive.command import Installation

_LOG = logging.getLogger(__name__)

FIRST, LAST = day_ago(4), day_ago(3)

WITHIN_S: Final = 120.0
"""Seconds from a kill, or from the UI's new start, until nothing is stale or behind."""

THE_LEDGER_CHANGED: Final = "the ledger changed"

UI_START_S: Final = 180.0
LONGEST_BACKFILL_S: Final = 600.0
TARGETS: Final = ("backfill", "run", "daemon", "tree")


class Ui:
    """``energy-platform ui --live`` on a free port."""

    def __init__(self, place: Installation) -> None:
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started, 0 while there is none."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process is not None else 0

    def start(self) -> None:
        """Start it where it is gone, and wait for its daemon."""
        if self.pid and daemons(self.pid):
            return
        self.kill()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = Path(sys.executable).with_name("energy-platform")
        with (self._place.data / "ui.out").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [command, "ui", "--live", "--port", str(port)],
                env=self._place.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + UI_START_S
        while not daemons(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the UI did not start; see {self._place.data}/ui.out")
            time.sleep(0.5)

    def kill(self) -> None:
        """Kill all of it and its runs, as a power cut does."""
        if self._process is not None:
            kill(run_processes(self._place.home) + descendants(self._process.pid))
            self._process.wait()


def main() -> int:
    """Kill, go on, and compare; print one line for each kill."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=10, help="how often something is killed")
    arguments.add_argument("--seed", type=int, default=None, help="of the moments and the targets")
    arguments.add_argument("--targets", default=",".join(TARGETS), help="some of them")
    asked = arguments.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    _LOG.info("seed %d, days %s to %s", seed, FIRST, LAST)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, _place(Path(folder)) as place:
        return _run(
            place,
            Path(folder),
            chance=random.Random(seed),  # noqa: S311 - moments, not secrets
            times=asked.times,
            targets=asked.targets.split(","),
        )


def _run(
    place: Installation, folder: Path, *, chance: random.Random, times: int, targets: list[str]
) -> int:
    began = time.monotonic()
    _backfill(place)
    lasts = time.monotonic() - began
    reference = _reference(place, folder)
    ui, slowest, killed = Ui(place), Counter[str](), Counter[str]()
    failures: list[str] = []
    try:
        for number in range(1, times + 1):
            target = chance.choice(targets)
            try:
                moment, needed = _strike(place, ui, target, chance=chance, lasts=lasts)
            except AssertionError as error:
                failures.append(f"{number}: {target}: {error}")
                _LOG.error("%s\n%s", failures[-1], what_dagster_says(place.data, place.home))
                continue
            killed[target] += 1
            slowest[target] = max(slowest[target], round(needed))
            _LOG.info("%d: %s killed %s; all done after %.0f s", number, target, moment, needed)
    finally:
        ui.kill()
    _backfill(place)
    failures += _differences(reference, _content(place.data))
    judged = place.suite.ask("/delivery-report")
    failures += judged["complaints"]
    _LOG.info("killed: %s; slowest to be done, s: %s", dict(killed), dict(slowest))
    _LOG.info("%d day files compared; %d packets at Wattics", len(reference), judged["packets"])
    for failure in failures:
        _LOG.error("%s", failure)
    if not failures:
        _LOG.info("all as if nothing had been killed")
    return 1 if failures else 0


def _strike(
    place: Installation, ui: Ui, target: str, *, chance: random.Random, lasts: float
) -> tuple[str, float]:
    """Kill one thing at a random moment and wait until all is done again."""
    if target == "backfill":
        # A UI beside it would do its work.
        ui.kill()
        _give_work(place, chance)
        command = Command(["backfill", "all", FIRST, LAST], environment=place.environment)
        moment = chance.uniform(0, lasts)
        time.sleep(moment)
        command.kill()
        began = time.monotonic()
        _backfill(place)
        return f"after {moment:.1f} s", time.monotonic() - began
    ui.start()
    _give_work(place, chance)
    until = time.monotonic() + WITHIN_S
    while not living(place.home):
        if time.monotonic() > until:
            raise AssertionError("no run was asked for")
        time.sleep(0.2)
    moment = chance.uniform(0, 15)
    time.sleep(moment)
    if target == "run":
        kill(run_processes(place.home))
    elif target == "daemon":
        kill(daemons(ui.pid))
    else:
        ui.kill()
    time.sleep(1)
    ui.start()
    return f"{moment:.1f} s into a run", _settle(place)


def _give_work(place: Installation, chance: random.Random) -> None:
    """Rename a site, so that the marts are stale; energy and packets stay what they are."""
    path = place.data / "portfolio.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if "name:" in line)
    name = f"Site {chance.randrange(10**6)}"
    before = lines[at].split("name:", 1)
    tail = before[1][before[1].index(",") :] if "," in before[1] else "\n"
    lines[at] = f"{before[0]}name: {name}{tail}"
    path.write_text("".join(lines), encoding="utf-8")


def _settle(place: Installation) -> float:
    """Wait until nothing is stale and nothing behind; return the seconds it took."""
    began = time.monotonic()
    left = "nothing was looked at"
    while time.monotonic() - began < WITHIN_S:
        left = _left(place)
        if not left:
            return time.monotonic() - began
        time.sleep(1)
    raise AssertionError(f"after {WITHIN_S:.0f} s: {left}")


def _left(place: Installation) -> str:
    """Say what is left to do, empty when nothing is; asked of the rules, not of Dagster."""
    with environment(place.environment):
        platform = Platform.of(PlatformSettings())
        hold = timedelta(hours=WatticsSettings().max_hold_h)
        try:
            portfolio = platform.portfolio()
            if days := stale(platform.lake, portfolio):
                return f"{len(days)} days are stale"
            plan = platform.warehouse.plan(portfolio, delivery=platform.delivered(portfolio))
            with platform.ledger() as ledger:
                behind = stream_backlog(
                    platform.lake, ledger, portfolio, now=platform.now(), max_hold=hold
                )
        except LakeError as error:
            return str(error)
    # A push that has just ended is in the marts with the refresh after it: while polls go on, one
    # of the two is always ahead.
    if why := [one for one in plan.why if one != THE_LEDGER_CHANGED]:
        return "; ".join(why)
    return f"{len(behind)} streams are behind: {behind[0].reason}" if behind else ""


def _backfill(place: Installation) -> None:
    command = Command(["backfill", "all", FIRST, LAST], environment=place.environment)
    try:
        code, output = command.end(seconds=LONGEST_BACKFILL_S)
    except subprocess.TimeoutExpired as error:
        raise AssertionError("the next backfill hangs") from error
    if code:
        raise AssertionError(f"the next backfill ended with {code}:\n{output}")
    if left := _left(place):
        raise AssertionError(f"the next backfill ended well and left: {left}")


def _reference(place: Installation, folder: Path) -> Mapping[str, str]:
    """Return the content of the same days in a lake that is never killed."""
    data = folder / "reference"
    data.mkdir()
    environment = {
        name: value for name, value in place.environment.items() if not name.startswith("WATTICS_")
    } | {"ENERGY_PLATFORM_DATA_DIR": str(data)}
    code, output = Command(["backfill", "all", FIRST, LAST], environment=environment).end(
        seconds=LONGEST_BACKFILL_S
    )
    if code:
        raise AssertionError(f"a backfill that nobody kills ended with {code}:\n{output}")
    return _content(data)


def _content(data: Path) -> Mapping[str, str]:
    """Return the content ids of the compared days; later days may shape what follows a day."""
    lake = Lake(data / "lake")
    found = {}
    for table in (*day_tables().values(), *CORE_TABLES):
        for day in day_range(FIRST, LAST):
            footer = lake.footer(table, day=day)
            if footer is not None and (table in day_tables().values() or day < LAST):
                found[f"{table.name} {day}"] = footer.content_id
    return found


def _differences(reference: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [
        f"{name} differs from a lake that was never killed"
        for name in sorted(reference.keys() | now.keys())
        if reference.get(name) != now.get(name)
    ]


@contextmanager
def _place(folder: Path) -> Iterator[Installation]:
    with installation(folder / "data") as place:
        # Nothing of the day comes in between: what is compared are whole days.
        place.environment["ENERGY_PLATFORM_INTRADAY_MINUTES"] = "720"
        yield place


if __name__ == "__main__":
    sys.exit(main())
