"""A month of 15-minute cycles: ``python -m energy_platform_tests.fortnight.month``.

A real instance on SQLite is filled with copies of real runs, one vendor hanging all the time, and
tidied once a day as ``housekeeping`` does. After a fortnight nothing may grow any more, but by one
run of each job and day. ``--days 365`` is a year.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import dagster as dg

from energy_platform.defs.instance.retention import forget_old_runs
from energy_platform.installation.instance import render_instance
from energy_platform_tests.defs.history import History

SOURCES: Final = ("ingest_socomec", "ingest_belimo", "ingest_skycentrics")
FOLLOWING: Final = ("refresh", "push")
HANGS: Final = "ingest_socomec"
FLAT_FROM: Final = 15
"""Day after which nothing grows."""

TOLERANCE: Final = 1.05


class Room(NamedTuple):
    """What the instance takes at the end of a day."""

    rows: int
    files: int
    size: int


def live(folder: Path, *, days: int, minutes: int) -> list[Room]:
    """Print and return what the instance takes after each day's housekeeping."""
    measured = []
    # The runs that are copied are made now: they are the newest, and never old.
    begin = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin -= timedelta(days=days)
    os.environ["DAGSTER_HOME"] = str(folder)
    render_instance(folder)
    print(f"{'day':>4} {'rows':>8} {'files':>7} {'MB':>8} {'forgotten':>10} {'seconds':>8}")
    with dg.DagsterInstance.get() as instance:
        history = History(instance, jobs=[*SOURCES, *FOLLOWING])
        for number in range(days):
            midnight = begin + timedelta(days=number)
            with history:
                for at in _cycles(midnight, minutes=minutes):
                    _cycle(history, at)
            began = time.monotonic()
            done = forget_old_runs(instance, now=midnight + timedelta(days=1, hours=3, minutes=40))
            seconds = time.monotonic() - began
            room = Room(*history.room())
            measured.append(room)
            print(
                f"{number + 1:4} {room.rows:8} {room.files:7} {room.size / 1e6:8.1f} "
                f"{done.runs:10} {seconds:8.1f}",
                flush=True,
            )
    return measured


def _cycles(midnight: datetime, *, minutes: int) -> list[datetime]:
    return [midnight + timedelta(minutes=n) for n in range(0, 24 * 60, minutes)]


def _cycle(history: History, at: datetime) -> None:
    """Add what one intraday tick asks for; the source that hangs fails at its time limit."""
    day = at.date().isoformat()
    for job in SOURCES:
        history.add(at, day=day, job=job, status="FAILURE" if job == HANGS else "SUCCESS")
    for number, job in enumerate(FOLLOWING, start=1):
        history.add(at + timedelta(seconds=30 * number), day=day, job=job)


def growth(measured: list[Room], *, cycles: int) -> list[str]:
    """Return what grew after the fortnight, one sentence each.

    One run of each job and day may stay: the newest that made the day.

    Args:
        measured: Room at the end of each day.
        cycles: Cycles of a day.
    """
    flat = measured[FLAT_FROM - 1]
    # The first days forget nothing.
    of_cycle = [(after - before) / cycles for before, after in zip(*measured[:2], strict=True)]
    return [
        f"{name} grew from {before} on day {FLAT_FROM} to {after} on day {number}"
        for number, later in enumerate(measured[FLAT_FROM:], start=FLAT_FROM + 1)
        for name, before, after, kept in zip(Room._fields, flat, later, of_cycle, strict=True)
        if after > before * TOLERANCE + (number - FLAT_FROM) * kept
    ]


def main() -> int:
    """Print a line per day; 1 when anything grows after a fortnight."""
    parser = argparse.ArgumentParser(prog="month", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--minutes", type=int, default=15, help="between two cycles")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        measured = live(Path(folder), days=options.days, minutes=options.minutes)
    found = growth(measured, cycles=24 * 60 // options.minutes)
    print(*(f"BREACH {one}" for one in found), sep="\n")
    print(f"{len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
