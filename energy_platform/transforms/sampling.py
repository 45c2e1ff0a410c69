"""Values at the instants of an interval grid: which instants, what registers and gauges show then.

Pure functions over day frames. What was sent before, and up to where data are known, is the
caller's business; the bytes of a packet are its destination's.
"""

from __future__ import annotations

import math
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.days import day_bounds, microseconds

if TYPE_CHECKING:
    from datetime import datetime

THOUSANDTHS: Final = 1000
"""Cumulative and per-interval values are whole thousandths of their unit: no rounding drifts."""

_OFFSET_STEP_S: Final = 900
"""Offsets of today's time zones are whole quarters of an hour."""


class GridInstant(NamedTuple):
    """One instant of a stream's grid.

    Attributes:
        at_us: Microseconds since the epoch.
        local: The instant on the local clock.
    """

    at_us: int
    local: datetime


@lru_cache(maxsize=4096)
def grid(day: str, *, zone: str, interval_s: int) -> tuple[GridInstant, ...]:
    """Return the instants of a stream's interval grid in ``(start, end]`` of a UTC day.

    The grid is that of the local clock: every instant whose local time of day is a multiple of
    the interval. The hour repeated in autumn is there twice, the one skipped in spring not at all;
    hourly in a zone half an hour off stands on UTC half hours.

    Args:
        day: UTC day, ``YYYY-MM-DD``.
        zone: IANA zone of the site.
        interval_s: The agreed interval, a divisor of a day, in seconds.

    Returns:
        In chronological order.

    >>> sunday = grid("2026-10-25", zone="Europe/Paris", interval_s=12 * 3600)
    >>> [one.local.isoformat() for one in sunday]
    ['2026-10-25T12:00:00+01:00', '2026-10-26T00:00:00+01:00']
    """
    start, end = day_bounds(day)
    step = timedelta(seconds=math.gcd(interval_s, _OFFSET_STEP_S))
    local_zone = ZoneInfo(zone)
    found = []
    at = start + step
    while at <= end:
        local = at.astimezone(local_zone)
        if (local.hour * 3600 + local.minute * 60 + local.second) % interval_s == 0:
            found.append(GridInstant(microseconds(at), local))
        at += step
    return tuple(found)


def energy_at(deltas: pl.DataFrame, *, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the running energy of registers at given instants, linear between readings.

    Args:
        deltas: Steps of any points: ``point``, ``start_at``, ``end_at``, ``energy_wh`` (null
            counts nothing), ``register_start_wh``, ``register_end_wh``, ``estimated``; instants in
            microseconds, sorted by point and ``end_at``.
        wanted: ``point`` and ``at``, any order, any further columns.

    Returns:
        ``wanted`` with ``sum_wh`` (energy of the given steps up to the instant), ``face_wh``
        (what the register showed, null when it shows nothing), ``step_start`` and ``settled``:
        whether a step that is not a long gap covers the instant. Inside a long gap nothing is
        settled; its end is.
    """
    steps = deltas.select(
        "point",
        "start_at",
        "end_at",
        "estimated",
        energy=pl.col("energy_wh").fill_null(0.0),
        face_start=pl.coalesce("register_start_wh", "register_end_wh"),
    ).with_columns(total=pl.col("energy").cum_sum().over("point"))
    ends = steps.group_by("point").agg(pl.col("total").last().alias("whole"))
    found = (
        wanted.with_row_index("_order")
        .sort("at")
        .join_asof(
            steps.sort("end_at"),
            left_on="at",
            right_on="end_at",
            by="point",
            strategy="forward",
            check_sortedness=False,
            coalesce=False,
        )
        .join(ends, on="point", how="left", maintain_order="left")
    )
    span = (pl.col("end_at") - pl.col("start_at")).cast(pl.Float64)
    rest = ((pl.col("end_at") - pl.col("at")).cast(pl.Float64) / span).clip(0.0, 1.0)
    before = (pl.col("at") < pl.col("end_at")).cast(pl.Float64)
    found = found.with_columns(rest=pl.when(span > 0).then(rest).otherwise(before))
    within = pl.col("at") >= pl.col("start_at")
    long_gap = pl.col("estimated") & (pl.col("at") < pl.col("end_at"))
    # A step's own start is the settled end of the step before, which may be in no frame here.
    at_start = pl.col("at") == pl.col("start_at")
    return (
        found.with_columns(
            sum_wh=pl.when(pl.col("end_at").is_null())
            .then(pl.col("whole").fill_null(0.0))
            .otherwise(pl.col("total") - pl.col("energy") * pl.col("rest")),
            face_wh=pl.when(within).then(
                pl.col("face_start") + pl.col("energy") * (1 - pl.col("rest"))
            ),
            step_start=pl.when(within).then(pl.col("start_at")),
            settled=(within & (~long_gap | at_start)).fill_null(value=False),
        )
        .sort("_order")
        .select(*wanted.columns, "sum_wh", "face_wh", "step_start", "settled")
    )


def gauges_at(readings: pl.DataFrame, *, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the last reading of gauges in ``(at - width_us, at]``, never an older one.

    Args:
        readings: ``point``, ``at`` (microseconds), ``value``; sorted by point and instant, usable
            readings only.
        wanted: ``point``, ``at`` and ``width_us``, any order, any further columns.

    Returns:
        ``wanted`` with ``value`` and ``read_at``, both null where there is no reading.
    """
    found = (
        wanted.with_row_index("_order")
        .sort("at")
        .join_asof(
            readings.select("point", "value", read_at="at").sort("read_at"),
            left_on="at",
            right_on="read_at",
            by="point",
            strategy="backward",
            check_sortedness=False,
            coalesce=False,
        )
    )
    fresh = pl.col("read_at") > pl.col("at") - pl.col("width_us")
    return (
        found.with_columns(
            value=pl.when(fresh).then("value"), read_at=pl.when(fresh).then("read_at")
        )
        .sort("_order")
        .select(*wanted.columns, "value", "read_at")
    )


def number_text(value: float) -> str | None:
    """Return a number with at most three decimals and no exponent, None when it is not finite.

    The digits are those of the exact binary number, rounded once, at the end.

    >>> number_text(0.1 + 0.2), number_text(-0.0001), number_text(float("nan"))
    ('0.3', '0', None)
    """
    if not math.isfinite(value):
        return None
    text = f"{value:.3f}".rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


def thousandths_text(thousandths: int) -> str:
    """Return a whole number of thousandths as a number without trailing zeros.

    >>> thousandths_text(-1500), thousandths_text(2000)
    ('-1.5', '2')
    """
    if thousandths % THOUSANDTHS == 0:
        return str(thousandths // THOUSANDTHS)
    sign = "-" if thousandths < 0 else ""
    whole, rest = divmod(abs(thousandths), THOUSANDTHS)
    return f"{sign}{whole}.{rest:03d}".rstrip("0")
