"""Databases by URL: SQLite files that several processes write, and PostgreSQL.

Here belongs how one is opened, and which of its faults pass by themselves; the delivery ledger and
the lake's catalogue share it. What stands in them is theirs.
"""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy import event

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT_S: Final = 30
"""How long one writer waits for another."""

_BUSY_PAUSE_S: Final = 0.01

CONNECTING: Final = {
    # A server that vanished is noticed within about fifteen seconds, not after two hours.
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 4,
    "tcp_user_timeout": 15_000,
    "application_name": "energy-platform",
}
"""Parameters of libpq that the URL may set otherwise."""

_PASSING_STATES: Final = frozenset({"25006", "25P03"})
"""SQLSTATEs, next to lost connections, that pass: a standby, a transaction ended for silence."""


class DatabaseUrlError(ValueError):
    """A URL names no database that can be opened; the message names the setting, not the URL."""


def open_database(url: str, *, name: str, setting: str) -> sa.Engine:
    """Return an engine for a URL of SQLite or PostgreSQL; nothing is connected yet.

    SQLite keeps a write-ahead log and syncs each commit: what was committed is still there after a
    power cut. PostgreSQL is spoken to through psycopg 3, also behind a pgbouncer that pools by
    transaction: nothing depends on a session.

    Args:
        url: SQLAlchemy URL.
        name: What the database is, for messages, such as ``ledger``.
        setting: The variable that holds the URL.

    Raises:
        DatabaseUrlError: The URL is not one of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # the latter shows what stands for the port
        # Without the URL: it may hold a password.
        raise DatabaseUrlError(
            f"{setting} is not a SQLAlchemy URL such as postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        arguments: dict[str, Any] = {
            key: value for key, value in CONNECTING.items() if key not in parsed.query
        }
        # Prepared statements belong to a session, which a pooler changes with each transaction.
        arguments["prepare_threshold"] = None
        try:
            engine = sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                connect_args=arguments,
            )
        except ModuleNotFoundError:
            raise DatabaseUrlError(
                f"a {name} in PostgreSQL needs psycopg: pip install 'energy-platform[postgres]'"
            ) from None
        event.listen(engine, "handle_error", _give_up_unfit_session)
        return engine
    if backend != "sqlite":
        raise DatabaseUrlError(f"{name} URL: {backend} is neither sqlite nor postgresql")
    try:
        return sqlite_engine(parsed)
    except OSError as error:
        raise DatabaseUrlError(
            f"the {name} {parsed.database}: its folder cannot be made ({error})"
        ) from error


def sqlite_engine(url: URL, *, synchronous: Synchronous = "FULL") -> sa.Engine:
    """Return an engine for a SQLite file, whose folder is created.

    A transaction takes the write lock when it begins, so that what it reads stays true until it
    writes; readers use AUTOCOMMIT.

    Args:
        url: The file.
        synchronous: FULL: what was committed is still there after a power cut. NORMAL: the newest
            commits may be gone then, the file is whole (sqlite.org/pragma.html#pragma_synchronous).
    """
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", partial(_set_up, synchronous=synchronous))
    event.listen(engine, "begin", _begin)
    return engine


def is_session_lost(error: sa.exc.DBAPIError) -> bool:
    """Whether a server is there and ended the session, or is just starting or stopping."""
    words = str(error.orig)
    return (
        error.connection_invalidated
        or str(getattr(error.orig, "sqlstate", "")).startswith("57P")
        or "the database system is " in words  # no SQLSTATE comes with a refused session
        or "server closed the connection" in words
    )


def is_outage(error: sa.exc.DBAPIError) -> bool:
    """Whether a fault of the database may pass by itself."""
    return (
        isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
        or error.connection_invalidated
        or getattr(error.orig, "sqlstate", None) in _PASSING_STATES
    )


def reason_of(error: sa.exc.DBAPIError) -> str:
    """Return what a database said, in one line and without the statement."""
    return str(error.orig).strip().split("\n", maxsplit=1)[0]


def _give_up_unfit_session(context: sa.engine.ExceptionContext) -> None:
    """Take a session for lost that failed and did not come to rest.

    A session may be ended in the middle of a batch of statements. psycopg then says so, or says
    "cannot exit pipeline mode while busy" or "can't change 'autocommit' now", while its connection
    still counts as open: SQLAlchemy would roll back on it, fail again and log a trace-back.
    """
    if context.is_disconnect:
        return
    if context.is_pre_ping or context.connection is None:
        context.is_disconnect = context.is_pre_ping
        return
    driver: Any = context.connection.connection.driver_connection
    is_at_rest = driver.info.transaction_status.name in {"IDLE", "INTRANS", "INERROR"}
    context.is_disconnect = not is_at_rest or driver.info.pipeline_status.name != "OFF"


def _set_up(connection: Any, _record: object, *, synchronous: Synchronous) -> None:
    # SQLAlchemy's own BEGIN below replaces the driver's, which would come too late.
    connection.isolation_level = None
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # This statement does not wait for a writer by itself: two make a new file at once.
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            break
    connection.execute(f"PRAGMA synchronous={synchronous}")


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
