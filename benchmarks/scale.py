"""A portfolio of 10,000 registers from raw day files to SQL: time, memory and bytes by days.

    python -m benchmarks.scale                              10,000 registers, 3 days
    python -m benchmarks.scale --days 365                   the year of docs/performance.md
    python -m benchmarks.scale --registers 1000 --days 3650 --warm-up 90
    python -m benchmarks.scale --memory 2700MB              as on a machine of 8 GB

The raw days are written by the lake's own writer in the form a pull of Socomec SoData lands: every
register each quarter-hour, in three time zones. What is measured comes after the pull: the refresh,
the dbt build and the publication, one after the other in a process started for it, as in a run of
Dagster. Then one day more lands, and then one point of one old day is corrected. ``start`` is the
process and its reading of the portfolio.

``copied`` says whether a publication wrote ``energy.duckdb`` anew: that takes the longer the longer
the history is, and how often it is done is limited (docs/readers.md).

Peak memory is the proportional set size (PSS) of all processes of a step together, looked at ten
times a second. Bytes are what these processes wrote to disk, links and renames not counted.
"""

# ruff: noqa: T201, S603

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.days import day_bounds, day_range
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import CLOSED, COMPLETE_UNTIL
from energy_platform.memory import default_memory
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import INSTANT
from energy_platform.settings import PlatformSettings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

FIRST_DAY: Final = date(2025, 1, 1)
PROJECT: Final = Path(__file__).parents[1] / "dbt_models"
PER_DEVICE: Final = 10
PER_SITE: Final = 500
ZONES: Final = ("Europe/Paris", "America/Los_Angeles", "Asia/Kolkata")
QUARTERS: Final = 96


def write_portfolio(path: Path, *, registers: int) -> None:
    """Write a portfolio of devices with ten registers each, the first device of a site its main.

    Args:
        path: The file.
        registers: How many there are.
    """
    sites = range(-(-registers // PER_SITE))
    lines = ["version: 1", "sites:"]
    lines += [f"  - {{id: site-{n:04d}, name: S, timezone: {ZONES[n % 3]}}}" for n in sites]
    lines.append("devices:")
    for device in range(-(-registers // PER_DEVICE)):
        site, place = divmod(device, PER_SITE // PER_DEVICE)
        count = min(PER_DEVICE, registers - device * PER_DEVICE)
        lines.append(
            f"  - {{vendor: socomec, serial: SN{device:06d}, site: site-{site:04d}, name: Meter, "
            f"role: {'main' if place == 0 else 'sub'}, every: 15m, max_power_w: none, points: ["
        )
        lines += [
            f'      {{key: "Global|{n}|140100", name: E{n}, unit: Wh, '
            "quantity: active_energy_import},"
            for n in range(count)
        ]
        lines.append("    ]}")
    path.write_text("\n".join(lines) + "\n")


class RawDays:
    """Writes raw days of registers that count whole watt-hours."""

    def __init__(self, lake: Lake, *, registers: int) -> None:
        self._lake = lake
        numbers = pl.Series(np.repeat(np.arange(registers), QUARTERS))
        device = (numbers // PER_DEVICE).cast(pl.String).str.zfill(6)
        self._keys = pl.DataFrame(
            {
                "device_uuid": "uuid-" + device,
                "item_type": "Global",
                "item_index": (numbers % PER_DEVICE).cast(pl.String),
                "service_id": "140100",
                "serial_number": "SN" + device,
            },
        )
        self._rng = np.random.default_rng(7)
        self._level = self._rng.integers(10_000, 10**9, registers).astype(np.float64)

    def values(self) -> NDArray[np.float64]:
        """Return a row of quarter-hours for each register, which goes on where it stood."""
        registers = self._level.size
        steps = self._rng.integers(0, 2_000, (registers, QUARTERS)).astype(np.float64)
        value: NDArray[np.float64] = self._level[:, None] + steps.cumsum(axis=1)
        self._level = value[:, -1]
        return value

    def write(self, day: str) -> None:
        """Write the next day."""
        start, end = day_bounds(day)
        value = self.values()
        registers = len(value)
        instants = pl.Series(
            [start + timedelta(minutes=15 * n) for n in range(QUARTERS)], dtype=INSTANT
        )
        frame = self._keys.with_columns(
            at=instants.gather(np.tile(np.arange(QUARTERS), registers)),
            value=pl.Series(value.ravel()),
            value_text=pl.lit(None, pl.String),
            data_type=pl.lit("Double"),
            device_time_zone=pl.lit("UTC"),
            ca_uuid=pl.lit("ca"),
        )
        self._put(frame.select(RAW_SOCOMEC_DATAPOINTS.schema.names()), day=day, until=end)

    def correct(self, day: str) -> None:
        """Let one register have said something else at noon, as a late sample does."""
        frame = self._lake.read(RAW_SOCOMEC_DATAPOINTS, day=day)
        row = pl.int_range(pl.len()) == QUARTERS // 2
        frame = frame.with_columns(value=pl.when(row).then(pl.col("value") + 1).otherwise("value"))
        self._put(frame, day=day, until=day_bounds(day)[1])

    def _put(self, frame: pl.DataFrame, *, day: str, until: datetime) -> None:
        meta = {COMPLETE_UNTIL: until.isoformat(), CLOSED: "true"}
        self._lake.write(RAW_SOCOMEC_DATAPOINTS, frame, day=day, meta=meta)


class Usage(NamedTuple):
    """What processes used until a moment.

    Attributes:
        at: The moment, on the clock of ``perf_counter``.
        cpu_s: Processor seconds.
        written: Bytes written to disk.
        peak: Largest PSS of them together since the last look, bytes.
    """

    at: float
    cpu_s: float
    written: int
    peak: int


@dataclass(frozen=True)
class Step:
    """What one step cost.

    Attributes:
        seconds: From start to end.
        cpu_s: Processor seconds of all its processes.
        peak: Largest PSS of them together, bytes.
        written: Bytes they wrote to disk.
        said: What the step had to say.
    """

    seconds: float
    cpu_s: float
    peak: int
    written: int
    said: dict[str, Any]

    @classmethod
    def between(cls, before: Usage, after: Usage, *, said: dict[str, Any]) -> Step:
        """Return what was used between two moments."""
        return cls(
            seconds=after.at - before.at,
            cpu_s=after.cpu_s - before.cpu_s,
            peak=after.peak,
            written=after.written - before.written,
            said=said,
        )

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.1f} s  {self.cpu_s:8.1f} cpu s  peak {self.peak / 1e6:6.0f} MB  "
            f"wrote {self.written / 1e6:8.1f} MB"
        )


class _Watch:
    """Looks at a process and its descendants, ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._written: dict[int, int] = {}
        self._cpu: dict[int, float] = {}
        self._peak = 0
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> Usage:
        """Return what was used so far, and the peak since the last look."""
        peak, self._peak = self._peak, 0
        return Usage(
            at=time.perf_counter(),
            cpu_s=sum([*self._cpu.values()]),
            written=sum([*self._written.values()]),
            peak=peak,
        )

    def _run(self) -> None:
        while not self._over.wait(0.1):
            pids = _tree(self._pid)
            for pid in pids:
                try:
                    self._written[pid] = _field(f"/proc/{pid}/io", "write_bytes:")
                    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    self._cpu[pid] = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
                except (OSError, ValueError):
                    continue  # it has just ended
            # The kernel walks all pages of a process to tell what it shares, which takes a third of
            # a core at 3 GB. What it holds costs nothing to ask, and is never less.
            if sum(map(_resident, pids)) > self._peak:
                self._peak = max(self._peak, sum(map(_proportional, pids)))


def _resident(pid: int) -> int:
    """Return the bytes that a process holds, also those it shares; 0 once it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _proportional(pid: int) -> int:
    """Return the bytes that a process holds, shared ones by its part; 0 once it has ended."""
    try:
        return _field(f"/proc/{pid}/smaps_rollup", "Pss:") * 1024
    except (OSError, ValueError):
        return 0


def _field(path: str, name: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise ValueError(f"{path} without {name}")


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            for task in tasks:
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def run_steps(
    *, folder: Path, memory: str | None, program: Sequence[str] = ("benchmarks.scale", "--steps")
) -> tuple[dict[str, Step], Step]:
    """Run all steps in a process; return what each used with all that it started, and all did.

    Args:
        folder: Where the work is.
        memory: ``ENERGY_PLATFORM_MEMORY`` of the process; None: as it is.
        program: Module that does the work, and its options; it prints a line of JSON per step.
    """
    env = dict(os.environ)
    if memory:
        env["ENERGY_PLATFORM_MEMORY"] = memory
    began = before = Usage(at=time.perf_counter(), cpu_s=0.0, written=0, peak=0)
    child = subprocess.Popen(
        [sys.executable, "-m", *program, "--folder", str(folder)],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    watch = _Watch(child.pid)
    steps: dict[str, Step] = {}
    try:
        for line in child.stdout or ():
            said = json.loads(line)
            now = watch.look()
            name = said.pop("step")
            steps[name] = Step.between(before, now, said=said)
            before = now
        child.wait()
    finally:
        watch.stop()
    if child.returncode:
        sys.exit(f"failed with exit code {child.returncode} after {', '.join(steps)}")
    peak = max(one.peak for one in steps.values())
    return steps, Step.between(began, before._replace(peak=peak), said={})


def work(folder: Path) -> Iterator[dict[str, Any]]:
    """Do the work in this process; yield what there is to say when a step is over."""
    lake = Lake(folder / "lake")
    portfolio = load_portfolio(folder / "portfolio.yaml")
    yield {"step": "start"}
    memory = PlatformSettings().memory or default_memory()
    done = refresh(lake, portfolio=portfolio, memory=memory)
    yield {"step": "refresh", "days": len(done.days)}
    warehouse = Warehouse(
        data_dir=folder,
        lake=lake,
        dbt_project_dir=PROJECT,
        memory=memory,
    )
    built = warehouse.build(portfolio)
    rows = sum(built.rows.values())
    yield {"step": "build", "changed": len(built.prepared.changed), "rows": rows}
    published = warehouse.publish()
    yield {"step": "publish", "bytes": published.bytes, "copied": published.written}


def report(name: str, *, days: int, folder: Path, memory: str | None) -> None:
    """Run refresh, build and publication; print a line each and one for all."""
    steps, whole = run_steps(folder=folder, memory=memory)
    for step, one in steps.items():
        print(f"{name:<22} {step:<8} {one}  {one.seconds / days:7.2f} s/day  {one.said}")
    print(f"{name:<22} {'all':<8} {whole}  {days / whole.seconds * 60:7.1f} days/min", flush=True)


def measure(folder: Path, *, registers: int, days: int, memory: str | None, warm_up: int) -> None:
    """Measure the first load, one day more, one corrected point-day, and a build of nothing."""
    last = (FIRST_DAY + timedelta(days=days)).isoformat()
    *first, more = day_range(FIRST_DAY.isoformat(), last)
    lake = Lake(folder / "lake")
    write_portfolio(folder / "portfolio.yaml", registers=registers)
    raw = RawDays(lake, registers=registers)
    stops = [*range(warm_up, days, warm_up), days] if warm_up else [days]
    done = 0
    for stop in stops:
        for day in first[done:stop]:
            raw.write(day)
        report(f"days {done + 1} to {stop}", days=stop - done, folder=folder, memory=memory)
        done = stop
    raw.write(more)
    report("one day more", days=1, folder=folder, memory=memory)
    raw.correct(first[len(first) // 2])
    report("one corrected point", days=1, folder=folder, memory=memory)
    report("nothing", days=1, folder=folder, memory=memory)
    for table in sorted(path for path in (folder / "lake").iterdir() if path.is_dir()):
        size = sum(file.stat().st_size for file in table.rglob("*.parquet"))
        print(f"{table.name:<32} {size / (days + 1) / 1e6:8.2f} MB/day")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--registers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--memory", help="ENERGY_PLATFORM_MEMORY of the steps")
    parser.add_argument("--warm-up", type=int, default=0, help="load this many days at a time")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder otherwise")
    parser.add_argument("--steps", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.steps:
        for said in work(asked.folder):
            print(json.dumps(said), flush=True)
        return
    began = datetime.now(UTC)
    print(
        f"{began:%Y-%m-%d %H:%M} UTC  {asked.registers:,} registers x {QUARTERS} x {asked.days} "
        f"days, memory {asked.memory or 'default'}, {os.cpu_count()} processors",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        measure(
            folder,
            registers=asked.registers,
            days=asked.days,
            memory=asked.memory,
            warm_up=asked.warm_up,
        )


if __name__ == "__main__":
    main()
