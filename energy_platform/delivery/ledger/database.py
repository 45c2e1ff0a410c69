"""The ledger's database: opened, brought to the newest version, and its transactions.

Transactions are fenced while a push owns the ledger, and repeated when a server restarts. What they
hold is written in ``writes``.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import sqlalchemy as sa
from filelock import FileLock

import energy_platform.delivery.migrations as migrations_package
from energy_platform.days import instant
from energy_platform.delivery.ledger import tables
from energy_platform.lake.database import (
    DatabaseUrlError,
    is_outage,
    is_session_lost,
    open_database,
    reason_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class LedgerError(RuntimeError):
    """The ledger cannot be used; the message says what to do."""


class TakenOverError(LedgerError):
    """Another push took the ledger's lease, because this one was not heard of for too long.

    Args:
        owner: Who took it; None when it has ended since.
        taken_us: When, by the database's clock.
    """

    def __init__(self, owner: str | None, taken_us: int | None) -> None:
        who = owner or "another host"
        when = "" if taken_us is None else f" at {instant(taken_us):%F %T} UTC"
        super().__init__(
            f"{who} took over the ledger's lock{when}, since this push was not heard of for too "
            "long; this push stopped; nothing is lost: that one goes on"
        )


NEWEST: Final = "0005"
"""Version the code works with; the newest migration."""

_ADVISORY_KEY: Final = 0x656E5F6C6467
"""Key of PostgreSQL's advisory lock around migrations."""

_STARTING_S: Final = 10.0
"""How long a server that ended the session, or is starting, is tried again when it is opened."""

_RETRY_S: Final = 0.25
"""Between two attempts at a database that is away or just starting."""


def open_engine(url: str) -> sa.Engine:
    """Return an engine for a ledger URL of SQLite or PostgreSQL.

    Raises:
        LedgerError: The URL is not one of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        return open_database(url, name="ledger", setting="ENERGY_PLATFORM_LEDGER_URL")
    except DatabaseUrlError as error:
        raise LedgerError(str(error)) from error


def migrate(engine: sa.Engine) -> None:
    """Create or upgrade the tables; costs one small query when there is nothing to do.

    Raises:
        LedgerError: The ledger was written by a newer version of the platform, or what the URL
            names cannot be opened or is not a database.
    """
    deadline = time.monotonic() + _STARTING_S
    while True:
        try:
            _migrate(engine)
        except (sa.exc.DatabaseError, sa.exc.InterfaceError) as error:
            if is_session_lost(error) and time.monotonic() < deadline:
                time.sleep(_RETRY_S)
                continue
            # Integrity, data and statements are the platform's own; the rest was found there.
            if isinstance(
                error, sa.exc.IntegrityError | sa.exc.DataError | sa.exc.ProgrammingError
            ):
                raise
            raise LedgerError(_unusable(engine, error)) from error
        else:
            return


def _migrate(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if _version(connection) == NEWEST:
            return
    with _one_at_a_time(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Of the transaction: it needs no session of its own and ends with it.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_KEY)))
        found = _version(connection)
        if found == NEWEST:
            return
        if found is not None and found > NEWEST:
            raise LedgerError(
                f"the ledger has version {found}, this platform knows {NEWEST}: update the platform"
            )
        from alembic import command  # noqa: PLC0415 - slow to import, needed once per version
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(migrations_package.__path__[0])))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _one_at_a_time(engine: sa.Engine) -> AbstractContextManager[object]:
    if engine.dialect.name == "sqlite" and engine.url.database:
        return FileLock(f"{engine.url.database}.migrate.lock")
    return nullcontext()


def _unusable(engine: sa.Engine, error: sa.exc.DBAPIError) -> str:
    first = reason_of(error)
    if engine.dialect.name == "postgresql":
        return (
            f"the ledger's database cannot be reached ({first}); check ENERGY_PLATFORM_LEDGER_URL "
            "and that the server runs"
        )
    return (
        f"the ledger {engine.url.database} cannot be used as a SQLite database ({first}); put it "
        "back from a copy, or move it away: a new one begins from what is read back"
    )


T = TypeVar("T")

RECONNECT_S: Final = 60.0
"""How long a push waits for its ledger's server, such as one that is restarted."""

_HUNG_TRANSACTION_MS: Final = "15000"
"""PostgreSQL ends a transaction whose client says nothing for so long: it would hold the fence."""


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


def raise_plainly(error: sa.exc.DBAPIError) -> NoReturn:
    """Raise a fault of the database as one sentence; a fault of the platform's own as it is."""
    if isinstance(
        error, sa.exc.IntegrityError | sa.exc.DataError | sa.exc.ProgrammingError
    ) and not is_outage(error):
        raise error
    first = reason_of(error)
    raise LedgerError(
        f"the ledger's database does not answer ({first}); nothing is lost: the next push goes on "
        "where this one ended"
    ) from error
