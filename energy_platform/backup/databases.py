"""Databases in a backup: SQLite files as they are at one moment, and servers, which it lacks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from energy_platform.backup.errors import BackupError

if TYPE_CHECKING:
    from pydantic import SecretStr

_HEADER: Final = b"SQLite format 3\x00"
"""The first 16 bytes of a SQLite database (sqlite.org/fileformat)."""

_BUSY_S: Final = 30


def is_sqlite(path: Path) -> bool:
    """Say whether a file is a SQLite database, which must not be copied as a file."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment, whoever writes to it meanwhile.

    SQLite's own online backup; what stands only in the write-ahead log is in it.

    Raises:
        BackupError: It is damaged, or stays locked.
    """
    try:
        with (
            closing(
                sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
            ) as one,
            closing(sqlite3.connect(target)) as copy,
        ):
            # In one step: a copy in several begins again whenever somebody writes in between.
            one.backup(copy, pages=-1)
            # One file, without a log next to it: whoever opens it chooses how it is written.
            copy.execute("PRAGMA journal_mode = DELETE")
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(
            f"{source}: cannot be copied ({error}). If it is damaged, put it back from a backup"
        ) from error
    if verdict != "ok":
        raise BackupError(f"{source}: is damaged ({verdict}); put it back from an older backup")


def file_of(url: SecretStr | None, *, default: Path) -> Path | None:
    """Return the file of a database of the settings; None where it is on a server.

    Args:
        url: SQLAlchemy URL; None: the default.
        default: The file where there is no URL.

    Raises:
        BackupError: The URL cannot be read.
    """
    if url is None:
        return default
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database)
    return None


def server_of(url: SecretStr) -> str:
    """Return the server and the name of a database, without user and password."""
    parsed = _parsed(url)
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.host or 'localhost'}{port}/{parsed.database or ''}"


def dump_command(server: str, *, name: str) -> str:
    """Return the command that copies a database on a server, for the person who types it."""
    host, _, database = server.partition("/")
    host, _, port = host.partition(":")
    given = f" --port {port}" if port else ""
    return f"pg_dump --format custom --host {host}{given} --file {name}.dump {database}"


def _parsed(url: SecretStr) -> sa.URL:
    try:
        return sa.make_url(url.get_secret_value())
    except sa.exc.ArgumentError:
        raise BackupError(
            "the URL of a database cannot be read; check ENERGY_PLATFORM_LEDGER_URL and "
            "ENERGY_PLATFORM_CATALOGUE_URL"
        ) from None
