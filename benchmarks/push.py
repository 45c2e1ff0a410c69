"""How fast packets reach Wattics: ours, with its ledger, beside other ways to POST them.

Every contender sends the same packets, in order per stream, to the same server; each runs in a
process of its own. ``make`` prints a table; figures depend on the machine and on its load.

    python -m benchmarks.push --streams 300 --days 1 --senders 50 --delay-ms 20
    python -m benchmarks.push --streams 10000 --only ours --kill-at 0.5

aiohttp comes from ``benchmarks/requirements.lock``, ``wrk`` from the system; without them their
lines are left out. The second form kills our push (``kill -9``) at that share of the packets and
measures the push that goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib.util
import multiprocessing
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from energy_platform.days import day_bounds, day_range
from energy_platform.delivery import Ledger, push
from energy_platform.destinations.wattics import WatticsSettings
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS, INSTANT
from energy_platform.sources.registry import sources
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from energy_platform.delivery import Progress

FIRST = "2026-03-01"
PATH = "/measurements/v2/unifiedjson/"
OURS = "ours, with the ledger"
PACKETS_A_DAY = 96


class Result(NamedTuple):
    """What a contender did."""

    packets: int
    seconds: float
    cpu_s: float
    peak_mb: float


class Order(NamedTuple):
    """What every contender gets."""

    folder: str
    port: int
    senders: int
    now: str
    kill_at: int
    """Number of packets after which our push kills itself; 0 for never."""


def build(folder: Path, *, streams: int, days: int) -> None:
    """Write a lake and a portfolio of registers sampled every 15 minutes."""
    head = (
        "version: 1\nsites:\n  - {id: s, name: Site, timezone: Europe/Paris}\n"
        "device_types:\n  meter:\n    points:\n"
        "      - {key: E, name: Energy, quantity: active_energy_import, unit: Wh}\n"
        "devices:\n"
    )
    lines = [head]
    names = [f"M{n:05d}" for n in range(streams)]
    lines += [
        f"  - {{vendor: socomec, serial: {name}, site: s, name: {name}, type: meter,"
        " max_power_w: none}\n"
        for name in names
    ]
    lines.append("streams:\n")
    lines += [
        f"  - {{id: {name}, kind: electricity, site: s, credential: default, interval: 15m,"
        f" reading: cumulative, fields: {{pC_1: socomec/{name}/E}}}}\n"
        for name in names
    ]
    (folder / "portfolio.yaml").write_text("".join(lines))
    lake = Lake(folder / "lake")
    start = day_bounds(FIRST)[0]
    last = (start + timedelta(days=days - 1)).date().isoformat()
    points = pl.DataFrame({"point_id": [f"socomec/{name}/E" for name in names]})
    for day in day_range(FIRST, last):
        begin, end = day_bounds(day)
        meta = {"complete_until": end.isoformat(), "closed": "true"}
        lake.write(RAW_SOCOMEC_DATAPOINTS, RAW_SOCOMEC_DATAPOINTS.empty(), day=day, meta=meta)
        lake.write(CORE_READINGS, CORE_READINGS.empty(), day=day)
        ends = pl.datetime_range(begin, end, "15m", closed="left", time_unit="us", eager=True)
        numbers = (ends - start).dt.total_minutes() // 15
        steps = pl.DataFrame({"end_at": ends.cast(INSTANT), "n": numbers}).filter(pl.col("n") > 0)
        frame = points.join(steps, how="cross").select(
            "point_id",
            "end_at",
            start_at=pl.col("end_at") - pl.duration(minutes=15),
            counted_from=pl.col("end_at") - pl.duration(minutes=15),
            register_start_wh=(pl.col("n") - 1) * 300.0,
            register_end_wh=pl.col("n") * 300.0,
            energy_wh=pl.lit(300.0),
            refused_wh=pl.lit(0.0),
            status=pl.lit("ok"),
            estimated=pl.lit(value=False),
            dropped=pl.lit(0, dtype=pl.Int64),
            reason=pl.lit(None, dtype=pl.String),
            method=pl.lit("register"),
        )
        lake.write(CORE_ENERGY_DELTAS, frame.sort("point_id", "end_at"), day=day)


@contextmanager
def server(delay_ms: float) -> Iterator[int]:
    """Run the answering server in a process of its own."""
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "benchmarks.answering", "--delay-ms", str(delay_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield int(process.stdout.readline() if process.stdout else "")
    finally:
        process.communicate("")


def ours(order: Order) -> int:
    """Push through the platform's own delivery, ledger and all."""
    folder = Path(order.folder)
    settings = WatticsSettings.model_validate(
        {
            "base_url": f"http://127.0.0.1:{order.port}{PATH}",
            "username": "u",
            "password": "p",
            "parallel_streams": order.senders,
        }
    )
    now = datetime.fromisoformat(order.now)

    def watch(progress: Progress) -> None:
        if order.kill_at and progress.acknowledged >= order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with Ledger.at(folder / "ledger.sqlite") as ledger:
        outcome = push(
            Lake(folder / "lake"),
            ledger=ledger,
            portfolio=load_portfolio(folder / "portfolio.yaml"),
            settings=settings,
            clock=lambda: now,
            on_progress=watch,
        )
    return outcome.acknowledged


def bodies(order: Order) -> list[list[bytes]]:
    """Return the packets of our own run, a list per stream."""
    with Ledger.at(Path(order.folder) / "ledger.sqlite") as ledger, ledger.engine.connect() as db:
        rows = db.exec_driver_sql("SELECT stream_id, body FROM packets ORDER BY stream_id, at_us")
        found: dict[str, list[bytes]] = {}
        for stream_id, body in rows:
            found.setdefault(stream_id, []).append(bytes(body))
    return [*found.values()]


def _threads(order: Order, send: Callable[[Iterator[list[bytes]]], int]) -> int:
    streams = iter(bodies(order))
    lock = threading.Lock()

    def take() -> Iterator[list[bytes]]:
        while True:
            with lock:
                one = next(streams, None)
            if one is None:
                return
            yield one

    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(send(take()))) for _ in range(order.senders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def requests_session(order: Order) -> int:
    """One ``requests.Session`` per thread, nothing remembered."""
    import requests  # noqa: PLC0415

    def send(streams: Iterator[list[bytes]]) -> int:
        count = 0
        with requests.Session() as session:
            session.auth = ("u", "p")
            for stream in streams:
                for body in stream:
                    url = f"http://127.0.0.1:{order.port}{PATH}"
                    session.post(url, data=body, timeout=30).raise_for_status()
                    count += 1
        return count

    return _threads(order, send)


def connection_each(order: Order) -> int:
    """A new connection for every packet, as the vendor's Ruby client does."""

    def send(streams: Iterator[list[bytes]]) -> int:
        count = 0
        for stream in streams:
            for body in stream:
                one = http.client.HTTPConnection("127.0.0.1", order.port, timeout=30)
                one.request("POST", PATH, body, {"Authorization": "Basic dTpw"})
                one.getresponse().read()
                one.close()
                count += 1
        return count

    return _threads(order, send)


def aiohttp_best(order: Order) -> int:
    """One event loop, one aiohttp connection per sender, nothing remembered."""
    aiohttp: Any = importlib.import_module("aiohttp")

    async def run() -> int:
        streams = iter(bodies(order))
        count = 0
        connector = aiohttp.TCPConnector(limit=order.senders)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def send() -> None:
                nonlocal count
                for stream in streams:
                    for body in stream:
                        url = f"http://127.0.0.1:{order.port}{PATH}"
                        async with session.post(url, data=body) as answer:
                            await answer.read()
                        count += 1

            await asyncio.gather(*(send() for _ in range(order.senders)))
        return count

    return asyncio.run(run())


def wrk_ceiling(order: Order) -> int:
    """What the server can take at this number of connections, as ``wrk`` finds it."""
    script = Path(order.folder) / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = {bodies(order)[0][0].decode()!r}\n')
    done = subprocess.run(  # noqa: S603
        [
            shutil.which("wrk") or "wrk",
            "-t1",
            f"-c{order.senders}",
            "-d5s",
            "-s",
            str(script),
            f"http://127.0.0.1:{order.port}{PATH}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if "requests in" in line)
    return int(line.split()[0])


CONTENDERS: dict[str, Callable[[Order], int]] = {
    OURS: ours,
    "requests.Session": requests_session,
    "a connection per packet": connection_each,
    "aiohttp": aiohttp_best,
    "wrk (the ceiling)": wrk_ceiling,
}


def _measured(name: str, order: Order, pipe: multiprocessing.connection.Connection) -> None:
    sources()  # imported on first use; what is imported counts for no contender
    began = time.perf_counter()
    packets = CONTENDERS[name](order)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send(Result(packets, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))


def measure(name: str, order: Order) -> Result | None:
    """Run one contender in a fresh process; None when it was killed."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_measured, args=(name, order, there))
    process.start()
    there.close()
    try:
        found: Result = here.recv()
    except EOFError:
        return None
    else:
        return found
    finally:
        process.join()


def show(name: str, found: Result) -> None:
    """Print one line."""
    print(  # noqa: T201
        f"{name:26} {found.packets:8d} packets {found.seconds:7.1f} s "
        f"{found.packets / found.seconds:8.0f}/s "
        f"{1e6 * found.cpu_s / max(found.packets, 1):6.0f} us of CPU each {found.peak_mb:6.0f} MB",
        flush=True,
    )


def resumed(order: Order) -> None:
    """Kill our push on its way, then measure the one that goes on and look for what is missing."""
    ledger_path = Path(order.folder) / "ledger.sqlite"
    began = time.perf_counter()
    if measure(OURS, order) is not None:
        print("it ended before it could be killed")  # noqa: T201
        return
    with Ledger.at(ledger_path) as ledger:
        before = sum(state.acknowledged for state in ledger.states().values())
    print(  # noqa: T201
        f"killed after {time.perf_counter() - began:.0f} s with {before} packets acknowledged",
        flush=True,
    )
    rest = measure(OURS, order._replace(kill_at=0))
    if rest is None:
        raise SystemExit("the push that was to go on died")
    show("ours, going on", rest)
    with Ledger.at(ledger_path) as ledger:
        states = ledger.states()
        print(  # noqa: T201
            f"{sum(state.acknowledged for state in states.values())} acknowledged, "
            f"{sum(ledger.pending_counts().values())} pending, "
            f"{len({state.last_acknowledged_us for state in states.values()})} different ends"
        )


def compare(names: list[str], order: Order, *, rounds: int) -> None:
    """Measure the contenders in turn some times; ours begins with an empty ledger each time.

    Ours sends one request more for each stream: it asks what is stored of a stream that is new to
    its ledger. The rates count packets alone.
    """
    rates: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            if name == OURS:
                for file in Path(order.folder).glob("ledger.sqlite*"):
                    file.unlink()
                # A ledger is made once in its life, by a library that takes a third of a second.
                with Ledger.at(Path(order.folder) / "ledger.sqlite"):
                    pass
            found = measure(name, order)
            if found is None:
                raise SystemExit(f"{name} died")
            show(name, found)
            rates[name].append(found.packets / found.seconds)
    for name in names if rounds > 1 else ():
        print(f"{name:26} median {statistics.median(rates[name]):.0f}/s")  # noqa: T201


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--senders", type=int, default=50)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--kill-at", type=float, default=0.0, help="share of the packets")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="append", help="part of a contender's name; may repeat")
    options = parser.parse_args()
    only = options.only or [""]
    names = [name for name in CONTENDERS if any(part in name for part in only)]
    if not shutil.which("wrk"):
        names = [name for name in names if not name.startswith("wrk")]
    if importlib.util.find_spec("aiohttp") is None:
        names = [name for name in names if name != "aiohttp"]
    now = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=options.days)
    with tempfile.TemporaryDirectory() as folder, server(options.delay_ms) as port:
        build(Path(folder), streams=options.streams, days=options.days)
        print(f"{options.streams} streams, {options.senders} senders, {options.delay_ms} ms")  # noqa: T201
        order = Order(folder, port, options.senders, now.isoformat(), 0)
        if options.kill_at:
            packets = options.streams * options.days * PACKETS_A_DAY
            resumed(order._replace(kill_at=int(options.kill_at * packets)))
            return
        if OURS not in names:
            measure(OURS, order)  # the others send its packets
        compare(names, order, rounds=options.rounds)


if __name__ == "__main__":
    main()
