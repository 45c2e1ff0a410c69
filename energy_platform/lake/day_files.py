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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from energy_platform.lake.catalogue_database import DERIVED, CatalogueDatabase, Text, to_column
from energy_platform.lake.digests import digest_of
from energy_platform.lake.footers import (
    FINGERPRINT,
    Footer,
    LakeError,
    read_footer,
    read_statistics,
)
from energy_platform.lake.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from energy_platform.lake.remembered import RememberedFiles

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
        rows_version: The version in which its rows last changed; what it says of itself, such as
            what it was made of, may have changed since.
        has_refused: Whether any row may have refused energy; None where that is not known.
    """

    table: str
    day: str
    footer: Footer | None
    damage: str
    version: int
    rows_version: int
    has_refused: bool | None = None

    @property
    def is_gone(self) -> bool:
        """Whether there was such a file and is none any more."""
        return self.footer is None and not self.damage


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
    sa.Column("table_name", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("content_id", Text),
    sa.Column("fingerprint", Text),
    sa.Column("rows", sa.BigInteger),
    sa.Column("first_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger),
    sa.Column("has_refused", sa.Boolean),
    sa.Column("complete_until", Text),
    sa.Column("closed", Text),
    sa.Column("partial", Text),
    sa.Column("meta", Text, nullable=False),
    sa.Column("damage", Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False, index=True),
    sa.Column("rows_version", sa.BigInteger, nullable=False),
    sa.Column("inode", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("mtime_ns", sa.BigInteger),
    info={DERIVED: True},
)
"""One row per file; a row without an inode is that of a file that is gone.

All of it follows from the lake: a table with other columns is made again."""

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
        root: The lake's folder; the catalogue lies next to it.
        url: SQLAlchemy URL of a catalogue elsewhere; None for the file.
    """

    def __init__(self, root: Path, *, url: SecretStr | None = None) -> None:
        self._root = root
        # Not each commit is synced: what a power cut takes, the next look finds again.
        self._database = CatalogueDatabase(root.parent, _METADATA, url=url, synchronous="NORMAL")

    def version(self) -> int:
        """Bring the rows up to date with the folder; return the version of the lake.

        It rises with every file that changes, and stays while none does.

        Raises:
            CatalogueError: The catalogue cannot be used.
        """
        return self._database.run(self._synced)

    def changed_since(
        self, version: int, tables: Collection[str] = (), *, since: str | None = None
    ) -> Changes:
        """Return the version of the lake, and what changed since another.

        Args:
            version: What an earlier answer said; 0 for everything. One that is newer than the
                catalogue is of a catalogue that was lost: everything counts as changed.
            tables: Names of those that matter; empty for all.
            since: First day that matters; None for all.

        Raises:
            CatalogueError: The catalogue cannot be used.
        """
        memory = None if version else remembered(self._root)

        def read(database: CatalogueDatabase) -> Changes:
            now = self._synced(database)
            if not now:
                return Changes(now, ())
            if memory is not None:
                with memory.lock:
                    _bring_up_to_date(memory, database, version=now)
                    return Changes(now, memory.files(tables, since=since))
            query = sa.select(_FILES)
            if version <= now:
                query = query.where(_FILES.c.version > version)
            if tables:
                query = query.where(_FILES.c.table_name.in_(tables))
            if since is not None:
                query = query.where(_FILES.c.day >= since)
            with database.reading() as connection:
                rows = connection.execute(query.order_by(_FILES.c.table_name, _FILES.c.day))
                return Changes(now, tuple(_day_file(row) for row in rows.mappings()))

        return self._database.run(read)

    def note(self, table: str, day: str) -> None:
        """Write the row of a file that was put in place; the table's lock is held.

        A catalogue that cannot be used costs the file nothing: the next look finds it.
        """
        try:
            self._database.run(lambda database: self._update(database, [(table, day)]))
        except LakeError as error:
            _LOG.warning("%s/%s%s: not noted: %s", table, DAY_PREFIX, day, error)

    def _synced(self, database: CatalogueDatabase) -> int:
        """Find what changed in the folder and note it; return the version, 0 without a lake."""
        if not (self._root.is_dir() or database.exists):
            # Looking must not make a catalogue.
            return 0
        memory = remembered(self._root)
        if memory is not None and memory.is_looked_at:
            with database.reading() as connection:
                return _current_version(connection)
        present = scan(self._root)
        with database.reading() as connection:
            version = _current_version(connection)
            query = sa.select(
                _FILES.c.table_name, _FILES.c.day, _FILES.c.inode, _FILES.c.size, _FILES.c.mtime_ns
            ).where(_FILES.c.inode.is_not(None))
            known = {(row[0], row[1]): row[2:] for row in connection.execute(query)}
        if memory is not None:
            memory.note_look()
        if known == present:
            return version
        differing = [key for key in present if known.get(key) != present[key]]
        gone = [key for key in known if key not in present]
        keys = [*differing, *gone]
        for start in range(0, len(keys), _ROWS_A_COMMIT):
            version = self._update(database, keys[start : start + _ROWS_A_COMMIT])
        return version

    def _update(self, database: CatalogueDatabase, keys: Iterable[Key]) -> int:
        """Make the rows of some files follow from the files; return the version of the lake."""
        looked = [(key, *self._look(key)) for key in keys]
        with database.writing() as connection:
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
                    versions = {name: before[name] for name in ("version", "rows_version")}
                    moved.append(row | versions)
                elif before is not None or identity is not None:
                    rows.append(row)
            version = _next_version(connection) if rows else _current_version(connection)
            rows = [_with_versions(row, stored, version=version) for row in rows] + moved
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


def read_all(root: Path, tables: Collection[str], *, since: str | None = None) -> Changes:
    """Return the files of some tables, or of all, from their footers alone.

    The time at which a file was renamed into its place stands for its version: like a version it
    counts microseconds since 1970, and is at most the one that a catalogue gave it.
    """
    found = []
    for table, day in sorted(scan(root)):
        if (not tables or table in tables) and (since is None or day >= since):
            path = _place(root, table, day)
            footer, damage = None, ""
            try:
                version = path.stat().st_ctime_ns // 1_000
                footer = read_footer(path)
            except FileNotFoundError:
                continue
            except LakeError as error:
                damage = str(error)
            found.append(
                CataloguedFile(
                    table=table,
                    day=day,
                    footer=footer,
                    damage=damage,
                    version=version,
                    rows_version=version,
                )
            )
    return Changes(max((one.version for one in found), default=0), tuple(found))


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
    "has_refused": None,
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
        statistics = read_statistics(path)
    except FileNotFoundError:
        raise
    except LakeError as error:
        return _NOTHING | {"damage": str(error)}
    rest = {key: value for key, value in footer.meta.items() if key not in _OWN_COLUMNS}
    return {
        "content_id": footer.content_id,
        "rows": footer.rows,
        "first_us": to_column(statistics.first),
        "last_us": to_column(statistics.last),
        "has_refused": statistics.has_refused,
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
        rows_version=row["rows_version"],
        has_refused=row["has_refused"],
    )


def _bring_up_to_date(
    memory: RememberedFiles, database: CatalogueDatabase, *, version: int
) -> None:
    """Read the rows that changed since they were remembered; all of them of another catalogue."""
    if memory.version == version:
        return
    if memory.version > version:
        memory.forget()
    query = sa.select(_FILES).where(_FILES.c.version > memory.version)
    with database.reading() as connection:
        memory.add(map(_day_file, connection.execute(query).mappings()), version=version)
        count = sa.select(sa.func.count()).select_from(_FILES)
        if connection.execute(count).scalar_one() == len(memory):
            return
        # A catalogue that was begun again does not say what went with the old one.
        memory.forget()
        rows = connection.execute(sa.select(_FILES)).mappings()
        memory.add(map(_day_file, rows), version=version)


def _rows_of(connection: sa.Connection, keys: Collection[Key]) -> dict[Key, sa.RowMapping]:
    tables = {table for table, _ in keys}
    days = {day for _, day in keys}
    query = sa.select(_FILES).where(_FILES.c.table_name.in_(tables), _FILES.c.day.in_(days))
    return {(row["table_name"], row["day"]): row for row in connection.execute(query).mappings()}


def _with_versions(
    row: dict[str, object], stored: Mapping[Key, sa.RowMapping], *, version: int
) -> dict[str, object]:
    """Return the row of a file that changed, with the versions it and its rows have now."""
    before = stored.get((str(row["table_name"]), str(row["day"])))
    is_same = before is not None and all(
        before[name] == row[name] for name in ("content_id", "damage")
    )
    rows_version = before["rows_version"] if before is not None and is_same else version
    return row | {"version": version, "rows_version": rows_version}


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
