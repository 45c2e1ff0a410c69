"""Energy in pieces: however a load is cut, and through files, the figures are the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from energy_platform.energy_files import energy_of_file
from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.ordering import iter_point_batches
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.streams import energy_stream
from energy_platform_tests.transforms.histories import (
    POLICIES,
    PROPERTY,
    frame,
    rows_frame,
    wild,
)

if TYPE_CHECKING:
    from pathlib import Path


@PROPERTY
@given(wild(points=4), POLICIES, st.integers(1, 40))
def test_pieces_of_whole_points_come_to_what_the_whole_comes_to(
    readings: pl.DataFrame, policy: CounterPolicy, rows: int
) -> None:
    ordered = readings.sort("point_id", "at")
    pieces = list(iter_point_batches(ordered, rows=rows))
    seen = [point for piece in pieces for point in piece["point_id"].unique().to_list()]
    assert len(seen) == len(set(seen))
    found = list(energy_stream(pieces, policy=policy))
    whole = energy_deltas(readings, policy=policy)
    assert_frame_equal(pl.concat([p.deltas for p in found]), whole.deltas, check_exact=True)
    assert_frame_equal(pl.concat([p.rejects for p in found]), whole.rejects, check_exact=True)
    assert_frame_equal(found[-1].state, whole.state, check_exact=True)
    intervals = energy_intervals(whole.deltas)
    assert_frame_equal(pl.concat([p.intervals for p in found]), intervals, check_exact=True)


@PROPERTY
@given(wild(points=3), POLICIES, st.integers(1, 40))
def test_pieces_in_time_order_come_to_what_the_whole_comes_to(
    readings: pl.DataFrame, policy: CounterPolicy, rows: int
) -> None:
    by_time = readings.unique(["point_id", "at"], keep="first").sort("at", "point_id")
    pieces = [by_time.slice(low, rows) for low in range(0, by_time.height, rows)]
    found = list(energy_stream(pieces, policy=policy, width="1h"))
    whole = energy_deltas(by_time, policy=policy)
    key = ["point_id", "end_at"]
    deltas = pl.concat([piece.deltas for piece in found]).sort(key)
    assert_frame_equal(deltas, whole.deltas, check_exact=True)
    assert_frame_equal(found[-1].state, whole.state, check_exact=True)
    for piece in found:
        assert_frame_equal(
            piece.intervals, energy_intervals(piece.deltas, width="1h"), check_exact=True
        )


def test_a_point_larger_than_a_piece_stays_whole() -> None:
    readings = pl.concat([frame([float(n)] * 5, point_id=f"p{n}") for n in range(1, 4)])
    assert [piece.height for piece in iter_point_batches(readings, rows=3)] == [5, 5, 5]
    assert [piece.height for piece in iter_point_batches(readings, rows=11)] == [10, 5]
    assert [piece.height for piece in iter_point_batches(readings, rows=15)] == [15]
    assert [piece.height for piece in iter_point_batches(readings[:0], rows=3)] == [0]


@pytest.mark.parametrize("order", [["point_id", "at"], ["at", "point_id"]])
def test_a_file_of_readings_becomes_files_of_the_same_energy(
    tmp_path: Path, order: list[str]
) -> None:
    readings = pl.concat(
        [frame([1000 + 10 * n * k for n in range(200)], point_id=f"p{k}") for k in range(1, 6)]
    ).sort(order)
    readings.write_parquet(tmp_path / "readings.parquet")
    told: list[int] = []
    policy = CounterPolicy(max_power_w=8000)
    state = energy_of_file(
        tmp_path / "readings.parquet",
        deltas_to=tmp_path / "deltas.parquet",
        intervals_to=tmp_path / "hours.parquet",
        policy=policy,
        width="1h",
        on_piece=lambda piece: told.append(piece.deltas.height),
        readings_at_once=70,
    )
    whole = energy_deltas(readings, policy=policy)
    assert state is not None
    assert_frame_equal(state, whole.state, check_exact=True)
    deltas = pl.read_parquet(tmp_path / "deltas.parquet").sort("point_id", "end_at")
    assert_frame_equal(deltas, whole.deltas, check_exact=True)
    hours = pl.read_parquet(tmp_path / "hours.parquet")
    assert_frame_equal(
        hours.group_by("point_id", "interval_start")
        .agg(pl.col("energy_wh").sum())
        .sort("point_id", "interval_start"),
        energy_intervals(whole.deltas, width="1h").select(
            "point_id", "interval_start", "energy_wh"
        ),
        check_exact=True,
    )
    assert len(told) == -(-1000 // 70)


def test_a_bad_reading_in_the_middle_of_a_file_is_an_error_with_its_point(tmp_path: Path) -> None:
    start = frame([1.0])["at"][0]
    rows = [("p1", start + timedelta(hours=n), float(n)) for n in range(50)]
    rows[30] = ("p1", rows[30][1], 2.0**54)
    rows_frame(rows).write_parquet(tmp_path / "readings.parquet")
    with pytest.raises(ValueError, match=r"p1: .* beyond 2\^53"):
        energy_of_file(
            tmp_path / "readings.parquet",
            deltas_to=tmp_path / "deltas.parquet",
            intervals_to=tmp_path / "hours.parquet",
            readings_at_once=20,
        )


def test_a_carried_state_does_not_keep_the_text_of_its_load_in_memory() -> None:
    """Else a long file is in memory whole by its end, however small the pieces."""
    readings = pl.concat([frame([1.0] * 2000, point_id="p" * 40 + str(n)) for n in range(3)])
    state = energy_deltas(readings).state
    column = state.get_column("point_id").to_arrow(compat_level=pl.CompatLevel.newest())
    assert sum(buffer.size for buffer in column.buffers() if buffer is not None) < 5_000
