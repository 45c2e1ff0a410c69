"""The chain of one point and local day, read from the lake: only sums are computed again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from energy_platform.days import MICROSECOND, day_of, day_range
from energy_platform.explain.descriptions import (
    describe_corrections,
    describe_learned,
    describe_policy,
    describe_step,
)
from energy_platform.explain.explanation import (
    ENERGY_UNIT,
    CarriedReading,
    Contribution,
    Explanation,
    Step,
)
from energy_platform.explain.parts import read_parts, read_virtual_samples
from energy_platform.explain.samples import read_samples, rows_of_point
from energy_platform.limits_seen import seen_power
from energy_platform.portfolio.find import PointNotFoundError, find_point
from energy_platform.refresh import stale
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_REGISTER_STATE,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
)
from energy_platform.transforms.quantities import CONSUMPTION_QUANTITIES
from energy_platform.transforms.register_rule import FEWEST_RISES
from energy_platform.transforms.units import canonical_unit
from energy_platform.warehouse.calendars import day_start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Point, Portfolio
    from energy_platform.schemas import Table


_BUCKET: Final = timedelta(minutes=15)


class _Amounts(NamedTuple):
    """Where the amounts of a point lie, and what their columns are called here.

    Attributes:
        deltas: Table of the steps.
        intervals: Table of the contributions.
        names: Columns of both, by their names in the records.
    """

    deltas: Table
    intervals: Table
    names: Mapping[str, str]


_ENERGY: Final = _Amounts(
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    {
        "amount": "energy_wh",
        "estimated_amount": "estimated_wh",
        "refused_amount": "refused_wh",
        "register_start": "register_start_wh",
        "register_end": "register_end_wh",
    },
)

_CONSUMPTION: Final = _Amounts(
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    {
        "amount": "consumption",
        "estimated_amount": "estimated_consumption",
        "refused_amount": "refused",
    },
)
"""Volumes, reactive energy, running time and counts have tables of their own."""

_VIRTUAL: Final = _ENERGY._replace(deltas=CORE_VIRTUAL_DELTAS, intervals=CORE_VIRTUAL_INTERVALS)
"""Virtual points lie in tables of their own, with the columns of energy."""

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
"""Years that a meter can have counted in; beyond them calendar arithmetic overflows."""


class ExplainError(ValueError):
    """There is nothing to explain; the message says what was asked for and what there is."""


def explain(lake: Lake, portfolio: Portfolio, *, point_id: str, day: str) -> Explanation:
    """Follow one point's local day from the vendor's rows to its energy or consumption.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        point_id: ``vendor/serial/key``, or words that fit one point only.
        day: Local day of the point's site, ``YYYY-MM-DD``.

    Raises:
        ExplainError: The portfolio has no such point, or ``day`` is not a date.
        LakeError: A file of the lake is damaged.
    """
    point = _point(portfolio, point_id)
    point_id = point.point_id
    timezone = portfolio.sites[point.site_id].timezone
    local_day = _date(day)
    start = day_start(local_day, timezone=timezone)
    end = day_start(local_day + timedelta(days=1), timezone=timezone)
    if end <= start:
        raise ExplainError(f"{timezone} has no {day}: the zone skipped it")
    utc_days = day_range(day_of(start), day_of(end - MICROSECOND))
    amounts = _CONSUMPTION if _is_consumption(point) else _ENERGY
    if point.is_virtual:
        amounts = _VIRTUAL
    touching = _days_touching(lake, amounts, start=start, end=end)
    deltas = rows_of_point(lake, amounts.deltas, point_id, days=sorted({*utc_days, *touching}))
    deltas = _neutral(deltas, amounts)
    unit = _unit(point, deltas) if amounts is _CONSUMPTION else ENERGY_UNIT
    steps = tuple(_step(row, portfolio, unit=unit) for row in _in_day(deltas, start=start, end=end))
    intervals = _intervals(lake, amounts, point_id, days=touching, start=start, end=end)
    data_from, data_until = (None, None) if intervals else _extent(lake, amounts, point_id)
    return Explanation(
        point_id=point_id,
        name=f"{point.device_name}: {point.name}",
        quantity=point.quantity,
        unit=unit,
        site=point.site_id,
        timezone=timezone,
        local_day=day,
        starts_at=start,
        ends_at=end,
        utc_days=tuple(utc_days),
        policy={}
        if point.is_virtual
        else {one: describe_policy(portfolio.policy_on(point_id, day=one)) for one in utc_days},
        learned="" if point.is_virtual else _learned(lake, portfolio, point_id, until=utc_days[-1]),
        corrections=describe_corrections(portfolio, point_id, start=start, end=end),
        before=_state(
            lake, point_id, days=[d for d in lake.days(CORE_REGISTER_STATE) if d < utc_days[0]]
        ),
        samples=read_virtual_samples(lake, point, days=utc_days, start=start, end=end)
        if point.is_virtual
        else read_samples(lake, point, days=utc_days, start=start, end=end, steps=steps),
        steps=steps,
        after=_state(
            lake, point_id, days=[d for d in lake.days(CORE_REGISTER_STATE) if d <= utc_days[-1]]
        ),
        intervals=intervals,
        amount=sum(one.amount for one in intervals) if intervals else None,
        estimated_amount=sum(one.estimated_amount for one in intervals),
        refused_amount=sum(one.refused_amount for one in intervals),
        covered_s=sum(one.covered_s for one in intervals),
        expected_s=(end - start).total_seconds(),
        data_from=data_from,
        data_until=data_until,
        closed_by=_closed_by(lake, amounts, point_id, end=end),
        stale={
            one.day: list(one.why)
            for one in stale(lake, portfolio)
            if one.day in {*utc_days, *touching}
        },
        parts=read_parts(lake, portfolio, point, start=start, end=end),
        constant_w=point.constant_w,
    )


def _is_consumption(point: Point) -> bool:
    counts = point.kind in {"register", "increment"}
    return counts and point.quantity in CONSUMPTION_QUANTITIES


def _unit(point: Point, deltas: pl.DataFrame) -> str:
    """Return the unit of a point's consumption; of ``other`` only its rows know it."""
    seen = deltas["unit"].drop_nulls()
    return canonical_unit(point.quantity) or (seen[0] if seen.len() else point.unit) or ""


def _neutral(rows: pl.DataFrame, amounts: _Amounts) -> pl.DataFrame:
    """Return rows with their amounts called as in the records."""
    names = {column: name for name, column in amounts.names.items()}
    return rows.rename(names, strict=False)


def _point(portfolio: Portfolio, typed: str) -> Point:
    try:
        return find_point(portfolio, typed)
    except PointNotFoundError as error:
        raise ExplainError(str(error)) from error


def _date(day: str) -> date:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        found = date.min
    # Other spellings of ISO 8601, such as 20260329, are not days of the marts.
    if found.isoformat() != day or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ExplainError(f"{day!r} is not a local day such as 2026-03-29")
    return found


def _extent(
    lake: Lake, amounts: _Amounts, point_id: str
) -> tuple[datetime | None, datetime | None]:
    """Return from when to when the lake has intervals of a point."""
    if not lake.days(amounts.intervals):
        return None, None
    at = pl.col("interval_start")
    row = (
        lake.scan(amounts.intervals)
        .filter(pl.col("point_id") == point_id)
        .select(first=at.min(), last=at.max() + _BUCKET)
        .collect()
        .row(0)
    )
    return row[0], row[1]


def _days_touching(lake: Lake, amounts: _Amounts, *, start: datetime, end: datetime) -> list[str]:
    """Return the days whose interval files reach into a window."""
    found = []
    for day, footer in lake.footers(amounts.intervals).items():
        first, last = footer.meta.get("bucket_min"), footer.meta.get("bucket_max")
        if first is None or last is None:
            continue
        if datetime.fromisoformat(first) < end and datetime.fromisoformat(last) >= start:
            found.append(day)
    return found


def _in_day(deltas: pl.DataFrame, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    inside = (pl.col("end_at") > start) & (pl.col("counted_from") < end)
    return list(deltas.filter(inside).sort("end_at").iter_rows(named=True))


def _step(row: dict[str, Any], portfolio: Portfolio, *, unit: str) -> Step:
    names = Step.__dataclass_fields__.keys() - {"description"}
    return Step(
        **{name: row[name] for name in names},
        description=describe_step(
            status=row["status"],
            reason=row["reason"],
            method=row["method"],
            elapsed=row["end_at"] - row["start_at"],
            amount=row["amount"],
            refused=row["refused_amount"],
            unit=unit,
            dropped=row["dropped"],
            policy=portfolio.policy_on(row["point_id"], day=row["file_day"]),
        ),
    )


def _state(lake: Lake, point_id: str, *, days: list[str]) -> tuple[CarriedReading, ...]:
    rows = rows_of_point(lake, CORE_REGISTER_STATE, point_id, days=days[-1:]).sort("at")
    return tuple(
        CarriedReading(
            at=row["at"], register=row["value_wh"], kind=row["kind"], total=row["total_wh"]
        )
        for row in rows.iter_rows(named=True)
    )


def _intervals(
    lake: Lake, amounts: _Amounts, point_id: str, *, days: list[str], start: datetime, end: datetime
) -> tuple[Contribution, ...]:
    rows = (
        _neutral(rows_of_point(lake, amounts.intervals, point_id, days=days), amounts)
        .filter(pl.col("interval_start").is_between(start, end, closed="left"))
        .sort("interval_start", "file_day")
        .group_by("interval_start", maintain_order=True)
        .agg(pl.col("amount", "estimated_amount", "refused_amount", "covered_s").sum(), "file_day")
    )
    return tuple(
        Contribution(
            start=row["interval_start"],
            amount=row["amount"],
            estimated_amount=row["estimated_amount"],
            refused_amount=row["refused_amount"],
            covered_s=row["covered_s"],
            file_days=tuple(row["file_day"]),
        )
        for row in rows.iter_rows(named=True)
    )


def _closed_by(lake: Lake, amounts: _Amounts, point_id: str, *, end: datetime) -> datetime | None:
    later = [day for day in lake.days(amounts.deltas) if day >= day_of(end)]
    for day in later:
        ends = rows_of_point(lake, amounts.deltas, point_id, days=[day])["end_at"]
        at = ends.filter(ends >= end).min()
        if isinstance(at, datetime):
            return at
    return None


def _learned(lake: Lake, portfolio: Portfolio, point_id: str, *, until: str) -> str:
    if portfolio.policy_on(point_id, day=until).max_power_w is not None:
        return ""
    return "; ".join(
        describe_learned(one.power_w, seen=one.description)
        for one in seen_power(lake, portfolio, point_id=point_id, until=until)
        # The first rise is measured by nothing and not among them.
        if one.rises + 1 >= FEWEST_RISES
    )
