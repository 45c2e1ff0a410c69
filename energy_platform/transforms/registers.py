"""From judged readings to energy: which points count it, and by which method.

- ``register``: cumulative registers, differenced by the register rule;
- ``increment``: points that say the energy of each period, such as services named ``…_Delta``;
- ``power``: active power of points whose portfolio entry asks for ``energy_from_power``.

Registers of other amounts (m³, varh, VAh, hours run) are read by the same rule. Inside it a
register is a number in its point's canonical unit; ``consumption.split_consumption`` then moves
their steps to tables that say the unit, so that no published column named ``_wh`` holds them. Heat
and electricity are distinguished by the point's quantity and carrier. The column ``method`` names
the method of each row, so that none is mixed with another unseen. The methods themselves are in
``counters`` and ``periods``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
)
from energy_platform.transforms.counters import DEFAULT_POLICY, EnergyDeltas, energy_deltas
from energy_platform.transforms.increment_periods import place_increments
from energy_platform.transforms.periods import increment_deltas, power_deltas
from energy_platform.transforms.quantities import CONSUMPTION_QUANTITIES, ENERGY_QUANTITIES
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.transforms.policy import CounterPolicy


def register_readings(core_readings: pl.DataFrame, *, points: pl.DataFrame) -> pl.DataFrame:
    """Return what the register rule reads: ``point_id, at, value_wh, counts_per_wh``.

    ``counts_per_wh`` is 3600 for points that count joules, so that their steps are differenced in
    whole joules: a believed value is ``joules / 3600``, and below 2^51 J the whole joules can be
    had back from it exactly.

    Args:
        core_readings: Rows of ``core_readings``; quarantined ones are left out.
        points: ``point_id, quantity, unit, kind`` per point.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": ["heat", "heat"],
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (0, 1)],
        ...     "value": [1.0, 2.0],
        ...     "status": ["ok", "quarantined"],
        ... })
        >>> points = pl.DataFrame({
        ...     "point_id": ["heat"],
        ...     "quantity": ["heating_energy"],
        ...     "unit": ["J"],
        ...     "kind": ["register"],
        ... })
        >>> register_readings(readings, points=points).select("value_wh", "counts_per_wh").rows()
        [(1.0, 3600.0)]
    """
    registers = _counted(points, kind="register").select("point_id", "quantity", "unit")
    pairs = registers.select("quantity", "unit").unique()
    scales = pairs.with_columns(
        counts_per_wh=pl.Series(
            [_counts_per_wh(unit, quantity=quantity) for quantity, unit in pairs.iter_rows()],
            dtype=pl.Float64(),
        )
    )
    counted = registers.join(scales, on=["quantity", "unit"], nulls_equal=True)
    rows = _believed(core_readings, counted.select("point_id", "counts_per_wh"))
    return rows.rename({"value": "value_wh"})


def _counts_per_wh(unit: str | None, *, quantity: str) -> float:
    how = conversion(unit, quantity=quantity)
    return 1.0 if how is None else how.counts_per_unit


def _counted(points: pl.DataFrame, *, kind: str) -> pl.DataFrame:
    return points.filter(
        (pl.col("kind") == kind)
        & pl.col("quantity").is_in(sorted(ENERGY_QUANTITIES | CONSUMPTION_QUANTITIES))
    )


def _believed(core_readings: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    rows = core_readings.filter(pl.col("status") == "ok").select("point_id", "at", "value")
    return rows.join(points, on="point_id", how="inner", maintain_order="left")


def compute_energy(
    core_readings: pl.DataFrame,
    *,
    points: pl.DataFrame,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
) -> EnergyDeltas:
    """Turn a load of judged readings into energy, each point by its own method.

    Args:
        core_readings: Rows of ``core_readings``, of any points.
        points: Rows of ``Portfolio.points_frame()``.
        state: What the load before returned; None before the first.
        policy: One policy, or one per ``point_id``.

    Returns:
        Deltas, next state and rejects of all methods, each sorted by its key.

    Raises:
        ValueError: See ``energy_deltas``.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": ["main", "main", "main"],
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (0, 1, 2)],
        ...     "value": [1000.0, 1500.0, 1800.0],
        ...     "status": "ok",
        ... })
        >>> points = pl.DataFrame({
        ...     "point_id": ["main"],
        ...     "quantity": ["active_energy_import"],
        ...     "unit": ["Wh"],
        ...     "kind": ["register"],
        ...     "energy_from_power": [False],
        ... })
        >>> compute_energy(readings, points=points).deltas.select("energy_wh", "method").rows()
        [(0.0, 'register'), (500.0, 'register'), (300.0, 'register')]
    """
    increments = _counted(points, kind="increment")
    powers = points.filter(
        (pl.col("quantity") == "active_power") & pl.col("energy_from_power")
    ).select("point_id")
    others = pl.concat([increments.select("point_id"), powers])
    if state is None:
        state = CORE_REGISTER_STATE.empty()

    def own(table: pl.DataFrame) -> pl.DataFrame:
        return state.join(table.select("point_id"), on="point_id", how="semi")

    parts = [
        energy_deltas(
            register_readings(core_readings, points=points),
            state=state.join(others, on="point_id", how="anti"),
            policy=policy,
        )
    ]
    if increments.height:
        rows = place_increments(_believed(core_readings, increments.select("point_id")), increments)
        parts.append(increment_deltas(rows, state=own(increments), policy=policy))
    if powers.height:
        rows = _believed(core_readings, powers)
        parts.append(power_deltas(rows, state=own(powers), policy=policy))
    return _joined(parts)


def _joined(parts: list[EnergyDeltas]) -> EnergyDeltas:
    if len(parts) == 1:
        return parts[0]
    return EnergyDeltas(
        deltas=pl.concat([part.deltas for part in parts]).sort(CORE_ENERGY_DELTAS.sort_key),
        state=pl.concat([part.state for part in parts]).sort(CORE_REGISTER_STATE.sort_key),
        rejects=pl.concat([part.rejects for part in parts]).sort(CORE_REGISTER_REJECTS.sort_key),
    )
