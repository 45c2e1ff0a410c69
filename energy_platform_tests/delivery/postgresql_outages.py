"""One ledger in PostgreSQL, two hosts, and a server that ends sessions, restarts or hangs.

Run by ``python -m energy_platform_tests.delivery.postgres``, and larger as a module:
``python -m energy_platform_tests.delivery.postgresql_outages --streams 100``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import pytest
import sqlalchemy as sa

from energy_platform.delivery.ledger import Event, LeaseTerms, Ledger, TakenOverError
from energy_platform.delivery.ledger.tables import lease
from energy_platform_tests.databases import POSTGRES
from energy_platform_tests.delivery.hosts import Host, Scene, scene, terminating
from energy_platform_tests.delivery.postgres import Server, server
from energy_platform_tests.delivery.relay import relay

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.postgres


@contextmanager
def ledger_of(url: str, *, setting: str = "") -> Iterator[str]:
    """Make a database for a ledger; ``setting`` is one of its own, such as a timeout."""
    name = f"ledger_{uuid4().hex}"
    base = sa.make_url(url)
    admin = sa.create_engine(
        base.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        if setting:
            connection.execute(sa.text(f"ALTER DATABASE {name} SET {setting}"))
    admin.dispose()
    yield base.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be stopped."""
    with server() as found:
        yield found


def stored(told: Scene) -> int:
    return told.harness.sim.delivery_report().packets


def wait_for(told: Scene, packets: int, *, timeout_s: float = 60) -> None:
    """Wait until Wattics holds so many packets."""
    deadline = time.monotonic() + timeout_s
    while stored(told) < packets:
        assert time.monotonic() < deadline, f"{stored(told)} of {packets} packets"
        time.sleep(0.02)


@pytest.mark.parametrize("setting", ["", "idle_session_timeout = '2s'"])
def test_two_hosts_whose_sessions_are_ended_each_second_send_each_packet_once(
    tmp_path: Path, setting: str
) -> None:
    with (
        ledger_of(os.environ[POSTGRES], setting=setting) as url,
        scene(tmp_path, url, latency_s=0.05, senders=4) as told,
    ):
        with terminating(url, every_s=60.0 if setting else 0.7) as ended:
            first = Host(told.orders[0])
            wait_for(told, 20)
            second = Host(told.orders[1])
            for host in (first, second):
                said = host.wait()
                assert (said.problems, said.error) == ([], "")
        assert told.complaints() == []
        assert setting or sum(ended) > 5


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_push_outlives_a_restart_of_its_server(
    tmp_path: Path, own_server: Server, how: Literal["fast", "immediate"]
) -> None:
    with (
        ledger_of(own_server.url) as url,
        scene(tmp_path, url, latency_s=0.05, senders=4) as told,
    ):
        host = Host(told.orders[0])
        wait_for(told, 200)
        own_server.stop(how)
        time.sleep(1.5)
        own_server.start()
        said = host.wait()
        assert (said.problems, said.error) == ([], "")
        assert told.complaints() == []


def test_a_server_that_stays_away_is_one_sentence_and_the_next_push_goes_on(
    tmp_path: Path, own_server: Server
) -> None:
    with (
        ledger_of(own_server.url) as url,
        scene(tmp_path, url, latency_s=0.05, senders=4, reconnect_s=2.0) as told,
    ):
        host = Host(told.orders[0])
        wait_for(told, 200)
        own_server.stop("immediate")
        said = host.wait(timeout_s=60)
        assert "nothing is lost" in said.error
        assert "\n" not in said.error
        own_server.start()
        said = Host(told.orders[0]).wait()
        assert (said.problems, said.error) == ([], "")
        assert told.complaints() == []


def test_a_host_that_stood_still_is_taken_over_and_sends_nothing_when_it_wakes(
    tmp_path: Path,
) -> None:
    with (
        ledger_of(os.environ[POSTGRES]) as url,
        scene(tmp_path, url, latency_s=0.05, senders=4, lease_s=1.0, read_timeout_s=1.0) as told,
    ):
        first = Host(told.orders[0])
        wait_for(told, 200)
        os.kill(first.process.pid, signal.SIGSTOP)
        try:
            second = Host(told.orders[1])
            wait_for(told, 400)
        finally:
            os.kill(first.process.pid, signal.SIGCONT)
        said = first.wait()
        assert "took over the ledger's lock at" in said.error
        assert "nothing is lost" in said.error
        said = second.wait()
        assert (said.problems, said.error) == ([], "")
        assert told.complaints() == []


def test_a_transaction_that_hangs_does_not_keep_the_next_host_out(tmp_path: Path) -> None:
    with (
        ledger_of(os.environ[POSTGRES]) as url,
        Ledger(url, terms=LeaseTerms(lease_s=0.5, beat_s=0.05, margin_s=0.05)) as ledger,
        Ledger(url) as other,
        ledger.exclusive(stop=threading.Event(), under_way_s=0.1) as first,
    ):
        assert first is not None
        with ledger.engine.connect() as hanging:
            hanging.execute(sa.select(lease).with_for_update(read=True, key_share=True))
            first.stop()  # it stands still, in the middle of a transaction
            with other.exclusive(stop=threading.Event()) as second:
                assert second is not None
                assert second.generation == first.generation + 1
            hanging.invalidate()
        with pytest.raises(TakenOverError):
            ledger.commit_plan({}, events=[Event(1, None, "hold", {})], now_us=1)


def test_a_host_cut_off_from_its_ledger_stops_before_another_one_begins(tmp_path: Path) -> None:
    with (
        ledger_of(os.environ[POSTGRES]) as url,
        scene(tmp_path, url, latency_s=0.05, senders=4, lease_s=1.0, read_timeout_s=1.0) as told,
        relay(url) as (through, cut),
    ):
        first = Host(told.orders[0]._replace(ledger=through))
        wait_for(told, 200)
        second = Host(told.orders[1])
        time.sleep(1)
        cut.set()
        time.sleep(2)  # the lease is over; what was under way is in
        standing = stored(told)
        time.sleep(2)
        assert stored(told) == standing, "neither may send now"
        said = second.wait()
        assert (said.problems, said.error) == ([], "")
        assert told.complaints() == []
        cut.clear()
        said = first.wait()
        assert "took over the ledger's lock at" in said.error


def main() -> int:
    """Run the two hosts and the restarts at any size; 1 when anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--every-s", type=float, default=1.0, help="Between terminations.")
    parser.add_argument("--idle-s", type=int, default=2, help="idle_session_timeout.")
    parser.add_argument("--restarts", type=int, default=4, help="Fast and immediate by turns.")
    options = parser.parse_args()
    complaints: list[str] = []
    with server() as own, tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        setting = f"idle_session_timeout = '{options.idle_s}s'"
        with (
            ledger_of(own.url, setting=setting) as url,
            scene(
                Path(name),
                url,
                streams=options.streams,
                days=options.days,
                senders=options.senders,
            ) as told,
        ):
            hosts = [Host(order) for order in told.orders]
            with terminating(url, every_s=options.every_s) as ended:
                wait_for(told, options.streams * 24, timeout_s=600)
            for number in range(options.restarts):
                own.stop("immediate" if number % 2 else "fast")
                time.sleep(1)
                own.start()
                time.sleep(3)
            for host in hosts:
                said = host.wait(timeout_s=3600)
                complaints += [*said.problems, *([said.error] if said.error else [])]
            complaints += told.complaints()
            print(  # noqa: T201
                f"{stored(told)} packets in {time.monotonic() - began:.0f} s, {sum(ended)} "
                f"sessions ended, {options.restarts} restarts; complaints: {complaints or 'none'}"
            )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
