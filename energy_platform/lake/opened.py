"""A file of the lake held open, so that all that is read of it is of one and the same file.

A day that is worked on in parts is read several times, and a pull may rename a newer file over it
meanwhile. Here belongs how rows come out of one file, whole or a block at a time. Which file that
is, and how files are written, is in :mod:`energy_platform.lake.lake`.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Final

import polars as pl

from energy_platform.lake.footers import Footer, LakeError, read_footer
from energy_platform.lake.parquet import ROW_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform.schemas import Table


class OpenedFile:
    """The rows of one open file.

    Args:
        file: The file, open for reading.
        path: Where it lay when it was opened, for messages.
        table: Contract of its rows.

    Raises:
        LakeError: From each method: the file is damaged or does not have the table's columns.
    """

    def __init__(self, file: BinaryIO, *, path: Path, table: Table) -> None:
        self._file = file
        self._path: Final = path
        self._table: Final = table

    @cached_property
    def footer(self) -> Footer:
        """What the file says of itself."""
        self._file.seek(0)
        return read_footer(self._path, file=self._file)

    @cached_property
    def rows(self) -> int:
        """Number of rows that lie in the file, whatever it says."""
        with self._reading():
            return int(pl.scan_parquet(self._file).select(pl.len()).collect().item())

    @property
    def block_count(self) -> int:
        """Number of blocks, each a row group as the lake writes them."""
        return -(-self.rows // ROW_GROUP)

    def read(self) -> pl.DataFrame:
        """Return all rows."""
        with self._reading():
            frame = pl.read_parquet(self._file, hive_partitioning=False)
        return self._conforming(frame)

    def block(self, number: int) -> pl.DataFrame:
        """Return the rows of one block, counted from 0."""
        with self._reading():
            rows = pl.scan_parquet(self._file, hive_partitioning=False)
            frame = rows.slice(number * ROW_GROUP, ROW_GROUP).collect()
        return self._conforming(frame)

    def blocks(self) -> Iterator[pl.DataFrame]:
        """Yield all rows a block at a time."""
        for number in range(self.block_count):
            yield self.block(number)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        # Readers begin where the one before stopped.
        self._file.seek(0)
        try:
            yield
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LakeError(
                f"{self._path}: damaged ({error}); remove it and run its day again"
            ) from error

    def _conforming(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows with all columns of the table; one added since they were written is null."""
        table = self._table
        added = [c for c in table.columns if c.nullable and c.name not in frame.columns]
        if added:
            frame = frame.with_columns(pl.lit(None, one.dtype).alias(one.name) for one in added)
            if set(frame.columns) == set(table.schema):
                frame = frame.select(table.schema.names())
        if frame.schema != table.schema:
            raise foreign(self._path, table=table)
        return frame


@contextmanager
def opened(path: Path, *, table: Table) -> Iterator[OpenedFile]:
    """Open a file of the lake.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with path.open("rb") as file:
        yield OpenedFile(file, path=path, table=table)


def foreign(path: Path, *, table: Table) -> LakeError:
    """Return the error of a file with columns of another table."""
    return LakeError(f"{path}: columns are not those of {table.name}; run its day again")
