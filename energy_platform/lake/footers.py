"""What a day file says of itself, read from its metadata alone.

Here belongs what a footer holds and how it is read: the digest of the rows, the fingerprint of what
they were made of, the first and last instant. Which files there are is the catalogue's business
(:mod:`energy_platform.lake.day_files`), what raw days say is that of
:mod:`energy_platform.lake.raw_days`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FINGERPRINT: Final = "stamp"
"""Footer key of derived files: what they were made of. The key is that of version 0.1.0."""

OWN_KEYS: Final = frozenset({"rows", "content_id"})
"""Footer keys that the lake writes itself."""

TIME_COLUMNS: Final = ("at", "end_at", "interval_start")
"""The column of a table's own instants is the first of these that it has."""


REFUSED_COLUMN: Final = "refused_wh"
"""The column of what a register showed and the register rule did not book."""


class LakeError(RuntimeError):
    """A file of the lake is not what its table says; the message names file and remedy."""


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What a day file says of itself.

    Attributes:
        rows: Number of rows.
        content_id: Digest of the rows; equal rows in equal order give the same digest.
        meta: What the writer added, such as ``closed`` or a fingerprint.
    """

    rows: int
    content_id: str
    meta: Mapping[str, str]


class Statistics(NamedTuple):
    """What the statistics of a file's columns say of its rows.

    Attributes:
        first: First instant; None without rows, or without a column of instants.
        last: Last instant.
        has_refused: Whether any row may have refused energy; None without such a column.
    """

    first: datetime | None
    last: datetime | None
    has_refused: bool | None


def read_footer(path: Path, *, file: BinaryIO | None = None) -> Footer:
    """Return what a file says of itself.

    Args:
        path: The file.
        file: The file opened, where it is; another one may lie in its place by now.

    Raises:
        FileNotFoundError: There is no such file.
        LakeError: The file is damaged or was not written by the platform.
    """
    try:
        meta = pl.read_parquet_metadata(path if file is None else file)
    except FileNotFoundError:
        raise
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LakeError(f"{path}: damaged ({error}); remove it and run its day again") from error
    if not meta.keys() >= OWN_KEYS:
        raise LakeError(f"{path}: not written by the platform; remove it and run its day again")
    return Footer(
        rows=int(meta["rows"]),
        content_id=meta["content_id"],
        meta={
            key: value
            for key, value in meta.items()
            if key not in OWN_KEYS and not key.startswith("ARROW:")
        },
    )


def read_statistics(path: Path) -> Statistics:
    """Return what a file's footer says of its rows, from the statistics of its columns.

    Raises:
        LakeError: The file is damaged.
    """
    try:
        meta = pq.read_metadata(path)
        names = list(meta.schema.names)
        column = next((names.index(name) for name in TIME_COLUMNS if name in names), None)
        groups = range(meta.num_row_groups)
        bounds = [
            bound
            for n in groups
            if column is not None
            and (one := meta.row_group(n).column(column).statistics) is not None
            and one.has_min_max
            for bound in (one.min, one.max)
            if isinstance(bound, datetime)
        ]
        has_refused = None
        if REFUSED_COLUMN in names:
            column = names.index(REFUSED_COLUMN)
            has_refused = any(
                _may_be_other_than_zero(meta.row_group(n).column(column)) for n in groups
            )
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{path}: damaged ({error}); remove it and run its day again") from error
    return Statistics(min(bounds, default=None), max(bounds, default=None), has_refused)


def _may_be_other_than_zero(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether a column of a row group may hold a number that is neither null nor zero."""
    one = chunk.statistics
    if one is None:
        return True
    if one.has_min_max:
        return bool(one.min != 0 or one.max != 0)
    return bool(one.null_count != chunk.num_values)


def fingerprint_text(fingerprint: Mapping[str, str]) -> str:
    """Return the canonical text of a fingerprint, fit for a footer.

    >>> fingerprint_text({"rules": "energy-2", "core_readings": "5f3a"})
    '{"core_readings":"5f3a","rules":"energy-2"}'
    """
    return json.dumps(dict(fingerprint), sort_keys=True, separators=(",", ":"))


def fingerprint_of(footer: Footer | None) -> dict[str, str]:
    """Return what a derived file was made of; empty when it does not say.

    >>> footer = Footer(rows=0, content_id="", meta={FINGERPRINT: '{"rules":"energy-2"}'})
    >>> fingerprint_of(footer)
    {'rules': 'energy-2'}
    >>> fingerprint_of(None)
    {}
    """
    if footer is None or FINGERPRINT not in footer.meta:
        return {}
    fingerprint: dict[str, str] = json.loads(footer.meta[FINGERPRINT])
    return fingerprint
