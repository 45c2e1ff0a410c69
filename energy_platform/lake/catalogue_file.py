"""The catalogue's database: opening it, and what happens when it cannot be used.

Here belongs what all tables of the catalogue share. The tables are in
:mod:`energy_platform.lake.day_files` (the day files there are),
:mod:`energy_platform.lake.catalogue` (what each source gave for a day) and
:mod:`energy_platform.lake.point_habits`.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from filelock import FileLock

from energy_platform.days import instant, microseconds
from energy_platform.lake.files import DAMAGED_INFIX, set_aside
from energy_platform.lake.footers import LakeError
from energy_platform.lake.sqlite import sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.sqlite import Synchronous

CATALOGUE_FILE: Final = "catalogue.sqlite"
"""Name of the SQLite file in the data folder."""

_LOG: Final = logging.getLogger(__name__)

_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
"""What SQLite says of a file that is not a database, or not a whole one (sqlite.org/rescode)."""


class CatalogueError(LakeError):
    """The catalogue cannot be used; the message names the file and what to do."""


def open_catalogue(
    path: Path, metadata: sa.MetaData, *, synchronous: Synchronous = "FULL"
) -> sa.Engine:
    """Return an engine for the catalogue of a data folder, with some tables made.

    A damaged file is set aside next to its place and a new one begun: the lake's files are listed
    again from their footers, and days are judged again when they are read again.

    Args:
        path: The SQLite file; created when missing.
        metadata: The tables.
        synchronous: How durable a commit is (SQLite's pragma of the name).

    Raises:
        CatalogueError: The disk refuses, or another process keeps the file.
    """
    with catalogue_faults(path):
        try:
            return _open(path, metadata, synchronous=synchronous)
        except sa.exc.DatabaseError as error:
            if not is_damage(error):
                raise
        set_damaged_aside(path)
        return _open(path, metadata, synchronous=synchronous)


def set_damaged_aside(path: Path) -> None:
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


def damaged_catalogues(data_dir: Path) -> list[Path]:
    """Return the damaged catalogues that were set aside in a data folder."""
    return sorted(data_dir.glob(f"{CATALOGUE_FILE}{DAMAGED_INFIX}*"))


def is_damage(error: sa.exc.DatabaseError) -> bool:
    """Whether an error says that the file itself is damaged, not that it is busy or refused."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


@contextmanager
def catalogue_faults(path: Path) -> Iterator[None]:
    """Turn the database's errors into one that names the file and what to do.

    Raises:
        CatalogueError: The database refused.
    """
    try:
        yield
    except (sa.exc.DatabaseError, OSError) as error:
        reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error
        raise CatalogueError(
            f"{path}: cannot be used ({reason}). If it is damaged, remove it: days are judged "
            "again when they are read again"
        ) from error


def to_column(at: datetime | None) -> int | None:
    """Return an instant as the catalogue keeps it: microseconds since 1970."""
    return None if at is None else microseconds(at)


def from_column(us: int | None) -> datetime | None:
    """Return the instant that the catalogue keeps as a number."""
    return None if us is None else instant(us)


def _open(path: Path, metadata: sa.MetaData, *, synchronous: Synchronous) -> sa.Engine:
    engine = sqlite_engine(sa.make_url(f"sqlite:///{path}"), synchronous=synchronous)
    try:
        metadata.create_all(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _is_damaged(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return bool(error.sqlite_errorcode & 0xFF in _DAMAGED)
