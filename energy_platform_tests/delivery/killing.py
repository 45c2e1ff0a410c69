"""Pushes that are killed at random moments, by ``kill -9``, again and again.

Run as a module it is the nursery: a process with everything imported and no thread of its own,
which forks one push per line of its input, lets it live for the seconds the line says and kills it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from energy_platform.delivery import Ledger, push
from energy_platform.delivery.ledger import LeaseTerms
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = """version: 1
sites:
  - {id: s, name: Site, timezone: Europe/Paris}
device_types:
  meter:
    points:
      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}
      - {key: H, name: Heat, quantity: heating_energy, unit: J, carrier: heating}
      - {key: V, name: Voltage, quantity: voltage, unit: V, phase: L1}
devices:
"""


class Order(NamedTuple):
    """What a push needs to know, as JSON on the nursery's command line.

    Attributes:
        lease_s: How long the ledger's lease lasts without a heartbeat.
        reconnect_s: How long an absent database is waited for.
        read_timeout_s: How long an answer is waited for.
    """

    lake: str
    portfolio: str
    ledger: str
    base_url: str
    now: str
    parallel: int
    lease_s: float = 10.0
    reconnect_s: float = 60.0
    read_timeout_s: float = 3.0


PUSH_EVERY = timedelta(minutes=15)
"""How much later by its own clock each push starts than the one before, as on the schedule.

With a clock that stands, the probe of a refused credential never comes due.
"""


class Ended(NamedTuple):
    """How one push ended."""

    killed: bool
    lived_s: float
    problems: list[str]


def write_portfolio(path: Path, *, streams: int) -> None:
    """Write a portfolio whose streams are by turns electricity, gauges and heat per interval."""
    lines = [SITE]
    lines += [
        f"  - {{vendor: socomec, serial: M{n}, site: s, name: M{n}, type: meter,"
        " max_power_w: none}\n"
        for n in range(1, streams + 1)
    ]
    lines.append("streams:\n")
    for n in range(1, streams + 1):
        agreed = f"id: st-{n}, site: s, credential: default, interval: 15m"
        if n % 3 == 0:
            rest = (
                f"kind: value, reading: per_interval, unit: kWh, fields: {{value: socomec/M{n}/H}}"
            )
        elif n % 3 == 1:
            rest = (
                f"kind: electricity, reading: cumulative,"
                f" fields: {{v_1: socomec/M{n}/V, pC_1: socomec/M{n}/E}}"
            )
        else:
            rest = f"kind: electricity, reading: cumulative, fields: {{pC_1: socomec/M{n}/E}}"
        lines.append(f"  - {{{agreed}, {rest}}}\n")
    path.write_text("".join(lines), encoding="utf-8")


class Nursery:
    """Starts pushes in processes of their own and kills them.

    Args:
        order: What each push is to do.
        folder: Where its answers go.
    """

    def __init__(self, order: Order, *, folder: Path) -> None:
        self._answer = folder / "answer.json"
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", __name__, json.dumps(order._asdict()), str(self._answer)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate("")
        self._process.wait(timeout=10)

    def push(self, *, live_s: float) -> Ended:
        """Run one push, killed when it lives longer than it may."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{live_s}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the nursery died")
        killed, lived_s, status = json.loads(line)
        if killed:
            return Ended(True, lived_s, [])
        if status != 0:
            raise RuntimeError(f"a push failed with {status}")
        return Ended(False, lived_s, json.loads(self._answer.read_text()))


def kill_often(
    nursery: Nursery, *, kills: int, longest_s: float, seed: int, rounds: int = 100_000
) -> Iterator[Ended]:
    """Push and kill until enough were killed or a push gets through; then push to the end."""
    dice = random.Random(seed)  # noqa: S311 - a seed to repeat a run with
    done = 0
    for _ in range(rounds):
        if done >= kills:
            break
        ended = nursery.push(live_s=dice.uniform(0.02, longest_s))
        done += ended.killed
        yield ended
        if not ended.killed and not ended.problems:
            break
    while True:
        ended = nursery.push(live_s=600)
        yield ended
        if not ended.problems:
            return


def push_once(order: Order, *, number: int = 0) -> list[str]:
    """Push as ordered, as the push of that number; return the problems."""
    settings = WatticsSettings.model_validate(
        {
            "base_url": order.base_url,
            "username": "demo-user",
            "password": "demo-password",
            "parallel_streams": order.parallel,
            "max_backoff_s": 0.05,
            "read_timeout_s": order.read_timeout_s,
            "give_up_s": 60,
        }
    )
    now = datetime.fromisoformat(order.now) + number * PUSH_EVERY
    terms = LeaseTerms(
        lease_s=order.lease_s,
        beat_s=order.lease_s / 10,
        margin_s=order.lease_s / 10,
        reconnect_s=order.reconnect_s,
    )
    with Ledger(order.ledger, terms=terms) as ledger:
        outcome = push(
            Lake(Path(order.lake)),
            ledger=ledger,
            portfolio=load_portfolio(Path(order.portfolio)),
            settings=settings,
            clock=lambda: now,
        )
    return outcome.problems


def _nurse(order: Order, answer: Path) -> None:
    for number, line in enumerate(sys.stdin):
        limit_s = float(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                answer.write_text(json.dumps(push_once(order, number=number)))
                status = 0
            finally:
                os._exit(status)
        killed, status = False, 0
        while True:
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                break
            if time.monotonic() - began > limit_s:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                killed = True
                break
            time.sleep(0.002)
        sys.stdout.write(json.dumps([killed, time.monotonic() - began, status]) + "\n")
        sys.stdout.flush()


def noon(days: int) -> str:
    """Return noon after so many days of March 2026, as text."""
    return (datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=days)).isoformat()


if __name__ == "__main__":
    _nurse(Order(**json.loads(sys.argv[1])), Path(sys.argv[2]))
