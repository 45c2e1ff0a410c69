"""A day that comes in parts is the day that comes at once, whatever was there before."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.lake import lake as lake_module
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import RawDayResult, land_day
from energy_platform.sources.belimo.tables import RAW_BELIMO_SAMPLES
from energy_platform_tests.lake.test_raw_days import DAY, END, pull

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

Sample = tuple[int, float | None]

DAYS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([0.0, 1.0, 2.0, None])),
    max_size=20,
    unique_by=lambda sample: sample[0],
).map(sorted)


def land(lake: Lake, frame: pl.DataFrame | Iterable[pl.DataFrame]) -> RawDayResult:
    return land_day(lake, RAW_BELIMO_SAMPLES, day=DAY, frame=frame, complete_until=END, closed=True)


def content(lake: Lake) -> bytes:
    return lake.path(RAW_BELIMO_SAMPLES, day=DAY).read_bytes()


@settings(max_examples=80, deadline=None)
@given(before=st.none() | DAYS, after=DAYS, cuts=st.lists(st.integers(0, 20), max_size=4))
def test_parts_land_as_the_whole_would(
    before: list[Sample] | None, after: list[Sample], cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(after)]
    parts = [pull(after[a:b]) for a, b in pairwise(edges)]
    with (
        # Several row groups, so that old and new blocks overlap in every way.
        mock.patch.object(lake_module, "ROW_GROUP", 3),
        TemporaryDirectory() as first,
        TemporaryDirectory() as second,
    ):
        whole, streamed = Lake(Path(first)), Lake(Path(second))
        if before is not None:
            land(whole, pull(before))
            land(streamed, pull(before))
        assert land(streamed, iter(parts)) == land(whole, pull(after))
        assert content(streamed) == content(whole)
        assert streamed.leftovers() == []
        expected = dict(before or []) | dict(after)
        frame = streamed.read(RAW_BELIMO_SAMPLES, day=DAY)
        assert frame["value"].to_list() == [expected[minute] for minute in sorted(expected)]


def test_a_pull_that_breaks_off_leaves_the_day_as_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    land(lake, pull([(1, 1.0)]))
    before = content(lake)

    def breaking() -> Iterator[pl.DataFrame]:
        yield pull([(1, 2.0)])
        raise ConnectionError("the vendor is gone")

    with pytest.raises(ConnectionError, match="gone"):
        land(lake, breaking())
    assert content(lake) == before
    assert lake.leftovers() == []


def test_parts_out_of_order_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(ValueError, match="begins before another ends"):
        land(lake, [pull([(5, 1.0)]), pull([(5, 2.0)])])
    assert lake.days(RAW_BELIMO_SAMPLES) == []


def test_a_damaged_file_is_set_aside_and_its_day_written_whole(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = [(minute, float(minute)) for minute in range(500)]
    land(lake, pull(rows))
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    damaged = bytearray(path.read_bytes())
    damaged[60:200] = bytes(140)
    path.write_bytes(damaged)

    landed = land(lake, [pull(rows)])

    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).height == 500
    assert landed.damaged is not None
    assert landed.damaged.read_bytes() == damaged
    assert landed.damaged.name.startswith("part.parquet.damaged-")
    assert landed.damaged_rows == 500


@pytest.mark.parametrize("left", [0, 3, 100])
def test_a_file_cut_off_is_set_aside_too(tmp_path: Path, left: int) -> None:
    lake = Lake(tmp_path)
    land(lake, pull([(minute, float(minute)) for minute in range(500)]))
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    path.write_bytes(path.read_bytes()[:left])

    landed = land(lake, [pull([(1, 1.0)])])

    assert (landed.rows, landed.damaged_rows) == (1, None)
    assert lake.read(RAW_BELIMO_SAMPLES, day=DAY).height == 1
