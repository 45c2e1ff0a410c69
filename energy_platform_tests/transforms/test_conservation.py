"""What is lost or invented on the way from deltas to intervals and totals is found and named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
from hypothesis import given

from energy_platform.transforms.conservation import intervals_conserve, totals_conserve
from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform_tests.transforms.histories import POLICIES, PROPERTY, START, frame, wild

if TYPE_CHECKING:
    from energy_platform.transforms.policy import CounterPolicy


@PROPERTY
@given(wild(), POLICIES)
def test_energy_is_conserved_by_intervals_and_totals(
    readings: pl.DataFrame, policy: CounterPolicy
) -> None:
    cut = START + timedelta(hours=2)
    before = energy_deltas(readings.filter(pl.col("at") < cut), policy=policy)
    after = energy_deltas(readings.filter(pl.col("at") >= cut), state=before.state, policy=policy)
    assert intervals_conserve(after.deltas, energy_intervals(after.deltas)).holds
    assert totals_conserve(after.deltas, before=before.state, after=after.state).holds


def test_lost_and_invented_energy_is_found_and_named() -> None:
    result = energy_deltas(frame([1000, 1010, 1030]))
    intervals = energy_intervals(result.deltas)
    lost = intervals_conserve(result.deltas, intervals.head(1))
    assert not lost.holds
    assert lost.points.rows() == [("socomec/1/Global|0|1", 30.0, 10.0)]
    assert not intervals_conserve(result.deltas.head(0), intervals).holds
    moved = result.state.with_columns(pl.col("total_wh") + 1)
    assert not totals_conserve(result.deltas, before=result.state.head(0), after=moved).holds
