"""Building blocks of a Socomec device: one service, the electrical measures, an energy index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    Kind,
    Model,
    RegisterModel,
    Role,
    Signal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.simulators.world.curves import Curve, Floats
    from energy_platform.simulators.world.sites import Site

NOMINAL_V: Final = {"paris": 230.0, "los-angeles": 277.0, "kolkata": 240.0}
NOMINAL_HZ: Final = {"paris": 50.0, "los-angeles": 60.0, "kolkata": 50.0}

_J_PER_WH: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """Where the signals being made belong."""

    site: Site
    serial: str
    cadence: Cadence
    number: int
    item: str = "Global|0"
    role: Role = "none"


def service(
    device: DeviceContext,
    number: str,
    name: str,
    model: Model,
    *,
    quantity: str,
    unit: str,
    kind: Kind = "gauge",
    phase: int = 0,
    decimals: int = 2,
    label: str = "Output",
    role: Role = "none",
    traits: frozenset[str] = frozenset(),
) -> Signal:
    """A signal of one service, addressed ``itemType|itemIndex|serviceId``."""
    address = f"{device.item}|{number}"
    return Signal(
        key=f"socomec/{device.serial}/{address}",
        vendor="socomec",
        device=device.serial,
        site=device.site.key,
        address=address,
        name=name,
        quantity=quantity,
        kind=kind,
        unit=unit,
        model=model,
        cadence=device.cadence,
        phase=phase,
        role=role,
        label=label,
        decimals=decimals,
        traits=traits,
    )


def electrical(
    device: DeviceContext, curve: Curve, *, pf: float, power: str = "Positive active power"
) -> list[Signal]:
    """Voltages, currents, powers, power factor and frequency behind one power curve.

    Args:
        device: Where they belong.
        curve: The power.
        pf: Power factor, 0 to 1.
        power: What the vendor calls the power; one that has both signs is a total.
    """
    nominal = NOMINAL_V[device.site.key]
    hertz = NOMINAL_HZ[device.site.key]
    reactive = float(np.tan(np.arccos(pf)))

    def volts(phase: int) -> Callable[[Floats], Floats]:
        return lambda t: nominal * (1.0 + 0.012 * np.sin(2 * np.pi * t / 5_400.0 + phase))

    def amperes(phase: int) -> Callable[[Floats], Floats]:
        share = (0.34, 0.33, 0.33)[phase - 1]
        return lambda t: np.abs(curve.power_w(t)) * share / pf / volts(phase)(t)

    def hz(t: Floats) -> Floats:
        return np.asarray(hertz + 0.03 * np.sin(2 * np.pi * t / 1_800.0), dtype=np.float64)

    def watts(t: Floats) -> Floats:
        return curve.power_w(t)

    made: list[Signal] = []
    for phase in (1, 2, 3):
        made.append(
            service(
                device,
                f"13000{phase}",
                f"V{phase}",
                GaugeModel(volts(phase), 1),
                quantity="voltage",
                unit="VOLT",
                phase=phase,
                decimals=1,
            )
        )
        made.append(
            service(
                device,
                f"13001{phase}",
                f"I{phase}",
                GaugeModel(amperes(phase), 2),
                quantity="current",
                unit="AMPERE",
                phase=phase,
            )
        )
    made += [
        service(
            device,
            "130021",
            power,
            GaugeModel(lambda t: watts(t) / 1_000, 3),
            quantity="active_power",
            unit="KILOWATT",
            decimals=3,
        ),
        service(
            device,
            "130031",
            "Total reactive power",
            GaugeModel(lambda t: watts(t) * reactive / 1_000, 3),
            quantity="reactive_power",
            unit="KILOVAR",
            decimals=3,
        ),
        service(
            device,
            "130041",
            "Total apparent power",
            GaugeModel(lambda t: np.abs(watts(t)) / pf / 1_000, 3),
            quantity="apparent_power",
            unit="KILOVOLT_AMPERE",
            decimals=3,
        ),
        service(
            device,
            "130051",
            "Power factor",
            GaugeModel(lambda t: np.full(t.shape, pf), 3),
            quantity="power_factor",
            unit="NONE",
            decimals=3,
        ),
        service(
            device,
            "130061",
            "Frequency",
            GaugeModel(hz, 2),
            quantity="frequency",
            unit="HERTZ",
        ),
    ]
    return made


def between_phases(device: DeviceContext, curve: Curve, *, pf: float) -> list[Signal]:
    """Voltages between phases and the current of the neutral, which the larger meters print."""
    nominal = NOMINAL_V[device.site.key]

    def volts(pair: int) -> Callable[[Floats], Floats]:
        return lambda t: 3**0.5 * nominal * (1.0 + 0.01 * np.sin(2 * np.pi * t / 5_400.0 + pair))

    def neutral(t: Floats) -> Floats:
        # The first phase carries a hundredth more than the others.
        return np.abs(curve.power_w(t)) * 0.01 / pf / nominal

    pairs = [
        service(
            device,
            number,
            name,
            GaugeModel(volts(phases), 1),
            quantity="voltage",
            unit="VOLT",
            phase=phases,
            decimals=1,
        )
        for number, name, phases in (
            ("130004", "U12", 12),
            ("130005", "U23", 23),
            ("130006", "U31", 13),
        )
    ]
    in_neutral = service(
        device,
        "130014",
        "In",
        GaugeModel(neutral, 2),
        quantity="current",
        unit="AMPERE",
        traits=frozenset({"neutral"}),
    )
    return [*pairs, in_neutral]


def register(
    device: DeviceContext,
    number: str,
    name: str,
    curve: Curve,
    *,
    quantity: str,
    in_kwh: bool = False,
    unit: str | None = None,
    role: Role | None = None,
) -> Signal:
    """An energy index: whole watt-hours, or kilowatt-hours with two decimals."""
    step_j = _J_PER_WH * (10.0 if in_kwh else 1.0)
    return service(
        device,
        number,
        name,
        RegisterModel(
            curve=curve,
            step_j=step_j,
            decimals=2 if in_kwh else 0,
            start_counts=1_000_003 * (device.number + 1),
        ),
        quantity=quantity,
        unit=unit or ("KILOWATT_HOUR" if in_kwh else "WATT_HOUR"),
        kind="register",
        decimals=2 if in_kwh else 0,
        label="Index",
        role=device.role if role is None else role,
    )
