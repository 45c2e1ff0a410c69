"""Belimo's raw rows as readings."""

from __future__ import annotations

import polars as pl

from energy_platform.identity import serial_segments
from energy_platform.transforms.shared_serials import foreign_column


def belimo_to_readings(raw: pl.DataFrame) -> pl.DataFrame:
    """Return raw Belimo samples as ``point_id, at, value, text, unit``.

    A device's id changes when it is transferred, its serial number does not.

    >>> from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES as TABLE
    >>> row = {"serial_number": "V1", "datapoint_id": "evcloud.210", "value": 7200.0}
    >>> raw = pl.DataFrame([row], schema=TABLE.schema)
    >>> belimo_to_readings(raw).select("point_id", "value", "unit").rows()
    [('belimo/V1/evcloud.210', 7200.0, None)]
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
