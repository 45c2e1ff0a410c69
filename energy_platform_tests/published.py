"""From readings of Socomec meters to the published file, by the platform's own steps."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.days import day_bounds, day_of, day_range
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.refresh import refresh
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.warehouse import DELIVERY, Warehouse
from energy_platform_tests.warehouse.warehouse_world import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.portfolio import Portfolio


def publish(folder: Path, datapoints: pl.DataFrame, *, portfolio: Portfolio) -> Path:
    """Land datapoints as whole UTC days, and a week of silent ones; refresh, build and publish.

    Args:
        folder: An empty data folder.
        datapoints: Rows of ``raw_socomec__datapoints`` in any order.
        portfolio: What the datapoints are.

    Returns:
        The published DuckDB file.
    """
    lake, table = Lake(folder / "lake"), RAW_SOCOMEC_DATAPOINTS
    by_day = {
        day_of(at): part
        for (at,), part in datapoints.sort(table.sort_key).group_by(
            pl.col("at").dt.truncate("1d"), maintain_order=True
        )
        if isinstance(at, datetime)
    }
    newest = date.fromisoformat(max(by_day))
    silent = day_range(newest.isoformat(), (newest + timedelta(days=7)).isoformat())
    for day in sorted({*by_day, *silent}):
        land_day(
            lake,
            table,
            day=day,
            frame=by_day.get(day, table.empty()),
            complete_until=day_bounds(day)[1],
            closed=True,
        )
    refresh(lake, portfolio=portfolio)
    warehouse = Warehouse(data_dir=folder, lake=lake, dbt_project_dir=PROJECT)
    warehouse.build(portfolio, delivery=pl.DataFrame(schema=DELIVERY))
    warehouse.publish()
    return warehouse.published_file
