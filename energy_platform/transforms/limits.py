"""What a register's limit kept out, and the one that would have let it pass.

For checks and commands; the rule that applies limits is ``register_rule``, and what a lake of many
days comes to is summed up in ``disputed`` and ``limits_seen``.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from energy_platform.transforms.register_rule import MARGIN, SHORTEST_STEP_US

CONFIRMED_BY: Final = 3
"""Readings that settle a step, unless a policy says otherwise (``CounterPolicy.confirm``)."""

LEAST_LOADED: Final = 0.01
"""A load beyond its limit that is at least a hundredth of the same number in kW: the number is in
kW. One beyond a limit that is merely too small is far less."""


def refused_energy(deltas: pl.DataFrame, *, readings: pl.DataFrame) -> pl.DataFrame:
    """Return what registers showed and the register rule did not book.

    Args:
        deltas: Rows of ``core_energy_deltas``.
        readings: Rows of ``core_readings`` of the same days: the first of a step's readings says
            how fast the register jumped. Without it a third of the step is taken.

    Returns:
        ``point_id, start_at, end_at, refused_wh, reason, needed_w``, the largest first:
        ``needed_w`` is a limit that would have let it pass, null where none would (a fall, a
        change of unit).

    Example:
        >>> from energy_platform.transforms.counters import energy_deltas
        >>> from energy_platform.transforms.policy import CounterPolicy
        >>> readings = pl.DataFrame({
        ...     "point_id": "main",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(6)],
        ...     "value": [1000.0, 1500.0, 2000.0, 90_000.0, 90_500.0, 91_000.0],
        ...     "status": "ok",
        ... })
        >>> deltas = energy_deltas(
        ...     readings.rename({"value": "value_wh"}), policy=CounterPolicy(max_power_w=2000)
        ... ).deltas
        >>> refused = refused_energy(deltas, readings=readings)
        >>> refused.select("refused_wh", "reason", "needed_w").rows()
        [(88000.0, 'above_allowance', 88000.0)]
    """
    refused = deltas.filter(pl.col("refused_wh") != 0)
    usable = readings.filter((pl.col("status") == "ok") & (pl.col("value") != 0))
    first = (
        refused.select("point_id", "end_at", "start_at")
        .join(usable.select("point_id", "at"), on="point_id")
        .filter((pl.col("at") > pl.col("start_at")) & (pl.col("at") <= pl.col("end_at")))
        .group_by("point_id", "end_at")
        .agg(pl.col("at").min().alias("first_at"))
    )
    whole = pl.col("end_at") - pl.col("start_at")
    elapsed = pl.coalesce(pl.col("first_at") - pl.col("start_at"), whole / CONFIRMED_BY)
    is_load = (pl.col("refused_wh") > 0) & (pl.col("reason") == "above_allowance")
    return (
        refused.join(first, on=["point_id", "end_at"], how="left")
        .with_columns(
            needed_w=pl.when(is_load).then(_round_up(mean_power(pl.col("refused_wh"), elapsed)))
        )
        .sort(pl.col("refused_wh").abs(), "point_id", "end_at", descending=[True, False, False])
        .select("point_id", "start_at", "end_at", "refused_wh", "reason", "needed_w")
    )


def over_limit(deltas: pl.DataFrame, *, points: pl.DataFrame) -> pl.DataFrame:
    """Return the points whose load kept rising faster than their limit allows.

    Args:
        deltas: Rows of ``core_energy_deltas``.
        points: ``point_id, max_power_w`` per point.

    Returns:
        ``point_id, energy_wh, steps, needed_w, max_power_w, is_kilowatts``: the limit that would
        have let all of it pass, the stated one (null: learned), and whether that looks like a
        number in kW.

    Example:
        >>> from energy_platform.transforms.counters import energy_deltas
        >>> from energy_platform.transforms.policy import CounterPolicy
        >>> readings = pl.DataFrame({
        ...     "point_id": "main",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(5)],
        ...     "value_wh": [1000.0 + 5000 * hour for hour in range(5)],
        ... })
        >>> deltas = energy_deltas(readings, policy=CounterPolicy(max_power_w=8)).deltas
        >>> points = pl.DataFrame({"point_id": "main", "max_power_w": [8.0]})
        >>> found = over_limit(deltas, points=points)
        >>> found.select("energy_wh", "needed_w", "is_kilowatts").rows()
        [(15000.0, 5000.0, True)]
    """
    power = mean_power(pl.col("energy_wh"), pl.col("end_at") - pl.col("start_at"))
    kilowatts = pl.col("needed_w") / (pl.col("max_power_w") * 1000)
    return (
        deltas.filter(pl.col("status") == "over_limit")
        .with_columns(power=power)
        .group_by("point_id")
        .agg(
            pl.col("energy_wh").sum(),
            pl.len().cast(pl.Int64()).alias("steps"),
            _round_up(pl.col("power").max()).alias("needed_w"),
        )
        .join(points.select("point_id", "max_power_w"), on="point_id", how="left")
        .with_columns(
            is_kilowatts=kilowatts.is_between(LEAST_LOADED, 1 / MARGIN).fill_null(value=False)
        )
        .sort("energy_wh", "point_id", descending=[True, False])
    )


def mean_power(energy_wh: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Return W; never measured over less than a minute, as the register rule does not.

    Example:
        >>> step = pl.DataFrame({"energy_wh": [250.0], "elapsed": [timedelta(minutes=15)]})
        >>> step.select(mean_power(pl.col("energy_wh"), pl.col("elapsed"))).item()
        1000.0
    """
    seconds = (elapsed.dt.total_microseconds() / 1e6).clip(lower_bound=SHORTEST_STEP_US / 1e6)
    return energy_wh / seconds * 3600


def _round_up(watts: pl.Expr) -> pl.Expr:
    """Round up to two digits: a limit is a rating, not a measurement."""
    unit = (10.0 ** (watts.log10().floor() - 1)).cast(pl.Float64())
    # What rounding adds to a number that has two digits already must not become a third.
    return ((watts / unit) - 1e-9).ceil() * unit
