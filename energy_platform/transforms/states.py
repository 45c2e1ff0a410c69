"""The carried state of registers: all that the next load needs.

Rows of ``core_register_state`` by kind:

- ``good``: the last good reading, with the point's energy since its first reading in
  ``total_wh``, and in ``dropped`` how many readings since then never became energy;
- ``previous``: the good reading before it;
- ``unconfirmed``: a reading that is not settled yet, pending;
- ``zero``: a zero since the good reading: the newest, and those before which an unconfirmed
  reading restarted. Where there is no good reading yet, ``dropped`` of the newest counts.

``lower_at``, ``reached_at``, ``limit_w`` and ``rises`` of good and previous rows are those of a
``Level``. Reading and writing that frame belongs here, deciding anything does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from energy_platform.schemas import CORE_REGISTER_STATE
from energy_platform.transforms.counter_state import CounterState
from energy_platform.transforms.ordering import whole
from energy_platform.transforms.register_rule import DAY_US, Level, Reading, RegisterRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from energy_platform.transforms.ordering import SortedReadings

_NOT_YET: Final = np.iinfo(np.int64).min
"""Before every instant."""

UNCONFIRMED: Final = ("unconfirmed", "suspect")
"""Kinds of unsettled readings; version 0.1.0 wrote the second."""


@dataclass(slots=True)
class Unsettled:
    """What a point carries besides its good readings, in Wh."""

    unconfirmed: list[Reading] = field(default_factory=list)
    zeros: list[int] = field(default_factory=list)
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """One level per point, or per reading, as arrays in counts.

    Attributes:
        value: NaN where there is none; the other entries are then meaningless.
    """

    at: NDArray[np.int64]
    value: NDArray[np.float64]
    lower_at: NDArray[np.int64]
    reached_at: NDArray[np.int64]
    limit_w: NDArray[np.float64]
    rises: NDArray[np.int64]

    @classmethod
    def none(cls, n: int) -> Levels:
        """Return no level, some times."""
        zeros = np.zeros(n, np.int64)
        return cls(zeros, np.full(n, np.nan), zeros, zeros, np.zeros(n), zeros)

    def level(self, index: int) -> Level | None:
        """Return one of them."""
        if np.isnan(self.value[index]):
            return None
        return Level(
            int(self.at[index]),
            float(self.value[index]),
            int(self.lower_at[index]),
            int(self.reached_at[index]),
            float(self.limit_w[index]),
            int(self.rises[index]),
        )

    def copy(self) -> Levels:
        """Return a copy that can be written to."""
        return Levels(
            self.at.copy(),
            self.value.copy(),
            self.lower_at.copy(),
            self.reached_at.copy(),
            self.limit_w.copy(),
            self.rises.copy(),
        )

    def put(self, index: int, level: Level | None) -> None:
        """Set one of them."""
        if level is None:
            self.value[index] = np.nan
            return
        (
            self.at[index],
            self.value[index],
            self.lower_at[index],
            self.reached_at[index],
            self.limit_w[index],
            self.rises[index],
        ) = level


@dataclass(frozen=True, slots=True)
class Carried:
    """The state of a load's points, aligned with them, in counts.

    Attributes:
        good: The last good level of each point.
        previous: The one before.
        total: Energy since the first reading.
        unsettled: Indices of the points that carry anything else.
    """

    good: Levels
    previous: Levels
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
            nothing = Levels.none(n)
            return Carried(nothing, nothing, np.zeros(n), np.empty(0, np.int64))
        keys = points.to_frame("point_id")
        scaled = bool((counts_per_wh != 1).any())

        def in_counts(frame: pl.DataFrame, name: str, *, fill: float) -> NDArray[np.float64]:
            values = frame.get_column(name).fill_null(fill).to_numpy()
            return whole(values * counts_per_wh) if scaled else values

        def of(kind: str) -> tuple[pl.DataFrame, Levels]:
            rows = (
                self.frame.filter(pl.col("kind") == kind)
                .drop("kind", "dropped")
                .with_columns(pl.col("at", "lower_at", "reached_at").to_physical())
            )
            found = keys.join(rows, on="point_id", how="left", maintain_order="left")
            at = found.get_column("at").fill_null(0)
            levels = Levels(
                at=at.to_numpy(),
                value=in_counts(found, "value_wh", fill=np.nan),
                lower_at=found.get_column("lower_at").fill_null(at - DAY_US).to_numpy(),
                reached_at=found.get_column("reached_at").fill_null(at).to_numpy(),
                limit_w=found.get_column("limit_w").fill_null(0.0).to_numpy(),
                rises=found.get_column("rises").fill_null(0).to_numpy(),
            )
            return found, levels

        rows, good = of("good")
        _, previous = of("previous")
        ids = list(self.unsettled)
        unsettled = np.flatnonzero(points.is_in(ids).to_numpy()) if ids else np.empty(0, np.int64)
        return Carried(
            good=good,
            previous=previous,
            total=in_counts(rows, "total_wh", fill=0.0),
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
    is_rest = pl.col("kind").is_in([*UNCONFIRMED, "zero"]) | (pl.col("dropped") > 0)
    rest = (
        state.filter(is_rest)
        .sort("point_id", "at")
        .select("point_id", pl.col("at").to_physical(), "value_wh", "kind", "dropped", "total_wh")
    )
    unsettled: dict[str, Unsettled] = {}
    for point_id, at, value, kind, dropped, total in rest.iter_rows():
        own = unsettled.setdefault(point_id, Unsettled())
        own.dropped += dropped or 0
        if kind in UNCONFIRMED:
            own.unconfirmed.append(Reading(at, value))
        elif kind == "zero":
            own.zeros.append(at)
            # Version 0.1.0 kept the number of dropped readings in the total of the zero.
            own.dropped += int(total or 0)
    return States(state, unsettled)


def carried_register(
    states: States,
    *,
    point_id: str,
    index: int,
    carried: Carried,
    rule: RegisterRule,
    scale: float,
) -> CounterState:
    """Return a point's register as the load before left it."""

    def counts(value: float) -> float:
        return value if scale == 1 else float(whole(np.array(value * scale)))

    own = states.unsettled.get(point_id, Unsettled())
    return CounterState(
        rule=rule,
        previous=carried.previous.level(index),
        good=carried.good.level(index),
        unconfirmed=[Reading(one.at, counts(one.value)) for one in own.unconfirmed],
        zeros=list(own.zeros),
        dropped=own.dropped,
    )


def next_state(
    states: States,
    *,
    load: SortedReadings,
    good: Levels,
    previous: Levels | None,
    registers: Mapping[int, CounterState],
    totals: NDArray[np.float64],
) -> pl.DataFrame:
    """Return the state after a load, sorted by point and instant.

    Args:
        states: The state before.
        load: The readings folded in.
        good: The last good level of each of the load's points.
        previous: The one before; None where the method does not need it.
        registers: By index, the points that carry more than that.
        totals: Energy of each of the load's points since its first reading, in counts.
    """
    dropped = np.zeros(load.count.size, np.int64)
    extra: list[tuple[str, int, float, str, int | None]] = []
    for index, register in registers.items():
        scale = float(load.counts_per_wh[index])
        point_id: str = load.points[index]
        dropped[index] = register.dropped
        last = register.dropped if register.good is None else None
        extra += [
            (point_id, x.at, x.value / scale, "unconfirmed", None) for x in register.unconfirmed
        ]
        extra += [(point_id, at, 0.0, "zero", None) for at in register.zeros[:-1]]
        extra += [(point_id, at, 0.0, "zero", last) for at in register.zeros[-1:]]
    schema = {
        "point_id": pl.String(),
        "at": pl.Int64(),
        "value_wh": pl.Float64(),
        "kind": pl.String(),
        "dropped": pl.Int64(),
    }
    rows = [
        _rows(load, good, kind="good", total=totals, dropped=dropped),
        pl.DataFrame(extra, schema=schema, orient="row").with_columns(
            pl.col("at").cast(CORE_REGISTER_STATE.schema["at"])
        ),
    ]
    if previous is not None:
        rows.append(_rows(load, previous, kind="previous", total=None, dropped=None))
    untouched = states.frame
    if untouched.height:
        untouched = untouched.join(load.points.to_frame("point_id"), on="point_id", how="anti")
    return (
        pl.concat([untouched, *rows], how="diagonal")
        .select(CORE_REGISTER_STATE.schema.names())
        .sort("point_id", "at")
    )


def _rows(
    load: SortedReadings,
    levels: Levels,
    *,
    kind: str,
    total: NDArray[np.float64] | None,
    dropped: NDArray[np.int64] | None,
) -> pl.DataFrame:
    scale = load.counts_per_wh
    n = levels.at.size
    instant = CORE_REGISTER_STATE.schema["at"]
    learned = pl.Series(levels.rises > 0)
    return (
        pl.DataFrame(
            {
                "point_id": load.points,
                "at": pl.Series(levels.at).cast(instant),
                "value_wh": levels.value / scale,
                "kind": pl.repeat(kind, n, eager=True, dtype=pl.String()),
                "total_wh": pl.repeat(None, n, eager=True, dtype=pl.Float64())
                if total is None
                else pl.Series(total / scale).fill_nan(None),
                "lower_at": pl.Series(levels.lower_at).cast(instant),
                "reached_at": pl.Series(levels.reached_at).cast(instant),
                "limit_w": pl.Series(levels.limit_w),
                "rises": pl.Series(levels.rises),
                "dropped": pl.repeat(None, n, eager=True, dtype=pl.Int64())
                if dropped is None
                else pl.Series(dropped),
            }
        )
        .with_columns(
            pl.when(learned).then("limit_w").alias("limit_w"),
            pl.when(learned).then("rises").alias("rises"),
            pl.when(pl.col("dropped") > 0).then("dropped").alias("dropped"),
        )
        .filter(pl.col("value_wh").is_not_nan())
    )
