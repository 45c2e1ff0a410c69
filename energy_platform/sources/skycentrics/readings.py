"""SkyCentrics' raw rows as readings."""

from __future__ import annotations

import polars as pl

from energy_platform.identity import serial_segments
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES


def skycentrics_to_readings(raw: pl.DataFrame) -> pl.DataFrame:
    """Return raw SkyCentrics samples as ``point_id, at, value, text, unit, is_backward``.

    Each row says its own unit; kW and W stand in one answer (SkyCentrics, section 7). A sample is
    backward when an earlier poll had shown its sensor with a later time (section 5): a clock went
    back, and what it says until it has caught up lies at the wrong time. Samples of history are
    late, not backward.

    >>> row = {"device_id": "7", "sensor_id": "PV_POWER", "value": 1.5, "units": "kW"}
    >>> raw = pl.DataFrame([row], schema=RAW_SKYCENTRICS_SAMPLES.schema)
    >>> skycentrics_to_readings(raw).select("point_id", "value", "unit", "is_backward").rows()
    [('skycentrics/7/PV_POWER', 1.5, 'kW', False)]
    """
    by_poll = raw.filter(pl.col("first_seen_at").is_not_null()).sort("first_seen_at", "at")
    newest_before = pl.col("at").cum_max().shift(1).over("device_id", "sensor_id")
    backward = by_poll.filter(pl.col("at") < newest_before).select(
        *RAW_SKYCENTRICS_SAMPLES.sort_key, pl.lit(value=True).alias("is_backward")
    )
    raw = raw.join(backward, on=RAW_SKYCENTRICS_SAMPLES.sort_key, how="left", maintain_order="left")
    return raw.select(
        pl.format("skycentrics/{}/{}", serial_segments(raw["device_id"]), "sensor_id").alias(
            "point_id"
        ),
        "at",
        "value",
        pl.col("value_text").alias("text"),
        pl.when(pl.col("units").str.strip_chars() != "").then(pl.col("units")).alias("unit"),
        pl.col("is_backward").fill_null(value=False),
    )
