"""SQLite files that several processes write: a write-ahead log and durable commits."""

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
