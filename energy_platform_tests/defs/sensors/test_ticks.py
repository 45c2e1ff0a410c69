"""What a tick costs on a lake of many days: no sensor opens a Parquet file, changed or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from energy_platform.days import DAY, day_bounds, day_of
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.lake.raw_days import land_day
from energy_platform.refresh import refresh
from energy_platform.settings import PlatformSettings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform_tests.defs.sensors.test_sensors import PORTFOLIO, STREAM
from energy_platform_tests.defs.sensors.ticks import Tick

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.lake.lake import Lake

TODAY = day_bounds(day_of(datetime.now(tz=UTC)))[0]
DAYS = [day_of(TODAY - number * DAY) for number in range(20, 0, -1)]


def land(lake: Lake, day: str, *, more_wh: float = 0.0) -> None:
    """Land a closed day of hourly readings of one register."""
    start, end = day_bounds(day)
    hours = [start + timedelta(hours=hour) for hour in range(24)]
    since = day_bounds(DAYS[0])[0]
    samples = pl.DataFrame(
        [
            ("u1", "Global", "0", "1", at, (at - since).total_seconds() / 3600 + more_wh, "SN1")
            for at in hours
        ],
        schema=[*RAW_SOCOMEC_DATAPOINTS.sort_key, "value", "serial_number"],
        orient="row",
    )
    frame = samples.with_columns(
        pl.col("at").cast(RAW_SOCOMEC_DATAPOINTS.schema["at"]),
        *(
            pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in RAW_SOCOMEC_DATAPOINTS.schema.items()
            if name not in samples.columns
        ),
    ).select(RAW_SOCOMEC_DATAPOINTS.schema.names())
    land_day(lake, RAW_SOCOMEC_DATAPOINTS, day=day, frame=frame, complete_until=end, closed=True)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """An installation of twenty days that are refreshed, with a stream and a published file."""
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO + STREAM, encoding="utf-8")
    for name, value in {
        "ENERGY_PLATFORM_DATA_DIR": str(tmp_path / "data"),
        "ENERGY_PLATFORM_PORTFOLIO": str(tmp_path / "portfolio.yaml"),
        "WATTICS_BASE_URL": "http://127.0.0.1:9/",
        "WATTICS_USERNAME": "user",
        "WATTICS_PASSWORD": "password",
        "SOCOMEC_CLIENT_ID": "client",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "data").mkdir()
    found = Platform.of(PlatformSettings())
    for day in DAYS:
        land(found.lake, day)
    refresh(found.lake, portfolio=found.portfolio())
    with duckdb.connect(str(tmp_path / "data" / "energy.duckdb")) as database:
        # Made of something else, so that all that it follows from is looked at.
        database.execute("create table about as select 'inputs_digest' as key, '' as value")
    return found


def ticks() -> dict[str, Tick]:
    """Tick every sensor in a process that knows nothing yet."""
    done = subprocess.run(
        [sys.executable, "-m", "energy_platform_tests.defs.sensors.ticks"],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
        env=os.environ,
    )
    found = {name: Tick(*one) for name, one in json.loads(done.stdout.splitlines()[-1]).items()}
    assert found.keys() == {one.name for one in build_sensors(PlatformSettings())}
    return found


def opened_by(found: dict[str, Tick]) -> dict[str, list[str]]:
    return {name: tick.opened for name, tick in found.items() if tick.opened}


@pytest.mark.timeout(900)
def test_no_sensor_opens_a_parquet_file_but_one_that_was_put_by_hand(platform: Platform) -> None:
    found = ticks()
    assert opened_by(found) == {}, "nothing changed"
    assert found["refresh_when_stale"].said == "refresh", "the published file does not follow"
    assert found["push_when_behind"].said == "push"
    land(platform.lake, DAYS[-1], more_wh=5.0)
    found = ticks()
    assert opened_by(found) == {}, "who wrote the day has noted it"
    assert found["refresh_when_stale"].said == "refresh"
    path = platform.lake.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[-1])
    path.write_bytes(platform.lake.path(RAW_SOCOMEC_DATAPOINTS, day=DAYS[-2]).read_bytes())
    opened = opened_by(ticks())
    assert {one for paths in opened.values() for one in paths} == {str(path)}
    assert len(opened) == 1, "the first sensor that looks notes it for the others"
