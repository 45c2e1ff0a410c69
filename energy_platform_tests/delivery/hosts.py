"""Hosts that share one ledger: each a process with a lake of its own, and Wattics as the judge.

``python -m energy_platform_tests.delivery.hosts '{…}'`` is one host: it pushes once and prints how
that ended.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from energy_platform.delivery import Ledger, LedgerError
from energy_platform.portfolio import load_portfolio
from energy_platform.simulators.wattics import WatticsBehaviour
from energy_platform_tests.delivery.killing import Order, noon, push_once, write_portfolio
from energy_platform_tests.delivery.scenario import (
    open_harness,
    point,
    regular,
    rising,
    steady,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform_tests.delivery.scenario import DeliveryHarness

START = utc("2026-03-01 00:00")
QUARTER = timedelta(minutes=15)


class Said(NamedTuple):
    """How a host ended: problems of streams, or the one sentence of an error."""

    problems: list[str]
    error: str


class Host:
    """One push in a process of its own.

    Args:
        order: What to push where.
    """

    def __init__(self, order: Order) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", __name__, json.dumps(order._asdict())],
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self, *, timeout_s: float = 300) -> Said:
        """Wait for its end.

        Raises:
            RuntimeError: It ended in a trace-back.
        """
        try:
            out, _ = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if self.process.returncode:
            raise RuntimeError(f"a host ended with {self.process.returncode}")
        return Said(**json.loads(out))


class Scene(NamedTuple):
    """Two copies of a lake, one ledger, one Wattics.

    Attributes:
        harness: With the lake of the first host.
        orders: What each host has to push.
        end: Newest instant that must arrive.
    """

    harness: DeliveryHarness
    orders: tuple[Order, Order]
    end_text: str

    def complaints(self) -> list[str]:
        """Say all that is not as it must be; empty when nothing was lost or doubled."""
        judged = self.harness.sim.delivery_report()
        found = list(judged.complaints)
        states = self.harness.ledger.states()
        for stream_id, one in judged.streams.items():
            if str(one.last_at) != self.end_text or one.missing_intervals or one.crowded_intervals:
                found.append(
                    f"{stream_id}: up to {one.last_at}, {one.missing_intervals} missing, "
                    f"{one.crowded_intervals} crowded"
                )
            stored = len(self.harness.sim.packets_per_interval(stream_id))
            if states[stream_id].acknowledged != stored:
                found.append(
                    f"{stream_id}: {states[stream_id].acknowledged} acknowledged, {stored} stored"
                )
        left = self.harness.ledger.pending_counts()
        return found + ([f"pending: {left}"] if left else [])


@contextmanager
def scene(
    folder: Path,
    url: str,
    *,
    streams: int = 15,
    days: int = 1,
    latency_s: float = 0.02,
    senders: int = 8,
    lease_s: float = 10.0,
    read_timeout_s: float = 3.0,
    reconnect_s: float = 60.0,
) -> Iterator[Scene]:
    """Set two hosts up."""
    path = folder / "portfolio.yaml"
    write_portfolio(path, streams=streams)
    end = START + timedelta(days=days)
    with (
        Ledger(url) as ledger,
        open_harness(
            folder, ledger=ledger, now=end, behaviour=WatticsBehaviour(latency_s=latency_s)
        ) as harness,
    ):
        harness.register_streams(load_portfolio(path))
        for n in range(1, streams + 1):
            for key in ("E", "H"):
                harness.scenario.registers[point(n, key)] = regular(
                    START, end - QUARTER, every=QUARTER, value=rising(START, face_wh=n, power_w=997)
                )
            harness.scenario.gauges[point(n, "V")] = regular(
                START, end - QUARTER, every=QUARTER, value=steady(230.5)
            )
        harness.scenario.write_days("2026-03-01", (end - QUARTER).date().isoformat())
        lake = harness.scenario.lake.root
        shutil.copytree(lake, folder / "other-lake")
        first = Order(
            lake=str(lake),
            portfolio=str(path),
            ledger=url,
            base_url=harness.url,
            now=noon(days),
            parallel=senders,
            lease_s=lease_s,
            read_timeout_s=read_timeout_s,
            reconnect_s=reconnect_s,
        )
        orders = (first, first._replace(lake=str(folder / "other-lake")))
        yield Scene(harness, orders, str(end - QUARTER))


@contextmanager
def terminating(url: str, *, every_s: float) -> Iterator[list[int]]:
    """End all other sessions of the ledger's database again and again; counts them."""
    admin = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg", database="postgres"),
        isolation_level="AUTOCOMMIT",
    )
    database = sa.make_url(url).database
    over = threading.Event()
    ended: list[int] = []
    query = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = :database AND pid <> pg_backend_pid()"
    )

    def end_them() -> None:
        with admin.connect() as connection:
            while not over.wait(every_s):
                ended.append(connection.scalar(query, {"database": database}) or 0)

    thread = threading.Thread(target=end_them, daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()
        admin.dispose()


def _main(order: Order) -> None:
    try:
        said = Said(push_once(order), "")
    except LedgerError as error:
        said = Said([], str(error))
    print(json.dumps(said._asdict()))  # noqa: T201


if __name__ == "__main__":
    _main(Order(**json.loads(sys.argv[1])))
