"""The register rule for single steps: which are plausible, and the energy of those that are not.

``counter_state`` folds readings with it one by one, ``counters`` applies the same arithmetic to
whole frames. Numbers are the vendor's own counts (whole for most meters), instants are
microseconds since 1970. The order of readings, and what several of them settle together, is not
known here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.days import MICROSECOND, microseconds

if TYPE_CHECKING:
    from energy_platform.schemas import DeltaStatus
    from energy_platform.transforms.policy import CounterPolicy

SHORTEST_STEP_US: Final = 60_000_000
"""A rise is never measured over less than a minute: vendors stamp to the second, late or early, and
a whole count shown 2 s early would otherwise be a load of megawatts."""

HOUR_US: Final = 3_600_000_000
"""Noise is a fall by at most an hour of the limit; a register that restarted after zeros may have
counted at least as long."""

DAY_US: Final = 24 * HOUR_US
"""How long before its first reading a register may have shown the same value. Coarse registers
stand still for hours: the first step seen then says nothing about power."""

MARGIN: Final = 1.2
"""A step may exceed rated power by a fifth: ratings are nominal, fuses carry more for a while, and
a meter of class 2 is off by 2 % (IEC 62053-21)."""

LEARNED_FACTOR: Final = 10.0
"""A learned limit is ten times the highest power seen: loads grow over the seasons, bad readings
are far beyond (docs/energy.md, the limit)."""

FEWEST_RISES: Final = 3
"""Rises after which a learned limit holds. The first is measured over a day (``DAY_US``) and says
little; one of the next two may be a spike."""

MOST_UNEVEN: Final = 100.0
"""A jump this much faster than the readings that follow is another meter, not a limit that is
too small: of loads that change a hundredfold within a step none were seen."""

NEVER_US: Final = 2**62
"""Stands for "no limit" among durations."""

SCALE_FACTORS: Final = (65_536.0, 1000.0, 3600.0)
"""Swapped words, kilo and hour: what a change of unit or word order multiplies a register by."""

SCALE_TOLERANCE: Final = 0.01
"""What was counted between the two readings, as a share of the register: little, in one step."""

POWER_OF_TWO: Final = 0.5
"""The mantissa of a double that is a power of two already."""

"""Origin of all instants in microseconds, as in Parquet and Arrow."""

DeltaReason = Literal[
    "first_reading",
    "counted_from_zero",
    "marker",
    "marker_partial",
    "scale_k",
    "above_allowance",
    "above_limit",
    "accepted",
    "modulus",
    "count_after",
    "count_after_minus_base",
    "zero",
    "null",
    "signed",
    "zero_is_missing",
    "spike_reversed",
    "within_dip_ratio",
    "longer_than_gap_after",
    "stood_still",
]
"""Why a step's status is not a plain ``ok``."""


class Reading(NamedTuple):
    """One reading in counts."""

    at: int
    value: float


class Level(NamedTuple):
    """A register at an accepted reading: all that judging the next one needs.

    Attributes:
        lower_at: The last instant at which the register showed less than ``value``.
        reached_at: The reading at which it first showed ``value``.
        limit_w: The limit learned so far, in W, a power of two; 0 before the first rise, and
            where the policy states one.
        rises: Rises the limit was learned from, at most ``FEWEST_RISES``.
    """

    at: int
    value: float
    lower_at: int
    reached_at: int
    limit_w: float = 0.0
    rises: int = 0

    @property
    def reading(self) -> Reading:
        """Return the reading itself."""
        return Reading(self.at, self.value)


class StepEnergy(NamedTuple):
    """Energy attributed to a step that is not plausible.

    Attributes:
        energy: Counts booked; None when unknown.
        refused: Counts that the register showed and the rule does not book, signed.
    """

    energy: float | None
    refused: float
    status: DeltaStatus
    reason: DeltaReason


class Marker(NamedTuple):
    """An announced exchange in counts."""

    at: int
    final: float | None
    start: float | None


def power_of_two(value: float) -> float:
    """Round a positive number up to a power of two.

    >>> power_of_two(12_100.0), power_of_two(4096.0)
    (16384.0, 4096.0)
    """
    mantissa, exponent = math.frexp(value)
    return math.ldexp(1.0, exponent - 1 if mantissa == POWER_OF_TWO else exponent)


@dataclass(frozen=True, slots=True)
class RegisterRule:
    """A policy in the counts of one register.

    Attributes:
        rate_per_watt: Counts per microsecond that a limit of 1 W allows, the margin included.
        limit_w: The stated limit; infinite where there is none, and none is learned.
        learns: Whether the limit is learned from the register itself.
        watts_per_rate: What counts per microsecond are in W, times ``LEARNED_FACTOR``.
        resolution: Counts added to every allowance.
        dip_ratio: NaN when falls are never noise, so that every comparison fails.
        accepted: Spans in which refused counts are booked.

    Example:
        >>> from energy_platform.transforms.policy import CounterPolicy
        >>> rule = RegisterRule.of(CounterPolicy(max_power_w=1000))
        >>> level = rule.new_level(Reading(0, 5000.0))
        >>> round(rule.allowance(level, HOUR_US))
        1200
    """

    policy: CounterPolicy
    rate_per_watt: float
    limit_w: float
    learns: bool
    watts_per_rate: float
    resolution: float
    dip_ratio: float
    gap_after: int
    modulus: float | None
    reset_base: float
    markers: tuple[Marker, ...]
    accepted: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, policy: CounterPolicy, *, counts_per_wh: float = 1.0) -> RegisterRule:
        """Translate a policy from watt-hours into counts."""
        modulus, gap = policy.register_modulus_wh, policy.gap_after
        markers = [
            Marker(microseconds(m[0]), m[1] * counts_per_wh, m[2] * counts_per_wh)
            if isinstance(m, tuple)
            else Marker(microseconds(m), None, None)
            for m in policy.reset_markers
        ]
        return cls(
            policy=policy,
            rate_per_watt=MARGIN / HOUR_US * counts_per_wh,
            limit_w=math.inf if policy.max_power_w is None else policy.max_power_w,
            learns=policy.max_power_w is None and policy.glitch == "drop",
            watts_per_rate=LEARNED_FACTOR * HOUR_US / counts_per_wh,
            resolution=policy.resolution_wh * counts_per_wh,
            dip_ratio=math.nan if policy.dip_ratio is None else policy.dip_ratio,
            gap_after=NEVER_US if gap is None else gap // MICROSECOND,
            modulus=None if modulus is None else modulus * counts_per_wh,
            reset_base=policy.reset_base_wh * counts_per_wh,
            markers=tuple(sorted(markers, key=lambda m: m.at)),
            accepted=tuple((microseconds(a), microseconds(b)) for a, b in policy.accepted),
        )

    @property
    def accepts_immediately(self) -> bool:
        """Whether every reading settles at once."""
        return self.policy.glitch == "keep"

    def is_accepted(self, at: int) -> bool:
        """Say whether what a step that ends at an instant refused is booked."""
        return any(start <= at < end for start, end in self.accepted)

    def is_unlimited(self, level: Level) -> bool:
        """Say whether nothing bounds the next rise: no limit is stated, and none learned yet."""
        return self.rate(level) == math.inf

    def rate(self, level: Level) -> float:
        """Return the counts per microsecond that are plausible after a level."""
        if self.learns and level.rises >= FEWEST_RISES:
            return level.limit_w * self.rate_per_watt
        return self.limit_w * self.rate_per_watt

    def allowance(self, level: Level, elapsed: int) -> float:
        """Return the most that a register can count in a time."""
        return max(elapsed, SHORTEST_STEP_US) * self.rate(level) + self.resolution

    def new_level(self, x: Reading) -> Level:
        """Return the level at the first reading of a register, which may have stood for a day."""
        return Level(x.at, x.value, x.at - DAY_US, x.at)

    def catches_up(self, level: Level, x: Reading) -> bool:
        """Say whether a plausible rise was counted long before ``x``, while the register stood.

        A meter that counts on behind a display or a gateway that stands still shows all of it at
        once when that is over: more than the limit allows since the reading before, and it had
        stood for longer than ``gap_after``.
        """
        return x.at - level.reached_at > self.gap_after and self.outruns(level, level.reading, x)

    def max_plausible_rise(self, level: Level, at: int) -> float:
        """Return the largest plausible rise from a level to an instant.

        It is measured from the last instant at which the register showed less: since then it can
        not have counted more than the limit. So neither the step of a coarse register nor a
        frozen run nor the pace of polling changes what is booked.
        """
        return self.allowance(level, at - level.lower_at)

    def is_plausible(self, level: Level, x: Reading) -> bool:
        """Say whether ``x`` can follow a level: a rise within reach, or noise."""
        rise = x.value - level.value
        if rise >= 0:
            return rise <= self.max_plausible_rise(level, x.at)
        is_near = x.value >= self.dip_ratio * level.value
        return is_near and -rise <= self.allowance(level, HOUR_US)

    def follow(self, level: Level, x: Reading, *, teach: bool = True) -> Level:
        """Return the level at ``x``, which was accepted after another one.

        Args:
            level: The level before.
            x: The reading.
            teach: Whether the rise counts for the learned limit.
        """
        rise = x.value - level.value
        if not rise > 0:
            return level._replace(at=x.at, value=x.value)
        if not (teach and self.learns):
            return Level(x.at, x.value, level.at, x.at, level.limit_w, level.rises)
        elapsed = max(x.at - level.lower_at, SHORTEST_STEP_US)
        learned = power_of_two(rise / elapsed * self.watts_per_rate)
        rises = min(level.rises + 1, FEWEST_RISES)
        return Level(x.at, x.value, level.at, x.at, max(level.limit_w, learned), rises)

    def chain(self, good: Level, window: list[Reading]) -> Level | None:
        """Return the level at the end of readings that plausibly follow each other, else None.

        Like a new register's, the first reading may have stood for a day.
        """
        first = window[0]
        level = self.new_level(first)._replace(limit_w=good.limit_w, rises=good.rises)
        for x in window[1:]:
            if not self.is_plausible(level, x):
                return None
            level = self.follow(level, x)
        return level

    def outruns(self, level: Level, a: Reading, b: Reading) -> bool:
        """Say whether a rise is faster than the limit that holds after a level allows."""
        return b.value - a.value > self.allowance(level, b.at - a.at)

    def step_energy(self, level: Level, x: Reading, *, last_zero: int | None = None) -> StepEnergy:
        """Return the energy of the step to ``x``, which is not plausible.

        Args:
            level: The last good level.
            x: The reading that does not follow it, and lasts.
            last_zero: The newest zero between them, if any.
        """
        jump = x.value - level.value
        if jump >= 0:
            reason: DeltaReason = "scale_k" if _is_scale(level, x) else "above_allowance"
            return StepEnergy(0.0, jump, "exchange", reason)
        if self.modulus is not None:
            wrapped = x.value + (self.modulus - level.value)
            within = 0 <= wrapped <= self.max_plausible_rise(level, x.at)
            if within and level.value <= self.modulus:
                return StepEnergy(wrapped, 0.0, "rollover", "modulus")
        on_fall = self.policy.on_fall
        runs_both_ways = self.accepts_immediately and on_fall == "signed"
        if _is_scale(level, x) and not runs_both_ways:
            return StepEnergy(0.0, jump, "exchange", "scale_k")
        if on_fall == "zero":
            return StepEnergy(0.0, 0.0, "reset", "zero")
        if on_fall == "null":
            return StepEnergy(None, 0.0, "reset", "null")
        if on_fall == "signed":
            return StepEnergy(jump, 0.0, "reset", "signed")
        base = self.reset_base if on_fall == "count_after_minus_base" else 0.0
        counted = x.value - base
        # It started again after its last reading, so it can not have counted for longer; after
        # zeros no longer than since the last one, give or take what a coarse register hides.
        elapsed = x.at - level.at if last_zero is None else max(x.at - last_zero, HOUR_US)
        if 0 <= counted <= self.allowance(level, elapsed):
            return StepEnergy(counted, 0.0, "reset", on_fall)
        return StepEnergy(0.0, jump, "exchange", "above_allowance")


def _is_scale(a: Level, b: Reading) -> bool:
    if a.value <= 0 or b.value <= 0:
        return False
    ratio = b.value / a.value
    return any(
        abs(ratio / k - 1) <= SCALE_TOLERANCE or abs(ratio * k - 1) <= SCALE_TOLERANCE
        for k in SCALE_FACTORS
    )
