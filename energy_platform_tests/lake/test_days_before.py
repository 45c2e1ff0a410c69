"""What the lake knows of the days before a day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.days_before import DaysBefore
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform.sources.coverage import SeriesBefore

if TYPE_CHECKING:
    from pathlib import Path


def land(lake: Lake, day: str, *series: str) -> None:
    start, end = day_bounds(day)
    frame = pl.DataFrame(
        [
            ("v1", one, start + timedelta(hours=hour), 1.0, None, "v1", None)
            for one in series
            for hour in (6, 8, 10)
        ],
        schema=RAW_BELIMO_SAMPLES.schema,
        orient="row",
    )
    land_day(lake, RAW_BELIMO_SAMPLES, day=day, frame=frame, complete_until=end, closed=True)


def test_what_a_series_gave_is_taken_from_the_newest_day_on_which_it_spoke(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    land(lake, "2026-03-01", "a", "b")
    land(lake, "2026-03-03", "a")
    before = DaysBefore(lake, RAW_BELIMO_SAMPLES)

    found = before("2026-03-04")

    assert found is not None
    assert sorted(found) == [("v1", "a"), ("v1", "b")]
    assert found["v1", "a"] == SeriesBefore(3, timedelta(hours=2), timedelta(hours=14))
    assert before("2026-03-05") == {("v1", "a"): found["v1", "a"]}


def test_without_an_earlier_day_nothing_is_known(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    land(lake, "2026-03-01", "a")
    before = DaysBefore(lake, RAW_BELIMO_SAMPLES)
    assert before("2026-03-01") is None
    assert before("2026-03-09") is None


def test_a_day_that_changes_is_read_again_and_a_damaged_one_is_not_known(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    land(lake, "2026-03-01", "a")
    before = DaysBefore(lake, RAW_BELIMO_SAMPLES)
    assert len(before("2026-03-02") or {}) == 1
    land(lake, "2026-03-01", "a", "b")
    assert len(before("2026-03-02") or {}) == 2
    lake.path(RAW_BELIMO_SAMPLES, day="2026-03-01").write_bytes(b"PAR1")
    assert before("2026-03-02") is None
