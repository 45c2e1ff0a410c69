"""From tick to SQL and to Wattics: ``python -m energy_platform_tests.fortnight.latency``.

The real ``energy-platform ui`` on the simulators of the demo's world, a few 5-minute cycles while
all is well and a few while Socomec never answers. The machine should have nothing else to do.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import argparse
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.ingest.intraday import next_tick
from energy_platform.simulators.demo_portfolio import demo_portfolio
from energy_platform.simulators.process import SimulatorProcess
from energy_platform.simulators.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTES: Final = 5
HANGS: Final = "socomec:never"
LEDGER: Final = "ledger.sqlite"
PUBLISHED: Final = "energy.duckdb"


@dataclass(frozen=True)
class Cycle:
    """What followed a tick, in seconds after it; None: nothing did.

    Attributes:
        first_sql: The first publication: what answered first can be read.
        last_sql: The last one: all that answered, and what was sent of it.
        acknowledged: The newest acknowledgement of Wattics.
    """

    first_sql: float | None
    last_sql: float | None
    acknowledged: float | None


def watch(data: Path, *, tick: datetime) -> Cycle:
    """Watch the data folder from a tick to the next one."""
    published: list[float] = []
    acknowledged: list[float] = []
    known = _acknowledged(data)
    until = tick.timestamp() + MINUTES * 60 - 1
    while time.time() < until:
        at = _published_at(data) - tick.timestamp()
        if at > 0 and at not in published:
            published.append(at)
        if (count := _acknowledged(data)) != known:
            known = count
            acknowledged.append(time.time() - tick.timestamp())
        time.sleep(0.5)
    return Cycle(
        first_sql=min(published, default=None),
        last_sql=max(published, default=None),
        acknowledged=max(acknowledged, default=None),
    )


def _published_at(data: Path) -> float:
    path = data / PUBLISHED
    return path.stat().st_mtime if path.exists() else 0.0


def _acknowledged(data: Path) -> int:
    if not (data / LEDGER).exists():
        return 0
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{data / LEDGER}?mode=ro", uri=True)) as ledger,
    ):
        return int(
            ledger.execute("select coalesce(sum(acknowledged), 0) from streams").fetchone()[0]
        )
    return 0


@contextmanager
def platform(data: Path, suite: SimulatorProcess) -> Iterator[None]:
    """Run the UI and its daemon on the simulators."""
    today = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    portfolio = data / "portfolio.yaml"
    portfolio.write_text(demo_portfolio(World(), start=today), encoding="utf-8")
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    environment = {
        **os.environ,
        **suite.environment(),
        **{
            f"{vendor}_{name}": value
            for vendor in ("SOCOMEC", "BELIMO", "SKYCENTRICS")
            for name, value in {
                "RPS": "500",
                "START_DAY": today.date().isoformat(),
            }.items()
        },
        "ENERGY_PLATFORM_DATA_DIR": str(data),
        "ENERGY_PLATFORM_PORTFOLIO": str(portfolio),
        "ENERGY_PLATFORM_INTRADAY_MINUTES": str(MINUTES),
    }
    command = [str(Path(sys.executable).with_name("energy-platform")), "ui", "--live"]
    with (data / "ui.log").open("wb") as log:
        ui = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--port", str(port)],
            env=environment,
            cwd=data,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            ui.send_signal(signal.SIGINT)
            try:
                ui.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(ui.pid, signal.SIGKILL)
                ui.wait()


def measure(*, cycles: int) -> dict[str, list[Cycle]]:
    """Return the cycles while all is well, and while one vendor hangs."""
    found: dict[str, list[Cycle]] = {"healthy": [], "one vendor hangs": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatorProcess(history=True) as suite,
    ):
        data = Path(folder)
        with platform(data, suite):
            # The first cycle makes everything from nothing.
            _wait_for_tick(2)
            for state, cycle_list in found.items():
                if state != "healthy":
                    suite.ask("/faults", order={"set": [HANGS]})
                for _ in range(cycles):
                    cycle = watch(data, tick=_wait_for_tick(1))
                    cycle_list.append(cycle)
                    print(f"{datetime.now(tz=UTC):%H:%M:%S} {state}: {cycle}", flush=True)
    return found


def _wait_for_tick(count: int) -> datetime:
    tick = datetime.now(tz=UTC)
    for _ in range(count):
        tick = next_tick(tick, minutes=MINUTES)
    time.sleep(max(0.0, tick.timestamp() - time.time()))
    return tick


def _line(state: str, what: str, seconds: list[float]) -> str:
    if not seconds:
        return f"{state:18} {what:22} {'-':>6} {'-':>6}  0 cycles"
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return (
        f"{state:18} {what:22} {statistics.median(ordered):6.1f} {p95:6.1f}  {len(ordered)} cycles"
    )


def main() -> int:
    """Print a table: seconds from tick to SQL and to the newest acknowledgement."""
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument("--cycles", type=int, default=6, help="measured in each state")
    options = parser.parse_args()
    found = measure(cycles=options.cycles)
    print(f"{'state':18} {'seconds from tick to':22} {'p50':>6} {'p95':>6}")
    for state, cycles in found.items():
        for what in ("first_sql", "last_sql", "acknowledged"):
            seconds = [at for one in cycles if (at := getattr(one, what)) is not None]
            print(_line(state, what, seconds))
    return 0 if all(one.first_sql is not None for ones in found.values() for one in ones) else 1


if __name__ == "__main__":
    sys.exit(main())
