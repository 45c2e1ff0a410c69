"""Histories of registers for the tests: written out by hand, or drawn by hypothesis."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from energy_platform.schemas import INSTANT
from energy_platform.transforms.counters import EnergyDeltas, energy_deltas
from energy_platform.transforms.policy import CounterPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER: Final = timedelta(minutes=15)
POINT: Final = "socomec/1/Global|0|1"

PROPERTY: Final = settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "60")),
    deadline=None,
    derandomize="PROPERTY_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""How often a property is tried; PROPERTY_EXAMPLES asks for more, drawn again each time."""

SLOW_PROPERTY: Final = settings(
    PROPERTY, max_examples=PROPERTY.max_examples if "PROPERTY_EXAMPLES" in os.environ else 15
)
"""For properties with many loads per example."""


def pending(state: pl.DataFrame) -> pl.DataFrame:
    """The readings that nothing has settled yet."""
    return state.filter(pl.col("kind") == "unconfirmed")


def frame(
    values: Sequence[float | None],
    *,
    start: datetime = START,
    every: timedelta = QUARTER,
    point_id: str = POINT,
) -> pl.DataFrame:
    """Return readings at a steady pace; None leaves an instant out."""
    rows = [(point_id, start + n * every, v) for n, v in enumerate(values) if v is not None]
    return rows_frame(rows)


def rows_frame(rows: Sequence[tuple[str, datetime, float]]) -> pl.DataFrame:
    schema = {"point_id": pl.String(), "at": INSTANT, "value_wh": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def chained(
    parts: Sequence[pl.DataFrame], *, policy: CounterPolicy | Mapping[str, CounterPolicy]
) -> EnergyDeltas:
    """Load parts one after the other and return all rows and the last state."""
    state: pl.DataFrame | None = None
    deltas, rejects = [], []
    for part in parts:
        result = energy_deltas(part, state=state, policy=policy)
        state = result.state
        deltas.append(result.deltas)
        rejects.append(result.rejects)
    assert state is not None
    return EnergyDeltas(
        deltas=pl.concat(deltas).sort("point_id", "end_at"),
        state=state,
        rejects=pl.concat(rejects).sort("point_id", "at"),
    )


POLICIES: Final = st.builds(
    CounterPolicy,
    on_fall=st.sampled_from(
        ["count_after", "zero", "null", "signed", "count_after_minus_base", "zero_is_missing"]
    ),
    reset_base_wh=st.sampled_from([0.0, 10.0]),
    dip_ratio=st.sampled_from([0.9, None]),
    glitch=st.sampled_from(["drop", "drop", "drop", "keep"]),
    confirm=st.sampled_from([1, 2, 3, 3, 4]),
    register_modulus_wh=st.sampled_from([None, None, 100_000.0]),
    max_power_w=st.sampled_from([None, 2000.0]),
    resolution_wh=st.sampled_from([0.0, 1000.0]),
    gap_after=st.sampled_from([timedelta(hours=2), None]),
    reset_markers=st.sampled_from(
        [
            (),
            (START + timedelta(hours=3),),
            ((START + timedelta(hours=2), 5000.0, 3.0),),
            (
                (START + timedelta(hours=2), 5000.0, 0.0),
                START + timedelta(hours=2, minutes=20),
                (START + timedelta(hours=5), 60.0, 7.0),
            ),
        ]
    ),
)
"""Every setting of the settle rule, in combination."""

WILD_VALUES: Final = st.one_of(
    st.integers(0, 300).map(float),
    st.integers(4000, 6000).map(float),
    st.sampled_from([0.0, 0.0, 1.0, 5.0, 5.001, 99_990.0, 65_536.0 * 5000, 3600.0, 18e6, -3.0]),
    st.floats(0, 1e6, allow_nan=False).map(lambda value: round(value, 3)),
)
"""Readings without any sense; the properties hold all the same."""


@st.composite
def wild(draw: st.DrawFn, *, points: int = 2, longest: int = 25) -> pl.DataFrame:
    """Draw readings of some points: mostly rising, with every disturbance in between."""
    rows: list[tuple[str, datetime, float]] = []
    for index in range(draw(st.integers(1, points))):
        at, level = START, draw(st.one_of(st.integers(1, 6000).map(float), WILD_VALUES))
        for _ in range(draw(st.integers(1, longest))):
            at += draw(
                st.sampled_from([QUARTER, QUARTER, timedelta(seconds=10), timedelta(hours=5)])
            )
            kind = draw(st.integers(0, 9))
            value = draw(WILD_VALUES) if kind < 3 else level + draw(st.integers(-20, 200))
            if kind >= 2:
                level = value
            rows.append((f"p{index}", at, value))
    return rows_frame(rows)


@st.composite
def standing(draw: st.DrawFn) -> pl.DataFrame:
    """Draw registers that mostly stand still and then show much at once, some readings wrong."""
    rows: list[tuple[str, datetime, float]] = []
    for index in range(draw(st.integers(1, 2))):
        at, level = START, float(draw(st.integers(0, 10_000)))
        for _ in range(draw(st.integers(1, 40))):
            at += draw(st.sampled_from([QUARTER, timedelta(minutes=1), timedelta(hours=1)]))
            kind = draw(st.integers(0, 19))
            if kind == 0:
                rows.append((f"p{index}", at, draw(WILD_VALUES)))
                continue
            level += draw(st.integers(0, 20_000)) if kind < 5 else 0
            rows.append((f"p{index}", at, level))
    return rows_frame(rows)


@st.composite
def rising(draw: st.DrawFn) -> pl.DataFrame:
    """Draw one register that never falls, starting above zero."""
    level = draw(st.integers(1, 2**40))
    rows, at = [], START
    for _ in range(draw(st.integers(2, 30))):
        rows.append((POINT, at, float(level)))
        at += draw(st.sampled_from([QUARTER, timedelta(seconds=7), timedelta(days=2)]))
        level += draw(st.one_of(st.integers(0, 50), st.integers(0, 2**40)))
    return rows_frame(rows)
