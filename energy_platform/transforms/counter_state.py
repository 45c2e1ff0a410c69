"""The register rule folded over the readings of one register, one at a time.

This is the rule itself, written to be read; ``counters`` applies it to whole frames and comes
here only for the readings that do not plausibly follow the one before. What a single step is worth
is in ``register_rule``; sorting, units and frames are not known here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.transforms.register_rule import (
    LEARNED_FACTOR,
    MOST_UNEVEN,
    SHORTEST_STEP_US,
    DeltaReason,
    Level,
    Marker,
    Reading,
    RegisterRule,
    StepEnergy,
)

if TYPE_CHECKING:
    from energy_platform.schemas import DeltaStatus

RejectReason = Literal["zero", "fall", "above_allowance", "before_marker"]
"""Why a reading never became energy."""

FEWEST_OVERTAKING: Final = 3
"""Readings from which a restarted register that reaches its old value is believed: one low
reading before a good one is a passing dip, two that count on are a register."""


class Step(NamedTuple):
    """A step that a reading settled.

    Attributes:
        energy: Counts; None when the step's worth is unknown.
        refused: Counts that the register showed and the rule did not book, signed.
        dropped: Readings since the start that never became energy.
        counted_from: When the energy began to flow: before the start where the register stood.
    """

    start: Reading
    end: Reading
    energy: float | None
    refused: float
    status: DeltaStatus
    reason: DeltaReason | None
    dropped: int
    counted_from: int


class Rejected(NamedTuple):
    """A reading that never became energy, and the reading that settled that."""

    reading: Reading
    reason: RejectReason
    settled_by: int | None


@dataclass(slots=True)
class CounterState:
    """The carried state of one register, folded over its readings in order.

    Attributes:
        previous: The level before the last good one; None where a fall can not go back to it.
        good: The last good level; None before the first.
        unconfirmed: Readings that do not follow it and that nothing has settled yet, oldest first.
        zeros: Of the zeros since the last good reading: the last one before each unconfirmed
            reading, and the newest.
        dropped: Readings since the last good one that never became energy.
        rejects: What this fold rejected.

    Example:
        >>> from energy_platform.transforms.policy import CounterPolicy
        >>> register = CounterState(RegisterRule.of(CounterPolicy(max_power_w=1000)))
        >>> hour = 3_600_000_000
        >>> for n, counts in enumerate([5000.0, 5400.0, 90_000.0, 5800.0]):
        ...     step = register.update(Reading(n * hour, counts))
        ...     print(None if step is None else (step.energy, step.status, step.dropped))
        (0.0, 'first', 0)
        (400.0, 'ok', 0)
        None
        (400.0, 'ok', 1)
    """

    rule: RegisterRule
    previous: Level | None = None
    good: Level | None = None
    unconfirmed: list[Reading] = field(default_factory=list)
    zeros: list[int] = field(default_factory=list)
    dropped: int = 0
    rejects: list[Rejected] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        """Whether nothing but good readings is carried."""
        return self.good is not None and not (self.unconfirmed or self.zeros or self.dropped)

    def update(self, x: Reading) -> Step | None:
        """Fold one reading, newer than all before; return the step it settles, if any.

        The tests in order: first, announced exchange, plausible after the good reading, zero,
        kept, back from a spike, confirmation.
        """
        good, rule = self.good, self.rule
        if good is None:
            return self._first(x)
        if rule.markers and (step := self._announced_exchange(good, x)) is not None:
            return step
        if rule.is_plausible(good, x):
            if self._is_overtaken(good, x):
                return self._unconfirmed(good, x)
            return self._plain(good, x)
        if self._is_missing(x):
            self._skip_zero(x)
            return None
        if rule.accepts_immediately:
            # Wherever it was between, it can not have counted on from here for longer.
            level = Level(x.at, x.value, good.at, x.at)
            return self._accept(
                x, start=good.reading, booked=rule.step_energy(good, x), level=level
            )
        spike = self._before_spike(good, x)
        if spike is not None:
            booked = StepEnergy(x.value - good.value, 0.0, "spike_reversal", "spike_reversed")
            # What the spike taught is forgotten: the register goes on from the reading before it.
            level = rule.follow(spike, x)
            return self._accept(x, start=good.reading, booked=booked, level=level, previous=spike)
        return self._unconfirmed(good, x)

    def _is_missing(self, x: Reading) -> bool:
        rule = self.rule
        return x.value == 0 and not (
            rule.accepts_immediately and rule.policy.on_fall != "zero_is_missing"
        )

    def _first(self, x: Reading) -> Step | None:
        rule = self.rule
        if self._is_missing(x):
            if rule.policy.on_fall == "zero_is_missing":
                self._skip_zero(x)
                return None
            return self._still_zero(x)
        if self.zeros and x.value > 0 and rule.policy.on_fall != "zero_is_missing":
            at = self.zeros[-1]
            zero = rule.new_level(Reading(at, 0.0))
            if rule.is_plausible(zero, x):
                # The register is new and stood at zero: what it shows now was counted since. The
                # rise teaches no limit: an old meter with a zero before it would spoil it.
                self.dropped = 0
                return self._plain(zero, x, is_from_zero=True)
        self.dropped = 0
        booked = StepEnergy(0.0, 0.0, "first", "first_reading")
        return self._accept(x, start=x, booked=booked, level=rule.new_level(x))

    def _still_zero(self, x: Reading) -> Step:
        """Return the step to a zero of a register that has only ever shown zeros: nothing.

        A register that stood at zero counted nothing, and that is known. It is still no level to
        judge by: an old meter may come after zeros of a bus.
        """
        start = Reading(self.zeros[-1], 0.0) if self.zeros else x
        status: DeltaStatus = "ok" if self.zeros else "first"
        reason: DeltaReason | None = None if self.zeros else "first_reading"
        if self.zeros and x.at - start.at > self.rule.gap_after:
            status, reason = "gap", "longer_than_gap_after"
        self.zeros = [x.at]
        return Step(start, x, 0.0, 0.0, status, reason, 0, start.at)

    def _plain(self, good: Level, x: Reading, *, is_from_zero: bool = False) -> Step:
        status: DeltaStatus = "ok"
        reason: DeltaReason | None = "counted_from_zero" if is_from_zero else None
        if x.value < good.value:
            status, reason = "dip", "within_dip_ratio"
        elif x.at - good.at > self.rule.gap_after:
            status, reason = "gap", "longer_than_gap_after"
        counted_from = None
        if self.rule.catches_up(good, x):
            status, reason, counted_from = "gap", "stood_still", good.reached_at
        self._reject_unconfirmed(x)
        return self._good(
            self.rule.follow(good, x, teach=not is_from_zero),
            start=good.reading,
            energy=x.value - good.value,
            refused=0.0,
            status=status,
            reason=reason,
            previous=good,
            counted_from=counted_from,
        )

    def _accept(
        self,
        x: Reading,
        *,
        start: Reading,
        booked: StepEnergy,
        level: Level,
        previous: Level | None = None,
    ) -> Step:
        self._reject_unconfirmed(x)
        return self._good(
            level,
            start=start,
            energy=booked.energy,
            refused=booked.refused,
            status=booked.status,
            reason=booked.reason,
            previous=previous,
        )

    def _good(
        self,
        level: Level,
        *,
        start: Reading,
        energy: float | None,
        refused: float,
        status: DeltaStatus,
        reason: DeltaReason | None,
        previous: Level | None,
        counted_from: int | None = None,
    ) -> Step:
        if refused and energy is not None and self.rule.is_accepted(level.at):
            energy, refused, reason = energy + refused, 0.0, "accepted"
            status = "gap" if level.at - start.at > self.rule.gap_after else "ok"
        since = start.at if counted_from is None else counted_from
        step = Step(start, level.reading, energy, refused, status, reason, self.dropped, since)
        self.previous, self.good = previous, level
        self.unconfirmed.clear()
        self.zeros.clear()
        self.dropped = 0
        return step

    def _before_spike(self, good: Level, x: Reading) -> Level | None:
        """Return the level before the last good reading, where ``x`` shows that this was a spike.

        Only what was accepted without any limit can be one. Readings that already count on from
        below speak for a register that restarts, unless the step up was far beyond their pace.
        """
        previous, rule = self.previous, self.rule
        if previous is None or not rule.is_unlimited(previous) or rule.accepts_immediately:
            return None
        if not previous.value <= x.value < good.value:
            return None
        if self._is_chain(good, x):
            counted = x.value - self.unconfirmed[0].value
            if good.value - previous.value <= LEARNED_FACTOR * counted:
                return None
        return previous

    def _is_chain(self, good: Level, x: Reading) -> bool:
        """Say whether there are unconfirmed falls and ``x`` plausibly continues them."""
        window = [*self.unconfirmed, x]
        return (
            len(window) > 1
            and all(fall.value < good.value for fall in self.unconfirmed)
            and self.rule.chain(good, window) is not None
        )

    def _is_overtaken(self, good: Level, x: Reading) -> bool:
        """Say whether ``x`` follows a restarted register, though it could follow the good one."""
        if not self._is_chain(good, x):
            return False
        many = len(self.unconfirmed) + 1 >= max(self.rule.policy.confirm, FEWEST_OVERTAKING)
        return x.value < good.value or many or self._zero_before(self.unconfirmed[0]) is not None

    def _unconfirmed(self, good: Level, x: Reading) -> Step | None:
        """Keep a reading until others confirm it; slide on when they do not."""
        window = [*self.unconfirmed, x]
        if len(window) >= self.rule.policy.confirm:
            step = self._confirmed(good, window)
            if step is not None:
                return step
            self._reject(window.pop(0), good=good, settled_by=x)
            while window and self.rule.is_plausible(good, window[0]):
                self._reject(window.pop(0), good=good, settled_by=x)
            self.zeros = self.zeros[max(bisect_left(self.zeros, window[0].at) - 1, 0) :]
        self.unconfirmed = window
        return None

    def _confirmed(self, good: Level, window: list[Reading]) -> Step | None:
        """Return the step that readings in a row settle, None when they do not agree."""
        rule, first, last = self.rule, window[0], window[-1]
        level = rule.chain(good, window)
        if level is None:
            if not self._shows_low_limit(good, window):
                return None
            if first.value > good.value and self._is_even(good, window):
                return self._over_limit(good, window)
            level = self._walk(rule.new_level(first), window[1:])
            level = level._replace(limit_w=good.limit_w, rises=good.rises)
        zero = self._zero_before(first) if first.value < good.value else None
        booked = rule.step_energy(good, first, last_zero=zero)
        energy = None if booked.energy is None else booked.energy + (last.value - first.value)
        restarted = zero is not None and booked.reason in {"count_after", "count_after_minus_base"}
        previous = rule.chain(good, window[:-1]) if len(window) > 1 else None
        return self._good(
            level,
            start=Reading(zero, 0.0) if zero is not None and restarted else good.reading,
            energy=energy,
            refused=booked.refused,
            status=booked.status,
            reason=booked.reason,
            previous=previous,
        )

    def _shows_low_limit(self, good: Level, window: list[Reading]) -> bool:
        """Say whether readings rise one after the other, faster than the limit allows.

        Above the good reading they may rise faster as a whole; below it, where bad readings are
        more likely, every step must.
        """
        rule = self.rule
        steps = list(pairwise(window))
        if not steps or any(b.value < a.value for a, b in steps):
            return False
        if window[0].value > good.value:
            return rule.outruns(good, window[0], window[-1])
        return all(rule.outruns(good, a, b) for a, b in steps)

    def _is_even(self, good: Level, window: list[Reading]) -> bool:
        """Say whether the first step of readings is of the same kind as those after it."""
        first, last = window[0], window[-1]
        jump = (first.value - good.value) / max(first.at - good.lower_at, SHORTEST_STEP_US)
        after = (last.value - first.value) / max(last.at - first.at, SHORTEST_STEP_US)
        return jump <= MOST_UNEVEN * after

    def _walk(self, level: Level, readings: list[Reading]) -> Level:
        for x in readings:
            level = self.rule.follow(level, x, teach=False)
        return level

    def _over_limit(self, good: Level, window: list[Reading]) -> Step:
        last = window[-1]
        level = self._walk(good, window)
        # The rise as a whole teaches: measured over the window, it is the load's real power.
        taught = self.rule.follow(good, last)
        return self._good(
            level._replace(limit_w=taught.limit_w, rises=taught.rises),
            start=good.reading,
            energy=last.value - good.value,
            refused=0.0,
            status="over_limit",
            reason="above_limit",
            previous=None,
        )

    def _announced_exchange(self, good: Level, x: Reading) -> Step | None:
        """Return the step across announced exchanges, None when none applies to ``x``."""
        markers, rule = self.rule.markers, self.rule
        times = [marker.at for marker in markers]
        crossed = markers[bisect_right(times, good.at) : bisect_right(times, x.at)]
        if not crossed or not self._is_behind(crossed, good, x):
            return None
        known = 0.0
        complete = True
        level: Level | None = good
        for marker in crossed:
            final = None if marker.final is None else Reading(marker.at, marker.final)
            if level is not None and final is not None and rule.is_plausible(level, final):
                known += final.value - level.value
            else:
                complete = False
            level = None if marker.start is None else self._started(good, marker, marker.start)
        energy: float | None = known
        if level is not None:
            energy = known + (x.value - level.value)
        elif x.value < good.value:
            energy = rule.step_energy(good, x).energy
        for reading in self.unconfirmed:
            self._drop(reading, "before_marker", settled_by=x.at)
        self.unconfirmed.clear()
        booked = StepEnergy(energy, 0.0, "exchange", "marker" if complete else "marker_partial")
        fresh = rule.new_level(x)._replace(limit_w=good.limit_w, rises=good.rises)
        after = fresh if level is None else rule.follow(level, x, teach=False)
        return self._accept(x, start=good.reading, booked=booked, level=after)

    def _started(self, good: Level, marker: Marker, start: float) -> Level:
        return Level(marker.at, start, marker.at, marker.at, good.limit_w, good.rises)

    def _is_behind(self, crossed: tuple[Marker, ...], good: Level, x: Reading) -> bool:
        """Say whether ``x`` can be a reading of the new meter, and ``good`` one of the old."""
        rule, last = self.rule, crossed[-1]
        if last.start is None:
            return x.value != 0
        if not rule.is_plausible(self._started(good, last, last.start), x):
            return False
        first = crossed[0]
        if first.final is None:
            return True
        was_old = rule.is_plausible(good, Reading(first.at, first.final))
        return was_old or not rule.is_plausible(good, x)

    def _reject_unconfirmed(self, x: Reading) -> None:
        for reading in self.unconfirmed:
            if self.good is not None:
                self._reject(reading, good=self.good, settled_by=x)
        self.unconfirmed.clear()

    def _reject(self, reading: Reading, *, good: Level, settled_by: Reading) -> None:
        is_fall = reading.value < good.value
        self._drop(reading, "fall" if is_fall else "above_allowance", settled_by=settled_by.at)

    def _drop(self, reading: Reading, reason: RejectReason, *, settled_by: int | None) -> None:
        self.rejects.append(Rejected(reading, reason, settled_by))
        self.dropped += 1

    def _skip_zero(self, x: Reading) -> None:
        newest = self.unconfirmed[-1].at if self.unconfirmed else None
        if self.zeros and (newest is None or self.zeros[-1] > newest):
            self.zeros.pop()
        self.zeros.append(x.at)
        self._drop(x, "zero", settled_by=None)

    def _zero_before(self, reading: Reading) -> int | None:
        place = bisect_left(self.zeros, reading.at)
        return self.zeros[place - 1] if place else None
