"""The minutes between midnight and the daily run: yesterday's end is read, and left open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.days import day_bounds
from energy_platform.defs.partitions import (
    DAYS,
    INTRADAY,
    RANGE_END,
    RANGE_START,
    RUN_KIND,
    range_tags,
)
from energy_platform.defs.schedules import build_schedules
from energy_platform.ingest.run import ingest_days, ingest_inventory
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import complete_until_of, is_closed
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import inventory_tables
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from energy_platform.sources.base import PulledDay
    from energy_platform.sources.coverage import Earlier

DAY = "2026-03-01"
TODAY = "2026-03-02"
MIDNIGHT = day_bounds(DAY)[1]


class Quiet:
    """A vendor that has nothing to say of any day."""

    def check_login(self) -> None:
        """Need no login."""

    def inventory(self) -> dict[str, pl.DataFrame]:
        return {table.name: table.empty() for table in inventory_tables()["socomec"]}

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[PulledDay]:
        del until, inventory, earlier
        for day in days:
            yield Empty(day)


class Empty:
    error = None
    duplicates = conflicts = nulls = 0
    warnings = ()
    devices = ()
    rejects = ()

    def __init__(self, day: str) -> None:
        self.day = day
        self.frame = RAW_SOCOMEC_DATAPOINTS.empty()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path))
    lake = Lake(tmp_path / "lake")
    ingest_inventory(Quiet(), vendor="socomec", lake=lake)
    return lake


def read(lake: Lake, *days: str, now: datetime, closes: bool) -> None:
    assert len(
        list(ingest_days(Quiet(), vendor="socomec", lake=lake, days=days, now=now, closes=closes))
    ) == len(days)


def asked_at(minutes: int) -> dict[str, str] | str:
    schedules = {one.name: one for one in build_schedules(PlatformSettings())}
    context = dg.build_schedule_context(
        scheduled_execution_time=MIDNIGHT + timedelta(minutes=minutes)
    )
    data = schedules["ingest_socomec_intraday"].evaluate_tick(context)
    if not data.run_requests:
        return str(data.skip_message)
    (request,) = data.run_requests
    return {
        key: value
        for key, value in request.tags.items()
        if key in {RANGE_START, RANGE_END, DAYS, RUN_KIND}
    }


def test_until_the_daily_run_the_end_of_yesterday_is_read_in_the_same_run(lake: Lake) -> None:
    read(lake, DAY, now=MIDNIGHT - timedelta(minutes=15), closes=False)
    assert asked_at(0) == range_tags([DAY]) | {RUN_KIND: INTRADAY}
    assert asked_at(15) == range_tags([DAY, TODAY]) | {RUN_KIND: INTRADAY}
    read(lake, DAY, TODAY, now=MIDNIGHT + timedelta(minutes=15), closes=False)
    footer = lake.footer(RAW_SOCOMEC_DATAPOINTS, day=DAY)
    assert footer is not None
    assert complete_until_of(footer) == MIDNIGHT
    assert not is_closed(footer), "only the daily run closes a day"
    read(lake, DAY, now=MIDNIGHT + timedelta(minutes=20), closes=True)
    assert asked_at(30) == range_tags([TODAY]) | {RUN_KIND: INTRADAY}


def test_a_day_that_was_never_read_while_it_lasted_is_left_to_the_daily_run(lake: Lake) -> None:
    assert "only begun" in str(asked_at(0))
    assert asked_at(15) == range_tags([TODAY]) | {RUN_KIND: INTRADAY}


def test_a_damaged_file_does_not_keep_the_open_day_from_being_read(lake: Lake) -> None:
    read(lake, DAY, now=datetime(2026, 3, 1, 23, tzinfo=UTC), closes=False)
    lake.path(RAW_SOCOMEC_DATAPOINTS, day=DAY).write_bytes(b"no parquet")
    assert asked_at(15) == range_tags([TODAY]) | {RUN_KIND: INTRADAY}
