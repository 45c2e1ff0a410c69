"""SoData's raw rows as readings."""

from __future__ import annotations

from typing import Final

import polars as pl

from energy_platform.identity import serial_segments
from energy_platform.sources.socomec.keys import socomec_keys
from energy_platform.transforms.shared_serials import foreign_column

SERVICE: Final = ("item_type", "item_index", "service_id")
"""The columns that make a service of a device."""


def socomec_to_readings(raw: pl.DataFrame) -> pl.DataFrame:
    """Return raw SoData datapoints as ``point_id, at, value, text, unit``.

    Datapoints carry no unit (SoData API, section 5); the portfolio's point knows it.
    """
    return raw.select(
        pl.format("socomec/{}/{}", serial_segments(raw["serial_number"]), socomec_keys(raw)).alias(
            "point_id"
        ),
        "at",
        "value",
        pl.col("value_text").alias("text"),
        pl.lit(None, pl.String()).alias("unit"),
        *foreign_column(raw, device="device_uuid", series=SERVICE),
    )
