"""Resampled history: the same energy as raw samples, at every resolution the vendor offers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.days import day_bounds, day_range
from energy_platform.settings import Settings, SettingsError
from energy_platform.simulators.suite import SimulatorSuite
from energy_platform.sources.belimo import pull
from energy_platform.sources.belimo.buckets import OFF_GRID, BucketRequest, Buckets, at_ends
from energy_platform.sources.belimo.client import BelimoClient
from energy_platform.sources.belimo.settings import BelimoSettings
from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST: Final = "2026-03-26"
"""A Thursday: the vendor's weeks since 1970 begin on it."""

DAYS: Final = day_range(FIRST, "2026-04-10")
NOW: Final = datetime(2026, 4, 11, 5, 7, tzinfo=UTC)
HEAT: Final = "evcloud.210"
UP_TO_A_DAY: Final = (
    *("1s", "5s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "6h", "12h", "1d"),
    *("1", "96", "100", "1440"),
)


@pytest.fixture(scope="module")
def suite() -> Iterator[SimulatorSuite]:
    with SimulatorSuite(clock=lambda: NOW, wattics_streams=()) as running:
        yield running


@pytest.fixture(scope="module")
def serial(suite: SimulatorSuite) -> str:
    """A valve that is sampled every few minutes, and that the cloud knows a profile of."""
    return next(
        device.serial
        for device in suite.world.of_vendor("belimo")
        if any(one.address == HEAT for one in device.signals)
    )


def register(suite: SimulatorSuite, serial: str, *, days: list[str], **mode: str) -> pl.DataFrame:
    """Read a valve's heat register as ``point_id, at, value_wh``."""
    environment = suite.environment()
    settings = BelimoSettings.model_validate(
        {
            name.removeprefix("BELIMO_").lower(): value
            for name, value in environment.items()
            if name.startswith("BELIMO_")
        }
        | {"max_in_flight": 1, **mode}
    )
    with BelimoClient(settings) as client:
        tables = pull.inventory(client)
        devices = tables["raw_belimo__devices"]
        others = set(devices["serial_number"]) - {serial}
        pulled = list(
            pull.days(
                client,
                days=days,
                until=NOW,
                devices=devices,
                profiles=tables["raw_belimo__dataprofiles"],
                wanted={serial: frozenset({HEAT})},
                left_out=frozenset(others),
            )
        )
    frames = []
    for day in pulled:
        assert day.error is None
        assert day.frame is not None
        assert [one.why_partial for one in day.devices] == [""], "a healthy day is whole"
        start, end = day_bounds(day.day)
        assert day.frame["at"].is_between(start, end, closed="left").all()
        frames.append(day.frame)
    return pl.concat(frames).select(
        point_id=pl.lit("heat"), at="at", value_wh=pl.col("value") / 3600
    )


def by_utc_day(readings: pl.DataFrame) -> dict[str, float]:
    intervals = energy_intervals(energy_deltas(readings).deltas)
    day = pl.col("interval_start").dt.date().cast(pl.String)
    days = intervals.group_by(day.alias("day")).agg(pl.col("energy_wh").sum())
    return dict(days.iter_rows())


@pytest.fixture(scope="module")
def raw(suite: SimulatorSuite, serial: str) -> dict[str, float]:
    return by_utc_day(register(suite, serial, days=DAYS, history_mode="raw"))


@pytest.mark.parametrize("resolution", UP_TO_A_DAY)
def test_each_day_has_the_energy_of_the_raw_samples(
    suite: SimulatorSuite, serial: str, raw: dict[str, float], resolution: str
) -> None:
    days = DAYS[:4]
    found = by_utc_day(
        register(suite, serial, days=days, history_mode="timeseries", resolution=resolution)
    )
    # Of the last day nothing may close the last bucket yet, as with raw samples.
    for day in days[:-1]:
        # Midnight is known as far as the samples beside it: a step of 5 minutes of 24 hours.
        assert found[day] == pytest.approx(raw[day], rel=0.002), day


def test_a_week_in_one_bucket_has_the_energy_of_its_days(
    suite: SimulatorSuite, serial: str, raw: dict[str, float]
) -> None:
    readings = register(suite, serial, days=DAYS, history_mode="timeseries", resolution="7d")
    ends = [datetime(2026, 3, 26, tzinfo=UTC) + timedelta(days=7) * n for n in range(3)]
    assert readings["at"].to_list() == ends
    week = DAYS[:7]
    found = by_utc_day(readings)
    total = sum(raw[day] for day in week)
    assert sum(found[day] for day in week) == pytest.approx(total, rel=0.001)
    # What lies inside the week is not in the vendor's answer; it is spread evenly, as an estimate.
    assert [found[day] for day in week] == pytest.approx([total / 7] * 7, rel=0.001)
    assert energy_deltas(readings).deltas["estimated"].to_list() == [False, True, True]


INSTANTS: Final = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(
    resolution=st.one_of(st.sampled_from([*UP_TO_A_DAY, "7d"]), st.integers(1, 86_400).map(str)),
    low=INSTANTS,
    length=st.timedeltas(timedelta(0), timedelta(hours=30)),
    cuts=st.lists(st.floats(0, 1), max_size=3),
    most=st.integers(1, 5000),
)
def test_any_cut_of_a_window_asks_for_each_bucket_once(
    resolution: str, low: datetime, length: timedelta, cuts: list[float], most: int
) -> None:
    grid, high = Buckets.of(resolution), low + length
    edges = [low, *sorted(low + length * cut for cut in cuts), high]

    def ends(low: datetime, high: datetime, *, most: int) -> list[datetime]:
        found = []
        for start, end, said in grid.requests(low, high, most=most):
            count = (end - start) // grid.width
            assert count * grid.width == end - start
            assert 1 <= count <= most
            assert said == (grid.resolution or str(count))
            found += [start + grid.width * (n + 1) for n in range(count)]
        return found

    whole = ends(low, high, most=10**6)
    assert all(low <= end < high for end in whole)
    assert whole == sorted(set(whole))
    parts = [end for a, b in pairwise(edges) for end in ends(a, b, most=most)]
    assert parts == whole
    midnight = low.replace(hour=0, minute=0, second=0, microsecond=0)
    if grid.width <= timedelta(days=1) and midnight != low and midnight + timedelta(days=1) < high:
        assert midnight + timedelta(days=1) in whole, (
            "a day is closed by the bucket before midnight"
        )


def test_buckets_off_the_grid_are_set_aside() -> None:
    """A vendor whose weeks begin on Mondays says nothing of the end of a Thursday's week."""
    start = datetime(2026, 3, 26, tzinfo=UTC)
    week = timedelta(days=7)
    frame = pl.DataFrame(
        {
            "at": [start, start + timedelta(days=4)],
            "value": [1.0, 2.0],
            "value_text": pl.Series([None, None], dtype=pl.String),
        }
    )
    rows = at_ends(frame, request=BucketRequest(start, start + week, "7d"), width=week)
    assert rows.frame["at"].to_list() == [start + week]
    assert [one.reason for one in rows.odd] == [OFF_GRID]


@pytest.mark.parametrize(
    "resolution", ["7m", "m", "0", "0s", "36h", "-1", "1.5h", "²", "1 h", "86401", "9999999d"]
)
def test_a_resolution_that_is_none_names_the_setting(
    resolution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELIMO_RESOLUTION", resolution)
    with pytest.raises(SettingsError, match=r"BELIMO_RESOLUTION.*such as 15m, 1h, 1d or 7d"):
        Settings.load()
