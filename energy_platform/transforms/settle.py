"""The settle rule, one register and one reading at a time.

This is the rule itself, written to be read; ``counters`` applies it to whole frames and comes
here only for the readings that do not simply rise. Numbers are the vendor's own counts (whole for
most meters), instants are microseconds since 1970.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from energy_platform.schemas import DeltaStatus
    from energy_platform.transforms.policy import CounterPolicy

SHORTEST_STEP_US: Final = 60_000_000
"""The allowance never counts on less than a minute: vendors stamp to the second, late or early."""

MARGIN: Final = 1.2
"""A step may exceed rated power by a fifth: meters and ratings are not that exact."""

NEVER_US: Final = 2**62
"""Stands for "no limit" among durations."""

SCALE_FACTORS: Final = (65_536.0, 1000.0, 3600.0)
"""Swapped words, kilo and hour: what a change of unit or word order multiplies a register by."""

SCALE_TOLERANCE: Final = 0.01

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

DeltaReason = Literal[
    "first_reading",
    "marker",
    "marker_partial",
    "scale_k",
    "above_allowance",
    "modulus",
    "count_after",
    "count_after_minus_base",
    "zero",
    "null",
    "signed",
    "zero_is_missing",
    "spike_taken_back",
    "within_dip_ratio",
    "longer_than_gap_after",
]
"""Why a step's status is not ``ok``."""

RejectReason = Literal["zero", "fall", "above_allowance", "before_marker"]
"""Why a reading never became energy."""


class Reading(NamedTuple):
    """One reading in counts."""

    at: int
    value: float


class Settled(NamedTuple):
    """A step that a reading settled.

    Attributes:
        energy: Counts; None when the step's worth is unknown.
        dropped: Readings since the start that never became energy.
    """

    start: Reading
    end: Reading
    energy: float | None
    status: DeltaStatus
    reason: DeltaReason | None
    dropped: int


class Rejected(NamedTuple):
    """A reading that never became energy, and the reading that settled that."""

    reading: Reading
    reason: RejectReason
    settled_by: int | None


class Marker(NamedTuple):
    """An announced exchange in counts."""

    at: int
    final: float | None
    start: float | None


class Worth(NamedTuple):
    """What a step that is no plain rise is worth."""

    energy: float | None
    status: DeltaStatus
    reason: DeltaReason


def microseconds(instant: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy in the counts of one register.

    Attributes:
        rate: Counts per microsecond that are plausible, the margin included; infinite: no limit.
        resolution: Counts added to the allowance.
        dip_ratio: NaN when falls are never noise, so that every comparison fails.
    """

    policy: CounterPolicy
    rate: float
    resolution: float
    dip_ratio: float
    gap_after: int
    modulus: float | None
    reset_base: float
    markers: tuple[Marker, ...]

    @classmethod
    def of(cls, policy: CounterPolicy, *, counts_per_wh: float = 1.0) -> Rule:
        """Translate a policy from watt-hours into counts."""

        def counts(value: float | None) -> float | None:
            return None if value is None else value * counts_per_wh

        limit = policy.max_power_w
        markers = [
            Marker(microseconds(m[0]), m[1] * counts_per_wh, m[2] * counts_per_wh)
            if isinstance(m, tuple)
            else Marker(microseconds(m), None, None)
            for m in policy.reset_markers
        ]
        gap = policy.gap_after
        return cls(
            policy=policy,
            rate=math.inf if limit is None else limit * MARGIN / 3.6e9 * counts_per_wh,
            resolution=policy.resolution_wh * counts_per_wh,
            dip_ratio=math.nan if policy.dip_ratio is None else policy.dip_ratio,
            gap_after=NEVER_US if gap is None else gap // timedelta(microseconds=1),
            modulus=counts(policy.register_modulus_wh),
            reset_base=policy.reset_base_wh * counts_per_wh,
            markers=tuple(sorted(markers, key=lambda m: m.at)),
        )

    @property
    def keeps(self) -> bool:
        """Whether every reading settles at once."""
        return self.policy.glitch == "keep"

    def allow(self, elapsed: int) -> float:
        """Return the largest plausible rise in a time."""
        return max(elapsed, SHORTEST_STEP_US) * self.rate + self.resolution

    def ok(self, a: Reading, b: Reading) -> bool:
        """Say whether ``b`` plausibly follows ``a``: a rise within reach, or noise."""
        rise = b.value - a.value
        if rise >= 0:
            return rise <= self.allow(b.at - a.at)
        return b.value >= self.dip_ratio * a.value

    def worth(self, a: Reading, b: Reading) -> Worth:
        """Return what the step ``a → b`` is worth when it is not ``ok``."""
        allow = self.allow(b.at - a.at)
        if b.value < a.value:
            return self._worth_of_fall(a, b, allow=allow)
        reason: DeltaReason = "scale_k" if _is_scale(a, b) else "above_allowance"
        return Worth(0.0, "exchange", reason)

    def _worth_of_fall(self, a: Reading, b: Reading, *, allow: float) -> Worth:
        if self.modulus is not None:
            wrapped = b.value + (self.modulus - a.value)
            if 0 <= wrapped <= allow and a.value <= self.modulus:
                return Worth(wrapped, "rollover", "modulus")
        on_fall = self.policy.on_fall
        runs_both_ways = self.keeps and on_fall == "signed"
        if _is_scale(a, b) and not runs_both_ways:
            return Worth(0.0, "exchange", "scale_k")
        if on_fall == "zero":
            return Worth(0.0, "reset", "zero")
        if on_fall == "null":
            return Worth(None, "reset", "null")
        if on_fall == "signed":
            return Worth(b.value - a.value, "reset", "signed")
        base = self.reset_base if on_fall == "count_after_minus_base" else 0.0
        counted = b.value - base
        if 0 <= counted <= allow:
            return Worth(counted, "reset", on_fall)
        return Worth(0.0, "exchange", "above_allowance")


def _is_scale(a: Reading, b: Reading) -> bool:
    if a.value <= 0 or b.value <= 0:
        return False
    ratio = b.value / a.value
    return any(
        abs(ratio / k - 1) <= SCALE_TOLERANCE or abs(ratio * k - 1) <= SCALE_TOLERANCE
        for k in SCALE_FACTORS
    )


@dataclass(slots=True)
class Register:
    """The carried state of one register, folded over its readings in order.

    Attributes:
        previous: The good reading before the last; None after an exchange, rollover or reset.
        good: The last good reading; None before the first.
        suspects: Readings that fit nothing yet, oldest first.
        skipped: Readings since the last good one that never became energy, suspects aside.
        skipped_at: The newest of them.
        rejects: What this fold rejected.
    """

    rule: Rule
    previous: Reading | None = None
    good: Reading | None = None
    suspects: list[Reading] = field(default_factory=list)
    skipped: int = 0
    skipped_at: int | None = None
    rejects: list[Rejected] = field(default_factory=list)

    def settle(self, x: Reading) -> Settled | None:
        """Fold one reading, newer than all before; return the step it settles, if any.

        The tests in order: first, marker, plausible after the good reading, kept, zero,
        take-back, suspect.
        """
        good, rule = self.good, self.rule
        if good is None:
            return self._first(x)
        if rule.markers and (settled := self._exchange(good, x)) is not None:
            return settled
        if rule.ok(good, x):
            return self._plain(good, x)
        is_missing = x.value == 0 and not (rule.keeps and rule.policy.on_fall != "zero_is_missing")
        if is_missing:
            self._skip(x, "zero", settled_by=None)
            return None
        if rule.keeps:
            return self._accept(x, start=good, worth=rule.worth(good, x), previous=None)
        if self.previous is not None and rule.ok(self.previous, x):
            worth = Worth(x.value - good.value, "takeback", "spike_taken_back")
            return self._accept(x, start=good, worth=worth, previous=self.previous)
        return self._suspect(good, x)

    def _first(self, x: Reading) -> Settled | None:
        rule = self.rule
        if x.value == 0 and not (rule.keeps and rule.policy.on_fall != "zero_is_missing"):
            self._skip(x, "zero", settled_by=None)
            return None
        limited = rule.rate != math.inf and rule.policy.on_fall != "zero_is_missing"
        if self.skipped_at is not None and limited:
            zero = Reading(self.skipped_at, 0.0)
            if x.value > 0 and rule.ok(zero, x):
                # The register was new and stood at zero: what it shows now was counted since.
                self.skipped = 0
                return self._plain(zero, x)
        self.skipped = 0
        return self._accept(x, start=x, worth=Worth(0.0, "first", "first_reading"), previous=None)

    def _plain(self, good: Reading, x: Reading) -> Settled:
        status: DeltaStatus = "ok"
        reason: DeltaReason | None = None
        if x.value < good.value:
            status, reason = "dip", "within_dip_ratio"
        elif x.at - good.at > self.rule.gap_after:
            status, reason = "gap", "longer_than_gap_after"
        self._reject_suspects(x)
        return self._good(
            x, start=good, energy=x.value - good.value, status=status, reason=reason, previous=good
        )

    def _accept(
        self, x: Reading, *, start: Reading, worth: Worth, previous: Reading | None
    ) -> Settled:
        self._reject_suspects(x)
        return self._good(
            x,
            start=start,
            energy=worth.energy,
            status=worth.status,
            reason=worth.reason,
            previous=previous,
        )

    def _good(
        self,
        x: Reading,
        *,
        start: Reading,
        energy: float | None,
        status: DeltaStatus,
        reason: DeltaReason | None,
        previous: Reading | None,
    ) -> Settled:
        settled = Settled(start, x, energy, status, reason, self.skipped)
        self.previous, self.good = previous, x
        self.suspects.clear()
        self.skipped, self.skipped_at = 0, None
        return settled

    def _suspect(self, good: Reading, x: Reading) -> Settled | None:
        while self.suspects and not self.rule.ok(self.suspects[-1], x):
            self._reject(self.suspects.pop(), good=good, settled_by=x)
        self.suspects.append(x)
        if len(self.suspects) < self.rule.policy.confirm:
            return None
        first = self.suspects[0]
        worth = self.rule.worth(good, first)
        energy = None if worth.energy is None else worth.energy + (x.value - first.value)
        return self._good(
            x,
            start=good,
            energy=energy,
            status=worth.status,
            reason=worth.reason,
            previous=self.suspects[-2] if len(self.suspects) > 1 else None,
        )

    def _exchange(self, good: Reading, x: Reading) -> Settled | None:
        """Return the step across announced exchanges, None when none applies to ``x``."""
        markers = self.rule.markers
        times = [marker.at for marker in markers]
        crossed = markers[bisect_right(times, good.at) : bisect_right(times, x.at)]
        if not crossed or not self._is_behind(crossed, good, x):
            return None
        known = 0.0
        complete = True
        level: Reading | None = good
        for marker in crossed:
            final = None if marker.final is None else Reading(marker.at, marker.final)
            if level is not None and final is not None and self.rule.ok(level, final):
                known += final.value - level.value
            else:
                complete = False
            level = None if marker.start is None else Reading(marker.at, marker.start)
        energy: float | None = known
        if level is not None:
            energy = known + (x.value - level.value)
        elif x.value < good.value:
            energy = self.rule.worth(good, x).energy
        for suspect in self.suspects:
            self._skip(suspect, "before_marker", settled_by=x.at)
        self.suspects.clear()
        worth = Worth(energy, "exchange", "marker" if complete else "marker_partial")
        return self._accept(x, start=good, worth=worth, previous=None)

    def _is_behind(self, crossed: tuple[Marker, ...], good: Reading, x: Reading) -> bool:
        """Say whether ``x`` can be a reading of the new meter, and ``good`` one of the old."""
        last = crossed[-1]
        if last.start is None:
            return x.value != 0
        if not self.rule.ok(Reading(last.at, last.start), x):
            return False
        first = crossed[0]
        if first.final is None:
            return True
        was_old = self.rule.ok(good, Reading(first.at, first.final))
        return was_old or not self.rule.ok(good, x)

    def _reject_suspects(self, x: Reading) -> None:
        for suspect in self.suspects:
            if self.good is not None:
                self._reject(suspect, good=self.good, settled_by=x)
        self.suspects.clear()

    def _reject(self, suspect: Reading, *, good: Reading, settled_by: Reading) -> None:
        is_fall = suspect.value < good.value
        self._skip(suspect, "fall" if is_fall else "above_allowance", settled_by=settled_by.at)

    def _skip(self, reading: Reading, reason: RejectReason, *, settled_by: int | None) -> None:
        self.rejects.append(Rejected(reading, reason, settled_by))
        self.skipped += 1
        self.skipped_at = max(reading.at, self.skipped_at or reading.at)
