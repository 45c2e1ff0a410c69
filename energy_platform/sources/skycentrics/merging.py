"""Polls and history of one day, folded into one row per sensor and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.sources.columns import split_values
from energy_platform.sources.skycentrics.landing import FUTURE_TOLERANCE
from energy_platform.sources.skycentrics.models import MOST_SECONDS
from energy_platform.sources.skycentrics.tables import RAW_SKYCENTRICS_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.sources.skycentrics.landing import Line
    from energy_platform.sources.skycentrics.models import Record, Sensor

_SAMPLE: Final = ("device_id", "sensor_id", "at")
_ANSWER: Final = ("device_id", "sensor_id", "source", "seen_at", "record_at")
_SAID: Final = (*_SAMPLE, "value", "value_text")

_OBSERVED: Final = pl.Schema(
    {
        "device_id": pl.String(),
        "sensor_id": pl.String(),
        "at": INSTANT,
        "value": pl.Float64(),
        "value_text": pl.String(),
        "sensor_name": pl.String(),
        "sensor_type": pl.String(),
        "units": pl.String(),
        "source": pl.String(),
        "seen_at": INSTANT,
        "time_text": pl.String(),
    }
)
"""Every time a sample was seen: the columns of the table and when that was."""


class Gap(NamedTuple):
    """A stretch without any poll or history record of a gateway; nothing is interpolated."""

    device_id: str
    start: datetime
    end: datetime


class MergedPolls(NamedTuple):
    """Rows of one day and what was left out of them.

    Attributes:
        frame: Rows of raw_skycentrics__samples.
        duplicates: Samples seen again unchanged.
        conflicts: Samples that another poll gave another value for.
        untimed: Samples without a time, or with one that no clock shows.
        future: Samples more than five minutes ahead of their poll; kept in the landing only.
        future_sensors: The sensors of these.
        odd: The untimed samples, ``sensor_id``, ``time_text`` and value, as they were said.
        shared: The samples of ids that two sensors of one answer have, with ``sensor_name`` too.
    """

    frame: pl.DataFrame
    duplicates: int
    conflicts: int
    untimed: int
    future: int
    future_sensors: tuple[str, ...]
    odd: pl.DataFrame
    shared: pl.DataFrame


def observed_in_polls(lines: Sequence[Line]) -> pl.DataFrame:
    """Make a row of each sensor of each poll."""
    rows = [
        (line.device_id, sensor, line.polled_at)
        for line in lines
        for sensor in line.answer.sensors or ()
    ]
    sensors = [sensor for _, sensor, _ in rows]
    times = _times(sensors)
    return _observed(
        sensors,
        device_ids=pl.Series([device_id for device_id, _, _ in rows], dtype=pl.String),
        at=_from_epoch(times),
        seen_at=pl.Series([polled_at for _, _, polled_at in rows], dtype=INSTANT),
        source="poll",
    )


def observed_in_history(device_id: str, records: Sequence[Record]) -> pl.DataFrame:
    """Make a row of each sensor of each record of a gateway.

    A sensor without a time of its own takes the record's, which is UTC with or without ``Z``.
    """
    rows = [(sensor, record.time) for record in records for sensor in record.sensors or ()]
    sensors = [sensor for sensor, _ in rows]
    own = _from_epoch(_times(sensors))
    record_at = record_instants([said for _, said in rows])
    at = (
        pl.DataFrame([own.alias("own"), record_at.alias("record")])
        .select(pl.when(pl.col("own").is_null()).then(pl.col("record")).otherwise(pl.col("own")))
        .to_series()
    )
    return _observed(
        sensors,
        device_ids=pl.Series([device_id], dtype=pl.String).new_from_index(0, len(rows)),
        at=at,
        seen_at=pl.Series([None], dtype=INSTANT).new_from_index(0, len(rows)),
        source="history",
    )


def _times(sensors: Sequence[Sensor]) -> pl.Series:
    """Epoch seconds as said; numbers that fit no column are none."""
    said = [sensor.time for sensor in sensors]
    try:
        return pl.Series("at", said, dtype=pl.Int64)
    except (OverflowError, TypeError):
        fitting = [one if one is None or abs(one) < MOST_SECONDS else None for one in said]
        return pl.Series("at", fitting, dtype=pl.Int64)


def record_instants(said: Sequence[str | None]) -> pl.Series:
    """Parse the times of records; one that cannot be read is null.

    >>> record_instants(["2026-03-01T00:00:00Z", "soon"]).dt.to_string("%F %T").to_list()
    ['2026-03-01 00:00:00', None]
    """
    plain = pl.Series("at", said, dtype=pl.String).str.replace("T", " ").str.strip_suffix("Z")
    return plain.str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC", strict=False
    )


def _from_epoch(times: pl.Series) -> pl.Series:
    """Turn whole seconds into instants; absurd ones, which no clock shows, into null."""
    sane = pl.DataFrame({"at": times}).select(
        pl.when(pl.col("at").is_between(0, 4_102_444_800)).then(pl.col("at") * 1_000_000)
    )
    return sane.to_series().cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _observed(
    sensors: Sequence[Sensor],
    *,
    device_ids: pl.Series,
    at: pl.Series,
    seen_at: pl.Series,
    source: str,
) -> pl.DataFrame:
    values = split_values([sensor.data for sensor in sensors])
    return pl.DataFrame(
        {
            "device_id": device_ids,
            "sensor_id": pl.Series([sensor.id for sensor in sensors], dtype=pl.String),
            "at": at,
            "value": values.value,
            "value_text": values.value_text,
            "sensor_name": pl.Series([sensor.name for sensor in sensors], dtype=pl.String),
            "sensor_type": pl.Series([sensor.type for sensor in sensors], dtype=pl.String),
            "units": pl.Series([sensor.units for sensor in sensors], dtype=pl.String),
            "source": pl.Series([source], dtype=pl.String).new_from_index(0, len(sensors)),
            "seen_at": seen_at,
            "time_text": pl.Series(
                [
                    sensor.time_text if sensor.time is None else str(sensor.time)
                    for sensor in sensors
                ],
                dtype=pl.String,
            ),
        },
        schema=_OBSERVED,
    )


def merge_polls(observed: pl.DataFrame, *, start: datetime, end: datetime) -> MergedPolls:
    """Leave one row per sensor and time of the window ``[start, end)``.

    A time unchanged since the last poll is not a new sample, whatever its value: a sensor whose
    clock stands still must not rewrite the past. So of several values for one sample the first seen
    stays; but anything wins over null, a poll over history, and within one poll the smallest
    value that is not zero. An id that two sensors have, told by name or unit, is neither's.

    Args:
        observed: Frames of :func:`observed_in_polls` and :func:`observed_in_history`.
        start: Inclusive.
        end: Exclusive.
    """
    epoch = datetime.fromtimestamp(0, tz=UTC)
    # A record of history is an answer of its own; it has no instant of a poll.
    is_record = pl.col("source") == "history"
    observed = observed.with_columns(record_at=pl.when(is_record).then(pl.col("at")))
    twice = _ids_of_two_sensors(observed)
    shared = observed.join(twice, on=_ANSWER, how="semi", nulls_equal=True, maintain_order="left")
    if twice.height:
        observed = observed.join(twice, on=_ANSWER, how="anti", nulls_equal=True)
    timed = observed.filter(pl.col("at") > epoch)
    is_timed = (pl.col("at") > epoch).fill_null(value=False)
    odd = observed.filter(~is_timed)
    said = timed.group_by(_SAID, maintain_order=True).agg(
        pl.col("seen_at").min().alias("first_seen_at"),
        # History carries no instant of a poll and comes last.
        pl.col("sensor_name", "sensor_type", "units", "source")
        .sort_by("seen_at", nulls_last=True)
        .first(),
        pl.len().alias("times"),
    )
    is_future = (pl.col("at") > pl.col("first_seen_at") + FUTURE_TOLERANCE).fill_null(value=False)
    future = said.filter(is_future)
    in_day = said.filter(~is_future, pl.col("at").is_between(start, end, closed="left"))
    ordered = in_day.sort(
        *_SAMPLE,
        pl.col("value").is_null() & pl.col("value_text").is_null(),
        pl.col("source") != "poll",
        "first_seen_at",
        pl.col("value") == 0,
        "value",
        "value_text",
        nulls_last=True,
    )
    one = ordered.unique(subset=_SAMPLE, keep="first", maintain_order=True)
    return MergedPolls(
        frame=one.select(RAW_SKYCENTRICS_SAMPLES.schema.names()),
        duplicates=int(in_day["times"].sum()) - in_day.height,
        conflicts=in_day.height - one.height,
        untimed=odd.height,
        odd=odd,
        future=future.height,
        future_sensors=tuple(future["sensor_id"].unique().sort()),
        shared=shared,
    )


def _ids_of_two_sensors(observed: pl.DataFrame) -> pl.DataFrame:
    """Return the ids that stand in one answer with two names or two units, by answer.

    Nothing else tells the two sensors apart (an id is an opaque text), and a register made of both
    would rise and fall by turns.
    """
    return (
        observed.group_by(_ANSWER)
        .agg(pl.col("sensor_name", "units").drop_nulls().n_unique())
        .filter((pl.col("sensor_name") > 1) | (pl.col("units") > 1))
        .select(_ANSWER)
    )


def gaps(
    device_id: str,
    instants: Iterable[datetime],
    *,
    start: datetime,
    end: datetime,
    tolerance: timedelta,
) -> list[Gap]:
    """Find the stretches of a window that no poll and no record of a gateway covers.

    Args:
        device_id: Gateway.
        instants: When something was had of it.
        start: Begin of the window.
        end: End of the window.
        tolerance: Longest stretch that is not yet a gap.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> polls = [noon + timedelta(minutes=n) for n in (0, 1, 2, 9)]
    >>> window = {"start": noon, "end": noon + timedelta(minutes=10)}
    >>> (gap,) = gaps("7", polls, **window, tolerance=timedelta(minutes=2))
    >>> f"{gap.start:%H:%M} to {gap.end:%H:%M}"
    '12:02 to 12:09'
    """
    inside = sorted(at for at in set(instants) if start <= at < end)
    return [
        Gap(device_id, before, after)
        for before, after in pairwise([start, *inside, end])
        if after - before > tolerance
    ]
