"""Local days, weeks and months of a time zone, and the quarter-hours they are made of.

One source of the zones' rules, Python's ``zoneinfo``, decides what a local day is; dbt joins on
what stands here, so that no second copy of the rules can disagree. Offsets of whole quarter-hours
are exact, and every zone has had such since 1972.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.schemas import INSTANT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Grain = Literal["day", "week", "month"]
_GRAINS: Final[tuple[Grain, ...]] = ("day", "week", "month")

QUARTER: Final = timedelta(minutes=15)
"""The bucket of core_energy_intervals."""

DAY: Final = timedelta(days=1)

PERIODS: Final = pl.Schema(
    {
        "grain": pl.String(),
        "timezone": pl.String(),
        "period_start": pl.Date(),
        "starts_at": INSTANT,
        "ends_at": INSTANT,
        "expected_s": pl.Float64(),
    }
)
"""One row per local day, week or month: half-open bounds and the length in seconds."""


def day_start(day: date, *, timezone: str) -> datetime:
    """Return the instant at which a local day starts.

    A midnight the clock jumps over is the instant of the jump; of a midnight that comes twice, it
    is the first.
    """
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def local_day_of(instant: datetime, *, timezone: str) -> date:
    """Return the local day that holds an instant."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def period_of(day: date, *, grain: Grain) -> date:
    """Return the first day of a day's period: itself, its Monday or the first of its month."""
    if grain == "day":
        return day
    return day - day.weekday() * DAY if grain == "week" else day.replace(day=1)


def _period_end(start: date, *, grain: Grain) -> date:
    if grain == "month":
        return (start + 31 * DAY).replace(day=1)
    return start + (DAY if grain == "day" else 7 * DAY)


def periods(affected: Mapping[str, Collection[date]]) -> pl.DataFrame:
    """Return the local days given, and the weeks and months that hold them.

    Args:
        affected: Local days by IANA zone.

    Returns:
        Columns ``PERIODS``, sorted.
    """
    rows = [
        (grain, timezone, start, starts_at, ends_at, (ends_at - starts_at).total_seconds())
        for timezone, days in affected.items()
        for grain in _GRAINS
        for start in {period_of(day, grain=grain) for day in days}
        for starts_at in (day_start(start, timezone=timezone),)
        for ends_at in (day_start(_period_end(start, grain=grain), timezone=timezone),)
        if ends_at > starts_at  # a day the zone skipped, at a change of the date line, is none
    ]
    return pl.DataFrame(rows, schema=PERIODS, orient="row").sort(
        "grain", "timezone", "period_start"
    )


def quarter_hours(affected: Mapping[str, Collection[date]]) -> pl.DataFrame:
    """Return the quarter-hours of local days with their place on the local clock.

    Args:
        affected: Local days by IANA zone.

    Returns:
        Columns ``timezone, interval_start`` (UTC), ``local_start`` (naive), ``utc_offset_s,
        local_day, local_hour`` (naive), ``hour_start_at`` (UTC) and ``hour_expected_s``. An hour
        the clock repeats is two hours with equal ``local_hour`` and another offset; one it cuts
        is shorter.
    """
    segments = pl.DataFrame(
        [
            (timezone, starts_at, ends_at, offset_s)
            for timezone, days in affected.items()
            for day in days
            for starts_at, ends_at, offset_s in _constant_offsets(day, timezone=timezone)
        ],
        schema={
            "timezone": pl.String(),
            "starts_at": INSTANT,
            "ends_at": INSTANT,
            "utc_offset_s": pl.Int64(),
        },
        orient="row",
    )
    hour = ("timezone", "local_hour", "utc_offset_s")
    return (
        segments.with_columns(
            pl.datetime_ranges("starts_at", "ends_at", interval=QUARTER, closed="left").alias(
                "interval_start"
            )
        )
        .explode("interval_start", empty_as_null=False)
        .select("timezone", "interval_start", "utc_offset_s")
        .with_columns(
            (
                pl.col("interval_start").dt.replace_time_zone(None)
                + pl.duration(seconds="utc_offset_s")
            ).alias("local_start")
        )
        .with_columns(
            pl.col("local_start").dt.date().alias("local_day"),
            pl.col("local_start").dt.truncate("1h").alias("local_hour"),
        )
        .with_columns(
            pl.col("interval_start").min().over(hour).alias("hour_start_at"),
            (pl.len().over(hour) * QUARTER.total_seconds())
            .cast(pl.Float64)
            .alias("hour_expected_s"),
        )
        .select(
            "timezone",
            "interval_start",
            "local_start",
            "utc_offset_s",
            "local_day",
            "local_hour",
            "hour_start_at",
            "hour_expected_s",
        )
        .sort("timezone", "interval_start")
    )


def _constant_offsets(day: date, *, timezone: str) -> Iterator[tuple[datetime, datetime, int]]:
    """Cut a local day where its offset from UTC changes."""
    zone = ZoneInfo(timezone)
    start, end = day_start(day, timezone=timezone), day_start(day + DAY, timezone=timezone)
    if end <= start:
        return
    if _offset_s(start, zone) == _offset_s(end - QUARTER, zone):
        yield start, end, _offset_s(start, zone)
        return
    at = start
    while at < end:
        offset, until = _offset_s(at, zone), at + QUARTER
        while until < end and _offset_s(until, zone) == offset:
            until += QUARTER
        yield at, until, offset
        at = until


def _offset_s(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def days_between(first: datetime, last: datetime, *, timezone: str, margin: int = 0) -> set[date]:
    """Return the local days from one instant to another, both included, widened by ``margin``.

    A day that the zone skipped, at a change of the date line, is none.

    >>> found = days_between(
    ...     datetime(2011, 12, 29, 12, tzinfo=UTC),
    ...     datetime(2011, 12, 31, 12, tzinfo=UTC),
    ...     timezone="Pacific/Apia",
    ... )
    >>> [day.isoformat() for day in sorted(found)]
    ['2011-12-29', '2011-12-31', '2012-01-01']
    """
    start = local_day_of(first, timezone=timezone) - margin * DAY
    end = local_day_of(last, timezone=timezone) + margin * DAY
    days = (start + n * DAY for n in range((end - start).days + 1))
    return {
        day
        for day in days
        if day_start(day, timezone=timezone) < day_start(day + DAY, timezone=timezone)
    }
