"""Opens the ledger's database and brings it to the newest version."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from filelock import FileLock

import energy_platform.delivery.migrations as migrations_package
from energy_platform.delivery.ledger.errors import LedgerError
from energy_platform.lake.sqlite import sqlite_engine

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

NEWEST: Final = "0004"
"""Version the code works with; the newest migration."""

_ADVISORY_KEY: Final = 0x656E5F6C6467
"""Key of PostgreSQL's advisory lock around migrations."""

_STARTING_S: Final = 10.0
"""How long a server that ended the session, or is starting, is tried again when it is opened."""

_RETRY_S: Final = 0.25

_CONNECTING: Final = {
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


def open_engine(url: str) -> sa.Engine:
    """Return an engine for a ledger URL.

    SQLite keeps a write-ahead log and syncs each commit: a packet that was committed is still
    there after a power cut. PostgreSQL is spoken to through psycopg 3, also behind a pgbouncer that
    pools by transaction: nothing depends on a session.

    Raises:
        LedgerError: The URL is not one of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # Without the URL: it may hold a password.
        raise LedgerError(
            "ENERGY_PLATFORM_LEDGER_URL is no SQLAlchemy URL such as postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        arguments: dict[str, Any] = {
            name: value for name, value in _CONNECTING.items() if name not in parsed.query
        }
        # Prepared statements belong to a session, which a pooler changes with each transaction.
        arguments["prepare_threshold"] = None
        try:
            return sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                connect_args=arguments,
            )
        except ModuleNotFoundError:
            raise LedgerError(
                "a ledger in PostgreSQL needs psycopg: pip install 'energy-platform[postgres]'"
            ) from None
    if backend != "sqlite":
        raise LedgerError(f"ledger URL: {backend} is neither sqlite nor postgresql")
    try:
        return sqlite_engine(parsed)
    except OSError as error:
        raise LedgerError(
            f"the ledger {parsed.database}: its folder cannot be made ({error})"
        ) from error


def migrate(engine: sa.Engine) -> None:
    """Create or upgrade the tables; costs one small query when there is nothing to do.

    Raises:
        LedgerError: The ledger was written by a newer version of the platform, or what the URL
            names cannot be opened or is no database.
    """
    deadline = time.monotonic() + _STARTING_S
    while True:
        try:
            _migrate(engine)
        except (sa.exc.DatabaseError, sa.exc.InterfaceError) as error:
            if _is_passing(error) and time.monotonic() < deadline:
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


def _is_passing(error: sa.exc.DBAPIError) -> bool:
    """Whether a server is there and ended the session, or is just starting or stopping."""
    words = str(error.orig)
    return (
        error.connection_invalidated
        or str(getattr(error.orig, "sqlstate", "")).startswith("57P")
        or "the database system is " in words  # no SQLSTATE comes with a refused session
        or "server closed the connection" in words
    )


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
    first = str(error.orig).strip().split("\n", maxsplit=1)[0]
    if engine.dialect.name == "postgresql":
        return (
            f"the ledger's database cannot be reached ({first}); check ENERGY_PLATFORM_LEDGER_URL "
            "and that the server runs"
        )
    return (
        f"the ledger {engine.url.database} cannot be used as a SQLite database ({first}); put it "
        "back from a copy, or move it away: a new one begins from what is read back"
    )
