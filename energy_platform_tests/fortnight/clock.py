"""A clock that is moved by hand, for everything in this process that asks for the time."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
import time_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class FastClock:
    """The time of Dagster, the platform and the simulators; it goes on while they work.

    SQLite's ``CURRENT_TIMESTAMP``, by which Dagster stamps some rows, follows. Times of files are
    the kernel's and do not: `stamp` moves those that somebody reads. Waiting (``time.sleep``, the
    monotonic clock, time limits) stays real.

    Args:
        begin: The first instant.
    """

    def __init__(self, begin: datetime) -> None:
        self._travel = time_machine.travel(begin, tick=True)
        self._real_from = datetime.now(tz=UTC).timestamp() - 3600

    def __enter__(self) -> Self:
        sa.event.listen(sa.Engine, "connect", _follow)
        self._coordinates = self._travel.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._travel.stop()
        sa.event.remove(sa.Engine, "connect", _follow)

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(tz=UTC)

    def move_to(self, at: datetime) -> None:
        """Set the clock, also backwards."""
        self._coordinates.move_to(at)

    def stamp(self, paths: Iterable[Path]) -> None:
        """Give files that were written since the start of it all this clock's present."""
        at = self.now().timestamp()
        for path in paths:
            if path.exists() and path.stat().st_mtime >= self._real_from:
                os.utime(path, (at, at))


def _follow(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_function(
            "current_timestamp", 0, lambda: f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M:%S}"
        )
