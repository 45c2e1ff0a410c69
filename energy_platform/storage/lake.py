"""The Parquet lake: one file per table and UTC day, replaced whole or kept.

``<table>/day=YYYY-MM-DD/part.parquet`` for partitioned tables, ``<table>/part.parquet`` for
snapshots. A file's own metadata says what it holds: ``rows``, ``content_id`` (a digest of the
rows alone), and whatever the writer adds, such as ``complete_until`` and ``closed`` of raw days or
the ``stamp`` of derived ones. A table's advisory lock guards read-old, merge, rename; the kernel
frees it when a process dies.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from energy_platform.storage.files import STAGED_SUFFIX, put_in_place, staged, staged_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from energy_platform.schemas import Table

ROW_GROUP: Final = 131_072
"""Rows per row group; also the block over which the content id is computed."""

_OWN_KEYS: Final = frozenset({"rows", "content_id"})


class LakeError(RuntimeError):
    """A file of the lake is not what its table says; the message names file and remedy."""


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What a day file says of itself.

    Attributes:
        rows: Number of rows.
        content_id: Digest of the rows; equal rows in equal order give the same digest.
        meta: What the writer added, such as ``closed`` or ``stamp``.
    """

    rows: int
    content_id: str
    meta: Mapping[str, str]


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
        root: Folder of the tables, such as ``data/lake``.
    """

    root: Path
    _locks: dict[str, FileLock] = field(default_factory=dict, repr=False, compare=False)

    def path(self, table: Table, *, day: str | None = None) -> Path:
        """Return where a day (or the snapshot of an unpartitioned table) lies."""
        if table.partitioned != (day is not None):
            kind = "one file per day" if table.partitioned else "one file"
            raise ValueError(f"{table.name} has {kind}; day={day!r} does not fit")
        folder = self.root / table.name
        return (folder if day is None else folder / f"day={day}") / "part.parquet"

    def pattern(self, table: Table) -> str:
        """Return the glob over all files of a table."""
        return str(self.root / table.name / ("day=*/" * table.partitioned) / "part.parquet")

    def lock(self, name: str) -> AbstractContextManager[object]:
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

    def days(self, table: Table) -> list[str]:
        """Return the partition keys that have a file, in order."""
        folder = self.root / table.name
        if not folder.is_dir():
            return []
        return sorted(
            entry.name.removeprefix("day=")
            for entry in folder.iterdir()
            if entry.name.startswith("day=") and (entry / "part.parquet").exists()
        )

    def footer(self, table: Table, *, day: str | None = None) -> Footer | None:
        """Return what a file says of itself, None when there is no file.

        Raises:
            LakeError: The file is damaged or was not written by the platform.
        """
        path = self.path(table, day=day)
        try:
            meta = pl.read_parquet_metadata(path)
        except FileNotFoundError:
            return None
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LakeError(
                f"{path}: damaged ({error}); remove it and run its day again"
            ) from error
        if not meta.keys() >= _OWN_KEYS:
            raise LakeError(f"{path}: not written by the platform; remove it and run its day again")
        return Footer(
            rows=int(meta["rows"]),
            content_id=meta["content_id"],
            meta={
                key: value
                for key, value in meta.items()
                if key not in _OWN_KEYS and not key.startswith("ARROW:")
            },
        )

    def footers(self, table: Table) -> dict[str, Footer]:
        """Return the footer of every day of a table, by day in order."""
        found = {day: self.footer(table, day=day) for day in self.days(table)}
        return {day: footer for day, footer in found.items() if footer is not None}

    def read(self, table: Table, *, day: str | None = None) -> pl.DataFrame:
        """Return the rows of a day (or snapshot); zero rows when there is no file.

        Raises:
            LakeError: The file is damaged or does not have the table's columns.
        """
        path = self.path(table, day=day)
        if not path.exists():
            return table.empty()
        try:
            frame = pl.read_parquet(path, hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LakeError(
                f"{path}: damaged ({error}); remove it and run its day again"
            ) from error
        if frame.schema != table.schema:
            raise LakeError(f"{path}: columns are not those of {table.name}; run its day again")
        return frame

    def scan(self, table: Table, *, days: Sequence[str] | None = None) -> pl.LazyFrame:
        """Scan some or all days of a table; days without a file are left out."""
        wanted = self.days(table) if days is None else days
        paths = [path for day in wanted if (path := self.path(table, day=day)).exists()]
        if not paths:
            return table.empty().lazy()
        return pl.scan_parquet(paths, hive_partitioning=False)

    def write(
        self,
        table: Table,
        frames: pl.DataFrame | Iterable[pl.DataFrame],
        *,
        day: str | None = None,
        meta: Mapping[str, str] | None = None,
    ) -> Written:
        """Write a day (or snapshot) whole: stage beside the target, fsync, rename.

        The old file stays, untouched, when rows and metadata are equal.

        Args:
            table: The contract.
            frames: The rows in key order; several frames are streamed, one in memory at a time.
            day: Partition key; None for a snapshot.
            meta: Further metadata of the file.

        Raises:
            LakeError: A frame does not have the table's columns; nothing was changed.
        """
        added = dict(meta or {})
        if clash := _OWN_KEYS & added.keys():
            raise ValueError(f"metadata keys {sorted(clash)} belong to the lake")
        target = self.path(table, day=day)
        with self.lock(table.name):
            before = self.footer(table, day=day)
            with staged(target) as path:
                after = _write_parquet(path, _blocks(frames, table=table), table=table, meta=added)
                if after == before:
                    path.unlink()
                    return Written(written=False, changed=False, before=before, after=after)
        return Written(
            written=True,
            changed=before is None or before.content_id != after.content_id,
            before=before,
            after=after,
        )

    def blocks(self, table: Table, *, day: str | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows of a day (or snapshot) a row group at a time; nothing without a file.

        Raises:
            LakeError: The file is damaged or does not have the table's columns.
        """
        path = self.path(table, day=day)
        if path.exists():
            yield from _read_blocks(path, table=table)

    @contextmanager
    def draft(
        self, table: Table, frames: Iterable[pl.DataFrame], *, day: str | None = None
    ) -> Iterator[Draft]:
        """Write rows beside a day file, one frame in memory at a time, without its lock.

        What the draft is good for is decided afterwards, under the lock; unless it is put in
        place it is removed.

        Args:
            table: The contract.
            frames: The rows in key order.
            day: Partition key; None for a snapshot.

        Raises:
            LakeError: A frame does not have the table's columns.
        """
        target = self.path(table, day=day)
        path = staged_path(target)
        try:
            with _Writer(path, table=table) as writer:
                for block in _blocks(frames, table=table):
                    writer.add(block)
                yield Draft(table=table, path=path, target=target, writer=writer)
        finally:
            path.unlink(missing_ok=True)

    def leftovers(self) -> list[Path]:
        """Return staged files that a crash left behind."""
        return sorted(self.root.rglob(f"*{STAGED_SUFFIX}"))


def _blocks(
    frames: pl.DataFrame | Iterable[pl.DataFrame], *, table: Table
) -> Iterator[pl.DataFrame]:
    """Cut frames into equal blocks, so that the file does not depend on how the rows came."""
    held = table.empty()
    for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
        if frame.schema != table.schema:
            expected = ", ".join(f"{name} {dtype}" for name, dtype in table.schema.items())
            came = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
            raise LakeError(f"{table.name}: expected columns ({expected}), came ({came})")
        held = pl.concat([held, frame]) if held.height else frame
        while held.height >= ROW_GROUP:
            yield held.head(ROW_GROUP)
            held = held.slice(ROW_GROUP)
    if held.height:
        yield held


class _Writer:
    """Writes one Parquet file block by block; its metadata comes last."""

    def __init__(self, path: Path, *, table: Table) -> None:
        schema = table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        # Instants and figures hardly repeat: a dictionary of them costs time and space.
        texts = [name for name, dtype in table.schema.items() if dtype == pl.String]
        self._parquet = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=texts)
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parquet.close()

    def add(self, block: pl.DataFrame) -> None:
        """Write one row group."""
        _digest_rows(self._digest, block)
        arrow = block.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        self._parquet.write_table(arrow, row_group_size=ROW_GROUP)
        self._rows += block.height

    def footer(self, meta: Mapping[str, str]) -> Footer:
        """Return what the file would say of itself if it ended here."""
        return Footer(rows=self._rows, content_id=self._digest.hexdigest(), meta=dict(meta))

    def finish(self, meta: Mapping[str, str]) -> Footer:
        """Write the metadata and close the file."""
        footer = self.footer(meta)
        self._parquet.add_key_value_metadata(
            {"rows": str(footer.rows), "content_id": footer.content_id, **footer.meta}
        )
        self._parquet.close()
        return footer


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Rows written beside a day file, not yet in place.

    Attributes:
        table: Their contract.
        path: The staged file.
        target: The file it may become.
        writer: The file's writer, open until the metadata is known.
    """

    table: Table
    path: Path
    target: Path
    writer: _Writer

    @property
    def content_id(self) -> str:
        """Digest of the rows."""
        return self.writer.footer({}).content_id

    def put_in_place(self, *, meta: Mapping[str, str], before: Footer | None) -> Written:
        """Make the draft the day file, unless the file is equal; the lock must be held."""
        after = self.writer.footer(meta)
        if after == before:
            return Written(written=False, changed=False, before=before, after=after)
        self.writer.finish(meta)
        put_in_place(self.path, self.target)
        return Written(
            written=True,
            changed=before is None or before.content_id != after.content_id,
            before=before,
            after=after,
        )

    def blocks(self) -> Iterator[pl.DataFrame]:
        """Read the rows back, a row group at a time; the draft cannot be put in place any more."""
        self.writer.finish({})
        return _read_blocks(self.path, table=self.table)


def _read_blocks(path: Path, *, table: Table) -> Iterator[pl.DataFrame]:
    try:
        with pq.ParquetFile(path) as parquet:
            if pl.DataFrame(parquet.schema_arrow.empty_table()).schema != table.schema:
                raise LakeError(f"{path}: columns are not those of {table.name}; run its day again")
            for group in range(parquet.num_row_groups):
                yield pl.DataFrame(parquet.read_row_group(group))
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{path}: damaged ({error}); remove it and run its day again") from error


def _write_parquet(
    path: Path, blocks: Iterator[pl.DataFrame], *, table: Table, meta: Mapping[str, str]
) -> Footer:
    with _Writer(path, table=table) as writer:
        for block in blocks:
            writer.add(block)
        return writer.finish(meta)


def content_id(frame: pl.DataFrame) -> str:
    """Return a digest of rows: the same for equal rows in equal order, in every process."""
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, frame.height, ROW_GROUP):
        _digest_rows(digest, frame.slice(start, ROW_GROUP))
    return digest.hexdigest()


def _digest_rows(digest: hashlib.blake2b, block: pl.DataFrame) -> None:
    """Add the rows of a block to a digest, the same for equal rows whatever they came from.

    Texts are digested as runs: names repeat for thousands of rows, and their bytes would be most of
    the work. A null's slot keeps what the computation left there, and packed bits keep what lay
    beside them; so nulls are digested apart and their slots neutral, booleans as bytes.
    """
    for column in block:
        runs = column.rle().struct.unnest() if column.dtype == pl.String else column.to_frame()
        digest.update(f"{column.name} {runs.height}".encode())
        for part in runs:
            holes = part.is_null() if part.null_count() else None
            plain = part.cast(pl.UInt8) if part.dtype == pl.Boolean else part.to_physical()
            if holes is not None:
                digest.update(b"holes")
                _digest_values(digest, holes.cast(pl.UInt8))
                neutral = pl.lit("" if plain.dtype == pl.String else 0)
                plain = plain.to_frame().select(pl.first().fill_null(neutral)).to_series()
            _digest_values(digest, plain)


def _digest_values(digest: hashlib.blake2b, values: pl.Series) -> None:
    arrow = pl.DataFrame([values.rechunk()]).to_arrow(compat_level=pl.CompatLevel.oldest())
    for batch in arrow.combine_chunks().to_batches():
        digest.update(batch.serialize())


def stamp_text(stamp: Mapping[str, str]) -> str:
    """Return the canonical text of a stamp, fit for a footer."""
    return json.dumps(dict(stamp), sort_keys=True, separators=(",", ":"))


def stamp_of(footer: Footer | None) -> dict[str, str]:
    """Return the stamp a derived file carries; empty when there is none."""
    if footer is None or "stamp" not in footer.meta:
        return {}
    stamp: dict[str, str] = json.loads(footer.meta["stamp"])
    return stamp
