"""However the days came, the lake ends the same, byte for byte.

``ENERGY_PLATFORM_HISTORIES`` says how many random histories each property is tried on. Most of them
are of one device and three days, which is all that the order of loading can show of a rule; a few
are of all vendors and methods at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from energy_platform.lake.lake import Lake
from energy_platform.refresh import refresh, stale
from energy_platform.schemas import CORE_TABLES
from energy_platform_tests.refresh.world import (
    BATTERY,
    DAYS,
    METER,
    PORTFOLIO,
    SOLAR,
    STEP,
    VALVE,
    core_bytes,
    fresh_lake,
    land,
    only,
    portfolio,
    rewritten,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.portfolio import Portfolio
    from energy_platform_tests.refresh.world import Sample

HISTORIES: Final = int(os.environ.get("ENERGY_PLATFORM_HISTORIES", "16"))

FEW_DAYS: Final = DAYS[:3]

MINUTES: Final = (0, 300, 840, 1_435)
"""Samples a day may have, near both its ends and between."""

PORTFOLIOS: Final[dict[tuple[str, ...], Portfolio]] = {
    points: portfolio(text)
    for points, text in (
        ((METER,), only(PORTFOLIO, "M1")),
        ((VALVE,), only(PORTFOLIO, "V1")),
        ((METER, VALVE, SOLAR, BATTERY, STEP), PORTFOLIO),
    )
}
"""By the points that a history is about."""

ONE_DEVICE: Final = ((METER,), (METER,), (METER,), (VALVE,), (VALVE,))
"""What most histories are of."""

EVERY_POINT: Final = (METER, VALVE, SOLAR, BATTERY, STEP)

EVERY_TABLE: Final = {table.name for table in CORE_TABLES}

histories = settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

STEPS: Final[dict[str, Sequence[float]]] = {
    METER: (0.0, 40.0, 40.0, 7_000.0, 900_000_000.0, -3.0, -2_000.0),
    VALVE: (0.0, 3_600.0, 250_000.0, 250_000.0, -9_000_000.0),
    SOLAR: (0.0, 0.125, 0.7, 3.1, -1_000.0),
}
"""What may happen between two samples of a register: rests, rises, spikes, dips, resets."""


class History(NamedTuple):
    """Samples of some days, and the portfolio of their points."""

    samples: list[Sample]
    portfolio: Portfolio


@st.composite
def worlds(draw: st.DrawFn) -> History:
    """Draw samples of some days: registers that behave, and registers that do not."""
    points = draw(st.sampled_from((*ONE_DEVICE, EVERY_POINT)))
    samples: list[Sample] = []
    levels = {METER: 50_000.0, VALVE: 9_000_000.0, SOLAR: 1_024.0}
    for day in FEW_DAYS:
        for minute in MINUTES:
            for point_id, steps in STEPS.items():
                if point_id not in points or draw(st.integers(0, 5)) == 0:
                    continue
                step = draw(st.sampled_from(steps))
                is_spike = step > 1_000_000
                value = levels[point_id] + step
                if draw(st.integers(0, 11)) == 0:
                    value = 0.0
                elif not is_spike:
                    levels[point_id] = max(value, 1.0)
                samples.append((point_id, day, minute, max(value, 0.0)))
            if BATTERY in points and draw(st.booleans()):
                power = draw(st.sampled_from((0.0, 1.5, -2.25)))
                samples.append((BATTERY, day, minute, power))
                samples.append((STEP, day, minute, abs(power) * 8))
    return History(samples, PORTFOLIOS[points])


def of_day(samples: list[Sample], day: str) -> list[Sample]:
    return [sample for sample in samples if sample[1] == day]


@histories
@given(data=st.data(), history=worlds())
def test_any_order_of_loading_late_partly_or_twice_ends_in_the_same_lake(
    data: st.DataObject, history: History
) -> None:
    samples, known = history
    with TemporaryDirectory() as folder:
        expected = core_bytes(fresh_lake(Lake(Path(folder) / "straight"), samples, of=known))
        lake = Lake(Path(folder) / "winding")
        for day in data.draw(st.lists(st.sampled_from(FEW_DAYS), max_size=3), label="early"):
            own = of_day(samples, day)
            kept = data.draw(
                st.lists(st.booleans(), min_size=len(own), max_size=len(own)), label="kept"
            )
            land(lake, [sample for sample, keep in zip(own, kept, strict=True) if keep])
            if data.draw(st.booleans(), label="refresh between"):
                refresh(lake, portfolio=known)
        for day in data.draw(st.permutations(FEW_DAYS), label="order"):
            land(lake, of_day(samples, day))
            if data.draw(st.booleans(), label="refresh after"):
                refresh(lake, portfolio=known)
        refresh(lake, portfolio=known)
        assert stale(lake, known) == ()
        assert core_bytes(lake) == expected


@histories
@given(history=worlds())
def test_loading_in_order_writes_only_its_own_day(history: History) -> None:
    samples, known = history
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        for day in FEW_DAYS:
            own = of_day(samples, day)
            if own:
                land(lake, own)
                assert rewritten(refresh(lake, portfolio=known)) == {day: EVERY_TABLE}


@histories
@given(data=st.data(), history=worlds())
def test_a_refresh_touches_no_day_before_the_first_that_changed(
    data: st.DataObject, history: History
) -> None:
    samples, known = history
    assume(samples)
    late = data.draw(st.sampled_from(samples), label="late")
    with TemporaryDirectory() as folder:
        lake = fresh_lake(Lake(Path(folder) / "lake"), [s for s in samples if s != late], of=known)
        before = core_bytes(lake)
        land(lake, [late])
        done = refresh(lake, portfolio=known)
        days = [found.day for found in done.days]
        assert days[:1] == [late[1]]
        after = core_bytes(lake)
        touched = {key[1] for key in after if after[key] != before.get(key)}
        assert touched == set(days)
