"""Properties of the register rule: neither order, cuts nor duplicates change anything."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    violations,
)
from energy_platform.transforms.counter_state import CounterState, Step
from energy_platform.transforms.counters import energy_deltas, running_totals
from energy_platform.transforms.ordering import sort_readings
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.register_rule import Reading, RegisterRule
from energy_platform_tests.transforms.histories import (
    POLICIES,
    PROPERTY,
    SLOW_PROPERTY,
    START,
    chained,
    frame,
    rising,
    standing,
    wild,
)

UNBOUNDED: Final = CounterPolicy(max_power_w=1e18)
"""A limit that nothing reaches."""


def folded(readings: pl.DataFrame, policy: CounterPolicy) -> list[tuple[str, Step]]:
    """Fold every reading one by one: the rule itself."""
    load = sort_readings(readings)
    found = []
    for index, point_id in enumerate(load.points.to_list()):
        register = CounterState(rule=RegisterRule.of(policy))
        low = int(load.first[index])
        for place in range(low, low + int(load.count[index])):
            reading = Reading(int(load.at[place]), float(load.counts[place]))
            step = register.update(reading)
            if step is not None:
                found.append((point_id, step))
    return found


@PROPERTY
@given(st.one_of(wild(), standing()), POLICIES)
def test_arrays_and_the_fold_settle_every_reading_alike(
    readings: pl.DataFrame, policy: CounterPolicy
) -> None:
    rows = energy_deltas(readings, policy=policy).deltas.with_columns(
        pl.col("start_at", "end_at", "counted_from").to_physical()
    )
    columns = ["point_id", "start_at", "register_start_wh", "end_at", "register_end_wh"]
    columns += ["energy_wh", "refused_wh", "status", "reason", "dropped", "counted_from"]
    expected = [(point, *s.start, *s.end, *s[2:]) for point, s in folded(readings, policy)]
    assert rows.select(columns).rows() == expected


@PROPERTY
@given(st.one_of(wild(), standing()), POLICIES, st.data())
def test_splitting_a_load_anywhere_changes_nothing(
    readings: pl.DataFrame, policy: CounterPolicy, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, 72), min_size=1, max_size=6)))
    edges = [START + timedelta(hours=h) for h in (-1, *cuts, 10**4)]
    parts = [
        readings.filter((pl.col("at") >= low) & (pl.col("at") < high))
        for low, high in pairwise(edges)
    ]
    whole = energy_deltas(readings, policy=policy)
    for split, single in zip(chained(parts, policy=policy), whole, strict=True):
        assert_frame_equal(split, single, check_exact=True)


@SLOW_PROPERTY
@given(wild(longest=12), POLICIES)
def test_reading_by_reading_changes_nothing(readings: pl.DataFrame, policy: CounterPolicy) -> None:
    parts = readings.sort("at").partition_by("at", maintain_order=True)
    whole = energy_deltas(readings, policy=policy)
    for split, single in zip(chained(parts, policy=policy), whole, strict=True):
        assert_frame_equal(split, single, check_exact=True)


@PROPERTY
@given(wild(), POLICIES, st.randoms(use_true_random=False))
def test_order_and_duplicates_change_nothing(
    readings: pl.DataFrame, policy: CounterPolicy, random: object
) -> None:
    order = list(range(readings.height)) * 2
    random.shuffle(order)  # type: ignore[attr-defined]
    whole = energy_deltas(readings, policy=policy)
    for mixed, single in zip(energy_deltas(readings[order], policy=policy), whole, strict=True):
        assert_frame_equal(mixed, single, check_exact=True)


@PROPERTY
@given(wild(), POLICIES)
def test_loading_the_same_readings_again_changes_nothing(
    readings: pl.DataFrame, policy: CounterPolicy
) -> None:
    once = energy_deltas(readings, policy=policy)
    again = energy_deltas(readings, state=once.state, policy=policy)
    assert again.deltas.height == 0
    assert again.rejects.height == 0
    assert_frame_equal(again.state, once.state, check_exact=True)


@PROPERTY
@given(wild(points=3), st.lists(POLICIES, min_size=3, max_size=3), st.sampled_from([1.0, 3600.0]))
def test_every_point_is_read_by_its_own_policy_and_in_its_own_counts(
    readings: pl.DataFrame, policies: list[CounterPolicy], scale: float
) -> None:
    scales = pl.when(pl.col("point_id") == "p1").then(scale).otherwise(1.0)
    readings = readings.with_columns(counts_per_wh=scales)
    by_point = {f"p{n}": policy for n, policy in enumerate(policies)}
    together = energy_deltas(readings, policy=by_point)
    for point_id, policy in by_point.items():
        own = pl.col("point_id") == point_id
        alone = energy_deltas(readings.filter(own), policy=policy)
        for all_points, one_point in zip(together, alone, strict=True):
            assert_frame_equal(all_points.filter(own), one_point, check_exact=True)


@PROPERTY
@given(wild(), POLICIES)
def test_the_tables_keep_their_contracts(readings: pl.DataFrame, policy: CounterPolicy) -> None:
    result = energy_deltas(readings, policy=policy)
    assert not violations(result.deltas, table=CORE_ENERGY_DELTAS)
    assert not violations(result.state, table=CORE_REGISTER_STATE)
    assert not violations(result.rejects, table=CORE_REGISTER_REJECTS)


@PROPERTY
@given(wild(), POLICIES)
def test_every_reading_ends_a_step_or_is_rejected_or_pending_or_confirmed(
    readings: pl.DataFrame, policy: CounterPolicy
) -> None:
    result = energy_deltas(readings, policy=policy)
    distinct = readings.unique(["point_id", "at"]).height
    suspects = result.state.filter(pl.col("kind") == "unconfirmed").height
    settled = result.deltas.height + result.rejects.height + suspects
    # Each of these is settled by ``confirm`` readings, of which the step ends with the last.
    lasting = result.deltas.filter(
        pl.col("status").is_in(["exchange", "rollover", "reset", "over_limit"])
        & (pl.lit(policy.confirm) > 1)
    ).height
    assert distinct - lasting * (policy.confirm - 1) <= settled <= distinct


@PROPERTY
@given(wild(), POLICIES)
def test_the_carried_total_is_the_sum_of_the_parts(
    readings: pl.DataFrame, policy: CounterPolicy
) -> None:
    result = energy_deltas(readings, policy=policy)
    totals = result.state.filter(pl.col("kind") == "good").select("point_id", "total_wh")
    for point_id, total in totals.iter_rows():
        energies = result.deltas.filter(pl.col("point_id") == point_id)["energy_wh"].drop_nulls()
        summed = 0.0
        for energy in energies:
            summed += energy
        assert total == summed


@PROPERTY
@given(rising())
def test_energy_is_last_minus_first_when_nothing_fell(readings: pl.DataFrame) -> None:
    result = energy_deltas(readings, policy=UNBOUNDED)
    values = readings["value_wh"]
    assert result.deltas["energy_wh"].sum() == values[-1] - values[0]
    assert set(result.deltas["status"]) <= {"first", "ok", "gap"}


@PROPERTY
@given(rising(), st.lists(st.integers(1, 60), min_size=1, max_size=10))
def test_zero_runs_anywhere_cost_no_energy_and_no_row(
    readings: pl.DataFrame, gaps: list[int]
) -> None:
    zeros = [(readings["at"][-1] + timedelta(minutes=g)) for g in gaps]
    zeros += [readings["at"][0] + timedelta(seconds=1)]
    runs = pl.DataFrame(
        {"point_id": readings["point_id"][0], "at": zeros, "value_wh": 0.0},
        schema=readings.schema,
    )
    with_zeros = energy_deltas(pl.concat([readings, runs]), policy=UNBOUNDED).deltas
    without = energy_deltas(readings, policy=UNBOUNDED).deltas
    assert_frame_equal(with_zeros.drop("dropped"), without.drop("dropped"), check_exact=True)


@PROPERTY
@given(
    st.lists(st.integers(0, 5 * 10**7), min_size=3, max_size=60),
    st.integers(1, 2**50),
)
def test_joules_add_up_to_the_joule(steps: list[int], start: int) -> None:
    joules = [start]
    for step in steps:
        joules.append(joules[-1] + step)
    readings = frame([j / 3600 for j in joules]).with_columns(counts_per_wh=3600.0)
    result = energy_deltas(readings, policy=UNBOUNDED)
    found = (result.deltas["energy_wh"] * 3600).round().sum()
    assert found == joules[-1] - joules[0]
    total = result.state.filter(pl.col("kind") == "good")["total_wh"].item()
    assert round(total * 3600) == joules[-1] - joules[0]


@PROPERTY
@given(st.integers(0, 2**51))
def test_whole_joules_survive_the_way_through_watt_hours(joules: int) -> None:
    readings = frame([joules / 3600]).with_columns(counts_per_wh=3600.0)
    assert sort_readings(readings).counts.tolist() == [float(joules)]


@PROPERTY
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), min_size=1, max_size=9))
def test_running_totals_add_strictly_in_order(runs: list[list[float]]) -> None:
    count = np.array([len(run) for run in runs])
    values = np.array([value for run in runs for value in run])
    first = np.cumsum(count) - count
    found = running_totals(values, first=first, count=count, start=np.full(len(runs), 0.1))
    for run, total in zip(runs, found.tolist(), strict=True):
        expected = 0.1
        for value in run:
            expected += value
        assert total == expected


def test_whole_counts_are_exact_up_to_two_to_the_53_and_refused_beyond() -> None:
    limit = 2.0**53
    exact = energy_deltas(frame([limit - 3, limit - 2, limit]))
    assert exact.deltas["energy_wh"].to_list() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match=r"socomec/1/Global.* beyond 2\^53"):
        energy_deltas(frame([limit, limit + 2]))
    with pytest.raises(ValueError, match="beyond"):
        energy_deltas(frame([1.0]).with_columns(value_wh=pl.Series([2**53 + 1], dtype=pl.Int64)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_readings_that_are_no_numbers_are_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="no finite number"):
        energy_deltas(frame([1.0, value, 2.0]))
