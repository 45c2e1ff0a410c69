"""Lakes of a few meters whose energy of every quarter-hour, and every reading, a test says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import duckdb

from energy_platform.days import day_of
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import parse_portfolio
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    Table,
)
from energy_platform.transforms.units import canonical_unit
from energy_platform.warehouse import Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT, QUARTER, World, intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

Rows = dict[str, list[dict[str, object]]]


def metered(
    folder: Path,
    portfolio: str,
    *,
    start: datetime,
    days: Sequence[str],
    energies: Mapping[str, Sequence[float | None]],
    readings: Mapping[str, Sequence[tuple[datetime, float, str]]] | None = None,
    amounts: Mapping[str, Sequence[float]] | None = None,
) -> Warehouse:
    """Return the warehouse of a lake that holds what is said, built and published.

    Args:
        folder: The data folder.
        portfolio: The portfolio's text.
        start: Where the energies begin.
        days: UTC days that are written.
        energies: Wh of each quarter-hour by point; None: nothing covers it.
        readings: Instant, value and unit of each reading by point.
        amounts: What is counted otherwise in each quarter-hour by point.
    """
    world = World(lake=Lake(folder / "lake"), portfolio=parse_portfolio(portfolio), start=start)
    write(world, start=start, days=days, energies=energies, readings=readings or {})
    steps = _steps(start, amounts or {})
    for day in days if amounts else ():
        world.put(CORE_CONSUMPTION_DELTAS, _counted(world, steps[day]), day=day)
        world.put(CORE_CONSUMPTION_INTERVALS, _counted(world, intervals(steps[day])), day=day)
    warehouse = Warehouse(data_dir=folder, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(world.portfolio, delivery=None)
    warehouse.publish()
    return warehouse


def write(
    world: World,
    *,
    start: datetime,
    days: Sequence[str],
    energies: Mapping[str, Sequence[float | None]],
    readings: Mapping[str, Sequence[tuple[datetime, float, str]]],
) -> None:
    """Write the day files; each day's vendors are complete."""
    steps = _steps(start, energies)
    said = _said(world, readings)
    for day in days:
        _put(world, CORE_ENERGY_DELTAS, steps, day=day)
        world.spread(day)
        _put(world, CORE_READINGS, said, day=day)
        world.put(CORE_REGISTER_REJECTS, [], day=day)
        for vendor in {point.vendor for point in world.portfolio.points.values()}:
            world.land(vendor, day=day, closed=True)


def _put(world: World, table: Table, rows: Rows, *, day: str) -> None:
    world.put(table, rows[day], day=day)


def _steps(start: datetime, energies: Mapping[str, Sequence[float | None]]) -> Rows:
    steps: Rows = defaultdict(list)
    for point, values in energies.items():
        steps[day_of(start)].append(_step(point, start, start, None))
        for number, energy in enumerate(values):
            if energy is not None:
                begins = start + number * QUARTER
                ends = begins + QUARTER
                steps[day_of(ends)].append(_step(point, begins, ends, float(energy)))
    return steps


def _step(point: str, start: datetime, end: datetime, energy: float | None) -> dict[str, object]:
    return {
        "point_id": point,
        "end_at": end,
        "start_at": start,
        "counted_from": start,
        "energy_wh": energy,
        "refused_wh": 0.0,
        "status": "first" if energy is None else "ok",
        "estimated": False,
        "dropped": 0,
        "method": "register",
    }


def _counted(world: World, steps: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return steps or buckets of energy as those of what else is counted."""
    names = {"energy_wh": "consumption", "refused_wh": "refused"} | {
        "estimated_wh": "estimated_consumption"
    }
    found = []
    for row in steps:
        quantity = world.portfolio.points[str(row["point_id"])].quantity
        shared = {"quantity": quantity, "unit": canonical_unit(quantity)}
        found.append({names.get(name, name): value for name, value in row.items()} | shared)
    return found


def _said(world: World, readings: Mapping[str, Sequence[tuple[datetime, float, str]]]) -> Rows:
    said: Rows = defaultdict(list)
    for point, values in readings.items():
        for at, value, unit in values:
            said[day_of(at)].append(
                {
                    "point_id": point,
                    "at": at,
                    "quantity": world.portfolio.points[point].quantity,
                    "value": value,
                    "unit": unit,
                    "status": "ok",
                }
            )
    return said


def rows(warehouse: Warehouse, sql: str) -> list[dict[str, object]]:
    """Return what a query of the published file gives, by column."""
    with duckdb.connect(str(warehouse.published_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(sql)
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


__all__ = ["metered", "rows", "write"]
