"""However the days came, the lake ends the same, byte for byte.

``ENERGY_PLATFORM_HISTORIES`` says how many random histories each law is tried on.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from energy_platform.refresh import refresh, stale
from energy_platform.schemas import CORE_TABLES
from energy_platform.storage.lake import Lake
from energy_platform_tests.refresh.world import (
    BATTERY,
    DAYS,
    METER,
    SOLAR,
    STEP,
    VALVE,
    core_bytes,
    fresh_lake,
    land,
    portfolio,
    rewritten,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform_tests.refresh.world import Sample

HISTORIES: Final = int(os.environ.get("ENERGY_PLATFORM_HISTORIES", "8"))

FEW_DAYS: Final = DAYS[:4]

MINUTES: Final = (0, 300, 840, 1_435)
"""Samples a day may have, near both its ends and between."""

PORTFOLIO: Final = portfolio()

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


@st.composite
def worlds(draw: st.DrawFn) -> list[Sample]:
    """Draw samples of some days: registers that behave, and registers that do not."""
    samples: list[Sample] = []
    levels = {METER: 50_000.0, VALVE: 9_000_000.0, SOLAR: 1_024.0}
    for day in FEW_DAYS:
        for minute in MINUTES:
            for point_id, steps in STEPS.items():
                if draw(st.integers(0, 5)) == 0:
                    continue
                step = draw(st.sampled_from(steps))
                is_spike = step > 1_000_000
                value = levels[point_id] + step
                if draw(st.integers(0, 11)) == 0:
                    value = 0.0
                elif not is_spike:
                    levels[point_id] = max(value, 1.0)
                samples.append((point_id, day, minute, max(value, 0.0)))
            if draw(st.booleans()):
                power = draw(st.sampled_from((0.0, 1.5, -2.25)))
                samples.append((BATTERY, day, minute, power))
                samples.append((STEP, day, minute, abs(power) * 8))
    return samples


def of_day(samples: list[Sample], day: str) -> list[Sample]:
    return [sample for sample in samples if sample[1] == day]


@histories
@given(data=st.data(), samples=worlds())
def test_any_order_of_loading_late_partly_or_twice_ends_in_the_same_lake(
    data: st.DataObject, samples: list[Sample]
) -> None:
    with TemporaryDirectory() as folder:
        expected = core_bytes(fresh_lake(Lake(Path(folder) / "straight"), samples, of=PORTFOLIO))
        lake = Lake(Path(folder) / "winding")
        for day in data.draw(st.lists(st.sampled_from(FEW_DAYS), max_size=4), label="early"):
            own = of_day(samples, day)
            kept = data.draw(
                st.lists(st.booleans(), min_size=len(own), max_size=len(own)), label="kept"
            )
            land(lake, [sample for sample, keep in zip(own, kept, strict=True) if keep])
            if data.draw(st.booleans(), label="refresh between"):
                refresh(lake, portfolio=PORTFOLIO)
        for day in data.draw(st.permutations(FEW_DAYS), label="order"):
            land(lake, of_day(samples, day))
            if data.draw(st.booleans(), label="refresh after"):
                refresh(lake, portfolio=PORTFOLIO)
        refresh(lake, portfolio=PORTFOLIO)
        assert stale(lake, PORTFOLIO) == ()
        assert core_bytes(lake) == expected


@histories
@given(samples=worlds())
def test_loading_in_order_writes_only_its_own_day(samples: list[Sample]) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        for day in FEW_DAYS:
            own = of_day(samples, day)
            if own:
                land(lake, own)
                assert rewritten(refresh(lake, portfolio=PORTFOLIO)) == {day: EVERY_TABLE}


@histories
@given(data=st.data(), samples=worlds())
def test_a_walk_touches_no_day_before_the_first_that_changed(
    data: st.DataObject, samples: list[Sample]
) -> None:
    assume(samples)
    late = data.draw(st.sampled_from(samples), label="late")
    with TemporaryDirectory() as folder:
        lake = fresh_lake(
            Lake(Path(folder) / "lake"), [s for s in samples if s != late], of=PORTFOLIO
        )
        before = core_bytes(lake)
        land(lake, [late])
        done = refresh(lake, portfolio=PORTFOLIO)
        days = [found.day for found in done.days]
        assert days[:1] == [late[1]]
        after = core_bytes(lake)
        touched = {key[1] for key in after if after[key] != before.get(key)}
        assert touched == set(days)
