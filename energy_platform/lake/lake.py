"""The Parquet lake: one file per table and UTC day, replaced whole or kept.

Here belongs writing and reading whole files. What a file says of itself is in
:mod:`energy_platform.lake.footers`, which files there are in
:mod:`energy_platform.lake.day_files`, what a pull makes of a raw day in
:mod:`energy_platform.lake.raw_days`.

``<table>/day=YYYY-MM-DD/part.parquet`` for partitioned tables, ``<table>/part.parquet`` for
snapshots. A file's own metadata says what it holds: ``rows``, ``content_id`` (a digest of the
rows alone), and whatever the writer adds, such as ``complete_until`` and ``closed`` of raw days or
the fingerprint of derived ones. A table's advisory lock guards read-old, merge, rename; the kernel
frees it when a process dies.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from filelock import FileLock, Timeout

from energy_platform.lake.catalogue_database import CatalogueError, ForeignCatalogueError
from energy_platform.lake.day_files import (
    DAY_PREFIX,
    FILE_NAME,
    SNAPSHOT,
    CataloguedFile,
    Changes,
    DayFiles,
    read_all,
    scan_digest,
)
from energy_platform.lake.files import STAGED_SUFFIX, put_in_place, staging
from energy_platform.lake.footers import (
    FINGERPRINT,
    OWN_KEYS,
    Footer,
    LakeError,
    fingerprint_of,
    fingerprint_text,
    read_footer,
)
from energy_platform.lake.opened import OpenedFile, foreign, opened
from energy_platform.lake.parquet import ROW_GROUP, Writer
from energy_platform.lake.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from energy_platform.schemas import Table
    from energy_platform.settings import PlatformSettings

__all__ = [
    "FINGERPRINT",
    "CataloguedFile",
    "Changes",
    "Footer",
    "Lake",
    "LakeError",
    "StagedFile",
    "Written",
    "fingerprint_of",
    "fingerprint_text",
]

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Written:
    """The outcome of writing one file.

    Attributes:
        written: Whether the file was replaced; False when rows and metadata were equal.
        changed: Whether the rows differ from those of the file before.
        before: The footer of the file before, None when there was none.
        after: The footer now in place.
    """

    written: bool
    changed: bool
    before: Footer | None
    after: Footer


@dataclass(frozen=True)
class Lake:
    """The day files below one folder.

    Attributes:
        root: Folder of the tables, such as ``data/lake``. The catalogue lies next to it.
        catalogue_url: SQLAlchemy URL of a catalogue elsewhere; None for the file next to it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from energy_platform.schemas import CORE_REGISTER_REJECTS as TABLE
    >>> folder = tempfile.TemporaryDirectory()
    >>> lake = Lake(Path(folder.name) / "lake")
    >>> lake.write(TABLE, TABLE.empty(), day="2026-03-01", meta={"closed": "true"}).written
    True
    >>> lake.write(TABLE, TABLE.empty(), day="2026-03-01", meta={"closed": "true"}).written
    False
    >>> lake.days(TABLE)
    ['2026-03-01']
    >>> lake.footer(TABLE, day="2026-03-01").meta
    {'closed': 'true'}
    >>> version, files = lake.changed_since(0)
    >>> [(one.table, one.day) for one in files]
    [('core_register_rejects', '2026-03-01')]
    >>> lake.changed_since(version).files
    ()
    >>> folder.cleanup()
    """

    root: Path
    catalogue_url: SecretStr | None = field(default=None, repr=False)
    _locks: dict[str, FileLock] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, platform: PlatformSettings) -> Lake:
        """Return the lake of an installation, with the catalogue that the settings name."""
        return cls(platform.data_dir / "lake", catalogue_url=platform.catalogue_url)

    def path(self, table: Table, *, day: str | None = None) -> Path:
        """Return where a day (or the snapshot of an unpartitioned table) lies."""
        if table.partitioned != (day is not None):
            kind = "one file per day" if table.partitioned else "one file"
            raise ValueError(f"{table.name} has {kind}; day={day!r} does not fit")
        folder = self.root / table.name
        return (folder if day is None else folder / f"{DAY_PREFIX}{day}") / FILE_NAME

    def pattern(self, table: Table) -> str:
        """Return the glob over all files of a table."""
        return str(self.root / table.name / (f"{DAY_PREFIX}*/" * table.partitioned) / FILE_NAME)

    def lock(self, name: str) -> FileLock:
        """Return the advisory lock of a table (or of another shared thing) by name.

        It can be entered again by the thread that holds it, and waits for every other thread and
        process.
        """
        lock = self._locks.get(name)
        if lock is None:
            folder = self.root / ".locks"
            folder.mkdir(parents=True, exist_ok=True)
            lock = self._locks.setdefault(
                name,
                FileLock(folder / f"{name}.lock", fallback_to_soft=False, preserve_lock_file=True),
            )
        return lock

    @contextmanager
    def lock_if_free(self, name: str) -> Iterator[bool]:
        """Hold a lock of :meth:`lock` if nobody else does; say whether it is held."""
        lock = self.lock(name)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def days(self, table: Table) -> list[str]:
        """Return the partition keys that have a file, in order."""
        if remembered(self.root) is not None:
            return [one.day for one in self.day_files(table)]
        folder = self.root / table.name
        if not folder.is_dir():
            return []
        return sorted(
            entry.name.removeprefix(DAY_PREFIX)
            for entry in folder.iterdir()
            if entry.name.startswith(DAY_PREFIX) and (entry / FILE_NAME).exists()
        )

    def footer(self, table: Table, *, day: str | None = None) -> Footer | None:
        """Return what a file says of itself, None when there is no file.

        Raises:
            LakeError: The file is damaged or was not written by the platform.
        """
        try:
            return read_footer(self.path(table, day=day))
        except FileNotFoundError:
            return None

    def footers(self, table: Table) -> dict[str, Footer]:
        """Return the footer of every day of a table, by day in order; no file is opened for it.

        Raises:
            LakeError: A file is damaged or was not written by the platform.
        """
        found: dict[str, Footer] = {}
        for one in self.day_files(table):
            if one.footer is None:
                raise LakeError(one.damage)
            found[one.day] = one.footer
        return found

    def day_files(self, *tables: Table, since: str | None = None) -> list[CataloguedFile]:
        """Return the files of some tables as the catalogue knows them, by table and day in order.

        Only what changed in the folder since the last look is opened, and of that the footers.

        Args:
            tables: Which ones.
            since: First day that is wanted; None for all.
        """
        files = self.changed_since(0, *tables, since=since).files
        return [one for one in files if not one.is_gone]

    def version(self) -> int:
        """Return the version of the lake: a number that rises with every file that changes.

        Without a catalogue it is merely another one.

        Raises:
            ForeignCatalogueError: The catalogue is another lake's.
        """
        try:
            return self._files.version()
        except ForeignCatalogueError:
            raise
        except CatalogueError as error:
            _LOG.warning("the folder alone says what changed: %s", error)
            return scan_digest(self.root)

    def changed_since(self, version: int, *tables: Table, since: str | None = None) -> Changes:
        """Return the version of the lake, and the files that changed since another.

        Who keeps the number and asks with it the next time misses nothing: not what changed while
        nobody looked, nor what was put, removed or copied by hand. Only what changed in the folder
        since the last look is opened, and of that the footers. Each file has the version in which
        it changed, so that one answer since 0 serves consumers that saw different versions.

        Args:
            version: What an earlier answer said; 0 for everything.
            tables: Those that matter; none for all.
            since: First day that matters; None for all.

        Raises:
            CatalogueError: The catalogue cannot be used, so that nobody knows what changed. When
                asked for everything every footer is read instead, unless it is another lake's.
        """
        names = [table.name for table in tables]
        try:
            return self._files.changed_since(version, names, since=since)
        except CatalogueError as error:
            if version or isinstance(error, ForeignCatalogueError):
                raise
            _LOG.warning("every footer is read: %s", error)
            return read_all(self.root, names, since=since)

    @cached_property
    def _files(self) -> DayFiles:
        return DayFiles(self.root, url=self.catalogue_url)

    def _note(self, table: Table, day: str | None) -> None:
        self._files.note(table.name, SNAPSHOT if day is None else day)

    def read(self, table: Table, *, day: str | None = None) -> pl.DataFrame:
        """Return the rows of a day (or snapshot); zero rows when there is no file.

        Raises:
            LakeError: The file is damaged or does not have the table's columns.
        """
        try:
            with self.open(table, day=day) as file:
                return file.read()
        except FileNotFoundError:
            return table.empty()

    @contextmanager
    def open(self, table: Table, *, day: str | None = None) -> Iterator[OpenedFile]:
        """Open a day (or snapshot), to read it in parts: whatever lands, it stays the same file.

        Raises:
            FileNotFoundError: There is no file.
        """
        with opened(self.path(table, day=day), table=table) as file:
            yield file

    def scan(self, table: Table, *, days: Sequence[str] | None = None) -> pl.LazyFrame:
        """Scan some or all days of a table; days without a file are left out.

        Raises:
            LakeError: A file lacks a column that must be there.
        """
        wanted = self.days(table) if days is None else days
        paths = [path for day in wanted if (path := self.path(table, day=day)).exists()]
        if not paths:
            return table.empty().lazy()
        required = {column.name for column in table.columns if not column.nullable}
        for path in paths:
            if not required <= pl.read_parquet_schema(path).keys():
                raise foreign(path, table=table)
        return pl.scan_parquet(
            paths, schema=table.schema, hive_partitioning=False, missing_columns="insert"
        )

    def read_where(self, table: Table, where: pl.Expr, *, day: str) -> pl.DataFrame:
        """Return some rows of a derived day; zero rows when there is no file.

        Args:
            table: A table that a refresh writes.
            where: Which rows; parts of the file that hold none of them are not read.
            day: Partition key.

        Raises:
            LakeError: The file is damaged or lacks a column that must be there.
        """
        try:
            return self.scan(table, days=[day]).filter(where).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            path = self.path(table, day=day)
            raise LakeError(f"{path}: damaged ({error}); remove it and refresh again") from error

    def write(
        self,
        table: Table,
        frames: pl.DataFrame | Iterable[pl.DataFrame],
        *,
        day: str | None = None,
        meta: Mapping[str, str] | None = None,
    ) -> Written:
        """Write a day (or snapshot) whole: stage next to the target, fsync, rename.

        The old file stays, untouched, when rows and metadata are equal.

        Args:
            table: The contract.
            frames: The rows in key order; several frames are streamed, one in memory at a time.
            day: Partition key; None for a snapshot.
            meta: Further metadata of the file.

        Raises:
            LakeError: A frame does not have the table's columns; nothing was changed.
        """
        with self.lock(table.name):
            before = self.footer(table, day=day)
            with self.stage(table, frames, day=day) as file:
                return file.put_in_place(meta=meta or {}, before=before)

    def blocks(self, table: Table, *, day: str | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows of a day (or snapshot) a row group at a time; nothing without a file.

        Raises:
            LakeError: The file is damaged or does not have the table's columns.
        """
        try:
            with self.open(table, day=day) as file:
                yield from file.blocks()
        except FileNotFoundError:
            return

    @contextmanager
    def stage(
        self, table: Table, frames: pl.DataFrame | Iterable[pl.DataFrame] = (), *, day: str | None
    ) -> Iterator[StagedFile]:
        """Write rows next to a day file, one frame in memory at a time, without its lock.

        More can be added. What it is good for is decided afterwards, under the lock; it is removed
        unless it is put in place.

        Args:
            table: The contract.
            frames: The first rows, in key order.
            day: Partition key; None for a snapshot.

        Raises:
            LakeError: A frame does not have the table's columns.
        """
        target = self.path(table, day=day)
        with staging(target) as path, Writer(path, table=table) as writer:
            file = StagedFile(
                table=table,
                path=path,
                target=target,
                writer=writer,
                note=lambda: self._note(table, day),
            )
            for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
                file.add(frame)
            yield file

    def leftovers(self) -> list[Path]:
        """Return staged files that a crash left behind."""
        return sorted(self.root.rglob(f"*{STAGED_SUFFIX}"))


@dataclass(kw_only=True)
class StagedFile:
    """Rows written next to a day file, not yet in place.

    Attributes:
        table: Their contract.
        path: The staged file.
        target: The file it may become.
        writer: The file's writer, open until the metadata is known.
        note: Notes in the catalogue that it is in place.
    """

    table: Table
    path: Path
    target: Path
    writer: Writer
    note: Callable[[], None]
    _held: pl.DataFrame | None = None
    _is_whole: bool = False

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows, in key order; the file does not depend on how they came.

        Raises:
            LakeError: The frame does not have the table's columns.
            ValueError: The file has been asked for what it holds: it has all its rows.
        """
        if self._is_whole:
            raise ValueError(f"{self.path}: it has all its rows")
        if frame.schema != self.table.schema:
            expected = ", ".join(f"{name} {dtype}" for name, dtype in self.table.schema.items())
            came = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
            raise LakeError(f"{self.table.name}: expected columns ({expected}), came ({came})")
        held = frame if self._held is None else pl.concat([self._held, frame])
        start = 0
        while held.height - start >= ROW_GROUP:
            self.writer.add(held.slice(start, ROW_GROUP))
            start += ROW_GROUP
        if start:
            # Copied: a slice would keep all that it was cut from in memory until more comes.
            held = held[np.arange(start, held.height)]
        self._held = held if held.height else None

    @property
    def content_id(self) -> str:
        """Digest of the rows; no more can be added."""
        self._finish_rows()
        return self.writer.digest.content_id

    def put_in_place(self, *, meta: Mapping[str, str], before: Footer | None) -> Written:
        """Make it the day file, unless the file is equal; the lock must be held."""
        if clash := OWN_KEYS & meta.keys():
            raise ValueError(f"metadata keys {sorted(clash)} belong to the lake")
        self._finish_rows()
        after = _footer(self.writer, meta)
        if after == before:
            return Written(written=False, changed=False, before=before, after=after)
        _finish(self.writer, meta)
        put_in_place(self.path, self.target)
        self.note()
        return Written(
            written=True,
            changed=before is None or before.content_id != after.content_id,
            before=before,
            after=after,
        )

    def blocks(self) -> Iterator[pl.DataFrame]:
        """Yield the rows a row group at a time; it cannot be put in place any more."""
        self._finish_rows()
        if self.writer.is_open:
            _finish(self.writer, {})
        with opened(self.path, table=self.table) as file:
            yield from file.blocks()

    def _finish_rows(self) -> None:
        if self._held is not None:
            self.writer.add(self._held)
        self._held, self._is_whole = None, True


def _footer(writer: Writer, meta: Mapping[str, str]) -> Footer:
    """Return what a file would say of itself if it ended here."""
    rows, digest = writer.digest
    return Footer(rows=rows, content_id=digest, meta=dict(meta))


def _finish(writer: Writer, meta: Mapping[str, str]) -> Footer:
    """Let a file say it, and close it."""
    footer = _footer(writer, meta)
    writer.finish({"rows": str(footer.rows), "content_id": footer.content_id, **footer.meta})
    return footer
