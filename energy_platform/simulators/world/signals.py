"""A signal is one series a vendor reports: where it is, what it means, and its samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from energy_platform.simulators.world.curves import ORIGIN_S, Curve, Floats, Ints
from energy_platform.simulators.world.events import Event, change_samples, change_values

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["register", "increment", "gauge", "state", "bitfield"]
Role = Literal["main", "sub", "generation", "storage", "none"]


class Samples(NamedTuple):
    """What a sensor reported in a window, ascending by instant.

    Attributes:
        at: Epoch seconds of each sample, int64.
        values: Value in the vendor's unit, float64; NaN is a null. For text signals the index
            into ``Signal.states``.
    """

    at: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Cadence:
    """Sample instants of one device: one whole second somewhere inside each slot of ``period_s``.

    The second depends only on the device and the slot's number, so it is the same for every window
    that is ever asked.

    Attributes:
        period_s: Length of a slot in seconds; also the mean distance between samples.
        spread_s: The sample lies in the first ``spread_s`` seconds of its slot; 1 puts it exactly
            on the grid.
        key: Number that makes two devices differ.
    """

    period_s: int
    spread_s: int
    key: int

    def stamps(self, start: float, end: float) -> Ints:
        """Epoch seconds of all samples in [start, end), ascending; none before ``ORIGIN_S``."""
        start = max(start, ORIGIN_S)
        first = int(np.floor(start / self.period_s))
        last = int(np.ceil(end / self.period_s))
        if last <= first:
            return np.empty(0, dtype=np.int64)
        at = self._in_slot(np.arange(first, last + 1, dtype=np.int64))
        return at[(at >= start) & (at < end)]

    def before(self, at: Ints) -> Ints:
        """The sample instant before each of the device's own sample instants."""
        return self._in_slot(np.asarray(at, dtype=np.int64) // self.period_s - 1)

    def newest(self, now: float) -> int | None:
        """The last sample instant at or before ``now``; None before the first one."""
        at = self.stamps(now - 2 * self.period_s, np.nextafter(now, np.inf))
        return int(at[-1]) if at.size else None

    def _in_slot(self, slot: Ints) -> Ints:
        if self.spread_s <= 1:
            return slot * self.period_s
        return slot * self.period_s + jitter(slot, key=self.key) % self.spread_s


def jitter(numbers: Ints, *, key: int) -> Ints:
    """A fixed, well mixed non-negative number for each number (splitmix64)."""
    salt = np.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    mixed = numbers.astype(np.uint64) + salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


class Model(Protocol):
    """What a healthy sensor shows at given instants."""

    def values(self, at: Ints, *, cadence: Cadence) -> Floats:
        """Values at epoch seconds ``at``, in the vendor's unit."""
        ...


@dataclass(frozen=True, slots=True)
class RegisterModel:
    """A counter of whole steps: floor(start + energy / step).

    Attributes:
        curve: The power it integrates, W (or any other rate per second).
        step_j: Energy of one count, J.
        decimals: Decimals of the vendor's number: value = count / 10**decimals.
        start_counts: Counts at ``ORIGIN_S``.
        factor: Multiplies the shown value (65536 imitates exchanged 16-bit words).
    """

    curve: Curve
    step_j: float
    decimals: int = 0
    start_counts: int = 0
    factor: float = 1.0

    def counts(self, at: Ints) -> Ints:
        """Whole counts at epoch seconds ``at``."""
        energy = self.curve.energy_j(at) - self.curve.energy_j(np.float64(ORIGIN_S))
        return np.floor(self.start_counts + energy / self.step_j).astype(np.int64)

    def values(self, at: Ints, *, cadence: Cadence) -> Floats:  # noqa: ARG002 (the protocol's)
        """The register as the vendor prints it."""
        return self.counts(at) / 10.0**self.decimals * self.factor


@dataclass(frozen=True, slots=True)
class IncrementModel:
    """The rise of a register since the device's sample before: a ``..._Delta`` service."""

    register: RegisterModel

    def values(self, at: Ints, *, cadence: Cadence) -> Floats:
        """Counts gained since the previous sample, in the register's unit."""
        register = self.register
        gained = register.counts(at) - register.counts(cadence.before(at))
        return gained / 10.0**register.decimals


@dataclass(frozen=True, slots=True)
class GaugeModel:
    """A measured quantity: any function of time, rounded to what the display shows."""

    of: Callable[[Floats], Floats]
    decimals: int = 2

    def values(self, at: Ints, *, cadence: Cadence) -> Floats:  # noqa: ARG002 (the protocol's)
        """Rounded values."""
        return np.round(self.of(at.astype(np.float64)), self.decimals)


@dataclass(frozen=True, slots=True)
class StateModel:
    """A code that stays for ``hold_s`` and is mostly the first of ``codes``.

    Attributes:
        codes: Numbers shown; for text signals the index into ``Signal.states``.
        hold_s: How long a code lasts at least.
        rarity: One hold in ``rarity`` shows another code than the first.
        key: Number that makes two signals differ.
    """

    codes: tuple[int, ...]
    hold_s: int
    rarity: int
    key: int

    def values(self, at: Ints, *, cadence: Cadence) -> Floats:  # noqa: ARG002 (the protocol's)
        """Codes as floats."""
        drawn = jitter(at // self.hold_s, key=self.key)
        others = 1 + drawn // self.rarity % max(1, len(self.codes) - 1)
        index = np.where(drawn % self.rarity == 0, np.minimum(others, len(self.codes) - 1), 0)
        return np.asarray(self.codes, dtype=np.float64)[index]


@dataclass(slots=True, eq=False)
class Signal:
    """One series of one device.

    Attributes:
        key: The platform's point id, for example ``socomec/SN000001/Global|0|140100``.
        vendor: Who serves it.
        device: Serial number (Socomec, Belimo) or device id (SkyCentrics).
        site: Key of its site.
        address: What the vendor calls it: ``itemType|itemIndex|serviceId``, datapoint or sensor id.
        name: The vendor's readable name.
        quantity: Quantity by the platform's names, for example ``active_energy_import``.
        kind: Register, increment, gauge, state or bitfield.
        unit: Unit as the vendor writes it; empty for none.
        model: What a healthy sensor shows.
        cadence: When it is sampled.
        phase: 1 to 3 against the neutral, 12, 13 or 23 between two phases, 0 for a total.
        role: Place of the point in its site's energy balance.
        carrier: ``electricity``, ``heating``, ``cooling`` or ``water``.
        label: The vendor's own type label (SkyCentrics ``type``, Socomec service group).
        states: Texts of a text signal; empty for numbers.
        decimals: Decimals of the number; 0 means whole numbers.
        traits: Marks for the vendor's simulator: ``alarm``, ``stale``, ``vanished``, ``dup``,
            ``word_swapped``, ``no_unit``, ``no_description``, ``boolean``, ``neutral``.
        events: What goes wrong on it; set through ``World.add_event``.
    """

    key: str
    vendor: str
    device: str
    site: str
    address: str
    name: str
    quantity: str
    kind: Kind
    unit: str
    model: Model
    cadence: Cadence
    phase: int = 0
    role: Role = "none"
    carrier: str = "electricity"
    label: str = ""
    states: tuple[str, ...] = ()
    decimals: int = 2
    traits: frozenset[str] = frozenset()
    events: tuple[Event, ...] = field(default=())

    @property
    def curve(self) -> Curve | None:
        """The power behind a register or an increment; None for everything else."""
        if isinstance(self.model, RegisterModel):
            return self.model.curve
        if isinstance(self.model, IncrementModel):
            return self.model.register.curve
        return None

    def samples(self, start: float, end: float, *, now: float | None = None) -> Samples:
        """What the sensor reported in [start, end), epoch seconds.

        Args:
            start: Inclusive.
            end: Exclusive.
            now: Nothing later than this exists yet, nor late samples that become visible after
                it; None asks for everything that will ever exist.
        """
        horizon = np.inf if now is None else now
        shifts = [event for event in self.events if event.kind == "shifted"]
        reach = max((abs(event.amount) for event in shifts), default=0.0)
        until = min(end + reach, np.nextafter(horizon, np.inf) if np.isfinite(horizon) else np.inf)
        at = self.cadence.stamps(start - reach, until)
        values = self.values_at(at)
        for event in self.events:
            at, values = change_samples(event, at=at, values=values, now=horizon)
        if shifts:
            for event in shifts:
                at = at + np.where(event.covers(at), int(event.amount), 0)
            kept = (at >= start) & (at < end)
            at, values = at[kept], values[kept]
            order = np.argsort(at, kind="stable")
            at, values = at[order], values[order]
        return Samples(at, values)

    def values_at(self, at: Ints) -> Floats:
        """What the sensor shows at any instants, events that change values included."""
        values = self.model.values(at, cadence=self.cadence)
        for event in self.events:
            if event.changes_values:
                # A second event meets the register as the first one left it, not the clean one.
                at_start = self._value_before(event)
                values = change_values(event, at=at, values=values, at_start=at_start)
        return values

    def newest(self, now: float) -> tuple[int, float] | None:
        """The last sample at or before ``now`` that is visible; None when there is none.

        Looks back two days at most: a longer gap is a device that vanished.
        """
        for reach in (3 * self.cadence.period_s, 6 * 3_600, 48 * 3_600):
            samples = self.samples(now - reach, np.nextafter(now, np.inf), now=now)
            if samples.at.size:
                return int(samples.at[-1]), float(samples.values[-1])
        return None

    def true_energy_wh(self, start: float, end: float) -> float:
        """Exact energy that passed in [start, end), Wh, whatever the sensor reported.

        Raises:
            ValueError: The signal is not an energy.
        """
        curve = self.curve
        if curve is None or "energy" not in self.quantity:
            msg = f"{self.key} is {self.quantity}, which has no energy"
            raise ValueError(msg)
        return curve.energy_wh(start, end)

    def _value_before(self, event: Event) -> float:
        at = np.array([int(event.start_s)], dtype=np.int64)
        values = self.model.values(at, cadence=self.cadence)
        for earlier in self.events:
            if earlier is event:
                break
            if earlier.changes_values:
                before = self._value_before(earlier)
                values = change_values(earlier, at=at, values=values, at_start=before)
        return float(values[0])
