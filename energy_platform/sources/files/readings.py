"""Rows of dropped files as readings of points."""

from __future__ import annotations

import polars as pl

from energy_platform.identity import serial_segments


def readings_of_files(raw: pl.DataFrame) -> pl.DataFrame:
    """Return samples of dropped files as ``point_id, at, value, text, unit``.

    Each row says its own unit, where the mapping or the file does; else the portfolio's counts.

    >>> from energy_platform.sources.files.tables import RAW_FILES_SAMPLES as TABLE
    >>> row = {"device_id": "roof", "point": "import", "value": 2.5, "unit": "kWh"}
    >>> raw = pl.DataFrame([row], schema=TABLE.schema)
    >>> readings_of_files(raw).select("point_id", "value", "unit").rows()
    [('files/roof/import', 2.5, 'kWh')]
    """
    return raw.select(
        pl.format("files/{}/{}", serial_segments(raw["device_id"]), "point").alias("point_id"),
        "at",
        "value",
        pl.col("value_text").alias("text"),
        "unit",
    )
