"""The catalogue of day files: one row per file of the lake, and which changed since a version.

The files' own footers stay the truth. A row is written under the table's lock right after the
rename; whatever did not come to be written so (a process killed in between, a file put, removed or
copied by hand, a lost or older catalogue) is found by the next look at the folder, which compares
each file's inode, size and time of change with the row, and reads the footers of those that differ.
No other footer is read, so a look at a lake that did not change opens no file.

Here belongs what is known of files. What a source gave for a day, and when a day is asked for
again, is in :mod:`energy_platform.lake.catalogue`.
"""

from __future__ import annotations

import json
import logging
import os
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from energy_platform.lake.catalogue_file import (
    catalogue_faults,
    is_damage,
    open_catalogue,
    set_damaged_aside,
    to_column,
)
from energy_platform.lake.digests import digest_of
from energy_platform.lake.footers import (
    FINGERPRINT,
    Footer,
    LakeError,
    read_bounds,
    read_footer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

SNAPSHOT: Final = ""
"""Stands for the day of a table that has one file, not one per day."""

FILE_NAME: Final = "part.parquet"
"""Name of every file of the lake, in the folder of its day."""

DAY_PREFIX: Final = "day="
"""Begins the name of a day's folder (Hive's way, which every reader of Parquet knows)."""

_ROWS_A_COMMIT: Final = 500
"""Rows per transaction when many changed: writers wait for one of them, a few milliseconds."""

_HALF: Final = 1 << 63
"""Integers of SQLite and PostgreSQL have 64 bits, one of them the sign."""

_T = TypeVar("_T")

_LOG: Final = logging.getLogger(__name__)

Key = tuple[str, str]
"""Table and day."""


class _Identity(NamedTuple):
    """What a folder says of a file: another one, or one written to, differs in one of these."""

    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class CataloguedFile:
    """A file of the lake as the catalogue knows it.

    Attributes:
        table: Name of its table.
        day: Partition key; ``SNAPSHOT`` for a table with one file.
        footer: What the file says of itself; None when it is damaged or gone.
        damage: What is wrong with it, and what to do; empty when it is sound or gone.
        version: The version of the lake in which it last changed.
    """

    table: str
    day: str
    footer: Footer | None
    damage: str
    version: int


class Changes(NamedTuple):
    """What changed since a version of the lake.

    Attributes:
        version: The version now; ask with it the next time.
        files: The files that changed, those that are gone among them.
    """

    version: int
    files: tuple[CataloguedFile, ...]


_METADATA: Final = sa.MetaData()

_VERSION: Final = sa.Table(
    "lake_version",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)

_FILES: Final = sa.Table(
    "day_files",
    _METADATA,
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("content_id", sa.Text),
    sa.Column("fingerprint", sa.Text),
    sa.Column("rows", sa.BigInteger),
    sa.Column("first_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger),
    sa.Column("complete_until", sa.Text),
    sa.Column("closed", sa.Text),
    sa.Column("partial", sa.Text),
    sa.Column("meta", sa.Text, nullable=False),
    sa.Column("damage", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False, index=True),
    sa.Column("inode", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("mtime_ns", sa.BigInteger),
)
"""One row per file; a row without an inode is that of a file that is gone."""

_OWN_COLUMNS: Final = {
    FINGERPRINT: "fingerprint",
    "complete_until": "complete_until",
    "closed": "closed",
    "partial": "partial",
}
"""Footer keys that have a column; the others stand together in ``meta``."""

_SAYS: Final = ("content_id", "rows", "meta", "damage", *_OWN_COLUMNS.values())
"""Columns that make a file another one for whoever reads it."""


class DayFiles:
    """The catalogue's rows about the files of one lake; safe with several threads and processes.

    Args:
        root: The lake's folder.
        path: The catalogue's SQLite file.
    """

    def __init__(self, root: Path, *, path: Path) -> None:
        self._root = root
        self._path = path
        self._opened: tuple[sa.Engine, int] | None = None
        self._closing: weakref.finalize[..., DayFiles] | None = None

    def version(self) -> int:
        """Bring the rows up to date with the folder; return the version of the lake.

        It rises with every file that changes, and stays while none does.

        Raises:
            CatalogueError: The catalogue cannot be used.
        """
        return self._guarded(self._synced)

    def listed(self, tables: Collection[str], *, since: str | None = None) -> list[CataloguedFile]:
        """Return the files of some tables, by table and day in order.

        Args:
            tables: Their names.
            since: First day that is wanted; None for all.

        Raises:
            CatalogueError: The catalogue cannot be used.
        """

        def read() -> list[CataloguedFile]:
            if not self._synced():
                return []
            query = sa.select(_FILES).where(
                _FILES.c.table_name.in_(tables), _FILES.c.inode.is_not(None)
            )
            if since is not None:
                query = query.where(_FILES.c.day >= since)
            with self._read() as connection:
                rows = connection.execute(query.order_by(_FILES.c.table_name, _FILES.c.day))
                return [_day_file(row) for row in rows.mappings()]

        return self._guarded(read)

    def changed_since(self, version: int) -> Changes:
        """Return the version of the lake, and what changed since another.

        Args:
            version: What an earlier answer said; 0 for everything. One that is newer than the
                catalogue is of a catalogue that was lost: everything counts as changed.

        Raises:
            CatalogueError: The catalogue cannot be used.
        """

        def read() -> Changes:
            now = self._synced()
            if not now:
                return Changes(now, ())
            query = sa.select(_FILES).order_by(_FILES.c.version, _FILES.c.table_name, _FILES.c.day)
            if version <= now:
                query = query.where(_FILES.c.version > version)
            with self._read() as connection:
                rows = connection.execute(query).mappings()
                return Changes(now, tuple(_day_file(row) for row in rows))

        return self._guarded(read)

    def note(self, table: str, day: str) -> None:
        """Write the row of a file that was put in place; the table's lock is held.

        A catalogue that cannot be used costs the file nothing: the next look finds it.
        """
        try:
            self._guarded(lambda: self._update([(table, day)]))
        except LakeError as error:
            _LOG.warning("%s/%s%s: not noted: %s", table, DAY_PREFIX, day, error)

    def _synced(self) -> int:
        """Find what changed in the folder and note it; return the version, 0 without a lake."""
        if not (self._root.is_dir() or self._path.exists()):
            # Looking must not make a catalogue.
            return 0
        present = scan(self._root)
        with self._read() as connection:
            version = connection.execute(sa.select(_VERSION.c.version)).scalar_one_or_none() or 0
            query = sa.select(
                _FILES.c.table_name, _FILES.c.day, _FILES.c.inode, _FILES.c.size, _FILES.c.mtime_ns
            ).where(_FILES.c.inode.is_not(None))
            known = {(row[0], row[1]): row[2:] for row in connection.execute(query)}
        if known == present:
            return version
        differing = [key for key in present if known.get(key) != present[key]]
        gone = [key for key in known if key not in present]
        keys = [*differing, *gone]
        for start in range(0, len(keys), _ROWS_A_COMMIT):
            version = self._update(keys[start : start + _ROWS_A_COMMIT])
        return version

    def _update(self, keys: Iterable[Key]) -> int:
        """Make the rows of some files follow from the files; return the version of the lake."""
        looked = [(key, *self._look(key)) for key in keys]
        with self._engine.begin() as connection:
            stored = _rows_of(connection, [key for key, _, _ in looked])
            rows, moved = [], []
            for key, identity, says in looked:
                if _identity(self._path_of(key)) != identity:
                    # Replaced since it was read: who did so notes it, or the next look finds it.
                    continue
                before = stored.get(key)
                row = {"table_name": key[0], "day": key[1], **says, **_as_columns(identity)}
                same = before is not None and all(before[name] == says[name] for name in _SAYS)
                if before is not None and same and (before["inode"] is None) == (identity is None):
                    moved.append(row | {"version": before["version"]})
                elif before is not None or identity is not None:
                    rows.append(row)
            version = _next_version(connection) if rows else _current_version(connection)
            rows = [row | {"version": version} for row in rows] + moved
            if rows:
                connection.execute(
                    sa.delete(_FILES).where(
                        _FILES.c.table_name == sa.bindparam("of_table"),
                        _FILES.c.day == sa.bindparam("of_day"),
                    ),
                    [{"of_table": row["table_name"], "of_day": row["day"]} for row in rows],
                )
                connection.execute(sa.insert(_FILES), rows)
        return version

    def _look(self, key: Key) -> tuple[_Identity | None, dict[str, object]]:
        """Return which file lies in a place, and what it says of itself."""
        path = self._path_of(key)
        while True:
            identity = _identity(path)
            try:
                says = _NOTHING if identity is None else _columns(path)
            except FileNotFoundError:
                continue
            if _identity(path) == identity:
                return identity, says

    def _path_of(self, key: Key) -> Path:
        return _place(self._root, *key)

    @property
    def _engine(self) -> sa.Engine:
        if self._opened is not None and self._opened[1] == _inode(self._path):
            return self._opened[0]
        self._close()
        # Not each commit is synced: what a power cut takes, the next look finds again.
        engine = open_catalogue(self._path, _METADATA, synchronous="NORMAL")
        self._opened = engine, _inode(self._path)
        # A connection that stays would keep its log next to the file for as long.
        self._closing = weakref.finalize(self, engine.dispose)
        return engine

    def _close(self) -> None:
        if self._closing is not None:
            self._closing()
        self._opened = self._closing = None

    def _read(self) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _guarded(self, do: Callable[[], _T]) -> _T:
        """Do something with the catalogue; one found damaged is set aside, and it is done again."""
        with catalogue_faults(self._path):
            try:
                return do()
            except sa.exc.DatabaseError as error:
                if not is_damage(error):
                    raise
            self._close()
            set_damaged_aside(self._path)
            return do()


def scan(root: Path) -> dict[Key, _Identity]:
    """Return which files a lake has, and what its folders say of them; none is opened."""
    found: dict[Key, _Identity] = {}
    for table in _folders(root):
        for entry in _entries(table.path):
            if entry.name == FILE_NAME:
                place, day = entry.path, SNAPSHOT
            elif entry.name.startswith(DAY_PREFIX):
                place, day = f"{entry.path}/{FILE_NAME}", entry.name.removeprefix(DAY_PREFIX)
            else:
                continue
            identity = _identity(place)
            if identity is not None:
                found[table.name, day] = identity
    return found


def scan_digest(root: Path) -> int:
    """Return a number that is another one when any file of a lake changes."""
    return int(digest_of(repr(sorted(scan(root).items()))), 16) >> 65


def read_all(
    root: Path, tables: Collection[str], *, since: str | None = None
) -> list[CataloguedFile]:
    """Return the files of some tables from their footers alone, where there is no catalogue."""
    found = []
    for table, day in sorted(scan(root)):
        if table in tables and (since is None or day >= since):
            path = _place(root, table, day)
            footer, damage = None, ""
            try:
                footer = read_footer(path)
            except FileNotFoundError:
                continue
            except LakeError as error:
                damage = str(error)
            found.append(
                CataloguedFile(table=table, day=day, footer=footer, damage=damage, version=0)
            )
    return found


def _place(root: Path, table: str, day: str) -> Path:
    folder = root / table
    return (folder if day == SNAPSHOT else folder / f"{DAY_PREFIX}{day}") / FILE_NAME


def _folders(root: Path) -> list[os.DirEntry[str]]:
    # Hidden ones hold locks and notes.
    return [one for one in _entries(root) if not one.name.startswith(".") and one.is_dir()]


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _inode(path: Path) -> int:
    identity = _identity(path)
    return -1 if identity is None else identity.inode


def _identity(path: Path | str) -> _Identity | None:
    try:
        stat = os.stat(path)  # noqa: PTH116 - thousands of times a look
    except (FileNotFoundError, NotADirectoryError):
        return None
    # Some file systems number beyond what a database's integers hold.
    inode = (stat.st_ino + _HALF) % (2 * _HALF) - _HALF
    return _Identity(inode, stat.st_size, stat.st_mtime_ns)


_NOTHING: Final[dict[str, object]] = {
    "content_id": None,
    "rows": None,
    "first_us": None,
    "last_us": None,
    "meta": "{}",
    "damage": "",
    **dict.fromkeys(_OWN_COLUMNS.values()),
}
"""What a file that is gone says of itself."""


def _columns(path: Path) -> dict[str, object]:
    """Return what a file says of itself, as columns.

    Raises:
        FileNotFoundError: The file vanished.
    """
    try:
        footer = read_footer(path)
        first, last = read_bounds(path)
    except FileNotFoundError:
        raise
    except LakeError as error:
        return _NOTHING | {"damage": str(error)}
    rest = {key: value for key, value in footer.meta.items() if key not in _OWN_COLUMNS}
    return {
        "content_id": footer.content_id,
        "rows": footer.rows,
        "first_us": to_column(first),
        "last_us": to_column(last),
        "meta": json.dumps(rest, sort_keys=True),
        "damage": "",
        **{column: footer.meta.get(key) for key, column in _OWN_COLUMNS.items()},
    }


def _as_columns(identity: _Identity | None) -> dict[str, int | None]:
    return dict.fromkeys(_Identity._fields) if identity is None else identity._asdict()


def _day_file(row: sa.RowMapping) -> CataloguedFile:
    footer = None
    if row["content_id"] is not None:
        meta: dict[str, str] = json.loads(row["meta"])
        for key, column in _OWN_COLUMNS.items():
            if row[column] is not None:
                meta[key] = row[column]
        footer = Footer(rows=row["rows"], content_id=row["content_id"], meta=meta)
    return CataloguedFile(
        table=row["table_name"],
        day=row["day"],
        footer=footer,
        damage=row["damage"],
        version=row["version"],
    )


def _rows_of(connection: sa.Connection, keys: Collection[Key]) -> dict[Key, sa.RowMapping]:
    tables = {table for table, _ in keys}
    days = {day for _, day in keys}
    query = sa.select(_FILES).where(_FILES.c.table_name.in_(tables), _FILES.c.day.in_(days))
    return {(row["table_name"], row["day"]): row for row in connection.execute(query).mappings()}


def _current_version(connection: sa.Connection) -> int:
    return connection.execute(sa.select(_VERSION.c.version)).scalar_one_or_none() or 0


def _next_version(connection: sa.Connection) -> int:
    """Return a version above all before, also those of a catalogue that was lost.

    Microseconds since 1970, for that reason: a catalogue begun again goes on above the old one.
    """
    current = _current_version(connection)
    version = max(current + 1, time.time_ns() // 1_000)
    if current:
        connection.execute(sa.update(_VERSION).values(version=version))
    else:
        connection.execute(sa.insert(_VERSION), {"id": 1, "version": version})
    return version
