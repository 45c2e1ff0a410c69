"""Energy in batches: however a load is cut, the figures are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.transforms.counters import EnergyDeltas, energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.ordering import iter_point_batches
from energy_platform_tests.transforms.histories import POLICIES, PROPERTY, frame, wild

if TYPE_CHECKING:
    from energy_platform.transforms.policy import CounterPolicy


def one_after_another(batches: list[pl.DataFrame], *, policy: CounterPolicy) -> list[EnergyDeltas]:
    """Compute batch by batch, each from the state that the one before left."""
    found: list[EnergyDeltas] = []
    for batch in batches:
        state = found[-1].state if found else None
        found.append(energy_deltas(batch, state=state, policy=policy))
    return found


@PROPERTY
@given(wild(points=4), POLICIES, st.integers(1, 40))
def test_batches_of_whole_points_come_to_what_the_whole_comes_to(
    readings: pl.DataFrame, policy: CounterPolicy, rows: int
) -> None:
    ordered = readings.sort("point_id", "at")
    batches = list(iter_point_batches(ordered, rows=rows))
    seen = [point for batch in batches for point in batch["point_id"].unique().to_list()]
    assert len(seen) == len(set(seen))
    found = one_after_another(batches, policy=policy)
    whole = energy_deltas(readings, policy=policy)
    assert_frame_equal(pl.concat([p.deltas for p in found]), whole.deltas, check_exact=True)
    assert_frame_equal(pl.concat([p.rejects for p in found]), whole.rejects, check_exact=True)
    assert_frame_equal(found[-1].state, whole.state, check_exact=True)
    intervals = energy_intervals(whole.deltas)
    assert_frame_equal(
        pl.concat([energy_intervals(p.deltas) for p in found]), intervals, check_exact=True
    )


@PROPERTY
@given(wild(points=3), POLICIES, st.integers(1, 40))
def test_batches_in_time_order_come_to_what_the_whole_comes_to(
    readings: pl.DataFrame, policy: CounterPolicy, rows: int
) -> None:
    by_time = readings.unique(["point_id", "at"], keep="first").sort("at", "point_id")
    batches = [by_time.slice(low, rows) for low in range(0, by_time.height, rows)]
    found = one_after_another(batches, policy=policy)
    whole = energy_deltas(by_time, policy=policy)
    key = ["point_id", "end_at"]
    deltas = pl.concat([batch.deltas for batch in found]).sort(key)
    assert_frame_equal(deltas, whole.deltas, check_exact=True)
    assert_frame_equal(found[-1].state, whole.state, check_exact=True)


def test_a_point_larger_than_a_batch_stays_whole() -> None:
    readings = pl.concat([frame([float(n)] * 5, point_id=f"p{n}") for n in range(1, 4)])
    assert [batch.height for batch in iter_point_batches(readings, rows=3)] == [5, 5, 5]
    assert [batch.height for batch in iter_point_batches(readings, rows=11)] == [10, 5]
    assert [batch.height for batch in iter_point_batches(readings, rows=15)] == [15]
    assert [batch.height for batch in iter_point_batches(readings[:0], rows=3)] == [0]


def test_a_carried_state_does_not_keep_the_text_of_its_load_in_memory() -> None:
    """Else a long file is in memory whole by its end, however small the batches."""
    readings = pl.concat([frame([1.0] * 2000, point_id="p" * 40 + str(n)) for n in range(3)])
    state = energy_deltas(readings).state
    column = state.get_column("point_id").to_arrow(compat_level=pl.CompatLevel.newest())
    assert sum(buffer.size for buffer in column.buffers() if buffer is not None) < 5_000
