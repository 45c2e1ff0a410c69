"""Local days, hours and quarter-hours, where clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.warehouse.calendars import (
    day_start,
    days_between,
    periods,
    quarter_hours,
)
from energy_platform_tests.zones import LOCAL_DAYS

ZONES = (
    *dict.fromkeys(said.timezone for said in LOCAL_DAYS),
    "America/St_Johns",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
)


def lengths_h(timezone: str, day: str) -> float:
    frame = periods({timezone: [date.fromisoformat(day)]}).filter(pl.col("grain") == "day")
    return float(frame["expected_s"].item()) / 3600


@pytest.mark.parametrize(
    ("timezone", "day", "hours"), [said[:3] for said in LOCAL_DAYS if said.hours]
)
def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is(
    timezone: str, day: str, hours: float
) -> None:
    assert lengths_h(timezone, day) == hours


@given(
    timezone=st.sampled_from(ZONES),
    day=st.dates(min_value=date(2019, 1, 1), max_value=date(2030, 12, 31)),
)
@settings(max_examples=150, deadline=None)
def test_the_quarter_hours_of_a_day_fill_it_and_say_the_zones_own_clock(
    timezone: str, day: date
) -> None:
    frame = quarter_hours({timezone: [day]})
    bounds = periods({timezone: [day]}).filter(pl.col("grain") == "day").row(0, named=True)
    starts = frame["interval_start"].to_list()

    assert starts[0] == bounds["starts_at"]
    assert starts[-1] + timedelta(minutes=15) == bounds["ends_at"]
    assert all(b - a == timedelta(minutes=15) for a, b in pairwise(starts))
    zone = ZoneInfo(timezone)
    assert frame["local_start"].to_list() == [
        at.astimezone(zone).replace(tzinfo=None) for at in starts
    ]
    assert frame["local_day"].unique().to_list() == [day]
    hours = frame.select("hour_start_at", "hour_expected_s").unique()
    assert hours["hour_start_at"].is_unique().all()
    assert hours["hour_expected_s"].sum() == bounds["expected_s"]


@given(
    timezone=st.sampled_from(ZONES),
    day=st.dates(min_value=date(2019, 1, 1), max_value=date(2030, 12, 31)),
)
@settings(max_examples=100, deadline=None)
def test_no_instant_lies_between_two_local_days_or_in_both(timezone: str, day: date) -> None:
    after = day + timedelta(days=1)
    last = day_start(after, timezone=timezone) - timedelta(microseconds=1)
    assert last.astimezone(ZoneInfo(timezone)).date() == day
    assert day_start(after, timezone=timezone).astimezone(ZoneInfo(timezone)).date() == after


def test_an_hour_the_clock_repeats_is_two_hours() -> None:
    frame = quarter_hours({"Europe/Paris": [date(2026, 10, 25)]})
    twice = frame.filter(pl.col("local_hour") == datetime(2026, 10, 25, 2)).select(  # noqa: DTZ001
        "hour_start_at", "utc_offset_s", "hour_expected_s"
    )
    assert twice.unique().sort("hour_start_at").rows() == [
        (datetime(2026, 10, 25, 0, tzinfo=UTC), 7200, 3600.0),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 3600, 3600.0),
    ]


def test_a_half_hour_the_clock_repeats_is_a_short_hour_of_its_own() -> None:
    frame = quarter_hours({"Australia/Lord_Howe": [date(2026, 4, 5)]})
    hours = frame.filter(pl.col("local_hour") == datetime(2026, 4, 5, 1))  # noqa: DTZ001
    assert hours.select("hour_start_at", "hour_expected_s").unique().sort(
        "hour_start_at"
    ).rows() == [
        (datetime(2026, 4, 4, 14, tzinfo=UTC), 3600.0),
        (datetime(2026, 4, 4, 15, tzinfo=UTC), 1800.0),
    ]


def test_a_day_the_zone_skipped_does_not_exist() -> None:
    skipped = {"Pacific/Apia": [date(2011, 12, 30)]}
    assert periods(skipped).filter(pl.col("grain") == "day").is_empty()
    assert quarter_hours(skipped).is_empty()


def test_a_month_is_as_long_as_its_local_days() -> None:
    march = [date(2026, 3, 1) + timedelta(days=n) for n in range(31)]
    frame = periods({"Europe/Paris": march})
    days = frame.filter(pl.col("grain") == "day")
    months = frame.filter(pl.col("grain") == "month")
    assert months["expected_s"].to_list() == [31 * 86_400 - 3600]
    assert days["expected_s"].sum() == months["expected_s"].item()
    assert frame.filter(pl.col("grain") == "week")["period_start"].dt.weekday().unique().item() == 1


def test_a_window_touches_the_local_days_of_both_its_ends() -> None:
    found = days_between(
        datetime(2026, 1, 1, 18, 29, tzinfo=UTC),
        datetime(2026, 1, 1, 18, 30, tzinfo=UTC),
        timezone="Asia/Kolkata",
    )
    assert found == {date(2026, 1, 1), date(2026, 1, 2)}
