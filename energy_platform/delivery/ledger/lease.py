"""Who may push: one lease per ledger, with a generation that every transaction checks.

A lock that lives on a connection is freed when the connection dies, whatever its push is doing. The
lease is a row. Its owner beats once a second and stops sending by its own clock when it could not
for ``lease_s``; another host takes over only after it has seen the row unchanged for ``lease_s``
and the time that a packet may still be under way. Durations only are compared, each on one host's
own clock, so neither clocks that differ nor ones that jump matter.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.database import RECONNECT_S, LedgerError, TakenOverError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from energy_platform.delivery.ledger.database import Database

_LOG: Final = logging.getLogger(__name__)

PUSH_KEY: Final = 0x656E5F70757368
"""Advisory lock of PostgreSQL that a push of version 0.1.0 holds."""

_NETWORK_S: Final = 5.0
"""How long what a closed connection had sent may still travel."""

_LOCK_NOT_AVAILABLE: Final = "55P03"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class LeaseTerms(NamedTuple):
    """How long is waited, in seconds.

    Attributes:
        lease_s: How long an owner may send after its last heartbeat.
        beat_s: Between two heartbeats.
        margin_s: By how much the owner stops earlier, for clocks that run at different speeds.
        look_s: Between two looks of whoever waits.
        reconnect_s: How long an owner waits for a database that is away.
    """

    lease_s: float = 10.0
    beat_s: float = 1.0
    margin_s: float = 1.0
    look_s: float = 0.5
    reconnect_s: float = RECONNECT_S


class Lease:
    """The right to push, while it lasts.

    Args:
        database: The ledger's.
        generation: Of this lease.
        terms: How long it lasts.
        renewed_at: When it was asked for, on ``now``'s clock; None for one that needs no heartbeat.
    """

    def __init__(
        self, database: Database, *, generation: int, terms: LeaseTerms, renewed_at: float | None
    ) -> None:
        self.generation = generation
        self.problem: LedgerError | None = None
        """Why it ended before its time."""
        self._database = database
        self._terms = terms
        self._until = float("inf") if renewed_at is None else self._end_of(renewed_at)
        self._lock = threading.Lock()
        self._on_end: list[Callable[[], None]] = []
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if renewed_at is not None:
            self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
            self._thread.start()

    def may_send(self) -> bool:
        """Whether a request may begin now; cheap, asked before each one."""
        return self.problem is None and now() < self._until

    def on_end(self, call: Callable[[], None]) -> None:
        """Call something, from another thread, when the lease is lost."""
        with self._lock:
            if self.problem is None:
                self._on_end.append(call)
                return
        call()

    def check(self) -> None:
        """Raise when the lease is lost.

        Raises:
            LedgerError: It is, and why.
        """
        if self.problem is not None:
            raise self.problem

    def stop(self) -> None:
        """Beat no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _end_of(self, renewed_at: float) -> float:
        return renewed_at + self._terms.lease_s - self._terms.margin_s

    def _run(self) -> None:
        heard_at = now()
        pause_s = self._terms.beat_s
        while not self._closing.wait(pause_s):
            began_at = now()
            try:
                is_ours = self._beat()
            except sa.exc.DBAPIError as error:
                # Sending stops by itself when the lease runs out; a restarted server comes back.
                pause_s = self._terms.beat_s / 4
                if now() - heard_at > self._terms.reconnect_s:
                    first = str(error.orig).strip().split("\n", maxsplit=1)[0]
                    self._end(
                        LedgerError(
                            f"the ledger's database was away for {self._terms.reconnect_s:.0f} s "
                            f"({first}); this push stopped; nothing is lost: the next one goes on"
                        )
                    )
                    return
                continue
            if not is_ours:
                self._end(self._taken_over())
                return
            heard_at, pause_s = now(), self._terms.beat_s
            self._until = self._end_of(began_at)

    def _beat(self) -> bool:
        lease = tables.lease
        with self._database.connect() as connection:
            done = connection.execute(
                sa.update(lease)
                .where(lease.c.generation == self.generation)
                .values(beats=lease.c.beats + 1, beat_us=_clock_us())
            )
        return bool(done.rowcount)

    def _taken_over(self) -> TakenOverError:
        try:
            with self._database.connect() as connection:
                found = connection.execute(sa.select(tables.lease)).one()
        except sa.exc.DBAPIError:
            return TakenOverError(None, None)
        return TakenOverError(found.owner, found.taken_us)

    def _end(self, problem: LedgerError) -> None:
        with self._lock:
            self.problem = problem
            calls = [*self._on_end]
        for call in calls:
            call()


@contextmanager
def owned(
    database: Database,
    *,
    terms: LeaseTerms,
    place: str,
    under_way_s: float,
    stop: threading.Event,
) -> Iterator[Lease | None]:
    """Own the ledger for a push; waits for a push that is under way elsewhere.

    Args:
        database: The ledger's.
        terms: How long the lease lasts.
        place: Where this push runs (see ``place_of``); empty when that is not known.
        under_way_s: How long a request may be under way after it began.
        stop: Ends the waiting.

    Yields:
        The lease; None when the waiting was stopped.

    Raises:
        LedgerError: The database stayed away.
    """
    if database.is_postgresql:
        taken = _take_when_free(
            database, terms=terms, place=place, under_way_s=under_way_s, stop=stop
        )
        if taken is None:
            yield None
            return
        token, generation, renewed_at = taken
        lease = Lease(database, generation=generation, terms=terms, renewed_at=renewed_at)
        database.generation, database.patience_s = generation, terms.reconnect_s
        try:
            yield lease
        finally:
            lease.stop()
            database.generation, database.patience_s = None, 0.0
            _give_back(database, token=token)
        return
    path = database.engine.url.database
    # The operating system frees this lock when its process dies, and not before.
    with FileLock(f"{path}.push.lock", fallback_to_soft=False, preserve_lock_file=True):
        generation = _next_generation(database)
        database.generation = generation
        try:
            yield Lease(database, generation=generation, terms=terms, renewed_at=None)
        finally:
            database.generation = None


def place_of(lock_file: str | Path) -> str:
    """Name a file that only one push at a time may hold open, uniquely among running systems.

    Whoever holds the same file's lock knows that the push before is over, however it ended, and
    needs not wait for its lease. Empty where that cannot be told.
    """
    try:
        stat = Path(lock_file).stat()
        return f"{_BOOT_ID.read_text(encoding='ascii').strip()}/{stat.st_dev}/{stat.st_ino}"
    except OSError:
        return ""


def now() -> float:
    """Return seconds of a clock that nobody sets and that goes on while a machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _clock_us() -> sa.ColumnElement[int]:
    """Return the server's time, shown to people and compared with nothing."""
    seconds = sa.extract("epoch", sa.func.clock_timestamp())
    return sa.cast(seconds * 1_000_000, sa.BigInteger)


def _take_when_free(
    database: Database, *, terms: LeaseTerms, place: str, under_way_s: float, stop: threading.Event
) -> tuple[str, int, float] | None:
    """Take the lease of PostgreSQL once it is free, its owner's host says so, or its time is up."""
    token = uuid4().hex
    hold_us = int((terms.lease_s + under_way_s + _NETWORK_S) * 1_000_000)
    seen: tuple[int, int] | None = None
    seen_at = 0.0
    is_told = False
    deadline = time.monotonic() + terms.reconnect_s
    while not stop.is_set():
        try:
            with database.connect() as connection:
                row = connection.execute(sa.select(tables.lease)).one()
            looked_at = now()
            if (row.generation, row.beats) != seen:
                seen, seen_at = (row.generation, row.beats), looked_at
            is_over = (looked_at - seen_at) * 1_000_000 >= row.hold_us
            is_here = bool(place) and row.place == place
            if row.token in {None, token} or is_over or is_here:
                taken = _take(database, token=token, place=place, hold_us=hold_us, seen=seen)
                if taken is not None:
                    return token, taken, looked_at
        except sa.exc.DBAPIError as error:
            database.wait_out(error, deadline=deadline)
            continue
        deadline = time.monotonic() + terms.reconnect_s
        if not is_told:
            is_told = True
            who = "a push of version 0.1.0" if row.token is None else f"the push of {row.owner}"
            _LOG.warning("waits for %s, which owns the ledger", who)
        stop.wait(terms.look_s)
    return None


def _take(
    database: Database, *, token: str, place: str, hold_us: int, seen: tuple[int, int]
) -> int | None:
    """Take the lease if it still stands as it was seen; return its generation."""
    lease = tables.lease
    try:
        with database.engine.begin() as connection:
            # Kept by old versions for a whole push; by this one for a moment.
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(PUSH_KEY))):
                return None
            connection.execute(sa.select(sa.func.set_config("lock_timeout", "2000", sa.true())))
            row = connection.execute(sa.select(lease).with_for_update()).one()
            if row.token == token:  # the commit of the attempt before was not heard of
                return int(row.generation)
            if (row.generation, row.beats) != seen:
                return None
            generation = int(row.generation) + 1
            connection.execute(
                sa.update(lease).values(
                    generation=generation,
                    token=token,
                    owner=f"{socket.gethostname()} (process {os.getpid()})",
                    place=place,
                    beats=0,
                    hold_us=hold_us,
                    taken_us=_clock_us(),
                    beat_us=_clock_us(),
                )
            )
            return generation
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        _end_hung_transactions(database)
        return None


def _end_hung_transactions(database: Database) -> None:
    """End transactions of an owner whose time is over; its host died, or stands still, in one.

    They hold the lease's row, and a server may wait two hours for a client that vanished.
    """
    query = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'lease'::regclass "
        "AND mode = 'RowShareLock' AND granted AND pid <> pg_backend_pid()"
    )
    with database.connect() as connection:
        connection.execute(query)


def _give_back(database: Database, *, token: str) -> None:
    """Free the lease; when that fails it runs out, which costs the next host a moment."""
    lease = tables.lease
    try:
        with database.connect() as connection:
            connection.execute(sa.update(lease).where(lease.c.token == token).values(token=None))
    except sa.exc.DBAPIError as error:
        _LOG.warning("the ledger's lease was not given back; it runs out: %s", error.orig)


def _next_generation(database: Database) -> int:
    lease = tables.lease
    taken: list[int] = []

    def take(connection: sa.Connection) -> None:
        connection.execute(
            sa.update(lease).values(
                generation=lease.c.generation + 1,
                owner=f"{socket.gethostname()} (process {os.getpid()})",
            )
        )
        taken.append(connection.scalar(sa.select(lease.c.generation)) or 0)

    database.write(take)
    return taken[-1]
