"""The catalogue's database: opening it, and what happens when it cannot be used.

A SQLite file in the data folder, or a database by URL. Here belongs what all tables of the
catalogue share. The tables are in :mod:`energy_platform.lake.day_files` (the day files there are),
:mod:`energy_platform.lake.catalogue` (what each source gave for a day) and
:mod:`energy_platform.lake.point_habits`.

Nothing in it is the only copy of a reading, so that what is damaged or lost is begun again: the
lake's files are listed from their footers, days are judged when they are read again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.dialects import postgresql

from energy_platform.closeable import Closeable
from energy_platform.days import instant, microseconds
from energy_platform.lake.catalogue_owner import claim
from energy_platform.lake.database import (
    DatabaseUrlError,
    is_session_lost,
    open_database,
    reason_of,
    sqlite_engine,
)
from energy_platform.lake.files import DAMAGED_INFIX, set_aside
from energy_platform.lake.footers import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pydantic import SecretStr

    from energy_platform.lake.database import Synchronous

CATALOGUE_FILE: Final = "catalogue.sqlite"
"""Name of the SQLite file in the data folder."""

SETTING: Final = "ENERGY_PLATFORM_CATALOGUE_URL"
"""Variable with the URL of a catalogue elsewhere."""

Text: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text in the order of its bytes in both databases, whatever language the server sorts by."""

DERIVED: Final = "derived"
"""Marks a table that follows from the lake's files: one with other columns is made again."""

_LOG: Final = logging.getLogger(__name__)

_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
"""What SQLite says of a file that is not a database, or not a whole one (sqlite.org/rescode)."""

_NO_TABLE: Final = "42P01"
"""SQLSTATE of PostgreSQL's ``undefined_table``: the database was dropped and made again."""

_ONE_WRITER: Final = 0x656E5F636174
"""Key of PostgreSQL's advisory lock that a transaction which writes holds until its end."""

_STARTING_S: Final = 10.0
"""How long a server that ended the session, or is starting, is tried again."""

_RETRY_S: Final = 0.25

_T = TypeVar("_T")


class CatalogueError(LakeError):
    """The catalogue cannot be used; the message names where it is and what to do."""


class ForeignCatalogueError(CatalogueError):
    """The catalogue is another lake's: what it says must not be believed, nor written over."""


class CatalogueDatabase(Closeable):
    """Some tables of a catalogue; safe with several threads and processes.

    Transactions that write follow one another: what one reads stays true until it has written, in
    SQLite by its write lock, in PostgreSQL by an advisory lock. Nothing is opened, nor made, before
    it is asked for.

    Args:
        data_dir: The data folder.
        metadata: The tables.
        url: SQLAlchemy URL of a database elsewhere; None for SQLite in the data folder.
        synchronous: How durable a commit to the file in the data folder is (SQLite's pragma of
            the name).
    """

    def __init__(
        self,
        data_dir: Path,
        metadata: sa.MetaData,
        *,
        url: SecretStr | None = None,
        synchronous: Synchronous = "FULL",
    ) -> None:
        self._data_dir = data_dir
        self._url = url
        self._path = _file_of(data_dir, url)
        self._metadata = metadata
        self._synchronous: Synchronous = synchronous
        self._opening = threading.Lock()
        self._opened: tuple[sa.Engine, int] | None = None
        self._closing: weakref.finalize[..., CatalogueDatabase] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is one; a server is taken to have it."""
        return self._path is None or self._path.exists()

    def run(self, work: Callable[[CatalogueDatabase], _T]) -> _T:
        """Do something with ``reading`` and ``writing``; what can be mended is, and it is repeated.

        A damaged file is set aside and a new one begun, tables that vanished are made again, and a
        server that ended the session or is starting is waited for.

        Args:
            work: May be done twice: when the first time failed, or was committed unsaid.

        Raises:
            CatalogueError: The database cannot be used.
        """
        deadline = time.monotonic() + _STARTING_S
        is_mended = False
        with self._faults():
            while True:
                try:
                    return work(self)
                except sa.exc.DBAPIError as error:
                    if is_session_lost(error) and time.monotonic() < deadline:
                        time.sleep(_RETRY_S)
                        continue
                    if is_mended or not self._mend(error):
                        raise
                    is_mended = True

    def open(self) -> None:
        """Open it now, made where it is missing.

        Raises:
            CatalogueError: The database cannot be used, or is another lake's.
        """
        self.read(lambda _: None)

    def read(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Read without a transaction; see ``run``.

        Raises:
            CatalogueError: The database cannot be used.
        """

        def once(database: CatalogueDatabase) -> _T:
            with database.reading() as connection:
                return work(connection)

        return self.run(once)

    def write(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Write in one transaction that no other writing one overlaps; see ``run``.

        Raises:
            CatalogueError: The database cannot be used.
        """

        def once(database: CatalogueDatabase) -> _T:
            with database.writing() as connection:
                return work(connection)

        return self.run(once)

    def reading(self) -> sa.Connection:
        """Return a connection without a transaction."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a transaction that no other writing one overlaps."""
        with self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        if self._closing is not None:
            self._closing()
        self._opened = self._closing = None

    @property
    def _engine(self) -> sa.Engine:
        with self._opening:
            file = _inode(self._path)
            if self._opened is not None and self._opened[1] == file:
                return self._opened[0]
            self.close()
            engine = self._open()
            self._opened = engine, _inode(self._path)
            # A connection that stays would keep its log next to the file for as long.
            self._closing = weakref.finalize(self, engine.dispose)
            return engine

    def _open(self) -> sa.Engine:
        if self._url is None:
            url = sa.URL.create("sqlite", database=str(self._path))
            engine = sqlite_engine(url, synchronous=self._synchronous)
        else:
            try:
                engine = open_database(
                    self._url.get_secret_value(), name="catalogue", setting=SETTING
                )
            except DatabaseUrlError as error:
                raise CatalogueError(str(error)) from error
        if engine.dialect.name == "postgresql":
            event.listen(engine, "begin", _take_turns)
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                is_ready = _is_ready(connection, self._metadata)
            if not is_ready:
                with engine.begin() as connection:
                    _make_ready(connection, self._metadata)
            if self._url is not None:
                _claim(engine, self._data_dir)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _mend(self, error: sa.exc.DBAPIError) -> bool:
        """Make usable again what was damaged or lost; return whether there is any use in that."""
        if self._path is not None and _is_damage(error):
            self.close()
            _set_damaged_aside(self._path)
            return True
        if getattr(error.orig, "sqlstate", None) == _NO_TABLE:
            _LOG.warning(
                "the catalogue's tables are gone and made again: the lake's files are listed again"
            )
            self.close()
            return True
        return False

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn the database's errors into one that says where it is and what to do."""
        try:
            yield
        except (sa.exc.DBAPIError, OSError) as error:
            reason = reason_of(error) if isinstance(error, sa.exc.DBAPIError) else error
            if self._path is None:
                raise CatalogueError(
                    f"the catalogue's database cannot be used ({reason}); check {SETTING} and that "
                    "the server runs. Nothing is lost: it is made again from the lake's files"
                ) from error
            raise CatalogueError(
                f"{self._path}: cannot be used ({reason}). If it is damaged, remove it: days are "
                "judged again when they are read again"
            ) from error


def damaged_catalogues(data_dir: Path) -> list[Path]:
    """Return the damaged catalogues that were set aside in a data folder."""
    return sorted(data_dir.glob(f"{CATALOGUE_FILE}{DAMAGED_INFIX}*"))


def to_column(at: datetime | None) -> int | None:
    """Return an instant as the catalogue keeps it: microseconds since 1970."""
    return None if at is None else microseconds(at)


def from_column(us: int | None) -> datetime | None:
    """Return the instant that the catalogue keeps as a number."""
    return None if us is None else instant(us)


def _is_ready(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    """Whether every table is there, and those that follow from the lake have their columns."""
    known = set(sa.inspect(connection).get_table_names())
    return metadata.tables.keys() <= known and not _outdated(connection, metadata)


def _make_ready(connection: sa.Connection, metadata: sa.MetaData) -> None:
    for table in _outdated(connection, metadata):
        table.drop(connection)
    metadata.create_all(connection)


def _claim(engine: sa.Engine, data_dir: Path) -> None:
    with engine.begin() as connection:
        why = claim(connection, data_dir, setting=SETTING)
    if why:
        raise ForeignCatalogueError(why)


def _outdated(connection: sa.Connection, metadata: sa.MetaData) -> list[sa.Table]:
    """Return the derived tables that another version of the platform made with other columns."""
    inspector = sa.inspect(connection)
    return [
        table
        for table in metadata.sorted_tables
        if table.info.get(DERIVED)
        and inspector.has_table(table.name)
        and {one["name"] for one in inspector.get_columns(table.name)} != set(table.c.keys())
    ]


def _take_turns(connection: sa.Connection) -> None:
    """Wait for the transaction that writes; the lock ends with the own one, whatever happens."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_WRITER})")


def _file_of(data_dir: Path, url: SecretStr | None) -> Path | None:
    """Return the file of a catalogue in SQLite; None where it is on a server."""
    if url is None:
        return data_dir / CATALOGUE_FILE
    try:
        parsed = sa.make_url(url.get_secret_value())
    except sa.exc.ArgumentError:
        # Said when it is opened.
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if is_file and parsed.database else None


def _inode(path: Path | None) -> int:
    """Return the number of a file, another one when it was replaced; -1 without one."""
    try:
        return -1 if path is None else path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _is_damage(error: sa.exc.DBAPIError) -> bool:
    """Whether an error says that the file itself is damaged, not that it is busy or refused."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def _set_damaged_aside(path: Path) -> None:
    """Rename a damaged catalogue, its log with it, unless another process has already done so."""
    # A log that stays would be replayed into the new file.
    with FileLock(path.with_name(f".{path.name}.lock"), preserve_lock_file=True):
        if not path.exists() or not _is_damaged(path):
            return
        aside = set_aside(path)
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
    _LOG.warning(
        "%s was damaged and is set aside as %s. The lake's files are listed again; days are judged "
        "again when they are read again",
        path,
        aside.name,
    )


def _is_damaged(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return bool(error.sqlite_errorcode & 0xFF in _DAMAGED)
