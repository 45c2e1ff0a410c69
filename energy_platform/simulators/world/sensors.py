"""Building blocks of a SkyCentrics gateway: sensors, counters, branch circuits, lighting zones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.curves import HOUR_S, Curve, load
from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    Kind,
    Model,
    RegisterModel,
    Role,
    Signal,
    StateModel,
)

if TYPE_CHECKING:
    from energy_platform.simulators.world.sites import Site

FEEDERS: Final = 6
ZONES: Final = 2

FIRST_UNIT: Final = 62
"""Number of the first lighting unit, as the vendor prints it."""

_KWH_J: Final = 3.6e6


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """Where the sensors being made belong."""

    site: Site
    device: str
    cadence: Cadence
    number: int


def sensor(
    device: DeviceContext,
    name: str,
    model: Model,
    *,
    label: str,
    unit: str,
    quantity: str,
    kind: Kind = "gauge",
    role: Role = "none",
    phase: int = 0,
    decimals: int = 2,
    states: tuple[str, ...] = (),
    traits: frozenset[str] = frozenset(),
) -> Signal:
    """A sensor; its id is its name with underscores for blanks."""
    address = name.replace(" ", "_")
    return Signal(
        key=f"skycentrics/{device.device}/{address}",
        vendor="skycentrics",
        device=device.device,
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
        states=states,
        decimals=decimals,
        traits=traits,
    )


def counter(
    device: DeviceContext,
    name: str,
    curve: Curve,
    *,
    quantity: str,
    role: Role = "none",
    start: int = 0,
) -> Signal:
    """A counter in kWh with two decimals."""
    return sensor(
        device,
        name,
        RegisterModel(curve=curve, step_j=_KWH_J / 100, decimals=2, start_counts=start * 100),
        label="Energy",
        unit="kWh",
        quantity=quantity,
        kind="register",
        role=role,
    )


def gauge(
    device: DeviceContext, name: str, curve: Curve, *, unit: str = "kW", decimals: int = 3
) -> Signal:
    """A power in kW or W."""
    divisor = 1_000.0 if unit == "kW" else 1.0
    return sensor(
        device,
        name,
        GaugeModel(lambda t: curve.power_w(t) / divisor, decimals),
        label="Power",
        unit=unit,
        quantity="active_power",
        decimals=decimals,
    )


def reactive(device: DeviceContext, name: str, curve: Curve, *, share: float) -> Signal:
    """A reactive power in kVAR, a share of an active one."""
    return sensor(
        device,
        name,
        GaugeModel(lambda t: curve.power_w(t) * share / 1_000, 3),
        label="Reactive Power",
        unit="kVAR",
        quantity="reactive_power",
        decimals=3,
    )


def setpoint(device: DeviceContext, name: str, value: float, *, unit: str) -> Signal:
    """What something is told to do; never a measured power."""
    return sensor(
        device,
        name,
        GaugeModel(lambda t: np.full(t.shape, value), 1),
        label="Power Setpoint",
        unit=unit,
        quantity="other",
        decimals=1,
    )


def feeders(device: DeviceContext) -> list[Signal]:
    """Branch circuits: power in W beside the kW of the building, one counter that never moves."""
    made: list[Signal] = []
    for feeder in range(1, FEEDERS + 1):
        curve = load(
            2_000.0 + 900.0 * feeder,
            solar_offset_s=device.site.solar_offset_s,
            busiest_hour=8.0 + feeder,
        )
        dead = Curve() if feeder == FEEDERS else curve
        made += [
            gauge(device, f"Feeder [{feeder:04d}] Power", dead, unit="W", decimals=1),
            counter(
                device,
                f"Feeder [{feeder:04d}] kWh Energy",
                dead,
                quantity="active_energy_import",
                start=0 if feeder == FEEDERS else 70,
            ),
            sensor(
                device,
                f"Feeder [{feeder:04d}] Trip Status",
                StateModel((0, 1, 3), 14_400, 53, device.number * 100 + feeder),
                label="Power",
                unit="",
                quantity="state",
                kind="bitfield",
                decimals=0,
            ),
        ]
    return made


def zones(device: DeviceContext) -> list[Signal]:
    """Lighting units: a text state, a level, and what could be shed; illuminance of the first."""
    made: list[Signal] = []
    for zone in range(ZONES):
        unit = f"SSU [{FIRST_UNIT + zone:04d}]"
        made += [
            sensor(
                device,
                f"{unit} BV420_ZStat",
                StateModel((0, 1), 3_600, 3, device.number * 200 + zone),
                label="State",
                unit="",
                quantity="state",
                kind="state",
                decimals=0,
                states=("active", "inactive"),
            ),
            sensor(
                device,
                f"{unit} AV421_ZDim",
                GaugeModel(
                    lambda t: np.round(55 + 40 * np.sin(2 * np.pi * t / (6 * HOUR_S)), 0), 0
                ),
                label="Lighting Control",
                unit="%",
                quantity="other",
                decimals=0,
            ),
        ]
    first = f"SSU [{FIRST_UNIT:04d}]"
    made += [
        sensor(
            device,
            f"{first} {name}",
            GaugeModel(lambda t: np.full(t.shape, 100.0), 0),
            label="Power",
            unit="W",
            quantity="other",
            decimals=0,
        )
        # What could be shed, and a request to shed: neither is a measured power.
        for name in ("AI1000425_Shedtable", "AO1000425_ShReq")
    ]
    made.append(
        sensor(
            device,
            f"{first} AO100288_PHS",
            GaugeModel(lambda t: 300.0 + 250.0 * np.sin(2 * np.pi * t / (24 * HOUR_S)), 0),
            label="State",
            unit="luxes",
            quantity="other",
            decimals=0,
        )
    )
    return made


def oddities(device: DeviceContext) -> list[Signal]:
    """What a real answer holds besides: a duplicate point, a stale one, one that vanished."""
    return [
        sensor(
            device,
            "SEL_RELAY_TRIP_STATUS_POWER_ELEMENT",
            StateModel((0, 1), 14_400, 211, device.number),
            label="Power",
            unit="",
            quantity="state",
            kind="bitfield",
            decimals=0,
        ),
        sensor(
            device,
            "Lighting Zone 1 (Sheddable) Level",
            GaugeModel(lambda t: np.full(t.shape, 80.0), 0),
            label="Lighting Control",
            unit="%",
            quantity="other",
            decimals=0,
        ),
        gauge(device, "Legacy Meter kW", device.site.loads["ups"]),
        sensor(
            device,
            "Legacy Meter kW_DUP",
            GaugeModel(lambda t: device.site.loads["ups"].power_w(t) / 1_000 + 1.5, 3),
            label="Power",
            unit="kW",
            quantity="active_power",
            decimals=3,
            traits=frozenset({"dup"}),
        ),
        sensor(
            device,
            "Weather Station Temp",
            GaugeModel(device.site.outdoor_c, 1),
            label="State",
            unit="",
            quantity="other",
            decimals=1,
            traits=frozenset({"stale"}),
        ),
        sensor(
            device,
            "Cellar Pump Power",
            GaugeModel(lambda t: np.full(t.shape, 750.0), 0),
            label="Power",
            unit="W",
            quantity="active_power",
            decimals=0,
            traits=frozenset({"vanished"}),
        ),
    ]
