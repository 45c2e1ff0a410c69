"""Amounts that are counted and are not watt-hours: m³, varh, VAh, running time, counts.

They go through the same register rule and are spread over the same buckets as energy. They have
tables of their own, with the unit in each row, so that no sum of a column named ``_wh`` can ever
hold m³ or varh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.schemas import CORE_CONSUMPTION_DELTAS, CORE_CONSUMPTION_INTERVALS
from energy_platform.transforms.units import CANONICAL_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

CONSUMPTION_QUANTITIES: Final = frozenset(
    {
        "reactive_energy_import",
        "reactive_energy_export",
        "apparent_energy",
        "volume",
        "operating_time",
        "count",
        "other",
    }
)
"""Quantities whose registers and increments are consumption; ``other`` where the portfolio says
that it counts."""

_NAMES: Final = {
    "register_start_wh": "register_start",
    "register_end_wh": "register_end",
    "energy_wh": "consumption",
    "refused_wh": "refused",
    "estimated_wh": "estimated_consumption",
}
"""Columns of the energy tables, and what they are called where the unit stands in the row."""


def counts_consumption() -> pl.Expr:
    """Return whether a point counts something that is not energy in watt-hours."""
    return pl.col("kind").is_in(["register", "increment"]) & pl.col("quantity").is_in(
        sorted(CONSUMPTION_QUANTITIES)
    )


def split_consumption(
    deltas: pl.DataFrame, *, readings: pl.DataFrame, points: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split the steps of a load into energy and consumption.

    Args:
        deltas: Steps of any counting points, in the columns of ``core_energy_deltas``.
        readings: The rows of ``core_readings`` they were made from; they say the unit.
        points: ``point_id, quantity, kind`` per point.

    Returns:
        Rows of ``core_energy_deltas``, and rows of ``core_consumption_deltas``.
    """
    counting = points.filter(counts_consumption()).select("point_id", "quantity")
    if not counting.height:
        return deltas, CORE_CONSUMPTION_DELTAS.empty()
    units = (
        readings.filter(pl.col("status") == "ok")
        .join(counting, on="point_id", how="semi")
        .group_by("point_id")
        .agg(pl.col("unit").drop_nulls().first())
    )
    counted = (
        deltas.rename(_NAMES, strict=False)
        .join(counting, on="point_id", how="inner", maintain_order="left")
        .join(units, on="point_id", how="left", maintain_order="left")
        .with_columns(unit=pl.coalesce("unit", _canonical()))
        .select(CORE_CONSUMPTION_DELTAS.schema.names())
    )
    energy = deltas.join(counting, on="point_id", how="anti", maintain_order="left")
    return energy, counted


def _canonical() -> pl.Expr:
    quantity = pl.col("quantity")
    return quantity.replace_strict(dict(CANONICAL_UNITS), default=None, return_dtype=pl.String())


def consumption_intervals(
    deltas: pl.DataFrame, *, spread: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Spread steps of consumption over buckets, as energy is spread.

    Args:
        deltas: Rows of ``core_consumption_deltas``.
        spread: ``energy_intervals``, or another rule with its columns.

    Returns:
        Rows of ``core_consumption_intervals``.
    """
    if not deltas.height:
        return CORE_CONSUMPTION_INTERVALS.empty()
    as_energy = {name: energy for energy, name in _NAMES.items()}
    named = deltas.group_by("point_id").agg(pl.col("quantity", "unit").first())
    return (
        spread(deltas.rename(as_energy, strict=False))
        .rename(_NAMES, strict=False)
        .join(named, on="point_id", how="left", maintain_order="left")
        .select(CORE_CONSUMPTION_INTERVALS.schema.names())
    )
