"""Rows into one Parquet file, a row group at a time, and the digest that says what it holds.

Texts are handled as runs: the names in a day repeat for thousands of rows, and to look at each
row's bytes again for the digest and for the file's dictionary would be most of the work. The bytes
of registers and energies are split into streams, of which the high ones compress to next to nothing
(Apache Parquet, Encodings: RLE_DICTIONARY and BYTE_STREAM_SPLIT); every reader knows both.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from energy_platform.schemas import Table

ROW_GROUP: Final = 131_072
"""Rows per row group; also the block over which the content id is computed."""

_OLDEST: Final = pl.CompatLevel.oldest()


def open_parquet(
    path: Path, *, schema: pl.Schema, keys: Collection[str] = ("point_id",)
) -> pq.ParquetWriter:
    """Open a Parquet file for tables that ``arrow_table`` makes.

    Args:
        path: The new file.
        schema: Columns of the frames to come.
        keys: Texts by which readers look for rows; the range of others is not written.
    """
    texts = [name for name, dtype in schema.items() if dtype == pl.String]
    return pq.ParquetWriter(
        path,
        arrow_table(schema.to_frame()).schema,
        compression="zstd",
        # Instants and figures hardly repeat: a dictionary of them costs time and space.
        use_dictionary=texts,
        # Of figures as the vendor said them, rounded and repeating, zstd makes more when whole.
        column_encoding={name: "BYTE_STREAM_SPLIT" for name in schema if name.endswith("_wh")},
        write_statistics=[name for name in schema if name not in texts or name in keys],
        # For readers a text is a text, however it was handed over.
        store_schema=False,
    )


def arrow_table(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table whose texts are dictionaries made of their runs."""
    return _arrow((column, _runs(column)) for column in frame)


def _arrow(columns: Iterable[tuple[pl.Series, pl.DataFrame | None]]) -> pa.Table:
    return pa.table(
        {
            column.name: column.rechunk().to_arrow(compat_level=_OLDEST)
            if runs is None
            else _words(runs)
            for column, runs in columns
        }
    )


class ContentDigest(NamedTuple):
    """Rows written so far: how many, and the digest of them."""

    rows: int
    content_id: str


class Writer:
    """Writes one Parquet file block by block; its metadata comes last.

    Args:
        path: The new file.
        table: Contract of the rows.
    """

    def __init__(self, path: Path, *, table: Table) -> None:
        self._parquet = open_parquet(path, schema=table.schema, keys=table.sort_key)
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parquet.close()

    def add(self, block: pl.DataFrame) -> None:
        """Write one row group."""
        columns = [(column, _runs(column)) for column in block]
        for column, runs in columns:
            _digest_column(self._digest, column, runs=runs)
        self._parquet.write_table(_arrow(columns), row_group_size=ROW_GROUP)
        self._rows += block.height

    @property
    def digest(self) -> ContentDigest:
        """Rows so far and their digest."""
        return ContentDigest(self._rows, self._digest.hexdigest())

    @property
    def is_open(self) -> bool:
        """Whether more can be written."""
        return bool(self._parquet.is_open)

    def finish(self, meta: Mapping[str, str]) -> None:
        """Write the metadata and close the file."""
        self._parquet.add_key_value_metadata(dict(meta))
        self._parquet.close()


def content_id(frame: pl.DataFrame) -> str:
    """Return a digest of rows: the same for equal rows in equal order, in every process.

    >>> content_id(pl.DataFrame({"value": [1.0, None]}))
    '63b5a61e67e0199412b78341edb0b4ae'
    """
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, frame.height, ROW_GROUP):
        for column in frame.slice(start, ROW_GROUP):
            _digest_column(digest, column, runs=_runs(column))
    return digest.hexdigest()


def _runs(column: pl.Series) -> pl.DataFrame | None:
    """Return the runs of a text column as ``len`` and ``value``; None for any other column."""
    return column.rle().struct.unnest() if column.dtype == pl.String else None


def _words(runs: pl.DataFrame) -> pa.DictionaryArray:
    """Spell runs out again as references to their different values."""
    values, lengths = runs["value"], runs["len"].to_numpy()
    words = values.drop_nulls().unique(maintain_order=True)
    places = values.cast(pl.Enum(words)).to_physical().cast(pl.Int32)
    is_null = np.repeat(places.is_null().to_numpy(), lengths) if places.null_count() else None
    which = np.repeat(places.fill_null(0).to_numpy(), lengths)
    return pa.DictionaryArray.from_arrays(
        pa.array(which, mask=is_null), words.to_arrow(compat_level=_OLDEST)
    )


def _digest_column(
    digest: hashlib.blake2b, column: pl.Series, *, runs: pl.DataFrame | None
) -> None:
    """Add a column of a block to a digest, the same for equal rows whatever they came from.

    A null's slot keeps what the computation left there, and packed bits keep what lay next
    to them; so nulls are digested apart and their slots neutral, booleans as bytes.
    """
    parts = column.to_frame() if runs is None else runs
    digest.update(f"{column.name} {parts.height}".encode())
    for part in parts:
        nulls = part.is_null() if part.null_count() else None
        plain = part.cast(pl.UInt8) if part.dtype == pl.Boolean else part.to_physical()
        if nulls is not None:
            digest.update(b"holes")
            _digest_values(digest, nulls.cast(pl.UInt8))
            neutral = pl.lit("" if plain.dtype == pl.String else 0)
            plain = plain.to_frame().select(pl.first().fill_null(neutral)).to_series()
        _digest_values(digest, plain)


def _digest_values(digest: hashlib.blake2b, values: pl.Series) -> None:
    arrow = pl.DataFrame([values.rechunk()]).to_arrow(compat_level=_OLDEST)
    for batch in arrow.combine_chunks().to_batches():
        digest.update(batch.serialize())
