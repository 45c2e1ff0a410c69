"""Energy of steps is allocated to quarter-hours: what is covered, what adds up."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_ENERGY_INTERVALS, violations
from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals, width_of
from energy_platform.transforms.policy import CounterPolicy
from energy_platform_tests.transforms.histories import (
    POINT,
    POLICIES,
    PROPERTY,
    QUARTER,
    START,
    frame,
    wild,
)

WIDTHS = st.sampled_from(["1m", "5m", "15m", "30m", "1h", "6h", "1d"])


def buckets(intervals: pl.DataFrame) -> list[tuple[int, float, float]]:
    """Minutes since the start, energy, seconds covered."""
    return [
        (int((at - START) / timedelta(minutes=1)), energy, covered)
        for at, energy, covered in intervals.select(
            "interval_start", "energy_wh", "covered_s"
        ).iter_rows()
    ]


def test_a_step_on_the_grid_is_one_bucket_and_belongs_to_the_one_before_its_end() -> None:
    deltas = energy_deltas(frame([100, 130, 170])).deltas
    assert buckets(energy_intervals(deltas)) == [(0, 30.0, 900.0), (15, 40.0, 900.0)]


def test_a_step_off_the_grid_is_spread_by_time() -> None:
    readings = frame([100, 190], start=START + timedelta(minutes=10), every=timedelta(minutes=30))
    deltas = energy_deltas(readings).deltas
    assert buckets(energy_intervals(deltas)) == [
        (0, 15.0, 300.0),
        (15, 45.0, 900.0),
        (30, 30.0, 600.0),
    ]


def test_a_long_gap_is_spread_as_an_estimate() -> None:
    deltas = energy_deltas(frame([100, 196], every=timedelta(days=1))).deltas
    intervals = energy_intervals(deltas)
    assert intervals.height == 96
    assert intervals["energy_wh"].to_list() == [1.0] * 96
    assert intervals["estimated_wh"].sum() == 96.0


@pytest.mark.parametrize(
    ("values", "policy", "energy", "covered"),
    [
        ([5000.0], CounterPolicy(), 0.0, 0.0),
        ([1000, 10, 20, 30], CounterPolicy(on_fall="null"), 0.0, 0.0),
        ([1000, 10, 20, 30], CounterPolicy(on_fall="zero"), 20.0, 0.0),
        ([1000, 90_000, 90_010, 90_020], CounterPolicy(max_power_w=1000), 20.0, 0.0),
        ([1000, 10, 20, 30], CounterPolicy(), 30.0, 2700.0),
        (
            [1000, 10, 20],
            CounterPolicy(reset_markers=((START + timedelta(minutes=5), 1004.0, 3.0),)),
            21.0,
            1800.0,
        ),
        ([1000, 1000, 1000], CounterPolicy(), 0.0, 1800.0),
    ],
    ids=[
        "first reading",
        "unknown fall",
        "fall worth nothing",
        "jump of an exchange",
        "reset",
        "exchange with its readings",
        "no consumption",
    ],
)
def test_only_time_whose_energy_is_known_counts_as_covered(
    values: list[float], policy: CounterPolicy, energy: float, covered: float
) -> None:
    intervals = energy_intervals(energy_deltas(frame(values), policy=policy).deltas)
    assert intervals["energy_wh"].sum() == energy
    assert intervals["covered_s"].sum() == covered


@PROPERTY
@given(wild(), POLICIES, WIDTHS)
def test_no_energy_is_lost_or_made_by_spreading(
    readings: pl.DataFrame, policy: CounterPolicy, width: str
) -> None:
    whole = readings.with_columns(pl.col("value_wh").round())
    deltas = energy_deltas(whole, policy=policy).deltas
    intervals = energy_intervals(deltas, width=width)
    assert not violations(intervals, table=CORE_ENERGY_INTERVALS)
    found = dict(intervals.group_by("point_id").agg(pl.col("energy_wh").sum()).iter_rows())
    expected = dict(deltas.group_by("point_id").agg(pl.col("energy_wh").sum()).iter_rows())
    for point_id, energy in expected.items():
        assert found.get(point_id, 0.0) == energy
    seconds = width_of(width).total_seconds()
    assert intervals["covered_s"].max() is None or intervals["covered_s"].max() <= seconds  # type: ignore[operator]


@PROPERTY
@given(
    st.floats(-1e12, 1e12, allow_subnormal=False),
    st.integers(0, 10**10),
    st.integers(1, 10**12),
    WIDTHS,
)
def test_the_parts_of_any_step_added_in_order_are_the_step_to_the_last_bit(
    energy: float, start: int, length: int, width: str
) -> None:
    start_at = START + timedelta(microseconds=start)
    delta = one_delta(energy, start_at=start_at, end_at=start_at + timedelta(microseconds=length))
    summed = 0.0
    for part in energy_intervals(delta, width=width)["energy_wh"]:
        summed += part
    assert summed == energy


def one_delta(energy: float, *, start_at: object, end_at: object) -> pl.DataFrame:
    row = {
        "point_id": POINT,
        "end_at": end_at,
        "start_at": start_at,
        "counted_from": start_at,
        "energy_wh": energy,
        "refused_wh": 0.0,
        "status": "ok",
        "estimated": False,
        "dropped": 0,
        "method": "register",
    }
    return pl.DataFrame([row], schema=CORE_ENERGY_DELTAS.schema)


@PROPERTY
@given(wild(), POLICIES, st.integers(1, 10))
def test_intervals_of_two_files_add_up_to_those_of_one(
    readings: pl.DataFrame, policy: CounterPolicy, hours: int
) -> None:
    deltas = energy_deltas(readings.with_columns(pl.col("value_wh").round()), policy=policy).deltas
    cut = START + timedelta(hours=hours)
    parts = [
        energy_intervals(deltas.filter(pl.col("end_at") < cut)),
        energy_intervals(deltas.filter(pl.col("end_at") >= cut)),
    ]
    summed = (
        pl.concat(parts)
        .group_by("point_id", "interval_start")
        .agg(
            pl.col("energy_wh", "estimated_wh", "refused_wh", "covered_s").sum(),
            pl.col("method").first(),
        )
        .sort("point_id", "interval_start")
        .select(CORE_ENERGY_INTERVALS.schema.names())
    )
    assert_frame_equal(
        summed, energy_intervals(deltas), check_exact=False, rel_tol=1e-12, abs_tol=1e-9
    )


SPANS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 300),
        st.integers(0, 300),
        st.integers(0, 900).map(lambda wh: wh * 1024.0),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(spans=SPANS, width=st.sampled_from([5, 15, 60]))
@PROPERTY
def test_steps_that_overlap_are_each_spread_by_their_own_time(
    spans: list[tuple[str, int, int, float, bool]], width: int
) -> None:
    deltas = pl.concat([_step(*span) for span in spans])
    expected: dict[tuple[str, int], tuple[float, float, float]] = {}
    for point, start, minutes, energy, estimated in spans:
        if not minutes and not energy:
            continue
        minute_wh = energy / minutes if minutes else energy
        for minute in range(start, start + minutes) if minutes else [start - 1]:
            key = (point, minute // width * width)
            wh, of_estimates, covered = expected.get(key, (0.0, 0.0, 0.0))
            expected[key] = (
                wh + minute_wh,
                of_estimates + minute_wh * estimated,
                covered + 60.0 * bool(minutes),
            )

    found = energy_intervals(deltas, width=f"{width}m")

    assert found.select("point_id", "interval_start").is_unique().all()
    rows = {
        (point, int((at - START) / timedelta(minutes=1))): figures
        for point, at, *figures in found.drop("method", "refused_wh").iter_rows()
    }
    assert sorted(rows) == sorted(expected)
    for key, figures in expected.items():
        assert rows[key] == pytest.approx(figures, abs=1e-3)


def _step(point: str, start: int, minutes: int, energy: float, estimated: bool) -> pl.DataFrame:
    begin = START + timedelta(minutes=start)
    return pl.DataFrame(
        {
            "point_id": point,
            "end_at": begin + timedelta(minutes=minutes),
            "start_at": begin,
            "counted_from": begin,
            "register_start_wh": None,
            "register_end_wh": None,
            "energy_wh": energy,
            "refused_wh": 0.0,
            "status": "ok",
            "estimated": estimated,
            "dropped": 0,
            "reason": None,
            "method": "increment",
        },
        schema=CORE_ENERGY_DELTAS.schema,
    )


def test_many_points_together_are_spread_as_each_alone() -> None:
    points = ["a", "b", "c", "d"]
    readings = pl.concat(
        [
            frame([float(n * size) for n in range(30_000)], point_id=point)
            for size, point in enumerate(points, start=1)
        ]
    )
    deltas = energy_deltas(readings).deltas

    together = energy_intervals(deltas, width="1h")

    alone = [energy_intervals(deltas.filter(point_id=point), width="1h") for point in points]
    assert_frame_equal(together, pl.concat(alone))


def test_what_another_point_does_changes_no_bit_of_a_sum() -> None:
    within = energy_deltas(frame([0, 1, 2, 3], every=timedelta(seconds=10), point_id="p1")).deltas
    # Of these, the sum of the last two and the first is another double than the sum in order.
    within = within.with_columns(energy_wh=pl.Series([0.0, 0.1, 0.2, 0.3][-within.height :]))
    across = energy_deltas(frame([0, 1, 2, 3], every=timedelta(minutes=20), point_id="p2")).deltas
    alone = energy_intervals(within)
    together = energy_intervals(pl.concat([within, across]))
    assert_frame_equal(together.filter(point_id="p1"), alone, check_exact=True)
    assert alone["energy_wh"].to_list() == [0.1 + 0.2 + 0.3]


def test_energy_known_only_at_an_instant_lands_in_the_bucket_that_ends_there() -> None:
    delta = one_delta(7.0, start_at=START + QUARTER, end_at=START + QUARTER)
    assert buckets(energy_intervals(delta)) == [(0, 7.0, 0.0)]


@pytest.mark.parametrize("width", ["30s", "7m", "25h", "2d", "15", "quarter", ""])
def test_widths_that_do_not_tile_a_day_are_refused(width: str) -> None:
    with pytest.raises(ValueError, match="width"):
        energy_intervals(CORE_ENERGY_DELTAS.empty(), width=width)


def test_a_delta_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        energy_intervals(one_delta(1.0, start_at=START + QUARTER, end_at=START))
