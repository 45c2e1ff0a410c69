"""Signals of simulated devices, read from tables.

A vendor's ``devices.yaml`` has a row per signal; its ``devices.py`` has what a row cannot say: the
curves and functions that rows name, and which rows a device has. One builder makes signals of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import yaml

from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    IncrementModel,
    Kind,
    Model,
    RegisterModel,
    Role,
    Signal,
    StateModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from energy_platform.simulators.world.curves import Curve, Floats
    from energy_platform.simulators.world.sites import Site


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One signal of a device; texts may hold ``{words}`` that the builder is given.

    Exactly one of ``gauge``, ``power``, ``constant``, ``register``, ``increment`` and ``state``
    says what it shows.

    Attributes:
        name: The vendor's readable name.
        quantity: By the platform's names.
        key: What the vendor calls it; the name with underscores for blanks by default.
        unit: As the vendor writes it.
        kind: Bitfield instead of state; all others follow from what it shows.
        decimals: Of the number; states have none.
        phase: As in `Signal`.
        role: As in `Signal`; ``device`` for the device's own.
        carrier: As in `Signal`.
        label: The vendor's own type label.
        states: Texts of a text signal.
        traits: Marks for the vendor's simulator.
        every_s: Its own cadence, where it differs from the device's.
        gauge: Name of the function it measures.
        power: Name of the curve whose power it measures, times ``share``, in ``per`` W.
        constant: The value it always shows.
        register: Name of the curve it counts.
        increment: Name of the curve whose register's rise it shows.
        step_j: Energy of one count, J.
        start: Counts at the beginning.
        start_each: Counts added per running number of the device, from 1.
        factor: Multiplies what a register shows.
        state: Codes; mostly the first.
        hold_s: How long a code lasts at least.
        rarity: One hold in so many shows another code.
        state_key: Makes two signals of a device differ, after ``state_each`` per device.
        state_each: See ``state_key``.
    """

    name: str
    quantity: str
    key: str = ""
    unit: str = ""
    kind: Kind | None = None
    decimals: int | None = None
    phase: int = 0
    role: str = "none"
    carrier: str = "electricity"
    label: str = ""
    states: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()
    every_s: int | None = None
    gauge: str | None = None
    power: str | None = None
    share: float = 1.0
    per: float = 1.0
    constant: float | None = None
    register: str | None = None
    increment: str | None = None
    step_j: float = 1.0
    start: int | str = 0
    start_each: int = 0
    factor: float = 1.0
    state: tuple[int, ...] = ()
    hold_s: int = 3_600
    rarity: int = 1
    state_key: int = 0
    state_each: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceContext:
    """The device whose signals are built.

    Attributes:
        vendor: Whose cloud lists it.
        serial: Its serial number or id.
        site: Where it is.
        cadence: When it is sampled.
        number: Running number; makes devices differ.
        item: Put before the address of each signal (``Global|0``); empty for none.
        role: Role of the signals whose row says ``device``.
        curves: Curves that rows name.
        functions: Functions of time that rows name.
    """

    vendor: str
    serial: str
    site: Site
    cadence: Cadence
    number: int
    item: str = ""
    role: Role = "none"
    curves: Mapping[str, Curve] = field(default_factory=dict)
    functions: Mapping[str, Callable[[Floats], Floats]] = field(default_factory=dict)


@cache
def read_rows(path: Path) -> dict[str, tuple[Row, ...]]:
    """Return the tables of a file by name, the file's ``defaults`` filled in.

    Raises:
        msgspec.ValidationError: A row has an unknown key or a value of another type.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    defaults = content.get("defaults", {})
    return {
        name: tuple(msgspec.convert({**defaults, **row}, Row, strict=False) for row in rows)
        for name, rows in content["tables"].items()
    }


def build_signals(
    rows: Iterable[Row],
    device: DeviceContext,
    *,
    words: Mapping[str, object] | None = None,
    state_key: int = 0,
) -> list[Signal]:
    """Return the signals of a device.

    Args:
        rows: Of one table or several.
        device: Where they belong, and what their rows name.
        words: For the ``{words}`` of the rows.
        state_key: Added to the key of every state: makes repeated rows differ.

    Raises:
        KeyError: A row names a curve, a function or a word that is not given.
    """
    return [_signal(row, device, state_key=state_key, words=words or {}) for row in rows]


def _signal(row: Row, device: DeviceContext, *, state_key: int, words: Mapping[str, Any]) -> Signal:
    name = row.name.format_map(words)
    key = row.key.format_map(words) or name.replace(" ", "_")
    address = f"{device.item}|{key}" if device.item else key
    cadence = (
        device.cadence if row.every_s is None else replace(device.cadence, period_s=row.every_s)
    )
    decimals = (0 if row.state else 2) if row.decimals is None else row.decimals
    return Signal(
        key=f"{device.vendor}/{device.serial}/{address}",
        vendor=device.vendor,
        device=device.serial,
        site=device.site.key,
        address=address,
        name=name,
        quantity=row.quantity.format_map(words),
        kind=row.kind or _kind(row),
        unit=row.unit,
        model=_model(row, device, decimals=decimals, state_key=state_key, words=words),
        cadence=cadence,
        phase=row.phase,
        role=device.role if row.role == "device" else msgspec.convert(row.role, Role),
        carrier=row.carrier,
        label=row.label,
        states=row.states,
        decimals=decimals,
        traits=row.traits,
    )


def _kind(row: Row) -> Kind:
    if row.register is not None:
        return "register"
    if row.increment is not None:
        return "increment"
    return "state" if row.state else "gauge"


def _model(
    row: Row, device: DeviceContext, *, decimals: int, state_key: int, words: Mapping[str, Any]
) -> Model:
    counted = row.register or row.increment
    if counted is not None:
        register = RegisterModel(
            curve=device.curves[counted.format_map(words)],
            step_j=row.step_j,
            decimals=decimals,
            start_counts=int(str(row.start).format_map(words))
            + row.start_each * (device.number + 1),
            factor=row.factor,
        )
        return register if row.register is not None else IncrementModel(register)
    if row.state:
        key = row.state_each * device.number + row.state_key + state_key
        return StateModel(row.state, row.hold_s, row.rarity, key)
    if row.constant is not None:
        return GaugeModel(_constant(row.constant), decimals)
    if row.power is not None:
        return GaugeModel(_power(device.curves[row.power.format_map(words)], row), decimals)
    return GaugeModel(device.functions[str(row.gauge)], decimals)


def _constant(value: float) -> Callable[[Floats], Floats]:
    return lambda t: np.full(t.shape, value)


def _power(curve: Curve, row: Row) -> Callable[[Floats], Floats]:
    return lambda t: curve.power_w(t) * row.share / row.per
