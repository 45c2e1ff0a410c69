"""Which days are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from energy_platform.days import (
    contiguous,
    day_bounds,
    day_of,
    day_range,
    due_days,
    newest_closed_day,
)


def test_a_day_runs_from_midnight_to_midnight_utc() -> None:
    start, end = day_bounds("2026-03-29")
    assert start == datetime(2026, 3, 29, tzinfo=UTC)
    assert end - start == timedelta(days=1)


def test_the_day_of_an_instant_is_that_of_utc_not_of_its_own_clock() -> None:
    late_in_kolkata = datetime(2026, 3, 2, 3, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert day_of(late_in_kolkata) == "2026-03-01"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        day_of(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_the_daily_run_reads_yesterday_and_its_late_days() -> None:
    now = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)
    assert newest_closed_day(now) == "2026-03-01"
    assert due_days(now, late_days=2) == ["2026-02-27", "2026-02-28", "2026-03-01"]


def test_no_day_before_the_vendor_began_is_due() -> None:
    now = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)
    assert due_days(now, late_days=9, start="2026-02-28") == ["2026-02-28", "2026-03-01"]
    assert due_days(now, late_days=1, start="2026-04-01") == []


def test_days_are_grouped_into_ranges_without_holes() -> None:
    days = [*day_range("2026-02-27", "2026-03-01"), "2026-03-03"]
    assert contiguous(days) == [("2026-02-27", "2026-03-01"), ("2026-03-03", "2026-03-03")]
