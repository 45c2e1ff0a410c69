"""How columns are laid out in Parquet: small files, cheap to write, read by every engine.

Texts repeat for thousands of rows and go in as dictionaries made of their runs, without hashing
each row. Instants rise by nearly the same step and are delta-packed; the bytes of figures are split
into streams, of which the high ones compress to nothing. DuckDB, polars and Arrow read all three
(Apache Parquet, Encodings: RLE_DICTIONARY, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

KEYS: Final = frozenset({"point_id", "device_id", "serial_number"})
"""Texts by which readers look for rows."""

_OLDEST: Final = pl.CompatLevel.oldest()
"""Plain Arrow texts, which every Parquet reader knows."""


def parquet_writer(path: Path, *, schema: pl.Schema) -> pq.ParquetWriter:
    """Open a Parquet file for tables that ``arrow_table`` made.

    Args:
        path: The file.
        schema: Columns of the frames to come.
    """
    texts = {name for name, dtype in schema.items() if dtype == pl.String}
    instants = {name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime)}
    figures = {name for name, dtype in schema.items() if dtype == pl.Float64}
    return pq.ParquetWriter(
        path,
        arrow_table(schema.to_frame()).schema,
        # What delta-packing leaves of instants is little, and zstd's work on it much.
        compression={name: "snappy" if name in instants else "zstd" for name in schema},
        use_dictionary=sorted(texts),
        column_encoding={
            **dict.fromkeys(instants, "DELTA_BINARY_PACKED"),
            **dict.fromkeys(figures, "BYTE_STREAM_SPLIT"),
        },
        # Readers skip row groups by key and figure, never by the range of a status.
        write_statistics=[name for name in schema if name not in texts or name in KEYS],
        # Of our own texts the file shall say that they are texts, not that they were dictionaries.
        store_schema=False,
    )


def arrow_table(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table whose texts are dictionaries."""
    return pa.table(
        {
            column.name: _dictionary(column)
            if column.dtype == pl.String
            else column.rechunk().to_arrow(compat_level=_OLDEST)
            for column in frame
        }
    )


def _dictionary(texts: pl.Series) -> pa.DictionaryArray:
    runs = texts.rle().struct.unnest()
    values = runs.get_column("value").rechunk().to_arrow(compat_level=_OLDEST).dictionary_encode()
    length = runs.get_column("len").to_numpy()
    codes = np.repeat(values.indices.fill_null(0).to_numpy(), length)
    missing = None
    if values.null_count:
        missing = np.repeat(values.indices.is_null().to_numpy(zero_copy_only=False), length)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing), values.dictionary)
