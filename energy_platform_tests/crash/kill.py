"""Kill raw runs at random moments: ``python -m energy_platform_tests.crash.kill --times 200``.

A run polls the gateways through a day and then reads two days of every vendor. In rounds of ten it
is killed with SIGKILL at random moments, then once left alone: the files must be byte for byte
those of a run that was never killed, and no poll that was acknowledged may be missing.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from energy_platform.days import day_bounds
from energy_platform.ingest.run import (
    has_inventory,
    ingest_days,
    ingest_inventory,
    is_configured,
)
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, load_portfolio
from energy_platform.simulators.process import SimulatorProcess
from energy_platform.sources.registry import day_tables, open_source, poll_source
from energy_platform.sources.skycentrics import Landing

if TYPE_CHECKING:
    from datetime import datetime

DAYS: Final = ("2026-03-02", "2026-03-03")
NOW: Final = day_bounds(DAYS[-1])[1] + timedelta(hours=1)
POLLS: Final = tuple(day_bounds(DAYS[-1])[0] + timedelta(hours=9, minutes=n) for n in range(6))
GATEWAYS: Final = ("1000000001", "1000000002")
PER_ROUND: Final = 10
READY: Final = b"!"
ENVIRONMENT: Final = {
    **{f"{vendor}_RPS": "5000" for vendor in ("SOCOMEC", "BELIMO", "SKYCENTRICS")},
    "SKYCENTRICS_HISTORY": "on",
    "SKYCENTRICS_HISTORY_GAP": "30",
}


class Place(NamedTuple):
    """The data folder of a run."""

    data: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.data / "lake")

    @property
    def landing(self) -> Path:
        return self.data / "landing"

    def files(self) -> dict[str, str]:
        """Digest of every Parquet file by its path."""
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.data / "lake").rglob("part.parquet"))
        }


def raw_run(place: Place, *, control: str, portfolio: Path) -> None:
    """Poll, then read the days; each acknowledged poll is told to the parent at once."""
    for number, at in enumerate(POLLS):
        httpx.post(f"{control}/clock", json={"now": at.isoformat()}).raise_for_status()
        report = poll_source(
            "skycentrics",
            lake=place.lake,
            portfolio=Portfolio(),
            landing=place.landing,
            now=partial(_same, at),
            logins=None,
        )
        if report.failed:
            raise SystemExit(f"a poll failed: {report.failed}")
        os.write(sys.stdout.fileno(), bytes([number]))
    httpx.post(f"{control}/clock", json={"now": NOW.isoformat()}).raise_for_status()
    for vendor in filter(is_configured, day_tables()):
        with open_source(
            vendor, portfolio=load_portfolio(portfolio), landing=place.landing, logins=None
        ) as source:
            if not has_inventory(place.lake, vendor=vendor):
                ingest_inventory(source, vendor=vendor, lake=place.lake)
            for outcome in ingest_days(source, vendor=vendor, lake=place.lake, days=DAYS, now=NOW):
                if outcome.landed is None:
                    raise SystemExit(f"{vendor} {outcome.day}: {outcome.error}")


def _same(at: datetime) -> datetime:
    return at


class Ended(NamedTuple):
    """How a child ended: by the kill or by itself, after how long, with which polls told."""

    killed: bool
    seconds: float
    polls: bytes


class Runs:
    """Raw runs in processes of their own, each started ahead so that importing costs no time."""

    def __init__(self, *, control: str, portfolio: Path) -> None:
        self._command = [sys.executable, "-m", __spec__.name, "--control", control]
        self._command += ["--portfolio", str(portfolio)]
        self._ahead = [self._start(), self._start()]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, place: Place, *, after: float | None) -> Ended:
        """Let one run; kill it after some seconds, or leave it alone with None."""
        process = self._ahead.pop(0)
        self._ahead.append(self._start())
        if process.stdin is None or process.stdout is None:
            raise SystemExit("a run without its pipes")
        if process.stdout.read(1) != READY:
            raise SystemExit("a run did not even start")
        process.stdin.write(f"{place.data}\n".encode())
        process.stdin.close()
        started = time.monotonic()
        if after is not None:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.kill()
        polls = process.stdout.read()
        process.wait()
        seconds = time.monotonic() - started
        if process.returncode > 0:
            raise SystemExit("a run that was left alone failed")
        return Ended(process.returncode < 0, seconds, polls)

    def close(self) -> None:
        """End what was started ahead."""
        for process in self._ahead:
            process.kill()
            process.communicate()


def lost_polls(place: Place, told: set[int]) -> list[str]:
    """Acknowledged polls that are not on disk."""
    own = Landing(place.landing).polls(DAYS[-1]).own
    return [
        f"{gateway} {POLLS[number]:%H:%M}"
        for number in sorted(told)
        for gateway in GATEWAYS
        if POLLS[number] not in own.get(gateway, ())
    ]


def kill_round(
    folder: Path, runs: Runs, *, kills: int, longest: float, rng: random.Random
) -> tuple[Place, int, int]:
    """Kill runs in one folder, then leave one alone; returns how many were hit, and leftovers."""
    place = Place(folder)
    hit = 0
    told: set[int] = set()
    for _ in range(kills):
        ended = runs.run(place, after=rng.uniform(0, longest))
        hit += ended.killed
        told |= set(ended.polls)
        if missing := lost_polls(place, told):
            raise SystemExit(f"acknowledged polls are not on disk: {', '.join(missing)}")
    leftovers = len(place.lake.leftovers())
    runs.run(place, after=None)
    return place, hit, leftovers


def main(arguments: list[str] | None = None) -> int:
    """Kill, compare, and say what was found; 1 when a byte differs."""
    parser = argparse.ArgumentParser(prog="kill", description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--control", default="", help=argparse.SUPPRESS)
    parser.add_argument("--portfolio", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    rng = random.Random(given.seed)  # noqa: S311 - moments, no secret
    tally: Counter[str] = Counter()
    if given.control:
        os.write(sys.stdout.fileno(), READY)
        # Without a folder the parent is gone.
        if data := sys.stdin.readline().strip():
            raw_run(Place(Path(data)), control=given.control, portfolio=given.portfolio)
        return 0
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatorProcess(now=NOW, history=True) as suite,
        contextlib.ExitStack() as stack,
    ):
        os.environ.update({**ENVIRONMENT, **suite.environment()})
        work = Path(folder)
        portfolio = work / "portfolio.yaml"
        portfolio.write_text(suite.ask("/portfolio"), encoding="utf-8")
        runs = Runs(control=suite.url("control"), portfolio=portfolio)
        stack.callback(runs.close)
        runs.run(Place(work / "warm"), after=None)
        reference = Place(work / "reference")
        longest = runs.run(reference, after=None).seconds
        wanted = reference.files()
        for number in range(0, given.times, PER_ROUND):
            kills = min(PER_ROUND, given.times - number)
            place, hit, leftovers = kill_round(
                work / f"round-{number}", runs, kills=kills, longest=longest, rng=rng
            )
            tally.update(kills=kills, hit=hit, leftovers=leftovers)
            if (found := place.files()) != wanted:
                differing = sorted(name for name in wanted if found.get(name) != wanted[name])
                sys.stdout.write(f"DIFFERENT after {number + kills} kills: {differing}\n")
                return 1
    sys.stdout.write(
        f"{tally['kills']} runs, {tally['hit']} killed before their end of {longest:.1f} s, "
        f"{tally['leftovers']} staged files left behind; {len(wanted)} files: same bytes as never "
        "killed, no acknowledged poll lost\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
