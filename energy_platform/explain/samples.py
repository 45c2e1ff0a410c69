"""The instants of one point: raw rows, validated reading, and what became of each.

How a decision is worded is in ``descriptions``; steps and intervals are read in ``chain``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import polars as pl

from energy_platform.explain.descriptions import describe_reading, describe_reject
from energy_platform.explain.explanation import RawRow, Sample
from energy_platform.schemas import CORE_READINGS, CORE_REGISTER_REJECTS
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.explain.explanation import Step
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Point
    from energy_platform.schemas import Table


def rows_of_point(lake: Lake, table: Table, point_id: str, *, days: list[str]) -> pl.DataFrame:
    """Return a point's rows of some days with the day of their file."""
    parts = [
        lake.scan(table, days=[day])
        .filter(pl.col("point_id") == point_id)
        .with_columns(file_day=pl.lit(day))
        .collect()
        for day in days
    ]
    return pl.concat(parts) if parts else table.empty().with_columns(file_day=pl.lit(""))


def read_samples(
    lake: Lake,
    point: Point,
    *,
    days: list[str],
    start: datetime,
    end: datetime,
    steps: tuple[Step, ...],
) -> tuple[Sample, ...]:
    """Return the instants of a point within a window, with what was decided about each.

    Args:
        lake: The day files.
        point: Whose rows.
        days: UTC days whose files overlap the window.
        start: Its first instant.
        end: The first instant after it.
        steps: Steps of the point that touch the window.
    """
    is_inside = pl.col("at").is_between(start, end, closed="left")
    raw: dict[datetime, list[RawRow]] = defaultdict(list)
    for day in days:
        rows = lake.scan(get_source(point.vendor).day_table, days=[day]).collect()
        own = (
            get_source(point.vendor)
            .readings(rows)
            .filter(is_inside, pl.col("point_id") == point.point_id)
        )
        for row in own.sort("at").iter_rows(named=True):
            raw[row["at"]].append(RawRow(value=row["value"], text=row["text"], unit=row["unit"]))
    judged = {
        row["at"]: row
        for row in rows_of_point(lake, CORE_READINGS, point.point_id, days=days)
        .filter(is_inside)
        .iter_rows(named=True)
    }
    later = [day for day in lake.days(CORE_REGISTER_REJECTS) if day >= days[0]]
    ends = sorted({*days, *(step.file_day for step in steps)})
    rejected = {
        row["at"]: row["reason"]
        for row in rows_of_point(
            lake,
            CORE_REGISTER_REJECTS,
            point.point_id,
            days=[day for day in later if day <= ends[-1]],
        ).iter_rows(named=True)
    }
    return tuple(
        Sample(
            at=at,
            raw=tuple(raw.get(at, ())),
            value=row["value"] if row else None,
            unit=row["unit"] if row else None,
            status=row["status"] if row else None,
            decisions=tuple(_decisions(at, row, rejected=rejected, steps=steps, point=point)),
        )
        for at in sorted({*raw, *judged})
        for row in (judged.get(at),)
    )


def _decisions(
    at: datetime,
    row: dict[str, Any] | None,
    *,
    rejected: dict[datetime, str],
    steps: tuple[Step, ...],
    point: Point,
) -> list[str]:
    if row is None:
        return ["not judged yet: the day waits for a refresh"]
    found = [describe_reading(status=row["status"], reason=row["reason"])]
    if row["status"] == "ok" and steps:
        begins = point.kind == "increment" and point.stamped_at == "start"
        found.append(_outcome(at, rejected=rejected, steps=steps, begins=begins))
    return [one for one in found if one]


def _outcome(
    at: datetime, *, rejected: dict[datetime, str], steps: tuple[Step, ...], begins: bool
) -> str:
    """Say what became of a reading; ``begins`` says that its step begins at its stamp."""
    for step in steps:
        if (step.start_at if begins else step.end_at) == at:
            return step.description
        if at in rejected:
            return describe_reject(rejected[at])
        if step.start_at < at < step.end_at:
            return (
                f"unconfirmed: one of the readings that the one at {_clock(step.end_at)} confirmed"
            )
    return "pending: no later reading has settled it yet"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
