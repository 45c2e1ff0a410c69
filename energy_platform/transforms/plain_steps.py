"""The register rule for readings that plausibly follow the one before, as arrays.

The arithmetic is that of ``RegisterRule``, operation by operation, so that a reading settled here
comes out to the last bit as the fold would have settled it (a law of the tests). Readings that do
not plainly follow are only marked here; ``counter_state`` decides about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from energy_platform.schemas import DeltaStatus
from energy_platform.transforms.register_rule import (
    DAY_US,
    FEWEST_RISES,
    HOUR_US,
    POWER_OF_TWO,
    SHORTEST_STEP_US,
    DeltaReason,
    Level,
)
from energy_platform.transforms.states import Levels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from energy_platform.transforms.ordering import SortedReadings
    from energy_platform.transforms.register_rule import RegisterRule

# Codes in place of words: a byte per step, and comparisons of arrays.
STATUSES: Final[tuple[str, ...]] = get_args(DeltaStatus)
REASONS: Final[tuple[str | None, ...]] = (*get_args(DeltaReason), None)
STATUS_CODES: Final = {name: code for code, name in enumerate(STATUSES)}
REASON_CODES: Final = {name: code for code, name in enumerate(REASONS)}

_BLOCK: Final = 65_536
"""Readings settled at a time: what is worked on then stays in the processor's cache."""

_NO_EXPONENT: Final = -2048
"""Stands for a limit of 0 W among the exponents of doubles, which begin at -1074."""

_EXPONENTS: Final = 4096
"""More than doubles have: keeps the exponents of one point apart from the next one's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings as arrays: one entry per distinct rule, or per reading of a block."""

    stated_rate: NDArray[np.float64]
    rate_per_watt: NDArray[np.float64]
    watts_per_rate: NDArray[np.float64]
    learns: NDArray[np.bool_]
    resolution: NDArray[np.float64]
    dip_ratio: NDArray[np.float64]
    gap_after: NDArray[np.float64]

    @classmethod
    def of(cls, rules: Sequence[RegisterRule]) -> Settings:
        """Return the settings per distinct rule."""

        def each(setting: Callable[[RegisterRule], float]) -> NDArray[np.float64]:
            return np.array([setting(rule) for rule in rules], np.float64)

        return cls(
            stated_rate=each(lambda rule: rule.limit_w * rule.rate_per_watt),
            rate_per_watt=each(lambda rule: rule.rate_per_watt),
            watts_per_rate=each(lambda rule: rule.watts_per_rate),
            learns=np.array([rule.learns for rule in rules], np.bool_),
            resolution=each(lambda rule: rule.resolution),
            dip_ratio=each(lambda rule: rule.dip_ratio),
            gap_after=each(lambda rule: float(rule.gap_after)),
        )

    def chosen(self, rules: NDArray[np.int64] | None) -> Settings:
        """Return the settings per reading; as they are when all readings share one rule."""
        if rules is None:
            return self
        return Settings(
            stated_rate=self.stated_rate[rules],
            rate_per_watt=self.rate_per_watt[rules],
            watts_per_rate=self.watts_per_rate[rules],
            learns=self.learns[rules],
            resolution=self.resolution[rules],
            dip_ratio=self.dip_ratio[rules],
            gap_after=self.gap_after[rules],
        )


def _at(setting: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    return setting[places] if setting.size > 1 else setting


class PlainSteps:
    """The steps of a load, one entry per reading, in counts.

    Attributes:
        irregular: Readings that do not plainly follow; every later one of their point was settled
            as if they had.
        counted_from: By reading, since when the energy of a step flowed that a register showed
            only after it had stood still.
    """

    def __init__(
        self,
        load: SortedReadings,
        *,
        good: Levels,
        settings: Settings,
        rule_of_point: NDArray[np.int64],
    ) -> None:
        n = load.at.size
        self.load, self.settings = load, settings
        self._good, self._rule_of_point = good, rule_of_point
        self.start_at = np.empty(n, np.int64)
        self.start_at[1:] = load.at[:-1]
        self.start_at[load.first] = good.at
        self.start = np.empty(n)
        self.start[1:] = load.counts[:-1]
        self.start[load.first] = good.value
        self.energy = np.empty(n)
        self.status = np.full(n, STATUS_CODES["ok"], np.uint8)
        self.reason = np.full(n, REASON_CODES[None], np.uint8)
        self.estimated = np.empty(n, np.bool_)
        self.irregular = np.empty(n, np.bool_)
        self.lower_at = np.empty(n, np.int64)
        self.counted_from: dict[int, int] = {}
        # Where the steps of each point begin, and the level before them.
        is_new = np.isnan(good.value)
        opening = load.at[load.first]
        self._base = load.first.copy()
        self._base_lower = np.where(is_new, opening - DAY_US, good.lower_at)
        self._base_reached = np.where(is_new, opening, good.reached_at)
        learns = bool(settings.learns.any())
        self.limit_w = np.zeros(n if learns else 0)
        self.rises = np.zeros(n if learns else 0, np.int64)

    def settle_all(self) -> None:
        """Settle every step that plausibly follows the reading before; mark the irregular ones."""
        load, good = self.load, self._good
        rule_of_reading: NDArray[np.int64] | None = None
        if self.settings.gap_after.size > 1:
            rule_of_reading = np.repeat(self._rule_of_point, load.count)
        for low in range(0, load.at.size, _BLOCK):
            high = min(low + _BLOCK, load.at.size)
            points = slice(*np.searchsorted(load.first, (low, high)).tolist())
            firsts = load.first[points] - low
            limits, rises = good.limit_w[points], good.rises[points]
            lower = self._base_lower[points]
            if not firsts.size or firsts[0]:
                before = self.level(low - 1)
                firsts = np.append(0, firsts)
                lower = np.append(before.lower_at, lower)
                limits = np.append(before.limit_w, limits)
                rises = np.append(before.rises, rises)
            rules = None if rule_of_reading is None else rule_of_reading[low:high]
            self._settle(
                slice(low, high),
                self.settings.chosen(rules),
                firsts=firsts,
                lower_at=lower,
                limits=limits,
                rises=rises,
            )
        self._settle_first(load.first[np.isnan(good.value)])

    def settle_chunk(self, low: int, high: int, *, good: Level, rule: int) -> None:
        """Settle some readings of one point again, after a level that the fold left."""
        block = slice(low, high)
        self.start_at[block], self.start[block] = good.at, good.value
        self.start_at[low + 1 : high] = self.load.at[low : high - 1]
        self.start[low + 1 : high] = self.load.counts[low : high - 1]
        self.status[block] = STATUS_CODES["ok"]
        self.reason[block] = REASON_CODES[None]
        for index in [one for one in self.counted_from if low <= one < high]:
            del self.counted_from[index]
        point = self._point_of(low)
        self._base[point] = low
        self._base_lower[point], self._base_reached[point] = good.lower_at, good.reached_at
        chosen = self.settings.chosen(
            np.array([rule]) if self.settings.gap_after.size > 1 else None
        )
        self._settle(
            block,
            chosen,
            firsts=np.zeros(1, np.int64),
            lower_at=np.array([good.lower_at]),
            limits=np.array([good.limit_w]),
            rises=np.array([good.rises]),
        )

    def level(self, index: int) -> Level:
        """Return the level at a reading that settled as an array."""
        learned = self.limit_w.size > 0
        return Level(
            int(self.load.at[index]),
            float(self.load.counts[index]),
            int(self.lower_at[index]),
            self._reached_at(index),
            float(self.limit_w[index]) if learned else 0.0,
            int(self.rises[index]) if learned else 0,
        )

    def last_levels(self) -> tuple[Levels, Levels]:
        """Return the last level of each point, and the one before."""
        load = self.load
        last = load.first + load.count - 1
        before = self._good.copy()
        longer = np.flatnonzero(load.count > 1)
        found = self._levels(last[longer] - 1)
        before.at[longer], before.value[longer] = found.at, found.value
        before.lower_at[longer], before.reached_at[longer] = found.lower_at, found.reached_at
        before.limit_w[longer], before.rises[longer] = found.limit_w, found.rises
        return self._levels(last), before

    def _levels(self, places: NDArray[np.int64]) -> Levels:
        learned = self.limit_w.size > 0
        reached_at = self.load.at[places]
        stood = np.flatnonzero(~(self.energy[places] > 0))
        reached_at[stood] = [self._reached_at(index) for index in places[stood].tolist()]
        return Levels(
            self.load.at[places],
            self.load.counts[places],
            self.lower_at[places],
            reached_at,
            self.limit_w[places] if learned else np.zeros(places.size),
            self.rises[places] if learned else np.zeros(places.size, np.int64),
        )

    def _point_of(self, index: int) -> int:
        return int(np.searchsorted(self.load.first, index, side="right")) - 1

    def _reached_at(self, index: int) -> int:
        """Return when a register first showed what it shows at a reading."""
        point = self._point_of(index)
        lower_at = self.lower_at[index]
        if lower_at == self._base_lower[point]:
            return int(self._base_reached[point])
        # The reading after the last one that showed less.
        base = int(self._base[point])
        place = np.searchsorted(self.load.at[base:index], lower_at, "right")
        return int(self.load.at[base + place])

    def _settle(
        self,
        block: slice,
        settings: Settings,
        *,
        firsts: NDArray[np.int64],
        lower_at: NDArray[np.int64],
        limits: NDArray[np.float64],
        rises: NDArray[np.int64],
    ) -> None:
        """Settle a block of readings.

        Args:
            block: The readings.
            settings: Of each, or of all.
            firsts: Where in the block points begin, the first reading always among them.
            lower_at: When each of those points had last shown less, before.
            limits: What their limits were, learned so far.
            rises: From how many rises.
        """
        counts, start, start_at = self.load.counts[block], self.start[block], self.start_at[block]
        at = self.load.at[block]
        elapsed = at - start_at
        energy = np.subtract(counts, start, out=self.energy[block])
        falls = np.flatnonzero(energy < 0)
        self._fill_lower(block, firsts=firsts, lower_at=lower_at)
        is_irregular = self.irregular[block]
        if settings.learns.any():
            before = np.empty_like(at)
            before[1:] = self.lower_at[block][:-1]
            before[firsts] = lower_at
            since = np.maximum(at - before, SHORTEST_STEP_US)
            rate = self._learn(block, settings, since, firsts=firsts, limits=limits, rises=rises)
            allow = since * rate
            allow += settings.resolution
            np.logical_not(energy <= allow, out=is_irregular)
            long = np.flatnonzero(since > settings.gap_after)
        else:
            rate = settings.stated_rate
            allow = np.maximum(elapsed, SHORTEST_STEP_US) * rate
            allow += settings.resolution
            np.logical_not(energy <= allow, out=is_irregular)
            long = np.empty(0, np.int64)
            if is_irregular.any():
                # Beyond what the time since the reading before allows: measured properly.
                fast = np.flatnonzero(is_irregular)
                before = self.lower_at[block][fast - 1]
                place = np.minimum(np.searchsorted(firsts, fast), firsts.size - 1)
                opens = firsts[place] == fast
                before[opens] = lower_at[place[opens]]
                since = np.maximum(at[fast] - before, SHORTEST_STEP_US)
                allow = since * _at(rate, fast) + _at(settings.resolution, fast)
                is_irregular[fast] = ~(energy[fast] <= allow)
                long = fast[since > _at(settings.gap_after, fast)]
        late = np.greater(elapsed, settings.gap_after, out=self.estimated[block])
        if late.any():
            self.status[block][late] = STATUS_CODES["gap"]
            self.reason[block][late] = REASON_CODES["longer_than_gap_after"]
        if long.size:
            self._note_catch_ups(block, settings, long[~is_irregular[long]], rate)
        if falls.size:
            is_near = counts[falls] >= _at(settings.dip_ratio, falls) * start[falls]
            noise = HOUR_US * _at(rate, falls) + _at(settings.resolution, falls)
            is_irregular[falls] = ~(is_near & (-energy[falls] <= noise))
            self.status[block][falls] = STATUS_CODES["dip"]
            self.reason[block][falls] = REASON_CODES["within_dip_ratio"]

    def _note_catch_ups(
        self, block: slice, settings: Settings, long: NDArray[np.int64], rate: NDArray[np.float64]
    ) -> None:
        """Note steps that were counted while the register stood still, long before they showed.

        Args:
            block: The readings.
            settings: Of each, or of all.
            long: Plausible steps before which the register had shown less long ago.
            rate: What is plausible after the reading before each.
        """
        elapsed = self.load.at[block][long] - self.start_at[block][long]
        allow = np.maximum(elapsed, SHORTEST_STEP_US) * _at(rate, long)
        allow += _at(settings.resolution, long)
        for place in long[self.energy[block][long] > allow].tolist():
            index = block.start + place
            point = self._point_of(index)
            opens = index == self._base[point]
            reached = int(self._base_reached[point]) if opens else self._reached_at(index - 1)
            gap_after = settings.gap_after[place if settings.gap_after.size > 1 else 0]
            if self.load.at[index] - reached > gap_after:
                self.counted_from[index] = reached
                self.estimated[index] = True
                self.status[index] = STATUS_CODES["gap"]
                self.reason[index] = REASON_CODES["stood_still"]

    def _fill_lower(
        self, block: slice, *, firsts: NDArray[np.int64], lower_at: NDArray[np.int64]
    ) -> None:
        """Fill in when the register had last shown less than at each reading.

        After a rise that is the reading before; else it is what it was.
        """
        start_at, lower = self.start_at[block], self.lower_at[block]
        lower[:] = start_at
        stays = np.flatnonzero(~(self.energy[block] > 0))
        if not stays.size:
            return
        is_first = np.zeros(lower.size, np.bool_)
        is_first[firsts] = True
        opens = is_first[stays]
        opens[1:] |= np.diff(stays) != 1
        opens[0] = True
        begins = stays[opens]
        known = start_at[begins - 1]
        carried = is_first[begins]
        known[carried] = lower_at[np.searchsorted(firsts, begins[carried])]
        lower[stays] = known[np.cumsum(opens) - 1]

    def _learn(
        self,
        block: slice,
        settings: Settings,
        since: NDArray[np.int64],
        *,
        firsts: NDArray[np.int64],
        limits: NDArray[np.float64],
        rises: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Fill in the limits that the rises of a block teach.

        Returns:
            The rate that is plausible after the reading before each.
        """
        energy = self.energy[block]
        teaches = (energy > 0) & settings.learns
        with np.errstate(invalid="ignore"):
            power = np.where(teaches, energy / since * settings.watts_per_rate, 0.0)
        mantissa, exponent = np.frexp(power)
        exponent = exponent - (mantissa == POWER_OF_TWO)
        number = np.zeros(energy.size, np.int64)
        number[firsts[1:]] = 1
        np.cumsum(number, out=number)
        coded = np.where(teaches, exponent.astype(np.int64), _NO_EXPONENT)
        known = np.frexp(limits)[1].astype(np.int64) - 1
        known[limits == 0] = _NO_EXPONENT
        coded[firsts] = np.maximum(coded[firsts], known)
        coded += number * _EXPONENTS
        np.maximum.accumulate(coded, out=coded)
        coded -= number * _EXPONENTS
        limit = self.limit_w[block]
        limit[:] = np.where(coded > _NO_EXPONENT, np.ldexp(1.0, coded.astype(np.int32)), 0.0)
        seen = np.cumsum(teaches)
        base = np.where(firsts > 0, seen[firsts - 1], 0)
        many = self.rises[block]
        np.minimum(seen - (base - rises)[number], FEWEST_RISES, out=many)
        limit_before, many_before = np.empty_like(limit), np.empty_like(many)
        limit_before[1:], many_before[1:] = limit[:-1], many[:-1]
        limit_before[firsts], many_before[firsts] = limits, rises
        holds = (many_before >= FEWEST_RISES) & settings.learns
        return np.where(holds, limit_before * settings.rate_per_watt, settings.stated_rate)

    def _settle_first(self, new: NDArray[np.int64]) -> None:
        self.irregular[new] = self.load.counts[new] == 0
        self.estimated[new] = False
        self.start_at[new] = self.load.at[new]
        self.start[new] = self.load.counts[new]
        self.energy[new] = 0.0
        self.status[new] = STATUS_CODES["first"]
        self.reason[new] = REASON_CODES["first_reading"]
