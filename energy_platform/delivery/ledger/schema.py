"""Opens the ledger's database and brings it to the newest version."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from filelock import FileLock

import energy_platform.delivery.migrations as migrations_package
from energy_platform.storage.sqlite import sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

NEWEST: Final = "0001"
"""Version the code works with; the newest migration."""

_ADVISORY_KEY: Final = 0x656E5F6C6467
"""Key of PostgreSQL's advisory lock around migrations."""


class LedgerError(RuntimeError):
    """The ledger cannot be used; the message says what to do."""


def open_engine(url: str) -> sa.Engine:
    """Return an engine for a ledger URL.

    SQLite keeps a write-ahead log and syncs each commit: an intent that was committed is still
    there after a power cut. PostgreSQL is spoken to through psycopg 3.

    Raises:
        LedgerError: The URL is not one of SQLite or PostgreSQL.
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
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if backend != "sqlite":
        raise LedgerError(f"ledger URL: {backend} is neither sqlite nor postgresql")
    return sqlite_engine(parsed)


def migrate(engine: sa.Engine) -> None:
    """Create or upgrade the tables; costs one small query when there is nothing to do.

    Raises:
        LedgerError: The ledger was written by a newer version of the platform.
    """
    if _version(engine) == NEWEST:
        return
    with _one_at_a_time(engine):
        found = _version(engine)
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
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _version(engine: sa.Engine) -> str | None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return found


def _one_at_a_time(engine: sa.Engine) -> AbstractContextManager[object]:
    if engine.dialect.name == "postgresql":
        return advisory_lock(engine, key=_ADVISORY_KEY)
    if engine.url.database:
        return FileLock(f"{engine.url.database}.migrate.lock")
    return nullcontext()


@contextmanager
def advisory_lock(engine: sa.Engine, *, key: int) -> Iterator[None]:
    """Hold a lock of the PostgreSQL server; it is freed when the connection dies."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
