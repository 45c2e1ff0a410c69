"""Properties of the figures: what is booked does not depend on how a register is read.

``test_counters_properties`` has those of the fold, which hold for readings without any sense;
these are about registers that count what a meter counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import floor
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from energy_platform.transforms.counters import energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.register_rule import MARGIN
from energy_platform_tests.transforms.histories import (
    POINT,
    PROPERTY,
    QUARTER,
    START,
    pending,
    rising,
    rows_frame,
    wild,
)

if TYPE_CHECKING:
    from datetime import datetime

LIMIT_W: Final = 2000.0

PLAIN: Final = {"first", "ok", "gap"}


def total(rows: pl.DataFrame, name: str) -> float:
    return float(rows[name].sum())


@dataclass(frozen=True)
class Meter:
    """What a meter showed, below ``LIMIT_W`` at any time, to the Wh."""

    at: list[datetime]
    value: list[int]

    def frame(self) -> pl.DataFrame:
        return rows_frame(
            [(POINT, *one) for one in zip(self.at, map(float, self.value), strict=True)]
        )

    def booked(self, limit: float | None) -> tuple[float, float, set[str]]:
        """Return the energy, what was refused, and the statuses."""
        rows = energy_deltas(self.frame(), policy=CounterPolicy(max_power_w=limit)).deltas
        return total(rows, "energy_wh"), total(rows, "refused_wh"), set(rows["status"])


@st.composite
def meters(draw: st.DrawFn, *, lowest_w: float = 0.0, longest: int = 40) -> Meter:
    """Draw a meter whose power lies between a lowest one and the limit."""
    at, value = [START], [draw(st.integers(10_000_000, 20_000_000))]
    for _ in range(draw(st.integers(8, longest))):
        step = draw(st.sampled_from([QUARTER, QUARTER, timedelta(minutes=1), timedelta(hours=7)]))
        hours = step / timedelta(hours=1)
        least, most = -floor(-lowest_w * hours), floor(LIMIT_W * hours)
        at.append(at[-1] + step)
        value.append(value[-1] + draw(st.integers(least, most)))
    return Meter(at, value)


@st.composite
def misread(draw: st.DrawFn, meter: Meter) -> Meter:
    """Read a meter worse: some of its readings, in coarser steps or with a stretch frozen.

    Not both: a coarse register that was frozen may show its next step too soon after the one that
    it had hidden. That step waits for the next reading, and no energy is lost.
    """
    kept = draw(st.lists(st.booleans(), min_size=len(meter.at), max_size=len(meter.at)))
    assume(any(kept))
    at = [one for one, is_kept in zip(meter.at, kept, strict=True) if is_kept]
    value = [one for one, is_kept in zip(meter.value, kept, strict=True) if is_kept]
    coarse = draw(st.sampled_from([1, 1, 10, 1000, 7777]))
    if coarse > 1:
        return Meter(at, [one // coarse * coarse for one in value])
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(value))] * 2)))
    value[first:last] = [value[min(first, len(value) - 1)]] * (last - first)
    return Meter(at, value)


@PROPERTY
@given(meters(), st.data())
def test_any_subset_any_coarser_step_and_any_frozen_stretch_give_last_minus_first(
    meter: Meter, data: st.DataObject
) -> None:
    read = data.draw(misread(meter))
    energy, refused, statuses = read.booked(LIMIT_W)
    assert energy == read.value[-1] - read.value[0]
    assert refused == 0
    assert statuses <= PLAIN


@PROPERTY
@given(meters(lowest_w=LIMIT_W / 2), st.data())
def test_so_they_do_with_a_learned_limit(meter: Meter, data: st.DataObject) -> None:
    read = data.draw(misread(meter))
    energy, refused, statuses = read.booked(None)
    assert energy == read.value[-1] - read.value[0]
    assert refused == 0
    assert statuses <= PLAIN


@PROPERTY
@given(meters(), st.data())
def test_what_a_frozen_register_shows_at_once_flowed_while_it_stood(
    meter: Meter, data: st.DataObject
) -> None:
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(meter.at))] * 2)))
    value = [*meter.value]
    value[first:last] = [value[min(first, len(value) - 1)]] * (last - first)
    policy = CounterPolicy(max_power_w=LIMIT_W, gap_after=timedelta(minutes=1))
    rows = energy_deltas(Meter(meter.at, value).frame(), policy=policy).deltas
    intervals = energy_intervals(rows)
    assert max(intervals["energy_wh"].to_list()) <= LIMIT_W / 4 * MARGIN + 1e-6
    assert total(intervals, "energy_wh") == value[-1] - value[0]
    covered_s = (meter.at[-1] - meter.at[0]).total_seconds()
    assert total(intervals, "covered_s") == pytest.approx(covered_s)


@PROPERTY
@given(wild(), st.sampled_from([None, 50.0, 2000.0]), st.sampled_from(["drop", "keep"]))
def test_what_is_booked_and_what_is_refused_is_all_that_the_register_showed(
    readings: pl.DataFrame, limit: float | None, glitch: str
) -> None:
    policy = CounterPolicy(max_power_w=limit, on_fall="signed", glitch=glitch)  # type: ignore[arg-type]
    result = energy_deltas(readings, policy=policy)
    good = result.state.filter(pl.col("kind") == "good")
    for point_id, last in good.select("point_id", "value_wh").iter_rows():
        rows = result.deltas.filter(pl.col("point_id") == point_id)
        shown = total(rows, "energy_wh") + total(rows, "refused_wh")
        # After nothing but zeros, what can not have been counted from zero is a first reading too.
        first = rows.filter(pl.col("status") == "first")["register_start_wh"].to_list()
        assert first[:-1] in ([], [0.0])
        assert abs(shown - (last - first[-1])) < 1e-3


@PROPERTY
@given(rising(), st.sampled_from([None, 8.0, 2000.0]))
def test_of_a_rising_register_every_count_is_booked_or_refused(
    readings: pl.DataFrame, limit: float | None
) -> None:
    result = energy_deltas(readings, policy=CounterPolicy(max_power_w=limit))
    last = result.state.filter(pl.col("kind") == "good")["value_wh"].item()
    shown = total(result.deltas, "energy_wh") + total(result.deltas, "refused_wh")
    assert shown == last - readings["value_wh"][0]
    assert pending(result.state).height <= 2


@PROPERTY
@given(meters(), st.data(), st.floats(1, LIMIT_W), st.floats(LIMIT_W, 1e9))
def test_no_limit_books_more_than_one_that_the_meter_keeps(
    meter: Meter, data: st.DataObject, lower: float, higher: float
) -> None:
    read = data.draw(misread(meter))
    assert read.booked(lower)[0] <= read.booked(higher)[0] == read.value[-1] - read.value[0]


@PROPERTY
@given(
    meters(lowest_w=LIMIT_W / 2),
    st.sampled_from([LIMIT_W, None]),
    st.integers(4, 100),
    st.one_of(st.integers(1, 9_000_000), st.integers(10**8, 10**12)),
)
def test_a_passing_spike_or_dip_adds_nothing(
    meter: Meter, limit: float | None, place: int, wrong: int
) -> None:
    place = min(place, len(meter.at) - 2)
    value = [*meter.value]
    value[place] = wrong
    without = Meter(
        meter.at[:place] + meter.at[place + 1 :], meter.value[:place] + meter.value[place + 1 :]
    )
    assert Meter(meter.at, value).booked(limit)[:2] == without.booked(limit)[:2]


@PROPERTY
@given(meters(lowest_w=LIMIT_W / 2), st.integers(1, 3))
def test_a_spike_before_a_limit_is_learned_is_taken_back(meter: Meter, place: int) -> None:
    value = [*meter.value]
    value[place] += 10**9
    energy, refused, _ = Meter(meter.at, value).booked(None)
    assert (energy, refused) == (value[-1] - value[0], 0)


@PROPERTY
@given(
    meters(),
    st.integers(1, 100),
    st.lists(st.integers(1, 9_000_000), min_size=2, max_size=2),
)
def test_two_bad_readings_add_nothing(meter: Meter, place: int, wrong: list[int]) -> None:
    place = min(place, len(meter.at) - 3)
    value = [*meter.value]
    value[place : place + 2] = wrong
    energy, refused, _ = Meter(meter.at, value).booked(LIMIT_W)
    assert (energy, refused) == (value[-1] - value[0], 0)


@PROPERTY
@given(readings=wild(), limit=st.sampled_from([None, 500.0, 8000.0]), data=st.data())
def test_accepting_moves_energy_from_refused_to_booked_and_makes_none(
    readings: pl.DataFrame, limit: float | None, data: st.DataObject
) -> None:
    plain = energy_deltas(readings, policy=CounterPolicy(max_power_w=limit))
    ends = [*plain.deltas["end_at"], *(at + timedelta(seconds=1) for at in plain.deltas["end_at"])]
    assume(ends)
    start, end = sorted(data.draw(st.tuples(st.sampled_from(ends), st.sampled_from(ends))))
    assume(start < end)
    policy = CounterPolicy(max_power_w=limit, accepted=((start, end),))
    found = energy_deltas(readings, policy=policy)
    inside = pl.col("end_at").is_between(start, end, closed="left") & (pl.col("refused_wh") != 0)
    moved = plain.deltas.with_columns(
        energy_wh=pl.when(inside)
        .then(pl.col("energy_wh") + pl.col("refused_wh"))
        .otherwise("energy_wh"),
        refused_wh=pl.when(inside & pl.col("energy_wh").is_not_null())
        .then(0.0)
        .otherwise("refused_wh"),
    )
    columns = ["point_id", "start_at", "end_at", "energy_wh", "refused_wh"]
    assert found.deltas.select(columns).equals(moved.select(columns))
    assert found.rejects.equals(plain.rejects)
