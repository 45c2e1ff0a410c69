"""Increments: which period each is the energy of, on any clock, and each period once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.schemas import CORE_READINGS, CORE_REGISTER_REJECTS, violations
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.registers import compute_energy
from energy_platform_tests.increment_cases import Case, cases
from energy_platform_tests.transforms.histories import PROPERTY, QUARTER, START

if TYPE_CHECKING:
    from energy_platform.transforms.counters import EnergyDeltas

PLACES: Final = [
    ("Europe/Paris", date(2026, 3, 28)),
    ("Europe/Paris", date(2026, 10, 24)),
    ("America/Los_Angeles", date(2026, 3, 7)),
    ("America/Los_Angeles", date(2026, 10, 31)),
    ("Asia/Kolkata", date(2026, 3, 28)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),
    # Clocks that change at midnight: one midnight is skipped, one is there twice.
    ("Africa/Cairo", date(2026, 4, 23)),
    ("Africa/Cairo", date(2026, 10, 29)),
    ("America/Havana", date(2026, 3, 7)),
    ("America/Havana", date(2026, 10, 31)),
]
"""Zones with three local days around a change of the clock."""


def point(**settings: Any) -> pl.DataFrame:
    columns = {
        "point_id": "delta",
        "quantity": "active_energy_import",
        "unit": "Wh",
        "kind": "increment",
        "energy_from_power": False,
        "every_s": None,
        "width_s": None,
        "stamp": None,
        "timezone": None,
    } | settings
    return pl.DataFrame([columns]).cast({"every_s": pl.Float64, "width_s": pl.Float64})


def readings(values: list[tuple[datetime, float]]) -> pl.DataFrame:
    rows = [
        {"point_id": "delta", "at": at, "value": value, "unit": "Wh", "status": "ok"}
        for at, value in values
    ]
    return pl.DataFrame(
        [{"quantity": "other"} | row for row in rows], schema=CORE_READINGS.schema, orient="row"
    )


def in_day_files(values: list[tuple[datetime, float]], points: pl.DataFrame) -> list[EnergyDeltas]:
    """Load a day at a time, as the refresh does."""
    found = []
    state = None
    for day in sorted({at.date() for at, _ in values}):
        rows = readings([one for one in values if one[0].date() == day])
        made = compute_energy(rows, points=points, state=state)
        state = made.state
        found.append(made)
    return found


def by_local_day(made: list[EnergyDeltas], zone: str) -> dict[date, tuple[float, float]]:
    """Return energy and covered seconds of each local day, from the files of all days."""
    intervals = pl.concat([energy_intervals(one.deltas, width="1m") for one in made])
    local = pl.col("interval_start").dt.convert_time_zone(zone).dt.date()
    days = intervals.group_by(local.alias("day")).agg(pl.col("energy_wh", "covered_s").sum())
    return {day: (energy, covered) for day, energy, covered in days.iter_rows()}


def midnight(day: date, zone: str) -> datetime:
    """Return the first instant of a local day."""
    at = datetime.combine(day, datetime.min.time(), tzinfo=UTC) - timedelta(hours=20)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += timedelta(minutes=15)
    return at


@pytest.mark.parametrize(("zone", "first"), PLACES)
@pytest.mark.parametrize("stamp", ["start", "end"])
@pytest.mark.parametrize("known_by", ["width_s", "every_s"])
def test_each_local_day_has_its_own_quarter_hours(
    zone: str, first: date, stamp: str, known_by: str
) -> None:
    days = [first + timedelta(days=n) for n in range(4)]
    edges = [midnight(day, zone) for day in days]
    expected = {}
    values: list[tuple[datetime, float]] = []
    for number, (low, high) in enumerate(pairwise(edges)):
        quarters = (high - low) // QUARTER
        # The first quarter-hour of a day is another than all the rest: a shift would show.
        energies = [1000.0 * (number + 1), *[10.0 + number] * (quarters - 1)]
        offset = timedelta(0) if stamp == "start" else QUARTER
        values += [(low + n * QUARTER + offset, one) for n, one in enumerate(energies)]
        expected[days[number]] = (sum(energies), (high - low).total_seconds())
    made = in_day_files(values, point(stamp=stamp, **{known_by: 900.0}))
    assert by_local_day(made, zone) == expected


@pytest.mark.parametrize(("zone", "first"), PLACES)
@pytest.mark.parametrize("stamp", ["start", "end"])
def test_each_local_day_has_its_own_total(zone: str, first: date, stamp: str) -> None:
    days = [first + timedelta(days=n) for n in range(4)]
    edges = [midnight(day, zone) for day in days]
    stamps = edges[:-1] if stamp == "start" else edges[1:]
    values = [(at, 1000.0 + n) for n, at in enumerate(stamps)]
    made = in_day_files(values, point(stamp=stamp, width_s=86_400.0, timezone=zone))
    found = by_local_day(made, zone)
    assert {day: round(energy, 6) for day, (energy, _) in found.items()} == {
        day: 1000.0 + n for n, day in enumerate(days[:-1])
    }
    assert sum(covered for _, covered in found.values()) == (edges[-1] - edges[0]).total_seconds()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_page_says_what_is_right(case: Case) -> None:
    assert case.found() == case.right


def test_increments_stamped_anew_are_counted_once() -> None:
    values = [(START + n * QUARTER, 100.0) for n in range(4)]
    anew = [(at + timedelta(seconds=30), energy) for at, energy in values]
    for points in (point(every_s=900.0), point(width_s=900.0), point(width_s=900.0, stamp="start")):
        made = compute_energy(readings([*values, *anew]), points=points)
        assert made.deltas["energy_wh"].sum() == 400
        assert made.rejects["at"].to_list() == [at for at, _ in anew]
        assert made.rejects["reason"].unique().to_list() == ["same_period"]
        assert not violations(made.rejects, table=CORE_REGISTER_REJECTS)


def test_a_pace_that_is_stated_too_long_loses_no_increment() -> None:
    """``pollingTime`` may say an hour where increments come every five minutes."""
    values = [(START + timedelta(minutes=5) * n, 1.0) for n in range(24)]
    made = compute_energy(readings(values), points=point(every_s=3600.0))
    assert made.deltas["energy_wh"].sum() == 24
    assert made.rejects.is_empty()


@PROPERTY
@given(
    steps=st.lists(st.tuples(st.integers(1, 2000), st.integers(0, 50)), max_size=20),
    cut=st.integers(0, 20),
    known=st.sampled_from(["every_s", "width_s"]),
    stamp=st.sampled_from(["start", "end"]),
)
def test_midnight_anywhere_and_any_order_change_nothing(
    steps: list[tuple[int, int]], cut: int, known: str, stamp: str
) -> None:
    at, values = START, []
    for seconds, energy in steps:
        at += timedelta(seconds=seconds)
        values.append((at, float(energy)))
    points = point(stamp=stamp, **{known: 900.0})
    whole = compute_energy(readings(values[::-1] + values), points=points)
    before = compute_energy(readings(values[:cut]), points=points)
    after = compute_energy(readings(values[cut:]), points=points, state=before.state)
    assert pl.concat([before.deltas, after.deltas]).equals(whole.deltas)
    assert pl.concat([before.rejects, after.rejects]).equals(whole.rejects)
    assert after.state.equals(whole.state)
    counted = [*whole.deltas["energy_wh"], *whole.rejects["value_wh"]]
    assert sum(counted) == sum(energy for _, energy in values), "what is not counted is told"
    assert (whole.deltas["start_at"] <= whole.deltas["end_at"]).all()
