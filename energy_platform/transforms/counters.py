"""Energy from cumulative registers: the register rule over whole frames.

Nearly every reading of nearly every register plausibly follows the one before. Those steps are
computed as arrays (``plain_steps``); the others, and the readings that follow until the register
has settled again, are folded one by one by ``counter_state``. Both apply the same arithmetic in
the same order, so which of the two looked at a reading never shows in the result. Increments and
integrated power are not registers: they are in ``periods``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    INSTANT,
)
from energy_platform.transforms.ordering import EXACT_COUNTS, SortedReadings, sort_readings
from energy_platform.transforms.plain_steps import (
    REASON_CODES,
    REASONS,
    STATUS_CODES,
    STATUSES,
    PlainSteps,
    Settings,
)
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.register_rule import Reading, RegisterRule
from energy_platform.transforms.states import (
    Levels,
    States,
    carried_register,
    next_state,
    read_states,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from energy_platform.transforms.counter_state import CounterState, Rejected, Step

DEFAULT_POLICY: Final = CounterPolicy()
"""How a register without settings of its own is read."""

_CHUNK: Final = 256
"""Readings tried as arrays after a fold; four times as many each time they all settled."""

_SETTLED_AFTER: Final = 16
"""Readings folded on after a register has settled: one disturbance is often followed by another,
and arrays of a few readings cost more than folding them."""


class EnergyDeltas(NamedTuple):
    """What a load of readings came to.

    Attributes:
        deltas: Rows of ``core_energy_deltas``: one per settled step.
        state: Rows of ``core_register_state``: all that the next load needs.
        rejects: Rows of ``core_register_rejects``: readings that never became energy.
    """

    deltas: pl.DataFrame
    state: pl.DataFrame
    rejects: pl.DataFrame


def energy_deltas(
    readings: pl.DataFrame,
    *,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
) -> EnergyDeltas:
    """Turn register readings into the energy between settled readings.

    Args:
        readings: ``point_id, at, value_wh`` in any order, duplicates allowed; conflicting
            duplicates count as the smallest value that is not zero. A column ``counts_per_wh``
            may say that a point counts in finer units (3600 for joules): its steps are then
            differenced in whole counts. Rows without a value are left out. Readings not newer
            than what ``state`` has seen of their point are already folded in and left out.
        state: What the load before returned as ``state``; None before the first.
        policy: One policy for all points, or one per ``point_id``; points that are not named are
            read by ``DEFAULT_POLICY``.

    Returns:
        Deltas, the next state and rejects, each sorted by its key. Points without a reading pass
        their state through.

    Raises:
        ValueError: A reading is not a finite number, or is beyond 2^53 counts, where doubles
            no longer hold every whole number.

    Example:
        >>> readings = pl.DataFrame({
        ...     "point_id": "main",
        ...     "at": [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(6)],
        ...     "value_wh": [9000.0, 9500.0, 0.0, 10_400.0, 10_900.0, 11_200.0],
        ... })
        >>> energy_deltas(readings).deltas.select("energy_wh", "status", "dropped").rows()
        [(0.0, 'first', 0), (500.0, 'ok', 0), (900.0, 'ok', 1), (500.0, 'ok', 0), (300.0, 'ok', 0)]
    """
    states = read_states(state)
    load = sort_readings(readings)
    load = load.newer_than(states.seen_until(load.points))
    load_pass = _VectorPass(load, states, rules=_rules(load, policy))
    load_pass.settle()
    good, previous = load_pass.last_levels()
    return EnergyDeltas(
        deltas=load_pass.deltas(),
        state=next_state(
            states,
            load=load,
            good=good,
            previous=previous,
            registers=load_pass.registers,
            totals=load_pass.totals(),
        ),
        rejects=_reject_rows(load_pass.rejects),
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """The distinct rules of a load, and which of them each point has."""

    distinct: list[RegisterRule]
    of_point: NDArray[np.int64]

    def of(self, point: int) -> RegisterRule:
        """Return the rule of a point."""
        return self.distinct[int(self.of_point[point])]


def _rules(load: SortedReadings, policy: CounterPolicy | Mapping[str, CounterPolicy]) -> _Rules:
    """Return the rule of each point; points of equal settings share one."""
    if isinstance(policy, CounterPolicy) and not load.is_scaled:
        return _Rules([RegisterRule.of(policy)], np.zeros(load.count.size, np.int64))
    places: dict[tuple[CounterPolicy, float], int] = {}
    of_point = []
    for point_id, scale in zip(load.points.to_list(), load.counts_per_wh.tolist(), strict=True):
        own = policy if isinstance(policy, CounterPolicy) else policy.get(point_id, DEFAULT_POLICY)
        of_point.append(places.setdefault((own, scale), len(places)))
    distinct = [RegisterRule.of(own, counts_per_wh=scale) for own, scale in places]
    return _Rules(distinct, np.array(of_point, np.int64))


class _VectorPass:
    """One load on its way: plain steps as arrays, the other readings folded into them."""

    def __init__(self, load: SortedReadings, states: States, *, rules: _Rules) -> None:
        self.load, self.states, self.rules = load, states, rules
        self.carried = states.aligned(load.points, load.counts_per_wh)
        self.steps = PlainSteps(
            load,
            good=self.carried.good,
            settings=Settings.of(rules.distinct),
            rule_of_point=rules.of_point,
        )
        self.refused: dict[int, float] = {}
        self.dropped: dict[int, int] = {}
        self.unsettled = np.zeros(load.at.size, np.bool_)
        self.unknown: list[int] = []
        self.registers: dict[int, CounterState] = {}
        self.rejects: list[tuple[str, float, Rejected]] = []

    def settle(self) -> None:
        """Settle every reading of the load."""
        steps, load = self.steps, self.load
        steps.settle_all()
        steps.irregular[load.first[self.carried.unsettled]] = True
        for place, rule in enumerate(self.rules.distinct):
            if rule.markers:
                for point in np.flatnonzero(self.rules.of_point == place).tolist():
                    self._mark_exchanges(point, rule)
        irregular = np.flatnonzero(steps.irregular)
        points = np.searchsorted(load.first, irregular, side="right") - 1
        for point, place in zip(*np.unique(points, return_index=True), strict=True):
            self._fold_point(int(point), first=int(irregular[place]))

    def _mark_exchanges(self, point: int, rule: RegisterRule) -> None:
        low, high = self._bounds(point)
        for marker in rule.markers:
            index = low + int(np.searchsorted(self.load.at[low:high], marker.at))
            if index < high:
                self.steps.irregular[index] = True

    def _bounds(self, point: int) -> tuple[int, int]:
        low = int(self.load.first[point])
        return low, low + int(self.load.count[point])

    def _fold_point(self, point: int, *, first: int) -> None:
        """Settle a point from its first reading that does not plainly follow.

        What the arrays made of later readings was made without knowing of it: they are settled
        again, as arrays where they follow plainly, one by one where they do not.
        """
        low, high = self._bounds(point)
        register = carried_register(
            self.states,
            point_id=self.load.points[point],
            index=point,
            carried=self.carried,
            rule=self.rules.of(point),
            scale=float(self.load.counts_per_wh[point]),
        )
        self._go_on(register, since=low, index=first)
        done, size = self._fold(register, first, high=high, point=point), _CHUNK
        while done < high:
            until = min(done + size, high)
            other = self._settle_chunk(register, done, until=until, point=point)
            self._go_on(register, since=done, index=other)
            if other == until:
                done, size = until, size * 4
                continue
            done, size = self._fold(register, other, high=high, point=point), _CHUNK
        name, scale = self.load.points[point], float(self.load.counts_per_wh[point])
        self.rejects += [(name, scale, rejected) for rejected in register.rejects]
        self.registers[point] = register

    def _go_on(self, register: CounterState, *, since: int, index: int) -> None:
        """Bring a register to before a reading, over plain steps since another."""
        if index == since:
            return
        level = self.steps.level(index - 2) if index - since > 1 else register.good
        register.previous, register.good = level, self.steps.level(index - 1)

    def _settle_chunk(self, register: CounterState, low: int, *, until: int, point: int) -> int:
        """Settle some readings of a point as arrays; return the first that needs folding."""
        steps = self.steps
        if register.good is not None:
            rule = int(self.rules.of_point[point])
            steps.settle_chunk(low, until, good=register.good, rule=rule)
        if register.rule.markers:
            self._mark_exchanges(point, register.rule)
        irregular = np.flatnonzero(steps.irregular[low:until])
        return low + int(irregular[0]) if irregular.size else until

    def _fold(self, register: CounterState, index: int, *, high: int, point: int) -> int:
        """Fold readings until their register has settled; return the first that was not folded."""
        rest = _SETTLED_AFTER
        at, counts = self.load.at, self.load.counts
        while index < high and rest:
            step = register.update(Reading(int(at[index]), float(counts[index])))
            self._write(index, step, point=point)
            index += 1
            rest = rest - 1 if register.is_settled else _SETTLED_AFTER
        return index

    def _write(self, index: int, step: Step | None, *, point: int) -> None:
        if step is None:
            self.unsettled[index] = True
            return
        steps = self.steps
        steps.start_at[index], steps.start[index] = step.start
        elapsed = step.end.at - step.counted_from
        steps.estimated[index] = elapsed > self.rules.of(point).gap_after
        steps.counted_from.pop(index, None)
        if step.counted_from != step.start.at:
            steps.counted_from[index] = step.counted_from
        steps.energy[index] = 0.0 if step.energy is None else step.energy
        if step.energy is None:
            self.unknown.append(index)
        if step.refused:
            self.refused[index] = step.refused
        steps.status[index] = STATUS_CODES[step.status]
        steps.reason[index] = REASON_CODES[step.reason]
        if step.dropped:
            self.dropped[index] = step.dropped

    def last_levels(self) -> tuple[Levels, Levels]:
        """Return the last good level of each point, and the one before it."""
        good, previous = self.steps.last_levels()
        for index, register in self.registers.items():
            good.put(index, register.good)
            previous.put(index, register.previous)
        return good, previous

    def totals(self) -> NDArray[np.float64]:
        """Return each point's energy since its first reading, added up in order."""
        load, energy = self.load, self.steps.energy
        if self.unsettled.any():
            energy = np.where(self.unsettled, 0.0, energy)
        if not load.count.size:
            return np.empty(0)
        if _adds_exactly(energy) and _adds_exactly(self.carried.total):
            return self.carried.total + np.add.reduceat(energy, load.first)
        return running_totals(energy, first=load.first, count=load.count, start=self.carried.total)

    def deltas(self) -> pl.DataFrame:
        """Return the rows of the settled steps."""
        load, steps = self.load, self.steps
        scale: NDArray[np.float64] | float = 1.0
        if load.is_scaled:
            scale = np.repeat(load.counts_per_wh, load.count)
        refused = np.zeros(load.at.size)
        refused[list(self.refused)] = list(self.refused.values())
        dropped = np.zeros(load.at.size, np.int64)
        dropped[list(self.dropped)] = list(self.dropped.values())
        energy = pl.Series(steps.energy / scale if load.is_scaled else steps.energy)
        if self.unknown:
            energy = energy.scatter(self.unknown, None)
        counted_from = steps.start_at
        if steps.counted_from:
            counted_from = steps.start_at.copy()
            counted_from[list(steps.counted_from)] = list(steps.counted_from.values())
        frame = pl.DataFrame(
            {
                "point_id": load.point_ids(),
                "end_at": pl.Series(load.at).cast(INSTANT),
                "start_at": pl.Series(steps.start_at).cast(INSTANT),
                "counted_from": pl.Series(counted_from).cast(INSTANT),
                "register_start_wh": steps.start / scale if load.is_scaled else steps.start,
                "register_end_wh": load.counts / scale if load.is_scaled else load.counts,
                "energy_wh": energy,
                "refused_wh": refused / scale if load.is_scaled else refused,
                "status": _named(STATUSES, steps.status),
                "estimated": steps.estimated,
                "dropped": dropped,
                "reason": _named(REASONS, steps.reason),
                "method": pl.repeat("register", load.at.size, eager=True, dtype=pl.String()),
            },
            schema=CORE_ENERGY_DELTAS.schema,
        )
        return frame.filter(pl.Series(~self.unsettled)) if self.unsettled.any() else frame


def _named(names: tuple[str | None, ...], codes: NDArray[np.uint8]) -> pl.Series:
    return pl.Series(names, dtype=pl.String()).gather(pl.Series(codes).cast(pl.UInt32()))


def _adds_exactly(values: NDArray[np.float64]) -> bool:
    """Say whether sums of these numbers are exact in any order: whole and not too large."""
    return bool((values == np.rint(values)).all()) and bool(np.abs(values).sum() < EXACT_COUNTS)


def running_totals(
    values: NDArray[np.float64],
    *,
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Add up runs of numbers strictly in order, so that cutting a run anywhere changes no bit.

    Args:
        values: The runs, one after the other.
        first: Index of each run's first number.
        count: Numbers in each run.
        start: What each run's total starts from.

    Example:
        >>> values = np.array([1.0, 2.0, 5.0])
        >>> first, count = np.array([0, 2]), np.array([2, 1])
        >>> running_totals(values, first=first, count=count, start=np.zeros(2)).tolist()
        [3.0, 5.0]
    """
    totals = start.astype(np.float64, copy=True)
    longest = int(count.max(initial=0))
    if longest <= count.size:
        order = np.argsort(-count, kind="stable")
        place, ranked = first[order], totals[order]
        active = np.searchsorted(-count[order], -np.arange(longest), side="left")
        for rank, many in enumerate(active.tolist()):
            ranked[:many] += values[place[:many] + rank]
        totals[order] = ranked
        return totals
    for index, (at, many) in enumerate(zip(first.tolist(), count.tolist(), strict=True)):
        run = np.concatenate((totals[index : index + 1], values[at : at + many]))
        totals[index] = np.add.accumulate(run)[-1]
    return totals


def _reject_rows(rejects: list[tuple[str, float, Rejected]]) -> pl.DataFrame:
    rows = [
        (point_id, reading.at, reading.value / scale, reason, settled_by)
        for point_id, scale, (reading, reason, settled_by) in rejects
    ]
    schema = {
        "point_id": pl.String(),
        "at": pl.Int64(),
        "value_wh": pl.Float64(),
        "reason": pl.String(),
        "settled_by": pl.Int64(),
    }
    return (
        pl.DataFrame(rows, schema=schema, orient="row")
        .cast(CORE_REGISTER_REJECTS.schema)
        .sort("point_id", "at")
    )
