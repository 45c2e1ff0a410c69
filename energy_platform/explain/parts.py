"""The parts of a virtual point on a local day: which they are, and what each brings.

Only what the parts come to is read here; how each of them came about is explained by asking for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from energy_platform.explain.explanation import PartFigure, Sample
from energy_platform.explain.samples import rows_of_point
from energy_platform.schemas import (
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
)

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Point, Portfolio


def read_parts(
    lake: Lake, portfolio: Portfolio, point: Point, *, start: datetime, end: datetime
) -> tuple[PartFigure, ...]:
    """Return the parts of a virtual point as the portfolio names them, with their figures.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        point: Any point; one that is not virtual has no parts.
        start: First instant of the local day.
        end: The first instant after it.
    """
    read = _energy if point.is_energy else _power
    figures = []
    for name, factor in point.of:
        part = portfolio.points[name]
        amount, covered_s = read(lake, part, start=start, end=end)
        figures.append(
            PartFigure(
                point_id=name,
                name=f"{part.device_name}: {part.name}",
                factor=factor,
                amount=amount,
                covered_s=covered_s,
            )
        )
    return tuple(figures)


def read_virtual_samples(
    lake: Lake, point: Point, *, days: list[str], start: datetime, end: datetime
) -> tuple[Sample, ...]:
    """Return the computed readings of a virtual power within a window."""
    rows = rows_of_point(lake, CORE_VIRTUAL_READINGS, point.point_id, days=days)
    inside = rows.filter(pl.col("at").is_between(start, end, closed="left")).sort("at")
    return tuple(
        Sample(
            at=row["at"],
            raw=(),
            value=row["value"],
            unit=row["unit"],
            status=row["status"],
            decisions=("the sum of what the parts showed last",),
        )
        for row in inside.iter_rows(named=True)
    )


def _energy(
    lake: Lake, part: Point, *, start: datetime, end: datetime
) -> tuple[float | None, float | None]:
    """Return the energy of a part in a window, None without any, and how long it is covered."""
    table = CORE_VIRTUAL_INTERVALS if part.is_virtual else CORE_ENERGY_INTERVALS
    rows = (
        lake.scan(table, days=[day for day in lake.days(table) if day >= f"{start:%Y-%m-%d}"])
        .filter(
            pl.col("point_id") == part.point_id,
            pl.col("interval_start").is_between(start, end, closed="left"),
        )
        .select("energy_wh", "covered_s")
        .collect()
    )
    if not rows.height:
        return None, 0.0
    return float(rows["energy_wh"].sum()), float(rows["covered_s"].sum())


def _power(
    lake: Lake, part: Point, *, start: datetime, end: datetime
) -> tuple[float | None, float | None]:
    """Return the mean of a part's readings in a window; nothing says how long it is covered."""
    table = CORE_VIRTUAL_READINGS if part.is_virtual else CORE_READINGS
    found = (
        lake.scan(
            table,
            days=[day for day in lake.days(table) if f"{start:%F}" <= day <= f"{end:%F}"],
        )
        .filter(
            pl.col("point_id") == part.point_id,
            pl.col("status") == "ok",
            pl.col("at").is_between(start, end, closed="left"),
        )
        .select(pl.col("value").mean())
        .collect()
        .item()
    )
    return found, None
