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

    >>> from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS as TABLE
    >>> service = {"item_type": "Global", "item_index": "0", "service_id": "130101"}
    >>> raw = pl.DataFrame([{"serial_number": "SN1", **service, "value": 9.0}], schema=TABLE.schema)
    >>> socomec_to_readings(raw).select("point_id", "value", "unit").rows()
    [('socomec/SN1/Global|0|130101', 9.0, None)]
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
