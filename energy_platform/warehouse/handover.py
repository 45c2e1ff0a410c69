"""What a build hands to dbt next to the day files: the portfolio, the calendar, the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.warehouse.affected import LONG_AGO
from energy_platform.warehouse.calendars import periods, quarter_hours
from energy_platform.warehouse.dims import (
    delivery_rows,
    dims,
    holidays_frame,
    read_from_name,
    rules_frame,
)
from energy_platform.warehouse.inventories import inventory_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    import duckdb

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor
    from energy_platform.warehouse.slices import Slice

_KNOWN_POINTS: Final = "known_points.parquet"


def hand_over(
    folder: Path,
    db: duckdb.DuckDBPyConnection,
    *,
    lake: Lake,
    portfolio: Portfolio,
    info: Mapping[str, str],
    vendors: Iterable[Vendor],
    delivery: pl.DataFrame | None,
    days: Mapping[str, Iterable[date]],
) -> None:
    """Write what is the same for all slices of a build.

    Args:
        folder: The build's folder.
        db: The work file, with the build noted in it.
        lake: Where the inventories lie.
        portfolio: The portfolio as it is now.
        info: What the build rests on.
        vendors: All of them.
        delivery: The ledger's frame; None: no stream.
        days: Local days that are rebuilt, by zone.
    """
    final_before = {
        vendor: datetime.fromisoformat(text)
        if (text := info[f"final_before_{vendor}"])
        else LONG_AGO
        for vendor in vendors
    }
    for point in portfolio.virtual_points:
        several = portfolio.vendors_of(point)
        final_before[read_from_name(several)] = min(final_before[vendor] for vendor in several)
    horizon_at = datetime.fromisoformat(info["horizon_at"])
    years = {day.year for some in days.values() for day in some}
    # A night shift is of the day on which it began, which may be the year before's last.
    years |= {year - 1 for year in years}
    reach = pl.DataFrame(
        [(vendor, final, horizon_at) for vendor, final in final_before.items()],
        schema={"vendor": pl.String(), "final_before": INSTANT, "horizon_at": INSTANT},
        orient="row",
    )
    frames = {
        **dims(portfolio),
        **inventory_frames(lake),
        "holidays": holidays_frame(portfolio, years=years),
        "vendors": reach,
        "rules": rules_frame(),
        "delivery": delivery_rows(delivery),
    }
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    target = str(folder / "point_extents.parquet").replace("'", "''")
    db.execute(f"copy (from state.point_extents order by point_id) to '{target}' (format parquet)")


def write_known_points(folder: Path, portfolio: Portfolio, *, known: Iterable[str]) -> None:
    """Write every point of the portfolio and of the data with its site, for the slices to come."""
    points = portfolio.points
    rows = [
        (point_id, points[point_id].site_id if point_id in points else None)
        for point_id in sorted({*points, *known})
    ]
    schema = {"point_id": pl.String(), "site_id": pl.String()}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / _KNOWN_POINTS)


def hand_over_slice(folder: Path, one: Slice) -> None:
    """Write which days a slice rebuilds, their quarter-hours, and for which points."""
    points = pl.read_parquet(folder / _KNOWN_POINTS)
    if one.points is not None:
        points = points.filter(pl.col("point_id").is_in([*one.points]))
    points.write_parquet(folder / "affected_points.parquet")
    periods(one.days).write_parquet(folder / "affected.parquet")
    quarter_hours(one.days).write_parquet(folder / "calendar.parquet")


def days_handed_over(folder: Path) -> dict[str, list[date]]:
    """Return the local days by zone that were handed over last."""
    frame = pl.read_parquet(folder / "affected.parquet").filter(pl.col("grain") == "day")
    found: dict[str, list[date]] = {}
    for zone, day in frame.select("timezone", "period_start").iter_rows():
        found.setdefault(zone, []).append(day)
    return found
