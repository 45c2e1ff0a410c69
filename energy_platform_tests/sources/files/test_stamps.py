"""Local times: the hour that is there twice, the hour that is not, and clocks without summer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.sources.files.cells import column_of
from energy_platform.sources.files.stamps import place, read_stamps
from energy_platform_tests.sources.files.exports import content, said

AUTUMN = ["01:45", "02:00", "02:15", "02:30", "02:45"]


def instants(times: list[str], *, zone: str = "Europe/Paris", day: str = "2025-10-26") -> list[str]:
    """Return the UTC times of local ones, and a dash where one is set aside."""
    stamps = read_stamps([column_of([f"{day} {time}" for time in times])])
    placed = place(stamps, zone=zone)
    return ["-" if one is None else f"{one:%H:%M}" for one in placed.at]


def test_the_hour_twice_is_told_by_the_order_of_the_lines() -> None:
    local = [*AUTUMN, "02:00", "02:15", "02:30", "02:45", "03:00"]
    right = ["23:45", *(f"{h:02}:{m:02}" for h in (0, 1) for m in (0, 15, 30, 45)), "02:00"]
    assert instants(local) == right
    assert instants(local[::-1]) == right[::-1]


def test_hourly_stamps_that_are_there_twice_are_two_instants() -> None:
    assert instants(["01:00", "02:00", "02:00", "03:00"]) == ["23:00", "00:00", "01:00", "02:00"]


def test_an_hour_that_came_once_is_set_aside_and_not_guessed() -> None:
    assert instants([*AUTUMN, "03:00"]) == ["23:45", "-", "-", "-", "-", "02:00"]


def test_a_doubled_line_in_that_hour_does_not_pass_for_the_second_hour() -> None:
    assert instants(["01:45", "02:00", "02:00", "02:15", "02:30", "03:00"])[1:5] == ["-"] * 4


def test_the_hour_that_is_not_there_is_set_aside_with_the_reason() -> None:
    assert instants(["01:45", "02:15", "03:00"], day="2025-03-30") == ["00:45", "-", "01:00"]
    read = content("Zeit;kWh\n30.03.2025 01:45;1\n30.03.2025 02:15;2\n", "timezone: Europe/Paris")
    assert "needs its offset as timezone" in read.bad_lines[0].reason


def test_a_logger_that_keeps_winter_time_states_its_offset() -> None:
    assert instants(["02:15"], day="2025-03-30", zone="+01:00") == ["01:15"]
    assert instants(["02:15"], zone="UTC-05:30") == ["07:45"]


def test_each_series_of_a_long_file_has_an_hour_twice_of_its_own() -> None:
    night = [*AUTUMN, *AUTUMN[1:], "03:00"]
    lines = [f"{name};26.10.2025 {time};{n}" for name in "ab" for n, time in enumerate(night)]
    read = said("\n".join(["Kanal;Zeit;Wert", *lines]), "timezone: Europe/Paris")
    assert len(read) == 2 * len(night)
    assert [one[1] for one in read[: len(night)]] == [one[1] for one in read[len(night) :]]


@given(
    zone=st.sampled_from(
        ["Europe/Paris", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe"]
    ),
    start=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2029, 1, 1)),  # noqa: DTZ001
    step=st.sampled_from([5, 15, 30, 60]),
    steps=st.integers(min_value=2, max_value=400),
    newest_first=st.booleans(),
)
def test_whole_local_series_come_back_as_the_instants_they_were(
    zone: str, start: datetime, step: int, steps: int, newest_first: bool
) -> None:
    begin = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    truth = [begin + n * timedelta(minutes=step) for n in range(steps)]
    written = truth[::-1] if newest_first else truth
    local = [f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for at in written]
    placed = place(read_stamps([column_of(local)]), zone=zone).at.to_list()
    for came, meant in zip(placed, written, strict=True):
        assert came is None or came == meant
    # Only where the series begins or ends within the hour can it not be told.
    assert sum(one is None for one in placed) <= 2 * 60 // step


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-02-03", "2025-02-03T00:00"),
        ("3.2.2025 4:05", "2025-02-03T04:05"),
        ("2025/02/03 04:05:06", "2025-02-03T04:05:06"),
        ("20250203 0405", "2025-02-03T04:05"),
        ("202502030405", "2025-02-03T04:05"),
        ("03.02.25 04:05", "2025-02-03T04:05"),
        ("03.02.2025, 04:05:06,250", "2025-02-03T04:05:06.250"),
    ],
)
def test_usual_formats(text: str, iso: str) -> None:
    stamps = read_stamps([column_of([text])])
    assert stamps.moment.to_list() == [datetime.fromisoformat(iso)]
