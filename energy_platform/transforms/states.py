"""The carried state of registers: all that the next load needs.

Rows of ``core_register_state`` by kind:

- ``good``: the last good reading, with the point's energy since its first reading in
  ``total_wh``;
- ``previous``: the good reading before it;
- ``suspect``: a reading that is not settled yet, pending;
- ``zero``: readings skipped since the good one, zeros above all. ``at`` is the newest of them,
  ``total_wh`` their **number** (a zero has no energy), which ``dropped`` of the next step needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.schemas import CORE_REGISTER_STATE
from energy_platform.transforms.ordering import whole
from energy_platform.transforms.settle import Reading, Register, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from energy_platform.transforms.ordering import Ordered

_NOT_YET: Final = np.iinfo(np.int64).min
"""Before every instant."""


class Unsettled(NamedTuple):
    """What a point carries beside its good readings, in Wh."""

    suspects: tuple[Reading, ...]
    skipped: int
    skipped_at: int | None


@dataclass(frozen=True, slots=True)
class Carried:
    """The state of a load's points, aligned with them, in counts.

    Attributes:
        good: NaN where there is none yet; ``good_at`` is then meaningless.
        previous: NaN where there is none.
        total: Energy since the first reading.
        unsettled: Indices of the points that carry suspects or skipped readings.
    """

    good_at: NDArray[np.int64]
    good: NDArray[np.float64]
    previous_at: NDArray[np.int64]
    previous: NDArray[np.float64]
    total: NDArray[np.float64]
    unsettled: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class States:
    """The state a load starts from.

    Attributes:
        frame: Rows of ``core_register_state``.
        unsettled: By point, what is neither good nor previous.
    """

    frame: pl.DataFrame
    unsettled: Mapping[str, Unsettled]

    def seen_until(self, points: pl.Series) -> NDArray[np.int64]:
        """Return the newest instant already folded in, per point; the dawn of time for none."""
        if not self.frame.height:
            return np.full(points.len(), _NOT_YET)
        newest = self.frame.group_by("point_id").agg(pl.col("at").to_physical().max())
        return (
            points.to_frame("point_id")
            .join(newest, on="point_id", how="left", maintain_order="left")
            .get_column("at")
            .fill_null(int(_NOT_YET))
            .to_numpy()
        )

    def aligned(self, points: pl.Series, counts_per_wh: NDArray[np.float64]) -> Carried:
        """Return the state of some points as arrays in counts."""
        n = points.len()
        if not self.frame.height:
            nothing = np.full(n, np.nan)
            zeros = np.zeros(n, np.int64)
            return Carried(zeros, nothing, zeros, nothing, np.zeros(n), np.empty(0, np.int64))
        keys = points.to_frame("point_id")
        scaled = bool((counts_per_wh != 1).any())

        def column(frame: pl.DataFrame, name: str, *, fill: float) -> NDArray[np.float64]:
            values = frame.get_column(name).fill_null(fill).to_numpy()
            return whole(values * counts_per_wh) if scaled else values

        def of(kind: str) -> pl.DataFrame:
            rows = self.frame.filter(pl.col("kind") == kind).select(
                "point_id", pl.col("at").to_physical(), "value_wh", "total_wh"
            )
            return keys.join(rows, on="point_id", how="left", maintain_order="left")

        good, previous = of("good"), of("previous")
        ids = set(self.unsettled)
        unsettled = (
            np.flatnonzero(points.is_in(list(ids)).to_numpy()) if ids else np.empty(0, np.int64)
        )
        return Carried(
            good_at=good.get_column("at").fill_null(0).to_numpy(),
            good=column(good, "value_wh", fill=np.nan),
            previous_at=previous.get_column("at").fill_null(0).to_numpy(),
            previous=column(previous, "value_wh", fill=np.nan),
            total=column(good, "total_wh", fill=0.0),
            unsettled=unsettled,
        )


def read_states(state: pl.DataFrame | None) -> States:
    """Check and read a state frame.

    Raises:
        ValueError: The frame is not one of ``core_register_state``.
    """
    if state is None:
        return States(CORE_REGISTER_STATE.empty(), {})
    if state.schema != CORE_REGISTER_STATE.schema:
        raise ValueError(
            f"state must have the columns of core_register_state, has {dict(state.schema)}"
        )
    rest = state.filter(pl.col("kind").is_in(["suspect", "zero"])).sort("point_id", "at")
    unsettled: dict[str, Unsettled] = {}
    for point_id, at, value, kind, total in rest.with_columns(
        pl.col("at").to_physical()
    ).iter_rows():
        own = unsettled.get(point_id, Unsettled((), 0, None))
        unsettled[point_id] = (
            own._replace(suspects=(*own.suspects, Reading(at, value)))
            if kind == "suspect"
            else own._replace(skipped=int(total), skipped_at=at)
        )
    return States(state, unsettled)


def carried_register(
    states: States, *, point_id: str, index: int, carried: Carried, rule: Rule, scale: float
) -> Register:
    """Return a point's register as the load before left it."""

    def counts(value: float) -> float:
        return value if scale == 1 else float(whole(np.array(value * scale)))

    def reading(at: np.int64, value: np.float64) -> Reading | None:
        return None if np.isnan(value) else Reading(int(at), float(value))

    own = states.unsettled.get(point_id, Unsettled((), 0, None))
    return Register(
        rule=rule,
        previous=reading(carried.previous_at[index], carried.previous[index]),
        good=reading(carried.good_at[index], carried.good[index]),
        suspects=[Reading(s.at, counts(s.value)) for s in own.suspects],
        skipped=own.skipped,
        skipped_at=own.skipped_at,
    )


def next_state(
    states: States,
    *,
    load: Ordered,
    carried: Carried,
    registers: Mapping[int, Register],
    totals: NDArray[np.float64],
) -> pl.DataFrame:
    """Return the state after a load, sorted by point and instant.

    Args:
        states: The state before.
        load: The readings folded in.
        carried: The state before, aligned with the load's points.
        registers: By index, the points whose last reading was folded one by one; all others end
            with a plain step.
        totals: Energy of each of the load's points since its first reading, in counts.
    """
    n = load.count.size
    last = load.first + load.count - 1
    good_at, good = load.at[last], load.counts[last]
    previous_at, previous = carried.good_at.copy(), carried.good.copy()
    longer = np.flatnonzero(load.count > 1)
    previous_at[longer], previous[longer] = load.at[last[longer] - 1], load.counts[last[longer] - 1]
    total = totals.copy()
    extra: list[tuple[str, int, float, str, float | None]] = []
    for index, register in registers.items():
        scale = float(load.counts_per_wh[index])
        point_id: str = load.points[index]
        pairs = ((previous_at, previous, register.previous), (good_at, good, register.good))
        for at, value, reading in pairs:
            value[index] = np.nan if reading is None else reading.value
            at[index] = 0 if reading is None else reading.at
        extra += [(point_id, s.at, s.value / scale, "suspect", None) for s in register.suspects]
        if register.skipped_at is not None:
            extra.append((point_id, register.skipped_at, 0.0, "zero", float(register.skipped)))
    columns = ("point_id", "at", "value_wh", "kind", "total_wh")
    no_total = np.full(n, np.nan)
    rows = [
        _rows(load, at=previous_at, counts=previous, kind="previous", total=no_total),
        _rows(load, at=good_at, counts=good, kind="good", total=total),
    ]
    schema = {"point_id": pl.String, "at": pl.Int64, "value_wh": pl.Float64, "kind": pl.String}
    rows.append(
        pl.DataFrame(extra, schema={**schema, "total_wh": pl.Float64}, orient="row").with_columns(
            pl.col("at").cast(CORE_REGISTER_STATE.schema["at"])
        )
    )
    untouched = states.frame
    if untouched.height:
        untouched = untouched.join(load.points.to_frame("point_id"), on="point_id", how="anti")
    return pl.concat([untouched, *(frame.select(columns) for frame in rows)]).sort("point_id", "at")


def _rows(
    load: Ordered,
    *,
    at: NDArray[np.int64],
    counts: NDArray[np.float64],
    kind: str,
    total: NDArray[np.float64],
) -> pl.DataFrame:
    scale = load.counts_per_wh
    return pl.DataFrame(
        {
            "point_id": load.points,
            "at": pl.Series(at).cast(CORE_REGISTER_STATE.schema["at"]),
            "value_wh": counts / scale,
            "kind": pl.repeat(kind, counts.size, eager=True, dtype=pl.String()),
            "total_wh": pl.Series(total / scale).fill_nan(None),
        }
    ).filter(pl.col("value_wh").is_not_nan())
