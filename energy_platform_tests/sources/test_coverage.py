"""When a series of a window counts as whole, and that no cut goes unseen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_platform.sources.coverage import (
    Before,
    SeriesBefore,
    is_known_silent,
    longest_usual_step,
    unproven_spans,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=1)
SECOND = timedelta(seconds=1)


def spans(
    stamps: Sequence[datetime], *, cadence: timedelta | None = None
) -> list[tuple[datetime, datetime]]:
    return unproven_spans(
        pl.Series(stamps, dtype=pl.Datetime("us", "UTC")), start=START, end=END, cadence=cadence
    )


def regular(*, step: timedelta, phase: timedelta) -> list[datetime]:
    return [START + phase + n * step for n in range((END - START - phase) // step + 1)][
        : -1 if (END - START - phase) % step == timedelta() else None
    ]


@st.composite
def whole_series(draw: st.DrawFn, *, jitter: bool = False) -> list[datetime]:
    """Points at a steady pace, their first one anywhere within a step of the start."""
    step = draw(st.integers(60, 7 * 3600).map(lambda s: s * SECOND))
    phase = draw(st.integers(0, step // SECOND - 1).map(lambda s: s * SECOND))
    points = regular(step=step, phase=phase)
    if jitter:
        wobble = draw(
            st.lists(st.integers(0, 20), min_size=8, max_size=8).map(
                lambda many: [n / 100 * step for n in many]
            )
        )
        points = [at + wobble[n % 8] for n, at in enumerate(points)]
        points = [at for at in points if at < END]
    return points


@given(points=whole_series())
def test_a_whole_regular_series_is_proven(points: list[datetime]) -> None:
    if len(points) >= 3:
        assert spans(points) == []


@given(points=whole_series(), data=st.data())
def test_a_regular_series_cut_anywhere_by_any_number_is_not_proven(
    points: list[datetime], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(points) - 1), label="first missing")
    beyond = data.draw(st.integers(first + 1, len(points)), label="first there again")
    kept, missing = points[:first] + points[beyond:], points[first:beyond]

    found = spans(kept)

    # Each missing point lies in a span, so that asking for the spans brings it back.
    assert all(any(a <= at < b for a, b in found) for at in missing)


@given(points=whole_series(jitter=True), data=st.data())
def test_two_points_missing_in_a_row_show_despite_jitter(
    points: list[datetime], data: st.DataObject
) -> None:
    if len(points) < 12:
        return
    first = data.draw(st.integers(0, len(points) - 2), label="first missing")
    beyond = data.draw(st.integers(first + 2, len(points)), label="first there again")

    assert spans(points[:first] + points[beyond:])


@pytest.mark.parametrize("kept", [1, 2, 100, 500, 999, 1000, 1024, 1440, 2500, 2879])
@pytest.mark.parametrize("end", ["newest", "oldest"])
def test_a_history_cut_at_any_number_leaves_exactly_the_cut_unproven(kept: int, end: str) -> None:
    points = regular(step=30 * SECOND, phase=5 * SECOND)
    left = points[:kept] if end == "newest" else points[-kept:]

    found = spans(left)

    assert (left[-1], END) in found if end == "newest" else (START, left[0]) in found
    assert len(found) == 1 or kept < 3


def test_a_series_sent_on_change_is_judged_by_its_own_long_steps() -> None:
    rng = np.random.default_rng(7)
    steps = rng.exponential(600, size=1000)
    stamps = [START + float(s) * SECOND for s in np.cumsum(steps)]
    day = [at for at in stamps if at < END]

    assert spans(day) == []
    assert spans(day[: len(day) // 2])
    assert spans([at for at in day if not 6 <= at.hour < 12])


def test_few_points_prove_nothing_unless_the_day_before_was_as_quiet() -> None:
    noon = START + timedelta(hours=12)

    assert spans([]) == [(START, END)]
    assert spans([noon]) == [(START, noon), (noon, END)]
    assert spans([noon], cadence=timedelta(hours=12)) == []
    assert spans([noon], cadence=timedelta(hours=11)) == [(START, noon), (noon, END)]


@pytest.mark.parametrize("kept", [3, 4, 6, 20])
def test_holes_at_the_same_place_of_many_portions_are_found(kept: int) -> None:
    points = [
        at for n, at in enumerate(regular(step=60 * SECOND, phase=timedelta())) if n % (kept + 1)
    ]

    found = spans(points)

    assert len(found) == 1440 // (kept + 1) + (1440 % (kept + 1) > 0)


def test_a_quiet_day_before_excuses_no_hole_in_a_regular_series() -> None:
    points = regular(step=300 * SECOND, phase=timedelta())

    assert spans(points[:100], cadence=timedelta(hours=20)) == [(points[99], END)]


def test_repeated_and_foreign_points_count_for_nothing() -> None:
    points = regular(step=300 * SECOND, phase=timedelta())
    foreign = [START - timedelta(hours=1), END + timedelta(hours=1)]

    assert spans(sorted([*points, *points[50:80], *foreign])) == []
    assert spans(sorted([*points[:80], *foreign])) == [(points[79], END)]


def test_an_empty_window_needs_no_proof() -> None:
    assert unproven_spans(pl.Series([], dtype=pl.Datetime("us", "UTC")), start=END, end=END) == []


def test_a_series_is_known_to_be_silent_when_the_day_before_had_none_of_it() -> None:
    spoke: Before = {("a", "1"): SeriesBefore(rows=3, step=SECOND, silence=SECOND)}

    assert is_known_silent(("a", "2"), spoke)
    assert not is_known_silent(("a", "1"), spoke)
    assert not is_known_silent(("a", "2"), None)


def test_the_longest_usual_step_leaves_pauses_out() -> None:
    points = regular(step=300 * SECOND, phase=timedelta())

    stamps = pl.Series(points[:100] + points[200:], dtype=pl.Datetime("us", "UTC"))

    assert longest_usual_step(stamps) == 300 * SECOND
    assert longest_usual_step(stamps[:2]) is None
