"""Which period an increment is the energy of: from its stamp and its width.

Vendors stamp the energy of a period at its end or at its start. Everything behind this knows ends
only: an increment counts at the end of its period, as a register's step does.

Periods of whole days are days on the site's clock, 23 or 25 hours where it changes. What becomes of
the placed increments is in ``periods``.
"""

from __future__ import annotations

from typing import Final

import polars as pl

DAY_S: Final = 86_400
"""Widths that are multiples of it are days on a clock, of 23 to 25 hours."""

SAME_PERIOD: Final = 0.5
"""Increments nearer than this share of a stated width are answers for one period."""

RESTAMPED_S: Final = 60.0
"""Where only the usual pace is known, which may be wrong, stamps this near are one period's."""


def place_increments(rows: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Return increments at the end of their period.

    Args:
        rows: ``point_id, at, value``.
        points: ``point_id, every_s`` and maybe ``width_s``, ``stamp`` (``start`` or ``end``; null
            means the end) and ``timezone``, the clock of whole days.

    Returns:
        ``point_id, at, value``; ``start_at``, where the period begins if nothing else says so,
        null where its length is not known; ``apart_s``, how far it must be from the increment
        before to be another period's; and ``stamped_at``, the vendor's stamp.

    Example:
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> rows = pl.DataFrame({"point_id": "valve", "at": [noon], "value": [250.0]})
        >>> points = pl.DataFrame({"point_id": "valve", "every_s": [900.0], "stamp": ["start"]})
        >>> placed = place_increments(rows, points)
        >>> placed.select(pl.col("start_at", "at").dt.strftime("%H:%M"), "value").rows()
        [('12:00', '12:15', 250.0)]
    """
    absent = {"width_s": pl.Float64(), "stamp": pl.String(), "timezone": pl.String()}
    known = points.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in absent.items()
        if name not in points.columns
    ).select(
        "point_id",
        length_s=pl.coalesce("width_s", "every_s"),
        apart_s=pl.coalesce(
            pl.col("width_s") * SAME_PERIOD,
            pl.min_horizontal(pl.col("every_s") * SAME_PERIOD, RESTAMPED_S),
        ).fill_null(0.0),
        is_start=(pl.col("stamp") == "start").fill_null(value=False),
        timezone=pl.col("timezone"),
    )
    joined = rows.join(known, on="point_id", how="left", maintain_order="left")
    sign = pl.when("is_start").then(1).otherwise(-1)
    other = _moved(joined, by_s=pl.col("length_s") * sign)
    joined = joined.with_columns(other_at=other)
    return joined.select(
        "point_id",
        at=pl.when("is_start").then(pl.coalesce("other_at", "at")).otherwise("at"),
        value=pl.col("value"),
        start_at=pl.when("is_start").then("at").otherwise("other_at"),
        apart_s=pl.col("apart_s"),
        stamped_at=pl.col("at"),
    )


def _moved(rows: pl.DataFrame, *, by_s: pl.Expr) -> pl.Series:
    """Return the instants moved by a length, whole days by the clock of ``timezone``."""
    rows = rows.with_columns(by_s=by_s).with_row_index("row")
    moved = (pl.col("at") + pl.duration(microseconds=(pl.col("by_s") * 1e6).round())).alias("moved")
    is_days = pl.col("timezone").is_not_null() & (pl.col("by_s") % DAY_S == 0)
    parts = [rows.filter(~is_days.fill_null(value=False)).select("row", moved)]
    for (zone,), part in rows.filter(is_days).group_by("timezone"):
        there = _on_clock(pl.col("at"), by_s=pl.col("by_s"), zone=str(zone))
        parts.append(part.select("row", pl.coalesce(there, moved).alias("moved")))
    return pl.concat(parts).sort("row")["moved"]


def _on_clock(at: pl.Expr, *, by_s: pl.Expr, zone: str) -> pl.Expr:
    """Move instants by whole days of a clock.

    A midnight that a change of the clock skips is the first instant of its day, an hour later on
    the clock; that is then the end of the day before, and where its own day begins.
    """

    def instant(clock: pl.Expr) -> pl.Expr:
        there = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return there.dt.convert_time_zone("UTC")

    def clock_of(at: pl.Expr) -> pl.Expr:
        return at.dt.convert_time_zone(zone).dt.replace_time_zone(None)

    clock = clock_of(at)
    midnight = clock.dt.truncate("1d")
    is_first = clock_of(at - pl.duration(microseconds=1)).dt.date() < midnight.dt.date()
    begins_late = is_first & instant(midnight).is_null()
    moved = pl.when(begins_late).then(midnight).otherwise(clock) + pl.duration(seconds=by_s)
    return pl.coalesce(instant(moved), instant(moved + pl.duration(hours=1)))
