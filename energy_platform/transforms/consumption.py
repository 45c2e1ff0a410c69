"""Amounts that are counted and are not watt-hours: m³, varh, VAh, running time, counts.

They go through the same register rule and are spread over the same buckets as energy. They have
tables of their own, with the unit in each row, so that no sum of a column named ``_wh`` can ever
hold m³ or varh. Only the way into and out of the columns of energy belongs here; the rule itself
knows no unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.schemas import CORE_CONSUMPTION_DELTAS, CORE_CONSUMPTION_INTERVALS
from energy_platform.transforms.quantities import CONSUMPTION_QUANTITIES
from energy_platform.transforms.units import CANONICAL_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = {
    "register_start_wh": "register_start",
    "register_end_wh": "register_end",
    "energy_wh": "consumption",
    "refused_wh": "refused",
    "estimated_wh": "estimated_consumption",
}
"""Columns of the energy tables, and what they are called where the unit stands in the row."""


def counts_consumption() -> pl.Expr:
    """Return whether a point counts something that is not energy in watt-hours.

    Example:
        >>> points = pl.DataFrame({
        ...     "point_id": ["main", "water"],
        ...     "quantity": ["active_energy_import", "volume"],
        ...     "kind": "register",
        ... })
        >>> points.filter(counts_consumption()).get_column("point_id").to_list()
        ['water']
    """
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

    Example:
        >>> from energy_platform.transforms.registers import compute_energy
        >>> points = pl.DataFrame({
        ...     "point_id": ["main", "water"],
        ...     "quantity": ["active_energy_import", "volume"],
        ...     "unit": ["Wh", "m³"],
        ...     "kind": "register",
        ...     "energy_from_power": False,
        ... })
        >>> readings = pl.DataFrame({
        ...     "point_id": ["main", "main", "water", "water"],
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (0, 1, 0, 1)],
        ...     "value": [1000.0, 1500.0, 7.0, 7.25],
        ...     "unit": ["Wh", "Wh", "m³", "m³"],
        ...     "status": "ok",
        ... })
        >>> deltas = compute_energy(readings, points=points).deltas
        >>> energy, consumption = split_consumption(deltas, readings=readings, points=points)
        >>> energy.get_column("energy_wh").to_list()
        [0.0, 500.0]
        >>> consumption.select("consumption", "unit").rows()
        [(0.0, 'm³'), (0.25, 'm³')]
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

    Example:
        >>> from energy_platform.transforms.intervals import energy_intervals
        >>> at = datetime(2026, 3, 1, 8, tzinfo=UTC)
        >>> delta = {
        ...     "point_id": "water",
        ...     "start_at": at,
        ...     "end_at": at + timedelta(minutes=30),
        ...     "counted_from": at,
        ...     "consumption": 0.5,
        ...     "refused": 0.0,
        ...     "status": "ok",
        ...     "quantity": "volume",
        ...     "unit": "m³",
        ... }
        >>> deltas = pl.DataFrame([delta], schema=CORE_CONSUMPTION_DELTAS.schema)
        >>> deltas = deltas.with_columns(estimated=False, method=pl.lit("register"))
        >>> buckets = consumption_intervals(deltas, spread=energy_intervals)
        >>> buckets.select("consumption", "unit").rows()
        [(0.25, 'm³'), (0.25, 'm³')]
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
