"""A sensor's clock that goes back: the landed polls say enough for it to be quarantined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from energy_platform.sources.skycentrics import Landing, pull
from energy_platform.sources.skycentrics.readings import skycentrics_to_readings
from energy_platform_tests.sources.skycentrics.cloud import GATEWAY, answer, sensor

if TYPE_CHECKING:
    from pathlib import Path

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=number)


def merged(folder: Path, *polls: tuple[int, dict[str, Any]]) -> pl.DataFrame:
    """Land polls, by minute, and fold their day."""
    landing = Landing(folder)
    for at, said in polls:
        landing.append(device_id=GATEWAY, polled_at=minute(at), body=answer(said))
    until = MIDNIGHT + timedelta(days=2)
    pulled = pull.day(
        None, landing=landing, day="2026-01-01", until=until, device_ids=[GATEWAY], poll_s=60
    )
    assert pulled.frame is not None
    return pulled.frame


def backward(raw: pl.DataFrame) -> list[datetime]:
    found = skycentrics_to_readings(raw).filter(pl.col("is_backward"))
    return found["at"].to_list()


def test_a_sample_keeps_the_poll_that_first_showed_it(tmp_path: Path) -> None:
    raw = merged(
        tmp_path,
        (10, sensor(minute(9), 5.0)),
        (11, sensor(minute(9), 5.0)),
        (12, sensor(minute(12), 6.0)),
    )
    assert raw.select("at", "first_seen_at").rows() == [
        (minute(9), minute(10)),
        (minute(12), minute(12)),
    ]


def test_only_what_a_clock_says_while_it_lags_behind_itself_is_backward(tmp_path: Path) -> None:
    raw = merged(
        tmp_path,
        (10, sensor(minute(13), 5.0)),  # ahead, within what is borne
        (11, sensor(minute(11), 6.0)),  # set right
        (12, sensor(minute(12), 7.0)),
        (13, sensor(minute(13), 8.0)),  # a time that was said before: the first value stays
        (14, sensor(minute(14), 9.0)),
    )
    assert backward(raw) == [minute(11), minute(12)]
    assert raw.filter(pl.col("at") == minute(13))["value"].to_list() == [5.0]


def test_a_time_far_ahead_does_not_make_the_right_ones_backward(tmp_path: Path) -> None:
    raw = merged(
        tmp_path,
        (10, sensor(minute(90), 5.0)),
        (11, sensor(minute(11), 6.0)),
        (12, sensor(minute(12), 7.0)),
    )
    assert raw.height == 2
    assert backward(raw) == []
