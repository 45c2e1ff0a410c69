"""The local grid of a stream, and the numbers that stand on it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.days import day_bounds, day_range, instant
from energy_platform.transforms.sampling import (
    energy_at,
    gauges_at,
    grid,
    number_text,
    thousandths_text,
)
from energy_platform_tests.transforms.histories import PROPERTY

MINUTE = 60_000_000


def texts(day: str, zone: str, interval_s: int) -> list[str]:
    return [one.local.isoformat() for one in grid(day, zone=zone, interval_s=interval_s)]


def test_the_repeated_autumn_hour_is_there_twice_in_the_order_of_instants() -> None:
    around = texts("2026-10-24", "Europe/Paris", 1800) + texts("2026-10-25", "Europe/Paris", 1800)
    hour = [text for text in around if text.startswith("2026-10-25T02")]
    assert hour == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_the_skipped_spring_hour_is_not_there() -> None:
    found = texts("2026-03-29", "Europe/Paris", 3600)
    assert not [text for text in found if text.startswith("2026-03-29T02")]
    assert "2026-03-29T03:00:00+02:00" in found
    assert len(found) == 24


def test_hourly_in_a_half_hour_zone_stands_on_local_hours() -> None:
    found = grid("2026-01-01", zone="Asia/Kolkata", interval_s=3600)
    assert found[0].local.isoformat() == "2026-01-01T06:00:00+05:30"
    assert instant(found[0].at_us) == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert len(found) == 24


def test_a_half_hour_daylight_saving_keeps_local_hours() -> None:
    found = [
        one.local.isoformat()
        for day in day_range("2026-04-03", "2026-04-05")
        for one in grid(day, zone="Australia/Lord_Howe", interval_s=3600)
    ]
    assert all(text[14:19] == "00:00" for text in found)


@PROPERTY
@given(
    day=st.dates(min_value=date(2000, 1, 1), max_value=date(2040, 12, 31)),
    zone=st.sampled_from(
        [
            "Europe/Paris",
            "America/Los_Angeles",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
            "UTC",
            "Asia/Kathmandu",
            "America/St_Johns",
        ]
    ),
    interval_s=st.sampled_from([60, 300, 600, 900, 1800, 3600, 7200, 86_400]),
)
def test_every_grid_instant_is_on_the_local_clock_and_none_is_left_out(
    day: date, zone: str, interval_s: int
) -> None:
    start, end = day_bounds(day.isoformat())
    found = [instant(one.at_us) for one in grid(day.isoformat(), zone=zone, interval_s=interval_s)]
    local_zone = ZoneInfo(zone)

    def on_grid(at: datetime) -> bool:
        local = at.astimezone(local_zone)
        return (local.hour * 3600 + local.minute * 60 + local.second) % interval_s == 0

    assert found == [
        at for minute in range(1, 1441) if on_grid(at := start + timedelta(minutes=minute))
    ]
    assert all(start < at <= end for at in found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1800.5, "1800.5"),
        (1e-9, "0"),
        (-0.0001, "0"),
        (1e15, "1000000000000000"),
        (0.1 + 0.2, "0.3"),
        (2.0005, "2.001"),
        (-3.25, "-3.25"),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_numbers_have_three_decimals_at_most_and_no_exponent(
    value: float, text: str | None
) -> None:
    assert number_text(value) == text


@PROPERTY
@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_thousandths_are_written_exactly(thousandths: int) -> None:
    text = thousandths_text(thousandths)
    whole, _, decimals = text.partition(".")
    assert len(decimals) <= 3
    assert not decimals.endswith("0")
    sign = -1 if text.startswith("-") else 1
    assert abs(int(whole)) * 1000 + int((decimals or "0").ljust(3, "0")) == sign * thousandths


def steps_frame(rows: list[tuple[int, int, int, float | None, bool]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "point": point,
                "start_at": start * MINUTE,
                "end_at": end * MINUTE,
                "energy_wh": energy,
                "register_start_wh": 100.0,
                "register_end_wh": 100.0 + (energy or 0.0),
                "estimated": estimated,
            }
            for point, start, end, energy, estimated in rows
        ],
        schema_overrides={"point": pl.Int32, "energy_wh": pl.Float64},
    )


def at_minutes(point: int, *minutes: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"point": [point] * len(minutes), "at": [minute * MINUTE for minute in minutes]},
        schema={"point": pl.Int32, "at": pl.Int64},
    )


def test_energy_is_linear_between_readings_and_per_point() -> None:
    steps = steps_frame([(1, 0, 10, 60.0, False), (1, 10, 20, 30.0, False), (2, 0, 20, 7.0, False)])
    found = energy_at(steps, wanted=at_minutes(1, 5, 10, 15, 20))
    assert found["sum_wh"].to_list() == [30.0, 60.0, 75.0, 90.0]
    assert found["settled"].to_list() == [True] * 4


def test_nothing_is_settled_inside_a_long_gap_but_its_ends_are() -> None:
    steps = steps_frame([(1, 0, 10, 60.0, False), (1, 10, 200, 190.0, True)])
    found = energy_at(steps, wanted=at_minutes(1, 10, 11, 199, 200, 201))
    assert found["settled"].to_list() == [True, False, False, True, False]
    assert found["sum_wh"].to_list()[-2:] == [250.0, 250.0]


def test_before_the_first_reading_nothing_is_known() -> None:
    steps = steps_frame([(1, 10, 10, None, False), (1, 10, 20, 10.0, False)])
    found = energy_at(steps, wanted=at_minutes(1, 5, 10, 15))
    assert found["settled"].to_list() == [False, True, True]
    assert found["sum_wh"].to_list() == [0.0, 0.0, 5.0]
    assert found["face_wh"].to_list() == [None, 100.0, 105.0]


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 10_000)), min_size=1, max_size=30),
    st.lists(st.integers(0, 2800), min_size=1, max_size=20),
)
def test_energy_at_equals_the_sum_of_the_parts_before(
    lengths: list[tuple[int, int]], minutes: list[int]
) -> None:
    rows: list[tuple[int, int, int, float | None, bool]] = []
    at = 0
    for length, energy in lengths:
        rows.append((1, at, at + length, float(energy), False))
        at += length
    found = energy_at(steps_frame(rows), wanted=at_minutes(1, *minutes))
    for minute, sum_wh in zip(minutes, found["sum_wh"].to_list(), strict=True):
        expected = sum(
            (energy or 0.0) * max(0.0, min(1.0, (minute - start) / (end - start)))
            for _, start, end, energy, _ in rows
        )
        assert sum_wh == pytest.approx(expected, abs=1e-6)


def test_a_gauge_is_the_last_reading_of_the_interval_never_an_older_one() -> None:
    readings = pl.DataFrame(
        {"point": [1, 1, 1], "at": [0, 14 * MINUTE, 15 * MINUTE + 1], "value": [1.0, 2.0, 3.0]},
        schema={"point": pl.Int32, "at": pl.Int64, "value": pl.Float64},
    )
    wanted = at_minutes(1, 0, 15, 30, 45).with_columns(width_us=pl.lit(15 * MINUTE))
    assert gauges_at(readings, wanted=wanted)["value"].to_list() == [1.0, 2.0, 3.0, None]
