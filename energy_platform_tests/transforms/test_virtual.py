"""Virtual points equal the sum over their parts, in every interval, and claim to know no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    violations,
)
from energy_platform.transforms.virtual import (
    BUCKET,
    BUCKET_S,
    Summand,
    VirtualEnergy,
    VirtualPower,
    virtual_deltas,
    virtual_intervals,
    virtual_readings,
)
from energy_platform_tests.transforms.histories import PROPERTY

START: Final = datetime(2026, 3, 1, tzinfo=UTC)

PARTS: Final = ("a", "b", "c")

Row = tuple[str, int, float, float, float, float]
"""Part, bucket, energy, estimated, refused, seconds covered."""


def contributions(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "point_id": part,
                "interval_start": START + bucket * BUCKET,
                "energy_wh": energy,
                "estimated_wh": estimated,
                "refused_wh": refused,
                "covered_s": covered,
                "method": "register",
            }
            for part, bucket, energy, estimated, refused, covered in rows
        ],
        schema=CORE_ENERGY_INTERVALS.schema,
    )


def whole(part: str, bucket: int, energy: float) -> Row:
    return part, bucket, energy, 0.0, 0.0, BUCKET_S


def summed(factors: dict[str, float], *, constant_w: float = 0.0) -> VirtualEnergy:
    summands = tuple(Summand("v", name, factor) for name, factor in factors.items())
    return VirtualEnergy("v", summands, constant_w)


def figures(rows: list[Row], virtual: VirtualEnergy) -> dict[int, tuple[float, float]]:
    """Return energy and seconds covered by bucket."""
    found = virtual_intervals(contributions(rows), virtual=[virtual])
    return {
        int((at - START) / BUCKET): (energy, covered)
        for at, energy, covered in found.select(
            "interval_start", "energy_wh", "covered_s"
        ).iter_rows()
    }


def test_a_missing_part_is_not_zero() -> None:
    rows = [whole("a", 0, 5.0), whole("b", 0, 2.0), whole("a", 1, 5.0)]
    assert figures(rows, summed({"a": 1.0, "b": -1.0})) == {0: (3.0, 900.0)}


def test_a_part_that_shows_zero_is_known() -> None:
    rows = [whole("a", 0, 5.0), whole("b", 0, 0.0)]
    assert figures(rows, summed({"a": 1.0, "b": 1.0})) == {0: (5.0, 900.0)}


def test_it_is_covered_as_long_as_the_part_covered_least() -> None:
    rows = [whole("a", 0, 5.0), ("b", 0, 1.0, 0.0, 0.0, 300.0)]
    assert figures(rows, summed({"a": 1.0, "b": 1.0})) == {0: (6.0, 300.0)}


def test_a_constant_flows_as_long_as_the_parts_are_known() -> None:
    rows = [whole("a", 0, 5.0), ("a", 1, 1.0, 0.0, 0.0, 300.0)]
    found = figures(rows, summed({"a": 1.0}, constant_w=1_200.0))
    assert found == {0: (305.0, 900.0), 1: (101.0, 300.0)}


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [((0.0, 0.0), 0.0), ((1.0, 0.0), 1.0), ((5.0, 2.0), 3.0)],
)
def test_what_is_estimated_of_a_part_is_estimated_of_the_sum(
    estimates: tuple[float, float], expected: float
) -> None:
    rows = [("a", 0, 5.0, estimates[0], 0.0, 900.0), ("b", 0, 2.0, estimates[1], 0.0, 900.0)]
    found = virtual_intervals(contributions(rows), virtual=[summed({"a": 1.0, "b": -1.0})])
    assert found["estimated_wh"].to_list() == [expected]
    assert virtual_deltas(found)["estimated"].to_list() == [expected != 0]


def test_refusals_that_cancel_out_are_still_refused() -> None:
    rows = [("a", 0, 5.0, 0.0, 7.0, 900.0), ("b", 0, 2.0, 0.0, 7.0, 900.0)]
    found = virtual_intervals(contributions(rows), virtual=[summed({"a": 1.0, "b": -1.0})])
    assert found["refused_wh"].to_list() == [14.0]


def test_an_open_quarter_hour_is_no_step_yet() -> None:
    rows = [whole("a", 0, 5.0), ("a", 1, 1.0, 0.0, 0.0, 300.0)]
    intervals = virtual_intervals(contributions(rows), virtual=[summed({"a": 1.0})])
    steps = virtual_deltas(intervals)
    assert steps.select("start_at", "end_at", "energy_wh").rows() == [(START, START + BUCKET, 5.0)]


def test_a_stretch_in_which_a_part_is_estimated_is_one_step() -> None:
    estimated = [("b", bucket, 2.0, 2.0, 0.0, 900.0) for bucket in (1, 2)]
    rows = [whole("a", bucket, 5.0) for bucket in range(4)]
    rows += [whole("b", 0, 2.0), *estimated, whole("b", 3, 2.0)]
    intervals = virtual_intervals(contributions(rows), virtual=[summed({"a": 1.0, "b": 1.0})])
    steps = virtual_deltas(intervals)
    ends = [(end - START) / BUCKET for end in steps["end_at"]]
    assert ends == [1, 3, 4]
    assert steps.select("energy_wh", "status").rows() == [(7.0, "ok"), (14.0, "gap"), (7.0, "ok")]


def test_a_difference_may_be_negative_and_says_so() -> None:
    rows = [whole("a", 0, 1.0), whole("b", 0, 4.0)]
    intervals = virtual_intervals(contributions(rows), virtual=[summed({"a": 1.0, "b": -1.0})])
    assert virtual_deltas(intervals).select("energy_wh", "status").rows() == [(-3.0, "ok")]


AMOUNTS = st.integers(-4_000, 400_000).map(lambda eighths: eighths / 8)
"""Multiples of a power of two: their sums are exact in any order."""

ROWS = st.lists(
    st.tuples(
        st.sampled_from(PARTS),
        st.integers(0, 3),
        AMOUNTS,
        st.sampled_from([0.0, 1.0]),
        st.sampled_from([0.0, 0.0, 8.0]),
        st.sampled_from([0.0, 200.0, 450.0, 700.0]),
    ),
    max_size=24,
)

FACTORS = st.dictionaries(
    st.sampled_from(PARTS), st.sampled_from([1.0, -1.0, 0.5, 2.0]), min_size=1
)


@PROPERTY
@given(rows=ROWS, factors=FACTORS, shuffled=st.randoms(use_true_random=False))
def test_every_interval_is_the_sum_over_its_parts_or_unknown(
    rows: list[Row], factors: dict[str, float], shuffled: object
) -> None:
    virtual = summed(factors)
    found = virtual_intervals(contributions(rows), virtual=[virtual])
    assert violations(found, table=CORE_ENERGY_INTERVALS) == []
    by_bucket = {row["interval_start"]: row for row in found.iter_rows(named=True)}
    for bucket in range(4):
        own = {part: [row for row in rows if row[:2] == (part, bucket)] for part in factors}
        row = by_bucket.get(START + bucket * BUCKET)
        assert (row is not None) == all(own.values())
        if row is not None:
            energy = sum(factors[part] * one[2] for part, some in own.items() for one in some)
            assert row["energy_wh"] == energy
            least = min(sum(one[5] for one in some) for some in own.values())
            assert row["covered_s"] == min(least, BUCKET_S)
            assert abs(row["estimated_wh"]) <= abs(energy)
            is_refused = any(sum(one[4] for one in some) for some in own.values())
            assert (row["refused_wh"] != 0) == is_refused
    again = list(rows)
    shuffled.shuffle(again)  # type: ignore[attr-defined]
    assert_frame_equal(found, virtual_intervals(contributions(again), virtual=[virtual]))
    steps = virtual_deltas(found)
    assert violations(steps, table=CORE_ENERGY_DELTAS) == []
    ends = steps.select("point_id", known_until=pl.col("end_at").max()).unique()
    left_out = found.join(ends, on="point_id", how="left").filter(
        pl.col("known_until").is_null() | (pl.col("interval_start") >= pl.col("known_until"))
    )
    assert left_out.height <= 1
    energies = [*steps["energy_wh"].to_list(), *left_out["energy_wh"].to_list()]
    assert sum(energies) == sum(found["energy_wh"].to_list())


def reading(part: str, minute: float, value: float) -> tuple[str, datetime, float]:
    return part, START + timedelta(minutes=minute), value


def powers(
    rows: list[tuple[str, datetime, float]], factors: dict[str, float], *, constant: float = 0.0
) -> list[tuple[float, float]]:
    """Return minute and value of each reading of the sum."""
    frame = pl.DataFrame(rows, schema=["point_id", "at", "value"], orient="row").with_columns(
        status=pl.lit("ok")
    )
    summands = tuple(Summand("v", name, factor) for name, factor in factors.items())
    virtual = VirtualPower("v", "active_power", summands, constant, timedelta(minutes=15))
    found = virtual_readings(frame, virtual=[virtual], start=START)
    assert violations(found, table=CORE_READINGS) == []
    return [
        ((at - START) / timedelta(minutes=1), value)
        for at, value in found.select("at", "value").iter_rows()
    ]


def test_a_power_is_the_sum_of_what_its_parts_showed_last() -> None:
    rows = [reading("a", 1, 100), reading("a", 9, 110), reading("b", 10, 30), reading("a", 16, 90)]
    found = powers(rows, {"a": 1.0, "b": -1.0}, constant=5.0)
    assert found == [(10.0, 85.0), (16.0, 65.0)]


def test_a_power_whose_part_is_silent_has_no_reading() -> None:
    rows = [reading("a", minute, 100) for minute in (1, 16, 31, 46)] + [reading("b", 2, 30)]
    assert powers(rows, {"a": 1.0, "b": 1.0}) == [(2.0, 130.0), (16.0, 130.0)]


def test_what_every_part_has_stopped_showing_is_not_held() -> None:
    rows = [reading("a", 1, 100), reading("b", 2, 30)]
    assert powers(rows, {"a": 1.0, "b": 1.0}) == [(2.0, 130.0)]
