"""Energy from cumulative registers: the settle rule over whole frames.

Nearly every reading of nearly every register plausibly follows the one before. Those steps are
computed as arrays; the others, and the readings that follow until the register has settled again,
are folded one by one by ``settle``. Both apply the same arithmetic in the same order, so which of
the two looked at a reading never shows in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

import numpy as np
import polars as pl

from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_REGISTER_REJECTS,
    INSTANT,
    DeltaStatus,
)
from energy_platform.transforms.ordering import EXACT_COUNTS, Ordered, ordered
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.settle import (
    SHORTEST_STEP_US,
    DeltaReason,
    Reading,
    Register,
    Rejected,
    Rule,
    Settled,
)
from energy_platform.transforms.states import States, carried_register, next_state, read_states

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

DEFAULT_POLICY: Final = CounterPolicy()
"""How a register without settings of its own is read."""

STATUSES: Final[tuple[str, ...]] = get_args(DeltaStatus)
REASONS: Final[tuple[str | None, ...]] = (*get_args(DeltaReason), None)

_BLOCK: Final = 65_536
"""Readings settled at a time."""

_STATUS: Final = {name: code for code, name in enumerate(STATUSES)}
_REASON: Final = {name: code for code, name in enumerate(REASONS)}


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
            differenced in whole counts. Rows without a value are no readings. Readings not newer
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
    """
    return settled_load(readings, state=state, policy=policy)[0]


def settled_load(
    readings: pl.DataFrame,
    *,
    state: pl.DataFrame | None,
    policy: CounterPolicy | Mapping[str, CounterPolicy],
) -> tuple[EnergyDeltas, NDArray[np.bool_]]:
    """Do what ``energy_deltas`` does; return also which deltas are the first of their point."""
    states = read_states(state)
    load = ordered(readings)
    load = load.newer_than(states.seen_until(load.points))
    work = _Work(load, states, rules=_rules(load, policy))
    work.settle_plain()
    work.settle_others()
    result = EnergyDeltas(
        deltas=work.deltas(),
        state=next_state(
            states,
            load=load,
            carried=work.carried,
            registers=work.registers,
            totals=work.totals(),
        ),
        rejects=_reject_rows(work.rejects),
    )
    return result, work.first_deltas()


def pending(state: pl.DataFrame) -> pl.DataFrame:
    """Return the suspects no reading has settled yet: ``point_id, at, value_wh``."""
    return state.filter(pl.col("kind") == "suspect").select("point_id", "at", "value_wh")


@dataclass(frozen=True, slots=True)
class _Rules:
    """The distinct rules of a load, and which of them each point has."""

    distinct: list[Rule]
    of_point: NDArray[np.int64]

    def of(self, point: int) -> Rule:
        """Return the rule of a point."""
        return self.distinct[int(self.of_point[point])]

    def setting(self, of: Callable[[Rule], float]) -> NDArray[np.float64]:
        """Return a setting per distinct rule."""
        return np.array([of(rule) for rule in self.distinct], np.float64)


def _rules(load: Ordered, policy: CounterPolicy | Mapping[str, CounterPolicy]) -> _Rules:
    """Return the rule of each point; points of equal settings share one."""
    if isinstance(policy, CounterPolicy) and not load.is_scaled:
        return _Rules([Rule.of(policy)], np.zeros(load.count.size, np.int64))
    places: dict[tuple[CounterPolicy, float], int] = {}
    of_point = []
    for point_id, scale in zip(load.points.to_list(), load.counts_per_wh.tolist(), strict=True):
        own = policy if isinstance(policy, CounterPolicy) else policy.get(point_id, DEFAULT_POLICY)
        of_point.append(places.setdefault((own, scale), len(places)))
    distinct = [Rule.of(own, counts_per_wh=scale) for own, scale in places]
    return _Rules(distinct, np.array(of_point, np.int64))


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings as arrays: one entry per distinct rule, or per reading of a block."""

    rate: NDArray[np.float64]
    resolution: NDArray[np.float64]
    dip_ratio: NDArray[np.float64]
    gap_after: NDArray[np.float64]

    @classmethod
    def of(cls, rules: _Rules) -> _Settings:
        """Return the settings per distinct rule."""
        return cls(
            rate=rules.setting(lambda rule: rule.rate),
            resolution=rules.setting(lambda rule: rule.resolution),
            dip_ratio=rules.setting(lambda rule: rule.dip_ratio),
            gap_after=rules.setting(lambda rule: float(rule.gap_after)),
        )

    def chosen(self, rules: NDArray[np.int64] | None) -> _Settings:
        """Return the settings per reading; as they are when all readings share one rule."""
        if rules is None:
            return self
        return _Settings(
            rate=self.rate[rules],
            resolution=self.resolution[rules],
            dip_ratio=self.dip_ratio[rules],
            gap_after=self.gap_after[rules],
        )


class _Work:
    """The arrays of one load: one entry per reading, in counts."""

    def __init__(self, load: Ordered, states: States, *, rules: _Rules) -> None:
        n = load.at.size
        self.load, self.states, self.rules = load, states, rules
        self.carried = states.aligned(load.points, load.counts_per_wh)
        self.start_at = np.empty(n, np.int64)
        self.start_at[1:] = load.at[:-1]
        self.start_at[load.first] = self.carried.good_at
        self.start = np.empty(n)
        self.start[1:] = load.counts[:-1]
        self.start[load.first] = self.carried.good
        self.energy = np.empty(n)
        self.status = np.full(n, _STATUS["ok"], np.uint8)
        self.reason = np.full(n, _REASON[None], np.uint8)
        self.estimated = np.empty(n, np.bool_)
        self.dropped: dict[int, int] = {}
        self.unsettled = np.zeros(n, np.bool_)
        self.unknown: list[int] = []
        self.others = np.empty(n, np.bool_)
        self.registers: dict[int, Register] = {}
        self.rejects: list[tuple[str, float, Rejected]] = []

    def settle_plain(self) -> None:
        """Settle every step that plausibly follows the reading before; mark the others."""
        load = self.load
        rule_of_reading: NDArray[np.int64] | None = None
        if len(self.rules.distinct) > 1:
            rule_of_reading = np.repeat(self.rules.of_point, load.count)
        settings = _Settings.of(self.rules)
        for low in range(0, load.at.size, _BLOCK):
            block = slice(low, low + _BLOCK)
            rules = None if rule_of_reading is None else rule_of_reading[block]
            self._settle_block(block, settings.chosen(rules))
        self._settle_first()
        self.others[load.first[self.carried.unsettled]] = True
        for place, rule in enumerate(self.rules.distinct):
            if rule.markers:
                for point in np.flatnonzero(self.rules.of_point == place).tolist():
                    self._mark_exchanges(point, rule)

    def _settle_block(self, block: slice, settings: _Settings) -> None:
        """Settle some readings; blocks keep what is worked on in the processor's cache."""
        counts, start = self.load.counts[block], self.start[block]
        elapsed = self.load.at[block] - self.start_at[block]
        energy = np.subtract(counts, start, out=self.energy[block])
        falls = np.flatnonzero(energy < 0)
        allow = np.maximum(elapsed, SHORTEST_STEP_US) * settings.rate
        allow += settings.resolution
        is_other = np.logical_not(energy <= allow, out=self.others[block])
        late = np.greater(elapsed, settings.gap_after, out=self.estimated[block])
        if late.any():
            self.status[block][late] = _STATUS["gap"]
            self.reason[block][late] = _REASON["longer_than_gap_after"]
        if falls.size:
            ratio = settings.dip_ratio
            own = ratio[falls] if ratio.size > 1 else ratio
            is_other[falls] = ~(counts[falls] >= own * start[falls])
            self.status[block][falls] = _STATUS["dip"]
            self.reason[block][falls] = _REASON["within_dip_ratio"]

    def _settle_first(self) -> None:
        new = self.load.first[np.isnan(self.carried.good)]
        self.others[new] = self.load.counts[new] == 0
        self.estimated[new] = False
        self.start_at[new] = self.load.at[new]
        self.start[new] = self.load.counts[new]
        self.energy[new] = 0.0
        self.status[new] = _STATUS["first"]
        self.reason[new] = _REASON["first_reading"]

    def _bounds(self, point: int) -> tuple[int, int]:
        low = int(self.load.first[point])
        return low, low + int(self.load.count[point])

    def _mark_exchanges(self, point: int, rule: Rule) -> None:
        low, high = self._bounds(point)
        for marker in rule.markers:
            index = low + int(np.searchsorted(self.load.at[low:high], marker.at))
            if index < high:
                self.others[index] = True

    def settle_others(self) -> None:
        """Fold the readings that do not simply rise, until their register has settled."""
        done = 0
        for index in np.flatnonzero(self.others).tolist():
            if index < done:
                continue
            point = int(np.searchsorted(self.load.first, index, side="right")) - 1
            low, high = self._bounds(point)
            register = self._register_before(index, point=point, low=low)
            done = index
            while done < high and (
                self.others[done] or register.suspects or register.skipped_at is not None
            ):
                self._write(done, register.settle(self._reading(done)), point=point)
                done += 1
            if register.rejects:
                name, scale = self.load.points[point], float(self.load.counts_per_wh[point])
                self.rejects += [(name, scale, rejected) for rejected in register.rejects]
            if done == high:
                self.registers[point] = register

    def _reading(self, index: int) -> Reading:
        return Reading(int(self.load.at[index]), float(self.load.counts[index]))

    def _register_before(self, index: int, *, point: int, low: int) -> Register:
        """Return the register as it stands before a reading that follows plain ones."""
        register = carried_register(
            self.states,
            point_id=self.load.points[point],
            index=point,
            carried=self.carried,
            rule=self.rules.of(point),
            scale=float(self.load.counts_per_wh[point]),
        )
        if index == low:
            return register
        before = self._reading(index - 2) if index - low > 1 else register.good
        return Register(rule=register.rule, previous=before, good=self._reading(index - 1))

    def _write(self, index: int, settled: Settled | None, *, point: int) -> None:
        if settled is None:
            self.unsettled[index] = True
            return
        self.start_at[index], self.start[index] = settled.start
        elapsed = settled.end.at - settled.start.at
        self.estimated[index] = elapsed > self.rules.of(point).gap_after
        self.energy[index] = 0.0 if settled.energy is None else settled.energy
        if settled.energy is None:
            self.unknown.append(index)
        self.status[index] = _STATUS[settled.status]
        self.reason[index] = _REASON[settled.reason]
        if settled.dropped:
            self.dropped[index] = settled.dropped

    def first_deltas(self) -> NDArray[np.bool_]:
        """Return which rows of ``deltas`` are the first of their point."""
        if self.unsettled.any():
            point = np.repeat(np.arange(self.load.count.size), self.load.count)
            is_new: NDArray[np.bool_] = np.diff(point[~self.unsettled], prepend=-1) != 0
            return is_new
        is_new = np.zeros(self.load.at.size, np.bool_)
        is_new[self.load.first] = True
        return is_new

    def totals(self) -> NDArray[np.float64]:
        """Return each point's energy since its first reading, added up in order."""
        load = self.load
        energy = np.where(self.unsettled, 0.0, self.energy) if self.unsettled.any() else self.energy
        if not load.count.size:
            return np.empty(0)
        if _adds_exactly(energy) and _adds_exactly(self.carried.total):
            return self.carried.total + np.add.reduceat(energy, load.first)
        return running_totals(energy, first=load.first, count=load.count, start=self.carried.total)

    def deltas(self) -> pl.DataFrame:
        """Return the rows of the settled steps."""
        load = self.load
        scale: NDArray[np.float64] | float = 1.0
        if load.is_scaled:
            scale = np.repeat(load.counts_per_wh, load.count)
        dropped = np.zeros(load.at.size, np.int64)
        dropped[list(self.dropped)] = list(self.dropped.values())
        energy = pl.Series(self.energy / scale if load.is_scaled else self.energy)
        if self.unknown:
            energy = energy.scatter(self.unknown, None)
        frame = pl.DataFrame(
            {
                "point_id": load.point_ids(),
                "end_at": pl.Series(load.at).cast(INSTANT),
                "start_at": pl.Series(self.start_at).cast(INSTANT),
                "register_start_wh": self.start / scale if load.is_scaled else self.start,
                "register_end_wh": load.counts / scale if load.is_scaled else load.counts,
                "energy_wh": energy,
                "status": _named(STATUSES, self.status),
                "estimated": self.estimated,
                "dropped": dropped,
                "reason": _named(REASONS, self.reason),
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
