"""Belimo's raw rows as readings."""

from __future__ import annotations

import polars as pl

from energy_platform.identity import serial_segments
from energy_platform.transforms.shared_serials import foreign_column


def belimo_to_readings(raw: pl.DataFrame) -> pl.DataFrame:
    """Return raw Belimo samples as ``point_id, at, value, text, unit``.

    A device's id changes when it is transferred, its serial number does not.
    """
    return raw.select(
        pl.format("belimo/{}/{}", serial_segments(raw["serial_number"]), "datapoint_id").alias(
            "point_id"
        ),
        "at",
        "value",
        pl.col("value_text").alias("text"),
        pl.lit(None, pl.String()).alias("unit"),
        *foreign_column(raw, device="device_id", series=("datapoint_id",)),
    )
