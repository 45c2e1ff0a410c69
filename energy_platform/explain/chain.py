"""The chain of one point and local day, read from the lake: nothing is computed anew but sums."""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.days import day_bounds, day_of, day_range
from energy_platform.explain import words
from energy_platform.limits_seen import seen_power
from energy_platform.refresh import stale
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
)
from energy_platform.sources.registry import get_source
from energy_platform.transforms.register_rule import FEWEST_RISES
from energy_platform.warehouse.calendars import day_start

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Point, Portfolio
    from energy_platform.schemas import Table

_MICRO: Final = timedelta(microseconds=1)

_BUCKET: Final = timedelta(minutes=15)

_SIMILAR: Final = 3

_ALL_POINTS: Final = (
    '`energy-platform sql "select point_id, device_name, point_name from dim_point"`'
)

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
"""Years that a meter can have counted in; beyond them calendar arithmetic overflows."""


class ExplainError(ValueError):
    """There is nothing to explain; the message says what was asked for and what there is."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A raw row: value, text and unit as the vendor said them."""

    value: float | None
    text: str | None
    unit: str | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One instant of the point: what was said, what it was judged to be, what became of it.

    Attributes:
        said: Raw rows of the instant; more than one where the vendor repeated itself.
        value: The judged value in ``unit``; None where the day was not judged yet.
        words: The decisions, in order.
    """

    at: datetime
    said: tuple[Said, ...]
    value: float | None
    unit: str | None
    status: str | None
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One row of ``core_energy_deltas`` that touches the day.

    Attributes:
        file_day: UTC day of the file that holds it.
    """

    start_at: datetime
    end_at: datetime
    register_start_wh: float | None
    register_end_wh: float | None
    energy_wh: float | None
    refused_wh: float | None
    status: str
    reason: str | None
    method: str
    dropped: int
    estimated: bool
    file_day: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the register carries over midnight UTC.

    Attributes:
        kind: good, previous, unconfirmed or zero.
        total_wh: Energy since the first reading (good).
    """

    at: datetime
    value_wh: float
    kind: str
    total_wh: float | None


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """Energy of one 15-minute bucket: the sum over the files that bring any.

    Attributes:
        file_days: UTC days of those files.
    """

    start: datetime
    energy_wh: float
    estimated_wh: float
    refused_wh: float
    covered_s: float
    file_days: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The whole chain.

    Attributes:
        utc_days: UTC days whose raw files overlap the local day.
        policy: Settings of the register rule that differ from the defaults, by UTC day.
        learned: What the limit is learned from, in words; empty where one is stated.
        corrections: What the portfolio changes on these days, in words.
        before: What the register carried into the first of the UTC days.
        after: What it carries out of the last.
        energy_wh: Energy of the day; None where nothing was counted, which is not 0.
        data_from: Beginning of the point's first interval of any day; only sought for a day
            without one, None where there is none at all.
        data_until: End of its last interval, likewise.
        closed_by: The first settled reading at or after the day's end; None while there is none.
        stale: Of the days involved, those that wait for a refresh, with what differs.
    """

    point_id: str
    name: str
    quantity: str
    site: str
    timezone: str
    local_day: str
    starts_at: datetime
    ends_at: datetime
    utc_days: tuple[str, ...]
    policy: dict[str, str]
    learned: str
    corrections: tuple[str, ...]
    before: tuple[Held, ...]
    samples: tuple[Sample, ...]
    steps: tuple[Step, ...]
    after: tuple[Held, ...]
    intervals: tuple[Contribution, ...]
    energy_wh: float | None
    estimated_wh: float
    refused_wh: float
    covered_s: float
    expected_s: float
    data_from: datetime | None
    data_until: datetime | None
    closed_by: datetime | None
    stale: dict[str, list[str]]


def explain(lake: Lake, portfolio: Portfolio, *, point_id: str, day: str) -> Explanation:
    """Follow one point's local day from the vendor's rows to its energy.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        point_id: ``vendor/serial/key``.
        day: Local day of the point's site, ``YYYY-MM-DD``.

    Raises:
        ExplainError: The portfolio has no such point, or ``day`` is no date.
        LakeError: A file of the lake is damaged.
    """
    point = _point(portfolio, point_id)
    timezone = portfolio.sites[point.site_id].timezone
    local_day = _date(day)
    start = day_start(local_day, timezone=timezone)
    end = day_start(local_day + timedelta(days=1), timezone=timezone)
    if end <= start:
        raise ExplainError(f"{timezone} has no {day}: the zone skipped it")
    utc_days = day_range(day_of(start), day_of(end - _MICRO))
    touching = _days_touching(lake, start=start, end=end)
    deltas = _of_point(lake, CORE_ENERGY_DELTAS, point_id, days=sorted({*utc_days, *touching}))
    steps = tuple(_step(row, portfolio) for row in _in_day(deltas, start=start, end=end))
    intervals = _intervals(lake, point_id, days=touching, start=start, end=end)
    data_from, data_until = (None, None) if intervals else _extent(lake, point_id)
    return Explanation(
        point_id=point_id,
        name=f"{point.device_name}: {point.name}",
        quantity=point.quantity,
        site=point.site_id,
        timezone=timezone,
        local_day=day,
        starts_at=start,
        ends_at=end,
        utc_days=tuple(utc_days),
        policy={one: words.of_policy(portfolio.policy_on(point_id, day=one)) for one in utc_days},
        learned=_learned(lake, portfolio, point_id, until=utc_days[-1]),
        corrections=_corrections(portfolio, point_id, start=start, end=end),
        before=_state(
            lake, point_id, days=[d for d in lake.days(CORE_REGISTER_STATE) if d < utc_days[0]]
        ),
        samples=_samples(lake, point, days=utc_days, start=start, end=end, steps=steps),
        steps=steps,
        after=_state(
            lake, point_id, days=[d for d in lake.days(CORE_REGISTER_STATE) if d <= utc_days[-1]]
        ),
        intervals=intervals,
        energy_wh=sum(one.energy_wh for one in intervals) if intervals else None,
        estimated_wh=sum(one.estimated_wh for one in intervals),
        refused_wh=sum(one.refused_wh for one in intervals),
        covered_s=sum(one.covered_s for one in intervals),
        expected_s=(end - start).total_seconds(),
        data_from=data_from,
        data_until=data_until,
        closed_by=_closed_by(lake, point_id, end=end),
        stale={
            one.day: list(one.why)
            for one in stale(lake, portfolio)
            if one.day in {*utc_days, *touching}
        },
    )


def _point(portfolio: Portfolio, point_id: str) -> Point:
    point = portfolio.points.get(point_id)
    if point is None:
        near = _similar(portfolio, point_id)
        hint = f"did you mean {' or '.join(near)}? All" if near else "all"
        raise ExplainError(
            f"the portfolio has no point {point_id!r}; {hint} of them: {_ALL_POINTS}"
        )
    return point


def _similar(portfolio: Portfolio, typed: str) -> list[str]:
    """Return the points whose id looks like what was typed, else those that are called so."""
    near = difflib.get_close_matches(typed, portfolio.points, n=_SIMILAR, cutoff=0.5)
    if near:
        return near
    said = typed.casefold().split()
    called = [
        f"{point.point_id} ({point.device_name}: {point.name})"
        for point in sorted(portfolio.points.values(), key=lambda one: not one.is_energy)
        if said and all(word in f"{point.device_name} {point.name}".casefold() for word in said)
    ]
    return called[:_SIMILAR]


def _date(day: str) -> date:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        found = date.min
    # Other spellings of ISO 8601, such as 20260329, are no days of the marts.
    if found.isoformat() != day or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ExplainError(f"{day!r} is no local day such as 2026-03-29")
    return found


def _extent(lake: Lake, point_id: str) -> tuple[datetime | None, datetime | None]:
    """Return from when to when the lake has intervals of a point."""
    if not lake.days(CORE_ENERGY_INTERVALS):
        return None, None
    at = pl.col("interval_start")
    row = (
        lake.scan(CORE_ENERGY_INTERVALS)
        .filter(pl.col("point_id") == point_id)
        .select(first=at.min(), last=at.max() + _BUCKET)
        .collect()
        .row(0)
    )
    return row[0], row[1]


def _days_touching(lake: Lake, *, start: datetime, end: datetime) -> list[str]:
    """Return the days whose interval files reach into a window."""
    found = []
    for day, footer in lake.footers(CORE_ENERGY_INTERVALS).items():
        first, last = footer.meta.get("bucket_min"), footer.meta.get("bucket_max")
        if first is None or last is None:
            continue
        if datetime.fromisoformat(first) < end and datetime.fromisoformat(last) >= start:
            found.append(day)
    return found


def _of_point(lake: Lake, table: Table, point_id: str, *, days: list[str]) -> pl.DataFrame:
    """Return a point's rows of some days with the day of their file."""
    parts = [
        lake.scan(table, days=[day])
        .filter(pl.col("point_id") == point_id)
        .with_columns(file_day=pl.lit(day))
        .collect()
        for day in days
    ]
    return pl.concat(parts) if parts else table.empty().with_columns(file_day=pl.lit(""))


def _in_day(deltas: pl.DataFrame, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    inside = (pl.col("end_at") > start) & (pl.col("counted_from") < end)
    return list(deltas.filter(inside).sort("end_at").iter_rows(named=True))


def _step(row: dict[str, Any], portfolio: Portfolio) -> Step:
    names = Step.__dataclass_fields__.keys() - {"words"}
    return Step(
        **{name: row[name] for name in names},
        words=words.of_step(
            status=row["status"],
            reason=row["reason"],
            method=row["method"],
            elapsed=row["end_at"] - row["start_at"],
            energy_wh=row["energy_wh"],
            refused_wh=row["refused_wh"],
            dropped=row["dropped"],
            policy=portfolio.policy_on(row["point_id"], day=row["file_day"]),
        ),
    )


def _state(lake: Lake, point_id: str, *, days: list[str]) -> tuple[Held, ...]:
    rows = _of_point(lake, CORE_REGISTER_STATE, point_id, days=days[-1:]).sort("at")
    return tuple(
        Held(at=row["at"], value_wh=row["value_wh"], kind=row["kind"], total_wh=row["total_wh"])
        for row in rows.iter_rows(named=True)
    )


def _samples(
    lake: Lake,
    point: Point,
    *,
    days: list[str],
    start: datetime,
    end: datetime,
    steps: tuple[Step, ...],
) -> tuple[Sample, ...]:
    is_inside = pl.col("at").is_between(start, end, closed="left")
    said: dict[datetime, list[Said]] = defaultdict(list)
    for day in days:
        raw = lake.scan(get_source(point.vendor).day_table, days=[day]).collect()
        own = (
            get_source(point.vendor)
            .readings(raw)
            .filter(is_inside, pl.col("point_id") == point.point_id)
        )
        for row in own.sort("at").iter_rows(named=True):
            said[row["at"]].append(Said(value=row["value"], text=row["text"], unit=row["unit"]))
    judged = {
        row["at"]: row
        for row in _of_point(lake, CORE_READINGS, point.point_id, days=days)
        .filter(is_inside)
        .iter_rows(named=True)
    }
    later = [day for day in lake.days(CORE_REGISTER_REJECTS) if day >= days[0]]
    ends = sorted({*days, *(step.file_day for step in steps)})
    rejected = {
        row["at"]: row["reason"]
        for row in _of_point(
            lake,
            CORE_REGISTER_REJECTS,
            point.point_id,
            days=[day for day in later if day <= ends[-1]],
        ).iter_rows(named=True)
    }
    return tuple(
        Sample(
            at=at,
            said=tuple(said.get(at, ())),
            value=row["value"] if row else None,
            unit=row["unit"] if row else None,
            status=row["status"] if row else None,
            words=tuple(_decisions(at, row, rejected=rejected, steps=steps, point=point)),
        )
        for at in sorted({*said, *judged})
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
    found = [words.of_reading(status=row["status"], reason=row["reason"])]
    if row["status"] == "ok" and steps:
        begins = point.kind == "increment" and point.stamped_at == "start"
        found.append(_outcome(at, rejected=rejected, steps=steps, begins=begins))
    return [said for said in found if said]


def _outcome(
    at: datetime, *, rejected: dict[datetime, str], steps: tuple[Step, ...], begins: bool
) -> str:
    """Say what became of a reading; ``begins`` says that its step begins at its stamp."""
    for step in steps:
        if (step.start_at if begins else step.end_at) == at:
            return step.words
        if at in rejected:
            return words.of_reject(rejected[at])
        if step.start_at < at < step.end_at:
            return (
                f"unconfirmed: one of the readings that the one at {_clock(step.end_at)} confirmed"
            )
    return "pending: no later reading has settled it yet"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _intervals(
    lake: Lake, point_id: str, *, days: list[str], start: datetime, end: datetime
) -> tuple[Contribution, ...]:
    rows = (
        _of_point(lake, CORE_ENERGY_INTERVALS, point_id, days=days)
        .filter(pl.col("interval_start").is_between(start, end, closed="left"))
        .sort("interval_start", "file_day")
        .group_by("interval_start", maintain_order=True)
        .agg(pl.col("energy_wh", "estimated_wh", "refused_wh", "covered_s").sum(), "file_day")
    )
    return tuple(
        Contribution(
            start=row["interval_start"],
            energy_wh=row["energy_wh"],
            estimated_wh=row["estimated_wh"],
            refused_wh=row["refused_wh"],
            covered_s=row["covered_s"],
            file_days=tuple(row["file_day"]),
        )
        for row in rows.iter_rows(named=True)
    )


def _closed_by(lake: Lake, point_id: str, *, end: datetime) -> datetime | None:
    later = [day for day in lake.days(CORE_ENERGY_DELTAS) if day >= day_of(end)]
    for day in later:
        ends = _of_point(lake, CORE_ENERGY_DELTAS, point_id, days=[day])["end_at"]
        at = ends.filter(ends >= end).min()
        if isinstance(at, datetime):
            return at
    return None


def _learned(lake: Lake, portfolio: Portfolio, point_id: str, *, until: str) -> str:
    if portfolio.policy_on(point_id, day=until).max_power_w is not None:
        return ""
    return "; ".join(
        words.of_learned(one.power_w, said=one.words)
        for one in seen_power(lake, portfolio, point_id=point_id, until=until)
        # The first rise is measured by nothing and not among them.
        if one.rises + 1 >= FEWEST_RISES
    )


def _corrections(
    portfolio: Portfolio, point_id: str, *, start: datetime, end: datetime
) -> tuple[str, ...]:
    first, _ = day_bounds(day_of(start))
    _, last = day_bounds(day_of(end - _MICRO))
    found = []
    for one in portfolio.corrections:
        if point_id not in one.points:
            continue
        if (one.start is not None and one.start >= last) or (
            one.end is not None and one.end <= first
        ):
            continue
        what = [
            *(["drop"] if one.drop else []),
            *([f"factor {one.factor:.12g}"] if one.factor is not None else []),
            *([f"offset {one.offset:.12g}"] if one.offset is not None else []),
            *(["policy"] if one.policy is not None else []),
        ]
        since = f"from {one.start.isoformat()}" if one.start else "from the first reading"
        until = f"to {one.end.isoformat()}" if one.end else "on"
        found.append(f"{', '.join(what)} {since} {until}: {one.reason}")
    found += [
        f"accept from {one.start.isoformat()} to {one.end.isoformat()}: {one.reason}"
        for one in portfolio.accepted
        if one.point_id == point_id and one.start < last and one.end > first
    ]
    return tuple(found)
