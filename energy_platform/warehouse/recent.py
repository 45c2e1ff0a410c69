"""The newest rows of a published mart, from its Parquet files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

_MONTHS: Final = 2
"""Months whose files are read: any span of up to 28 days lies in two."""


def recent_rows(folder: Path, table: str, *, days: int) -> pl.DataFrame:
    """Return the rows of a table's newest local days; none where it is not published yet.

    Args:
        folder: The folder of the marts.
        table: A table with a ``local_day``.
        days: How many days, at most 28, counted back from the newest one that the table has.
    """
    place = folder / table
    months = sorted(one for one in place.glob("month=2*") if one.is_dir())[-_MONTHS:]
    files = [path for month in months for path in sorted(month.glob("*.parquet"))]
    if not files:
        return pl.DataFrame()
    rows = pl.read_parquet(files, hive_partitioning=False)
    return rows.filter(pl.col("local_day") > pl.col("local_day").max() - timedelta(days=days))
