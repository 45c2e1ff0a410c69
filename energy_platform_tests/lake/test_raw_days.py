"""Pulling a day again: the newer answer wins, nothing is lost, equal days stay untouched."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_platform.lake.lake import Lake, LakeError
from energy_platform.lake.raw_days import RawDayResult, land_day, land_snapshot
from energy_platform.schemas import violations
from energy_platform.sources.belimo.tables import RAW_BELIMO_DEVICES, RAW_BELIMO_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY = "2026-03-01"
START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)

Sample = tuple[int, float | None]
"""Minute of the day and value."""


def pull(samples: Iterable[Sample]) -> pl.DataFrame:
    rows = [
        {
            "device_id": "d",
            "datapoint_id": "evcloud.1",
            "at": START + timedelta(minutes=minute),
            "value": value,
            "value_text": None,
            "serial_number": "S1",
            "dataprofile": "p/1",
        }
        for minute, value in samples
    ]
    return pl.DataFrame(rows, schema=RAW_BELIMO_SAMPLES.schema)


def land(
    lake: Lake,
    samples: Iterable[Sample],
    *,
    until: datetime = END,
    closed: bool = True,
    whole: bool = True,
) -> RawDayResult:
    return land_day(
        lake,
        RAW_BELIMO_SAMPLES,
        day=DAY,
        frame=pull(samples),
        complete_until=until,
        closed=closed,
        whole=whole,
    )


def held(lake: Lake) -> list[Sample]:
    frame = lake.read(RAW_BELIMO_SAMPLES, day=DAY)
    assert violations(frame, table=RAW_BELIMO_SAMPLES) == []
    return [
        (int((at - START).total_seconds() // 60), value)
        for at, value in frame.select("at", "value").iter_rows()
    ]


def content(lake: Lake) -> bytes:
    return lake.path(RAW_BELIMO_SAMPLES, day=DAY).read_bytes()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_first_pull_is_sorted_and_counted(lake: Lake) -> None:
    landed = land(lake, [(20, 2.0), (10, 1.0)])
    assert held(lake) == [(10, 1.0), (20, 2.0)]
    assert (landed.rows, landed.new, landed.changed, landed.lost) == (2, 2, 0, 0)
    assert (landed.first_at, landed.last_at) == (
        START + timedelta(minutes=10),
        START + timedelta(minutes=20),
    )


def test_the_newer_pull_wins_and_rows_it_lacks_are_kept_and_counted(lake: Lake) -> None:
    land(lake, [(10, 1.0), (20, 2.0), (30, 3.0)])
    landed = land(lake, [(20, 2.5), (30, 3.0), (40, 4.0)])
    assert held(lake) == [(10, 1.0), (20, 2.5), (30, 3.0), (40, 4.0)]
    assert (landed.rows, landed.new, landed.changed, landed.lost) == (4, 1, 1, 1)


def test_a_vendor_that_suddenly_answers_with_nothing_empties_no_day(lake: Lake) -> None:
    land(lake, [(10, 1.0), (20, None)])
    before = content(lake)
    landed = land(lake, [])
    assert landed.lost == 2
    assert content(lake) == before


def test_newest_values_only_lose_nothing(lake: Lake) -> None:
    land(lake, [(10, 1.0), (20, 2.0)])
    landed = land(lake, [(30, 3.0)], whole=False)
    assert (landed.rows, landed.lost) == (3, 0)


def test_the_same_pull_again_leaves_the_file_byte_for_byte(lake: Lake) -> None:
    land(lake, [(10, 1.0), (20, None)])
    path = lake.path(RAW_BELIMO_SAMPLES, day=DAY)
    before = (path.stat().st_ino, content(lake))
    landed = land(lake, [(20, None), (10, 1.0), (10, 1.0)])
    assert not landed.written
    assert (path.stat().st_ino, content(lake)) == before


def test_a_day_answered_with_nothing_is_a_file(lake: Lake) -> None:
    landed = land(lake, [])
    assert (landed.rows, landed.first_at, landed.written) == (0, None, True)
    assert lake.days(RAW_BELIMO_SAMPLES) == [DAY]


def test_a_closed_day_never_opens_and_its_reach_never_shrinks(lake: Lake) -> None:
    noon = START + timedelta(hours=12)
    opened = land(lake, [(10, 1.0)], until=noon, closed=False)
    assert (opened.complete_until, opened.closed) == (noon, False)
    closed = land(lake, [(10, 1.0)], until=END + timedelta(hours=5), closed=True)
    assert (closed.complete_until, closed.closed, closed.written) == (END, True, True)
    again = land(lake, [(10, 1.0)], until=noon, closed=False)
    assert (again.complete_until, again.closed, again.written) == (END, True, False)


def test_the_footer_holds_no_clock_but_complete_until(lake: Lake) -> None:
    land(lake, [(10, 1.0)])
    footer = lake.footer(RAW_BELIMO_SAMPLES, day=DAY)
    assert footer is not None
    assert footer.meta == {"complete_until": END.isoformat(), "closed": "true"}


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([0.0, 5.0], 5.0),
        ([7.0, 5.0], 5.0),
        ([0.0, None], 0.0),
        ([None, 3.0, 0.0], 3.0),
    ],
)
def test_a_pull_that_contradicts_itself_keeps_the_smallest_value_that_is_not_zero(
    lake: Lake, values: list[float | None], kept: float
) -> None:
    for order in itertools.permutations(values):
        landed = land(lake, [(10, value) for value in order])
        assert held(lake) == [(10, kept)]
        assert landed.conflicting == len(values) - 1


def test_a_pull_without_a_key_is_refused_and_the_day_stays(lake: Lake) -> None:
    land(lake, [(10, 1.0)])
    broken = pull([(20, 2.0)]).with_columns(datapoint_id=pl.lit(None, pl.String))
    with pytest.raises(LakeError, match=r"raw_belimo__samples\.datapoint_id: 1 rows"):
        land_day(
            lake,
            RAW_BELIMO_SAMPLES,
            day=DAY,
            frame=broken,
            complete_until=END,
            closed=True,
        )
    assert held(lake) == [(10, 1.0)]


def test_a_naive_complete_until_is_refused(lake: Lake) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        land(lake, [], until=datetime(2026, 3, 2))  # noqa: DTZ001


PULLS = st.lists(
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from([0.0, 1.0, 2.0, None])), max_size=6),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(pulls=PULLS)
def test_no_instant_ever_leaves_a_day(pulls: list[list[Sample]]) -> None:
    """After any history of pulls the day holds every instant ever seen, and the newest values."""
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        expected: dict[int, set[float | None]] = {}
        for samples in pulls:
            landed = land(lake, samples)
            newest: dict[int, set[float | None]] = {}
            for minute, value in samples:
                newest.setdefault(minute, set()).add(value)
            assert landed.lost == len(expected.keys() - newest.keys())
            assert landed.new == len(newest.keys() - expected.keys())
            expected |= newest
        rows = held(lake)
        assert [minute for minute, _ in rows] == sorted(expected)
        assert all(value in expected[minute] for minute, value in rows)
        before = content(lake)
        assert not land(lake, pulls[-1]).written
        assert content(lake) == before


def device(name: str, *, city: str = "Paris") -> dict[str, object]:
    return {"id": name, "serial_number": f"S{name}", "address_city": city}


def snapshot(*devices: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(devices), schema=RAW_BELIMO_DEVICES.schema)


def test_a_snapshot_is_replaced_and_equal_ones_are_not(lake: Lake) -> None:
    first = land_snapshot(lake, RAW_BELIMO_DEVICES, snapshot(device("b"), device("a")))
    assert (first.rows, first.new, first.lost, first.written) == (2, 2, 0, True)
    assert not land_snapshot(
        lake, RAW_BELIMO_DEVICES, snapshot(device("a"), device("b"), device("b"))
    ).written
    landed = land_snapshot(
        lake, RAW_BELIMO_DEVICES, snapshot(device("b", city="Lyon"), device("c"))
    )
    assert (landed.rows, landed.new, landed.changed, landed.lost) == (2, 1, 1, 1)
    assert lake.read(RAW_BELIMO_DEVICES)["id"].to_list() == ["b", "c"]
