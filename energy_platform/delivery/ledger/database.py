"""Transactions of the ledger: fenced while a push owns it, and repeated when a server restarts.

What the transactions hold is written in ``store`` and ``answers``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import sqlalchemy as sa

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.errors import LedgerError, TakenOverError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

RECONNECT_S: Final = 60.0
"""How long a push waits for its ledger's server, such as one that is restarted."""

_RETRY_S: Final = 0.25
_HUNG_TRANSACTION_MS: Final = "15000"
"""PostgreSQL ends a transaction whose client says nothing for so long: it would hold the fence."""

_PASSING_STATES: Final = frozenset({"25006", "25P03"})
"""SQLSTATEs beside lost connections that pass: a standby, a transaction ended for its silence."""


class Database:
    """The ledger's database, used by every thread of a process.

    Args:
        engine: SQLite or PostgreSQL.

    Attributes:
        generation: Of the lease that this process holds; None when it holds none.
        patience_s: How long an outage is waited for.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"
        self.generation: int | None = None
        self.patience_s = 0.0

    def connect(self) -> sa.Connection:
        """Return a connection for reading, without a transaction."""
        return self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def retry_reads(self, read: Callable[[], T]) -> T:
        """Read, again while the server is away.

        Raises:
            LedgerError: It stayed away.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return read()
            except sa.exc.DBAPIError as error:
                self.wait_out(error, deadline=deadline)

    def write(
        self,
        work: Callable[[sa.Connection], None],
        *,
        is_done: Callable[[sa.Connection], bool] | None = None,
    ) -> None:
        """Do some work in one transaction, which fails when another push owns the ledger.

        Args:
            work: What to write.
            is_done: Asked before a second attempt, whether the first was committed after all: a
                server that dies may do so and not say it. Not needed for work that may be repeated.

        Raises:
            TakenOverError: Another push took the lease.
            LedgerError: The server stayed away.
        """
        deadline = time.monotonic() + self.patience_s
        is_repeated = False
        while True:
            try:
                with self.engine.begin() as connection:
                    self._check_fence(connection, alone=is_repeated)
                    if not (is_repeated and is_done is not None and is_done(connection)):
                        work(connection)
            except sa.exc.DBAPIError as error:
                self.wait_out(error, deadline=deadline)
                is_repeated = True
            else:
                return

    def wait_out(self, error: sa.exc.DBAPIError, *, deadline: float) -> None:
        """Wait a moment when a fault may pass and there is time; else raise.

        Raises:
            LedgerError: The database does not answer, in one sentence.
            sqlalchemy.exc.DBAPIError: It did answer: the fault is the platform's own.
        """
        if self.is_postgresql and is_outage(error) and time.monotonic() < deadline:
            time.sleep(_RETRY_S)
            return
        raise_plainly(error)

    def _check_fence(self, connection: sa.Connection, *, alone: bool) -> None:
        """Hold the lease's row until the transaction ends, so that nobody takes it meanwhile.

        The key-share lock conflicts with a change of the generation, which is the key, and not
        with a heartbeat. A repeated attempt waits until a transaction of the first one is over.

        Raises:
            TakenOverError: The generation is another one.
        """
        if self.generation is None:
            return
        lease = tables.lease
        columns: list[sa.ColumnElement[object]] = [
            lease.c.generation,
            lease.c.owner,
            lease.c.taken_us,
        ]
        if self.is_postgresql:
            columns += [
                sa.func.set_config(
                    "idle_in_transaction_session_timeout", _HUNG_TRANSACTION_MS, sa.true()
                ),
            ]
        query = sa.select(*columns)
        query = (
            query.with_for_update() if alone else query.with_for_update(read=True, key_share=True)
        )
        found = connection.execute(query).one()
        if found.generation != self.generation:
            raise TakenOverError(found.owner, found.taken_us)


def is_outage(error: sa.exc.DBAPIError) -> bool:
    """Say whether a fault of the database may pass by itself."""
    return (
        isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
        or error.connection_invalidated
        or getattr(error.orig, "sqlstate", None) in _PASSING_STATES
    )


def raise_plainly(error: sa.exc.DBAPIError) -> NoReturn:
    """Raise a fault of the database as one sentence; a fault of the platform's own as it is."""
    if isinstance(
        error, sa.exc.IntegrityError | sa.exc.DataError | sa.exc.ProgrammingError
    ) and not is_outage(error):
        raise error
    first = str(error.orig).strip().split("\n", maxsplit=1)[0]
    raise LedgerError(
        f"the ledger's database does not answer ({first}); nothing is lost: the next push goes on "
        "where this one ended"
    ) from error
