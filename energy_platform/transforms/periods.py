"""Energy of points without a register: increments per period, and integrated power.

Both carry the last reading over midnight in ``core_register_state``, so that no period is lost
between two loads: kind ``good``, ``value_wh`` the last increment in Wh or the last power in W.
Registers are in ``counters``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.days import MICROSECOND
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    INSTANT,
)
from energy_platform.transforms.counters import DEFAULT_POLICY, EnergyDeltas, running_totals
from energy_platform.transforms.ordering import SortedReadings, sort_readings
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.register_rule import NEVER_US
from energy_platform.transforms.states import Carried, Levels, States, next_state, read_states

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from energy_platform.schemas import Method

_US_PER_HOUR: Final = 3.6e9
"""Watts times microseconds, divided by this, are watt-hours."""

SAME_PERIOD: Final = "same_period"
"""Reason of increments that are a second answer for the period of the one before."""

JITTER: Final = 1.5
"""A period this much longer than expected is still one period; beyond, some are missing: with one
missing the distance is at least twice the period, so the middle tells them apart."""


def power_deltas(
    readings: pl.DataFrame,
    *,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
) -> EnergyDeltas:
    """Integrate power over time by the trapezoid rule.

    Steps longer than the policy's ``gap_after`` are not bridged: their row has no energy. Power in
    both directions stays signed, as the point's ``sign`` in the portfolio made it.

    Args:
        readings: ``point_id, at, value`` in W, any order, duplicates allowed.
        state: What the load before returned; None before the first.
        policy: One policy, or one per ``point_id``; only ``gap_after`` matters.

    Returns:
        Rows of method ``power``; there are no rejects.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "inverter",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (10, 11, 15)],
        ...     "value": [1000.0, 3000.0, 3000.0],
        ... })
        >>> power_deltas(readings).deltas.select("energy_wh", "status", "reason").rows()
        [(0.0, 'first', 'first_reading'), (2000.0, 'ok', None), (None, 'gap', 'not_bridged')]
    """
    load, states, carried = _loaded(readings, state)
    before_at, before = _before(load, carried)
    elapsed = load.at - before_at
    energy = (before + load.counts) * 0.5 * (elapsed / _US_PER_HOUR)
    is_first = np.isnan(before)
    unbridged = ~is_first & (elapsed > _gap_after(load, policy))
    start_at = np.where(is_first, load.at, before_at)
    energy = np.where(is_first, 0.0, energy)
    status = np.where(is_first, "first", np.where(unbridged, "gap", "ok"))
    reason = np.where(is_first, "first_reading", np.where(unbridged, "not_bridged", ""))
    return _result(
        load,
        states,
        carried,
        start_at=start_at,
        energy=energy,
        unknown=unbridged,
        status=status,
        reason=reason,
        estimated=unbridged,
        method="power",
    )


def increment_deltas(
    readings: pl.DataFrame,
    *,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
) -> EnergyDeltas:
    """Take increments as they are: the energy of the period that ends at the reading.

    The period starts at the reading before; where some are missing, or there is none, it is as
    long as expected. Without an expected length the first increment is counted at its instant.
    Increments that are too near to the one before are a second answer for its period, such as a
    vendor gives that stamps them again: they are rejected.

    Args:
        readings: What ``increment_periods.place_increments`` returns: increments in Wh, any order.
        state: What the load before returned; None before the first.
        policy: One policy, or one per ``point_id``; only ``gap_after`` matters.

    Returns:
        Rows of method ``increment``; the rejects are second answers.

    Example:
        >>> from energy_platform.transforms.increment_periods import place_increments
        >>> rows = pl.DataFrame({
        ...     "point_id": "valve",
        ...     "at": [datetime(2026, 3, 1, 12, minute, tzinfo=UTC) for minute in (15, 30)],
        ...     "value": [250.0, 300.0],
        ... })
        >>> points = pl.DataFrame({"point_id": "valve", "every_s": [900.0]})
        >>> deltas = increment_deltas(place_increments(rows, points)).deltas
        >>> deltas.select("energy_wh", "status").rows()
        [(250.0, 'ok'), (300.0, 'ok')]
    """
    load, states, carried = _loaded(readings, state)
    about = _about(readings, load)
    rejects = CORE_REGISTER_REJECTS.empty()
    if (again := _second_answers(load, carried, about)).any():
        rejects = _second_answer_rows(load, about, again)
        load, about = load.only(~again), about.only(~again)
        carried = states.aligned(load.points, load.counts_per_wh)
    before_at, before = _before(load, carried)
    is_first = np.isnan(before)
    expected_start = about.start_us
    length = load.at - expected_start
    is_regular = load.at - before_at <= np.where(length > 0, length * JITTER, float(NEVER_US))
    start_at = np.where(~is_first & is_regular, before_at, expected_start).astype(np.int64)
    late = load.at - start_at > _gap_after(load, policy)
    is_first &= start_at == load.at
    status = np.where(is_first, "first", np.where(late, "gap", "ok"))
    reason = np.where(is_first, "first_reading", np.where(late, "longer_than_gap_after", ""))
    return _result(
        load,
        states,
        carried,
        start_at=start_at,
        energy=load.counts,
        unknown=np.zeros(load.at.size, np.bool_),
        status=status,
        reason=reason,
        estimated=late,
        method="increment",
    )._replace(rejects=rejects)


def _loaded(
    readings: pl.DataFrame, state: pl.DataFrame | None
) -> tuple[SortedReadings, States, Carried]:
    states = read_states(state)
    load = sort_readings(readings.select("point_id", "at", pl.col("value").alias("value_wh")))
    load = load.newer_than(states.seen_until(load.points))
    return load, states, states.aligned(load.points, load.counts_per_wh)


def _before(
    load: SortedReadings, carried: Carried
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the reading before each; NaN where there is none."""
    before_at = np.empty_like(load.at)
    before_at[1:] = load.at[:-1]
    before_at[load.first] = carried.good.at
    before = np.empty(load.at.size)
    before[1:] = load.counts[:-1]
    before[load.first] = carried.good.value
    return before_at, before


def _gap_after(
    load: SortedReadings, policy: CounterPolicy | Mapping[str, CounterPolicy]
) -> NDArray[np.int64]:
    def of(point_id: str) -> int:
        own = policy if isinstance(policy, CounterPolicy) else policy.get(point_id, DEFAULT_POLICY)
        gap = own.gap_after
        return NEVER_US if gap is None else gap // MICROSECOND

    each = np.array([of(point_id) for point_id in load.points.to_list()], np.int64)
    return np.repeat(each, load.count)


class _About(NamedTuple):
    """What is known of each increment of a load, in microseconds.

    Attributes:
        start_us: Where its period begins if nothing else says so; its end where that is unknown.
        apart_us: How far from the one before it must be to be another period's.
        stamped_us: The vendor's stamp.
    """

    start_us: NDArray[np.int64]
    apart_us: NDArray[np.int64]
    stamped_us: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> _About:
        """Leave out all increments but some."""
        return _About(*(part[kept] for part in self))


def _about(readings: pl.DataFrame, load: SortedReadings) -> _About:
    keys = ["point_id", "at"]
    placed = readings.select(*keys, "start_at", "apart_s", "stamped_at")
    found = pl.DataFrame(
        {"point_id": load.point_ids(), "at": pl.Series(load.at).cast(INSTANT)}
    ).join(
        placed.sort(*keys, "stamped_at").unique(keys, keep="first"),
        on=keys,
        how="left",
        maintain_order="left",
    )
    instants = (found.get_column(name).to_physical() for name in ("start_at", "stamped_at"))
    start, stamped = (
        pl.select(pl.coalesce(one, pl.Series(load.at))).to_series() for one in instants
    )
    apart = (found.get_column("apart_s") * 1e6).round().cast(pl.Int64())
    return _About(start.to_numpy(), apart.to_numpy(), stamped.to_numpy())


def _second_answers(load: SortedReadings, carried: Carried, about: _About) -> NDArray[np.bool_]:
    """Return which increments are too near to the one before that counts."""
    again = np.zeros(load.at.size, np.bool_)
    before_at, before = _before(load, carried)
    near = (load.at - before_at < about.apart_us) & ~np.isnan(before)
    for point in np.unique(np.searchsorted(load.first, np.flatnonzero(near), side="right") - 1):
        low = int(load.first[point])
        high = low + int(load.count[point])
        counted = int(before_at[low]) if not np.isnan(before[low]) else None
        for place in range(low, high):
            at = int(load.at[place])
            if counted is not None and at - counted < about.apart_us[place]:
                again[place] = True
            else:
                counted = at
    return again


def _second_answer_rows(
    load: SortedReadings, about: _About, again: NDArray[np.bool_]
) -> pl.DataFrame:
    places = np.flatnonzero(again)
    return pl.DataFrame(
        {
            "point_id": load.point_ids().gather(places),
            "at": pl.Series(about.stamped_us[places]).cast(INSTANT),
            "value_wh": load.counts[places],
            "reason": pl.repeat(SAME_PERIOD, places.size, eager=True, dtype=pl.String()),
            "settled_by": pl.repeat(None, places.size, eager=True, dtype=INSTANT),
        },
        schema=CORE_REGISTER_REJECTS.schema,
    ).sort("point_id", "at")


def _result(
    load: SortedReadings,
    states: States,
    carried: Carried,
    *,
    start_at: NDArray[np.int64],
    energy: NDArray[np.float64],
    unknown: NDArray[np.bool_],
    status: NDArray[np.str_],
    reason: NDArray[np.str_],
    estimated: NDArray[np.bool_],
    method: Method,
) -> EnergyDeltas:
    codes = np.repeat(np.arange(load.count.size), load.count)
    counted = np.where(unknown, 0.0, energy)
    none = pl.repeat(None, load.at.size, eager=True, dtype=pl.Float64())
    deltas = pl.DataFrame(
        {
            "point_id": load.points.gather(codes),
            "end_at": pl.Series(load.at).cast(INSTANT),
            "start_at": pl.Series(start_at).cast(INSTANT),
            "counted_from": pl.Series(start_at).cast(INSTANT),
            "register_start_wh": none,
            "register_end_wh": none,
            "energy_wh": pl.Series(np.where(unknown, np.nan, energy)).fill_nan(None),
            "refused_wh": np.zeros(load.at.size),
            "status": pl.Series(status.tolist(), dtype=pl.String()),
            "estimated": estimated,
            "dropped": np.zeros(load.at.size, np.int64),
            "reason": pl.Series([text or None for text in reason.tolist()], dtype=pl.String()),
            "method": pl.repeat(method, load.at.size, eager=True, dtype=pl.String()),
        },
        schema=CORE_ENERGY_DELTAS.schema,
    )
    totals = running_totals(counted, first=load.first, count=load.count, start=carried.total)
    last = load.first + load.count - 1
    good = Levels.none(load.count.size)
    state = next_state(
        states,
        load=load,
        good=Levels(
            load.at[last],
            load.counts[last],
            load.at[last],
            load.at[last],
            good.limit_w,
            good.rises,
        ),
        previous=None,
        registers={},
        totals=totals,
    ).with_columns(lower_at=None, reached_at=None)
    return EnergyDeltas(
        deltas=deltas,
        state=state.cast(CORE_REGISTER_STATE.schema),
        rejects=CORE_REGISTER_REJECTS.empty(),
    )
