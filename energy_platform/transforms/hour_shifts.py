"""Series that a vendor stored twice, once shifted by an hour.

The only judgement of readings that needs a whole day of a series; all others look at one row and
are in ``readings``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

_HOUR: Final = timedelta(hours=1)
"""What winter time and UTC, or summer and winter time, are apart."""

_FEWEST_TWINS: Final = 8
"""A series counts as shifted only with this many distinct values seen again an hour later."""

_TWIN_SHARE: Final = 0.4
"""Of a series stored twice, once shifted, nearly half the readings are such copies."""


def quarantine_hour_shifts(frame: pl.DataFrame, *, points: pl.DataFrame) -> pl.DataFrame:
    """Quarantine the copies of registers that are there twice, once shifted by an hour.

    A vendor that once stamps local time and once UTC leaves both in one day. A register that rises
    shows each value again exactly an hour later and falls back between: no meter does that.
    """
    registers = points.filter(pl.col("kind") == "register").select("point_id")
    rows = frame.filter(pl.col("status") == "ok").join(
        registers, on="point_id", how="semi", maintain_order="left"
    )
    if rows.height < _FEWEST_TWINS:
        return frame
    falling = (
        rows.with_columns(
            falls=(pl.col("value") < pl.col("value").shift(1))
            & (pl.col("point_id") == pl.col("point_id").shift(1))
        )
        .group_by("point_id")
        .agg(pl.col("falls").sum())
        .filter(pl.col("falls") >= _FEWEST_TWINS)
    )
    rows = rows.join(falling.select("point_id"), on="point_id", how="semi", maintain_order="left")
    if not rows.height:
        return frame
    shifted = rows.select("point_id", pl.col("at") + _HOUR, "value")
    twins = rows.join(shifted, on=["point_id", "at", "value"], how="semi")
    many = twins.group_by("point_id").agg(pl.len().alias("twins"), pl.col("value").n_unique())
    total = rows.group_by("point_id").len()
    series = many.join(total, on="point_id").filter(
        (pl.col("value") >= _FEWEST_TWINS) & (pl.col("twins") >= pl.col("len") * _TWIN_SHARE)
    )
    copies = twins.join(series.select("point_id"), on="point_id", how="semi")
    if not copies.height:
        return frame
    marked = copies.select("point_id", "at", pl.lit(value=True).alias("is_copy"))
    is_copy = pl.col("is_copy").fill_null(value=False)
    return (
        frame.join(marked, on=["point_id", "at"], how="left", maintain_order="left")
        .with_columns(
            status=pl.when(is_copy).then(pl.lit("quarantined")).otherwise("status"),
            reason=pl.when(is_copy).then(pl.lit("hour_shift")).otherwise("reason"),
        )
        .drop("is_copy")
    )
