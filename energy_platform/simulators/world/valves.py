"""Belimo energy valves of the world: lifetime heat and cold in joules, temperatures, flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from energy_platform.simulators.world.curves import Curve, Floats
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    Kind,
    Model,
    RegisterModel,
    Signal,
    StateModel,
)
from energy_platform.simulators.world.sites import Site, heat_load

VALVES_PER_SITE: Final = {"paris": 12, "los-angeles": 8, "kolkata": 8}

WATER_J_PER_M3_K: Final = 4.18e6
"""Heat in a cubic metre of water for one kelvin."""

PROFILES: Final = ("energyvalve3/1.2", "device.belimo.energy-valve-Version3/1.2.2")
"""Two dataprofiles that share the same datapoint ids."""

NO_PROFILE: Final = frozenset({7, 19})
NO_LAST_SEEN: Final = 11
ERROR: Final = 4
WARNING: Final = 15
QUIET: Final = 23
"""Running numbers of the valves that are odd; the quiet one reports every six hours."""


HEATING_SITE: Final = "paris"
"""Where the valves are called as the customers of the vendor's own example call theirs."""

SIDES: Final = ("Nord-West", "Sued-Ost", "Nord-Ost", "Sued-West")


@dataclass(frozen=True, slots=True)
class DeviceContext:
    """The valve whose signals are being made."""

    site: Site
    serial: str
    cadence: Cadence
    number: int


def _signal(
    device: DeviceContext,
    datapoint: str,
    name: str,
    model: Model,
    *,
    quantity: str,
    unit: str,
    kind: Kind = "gauge",
    decimals: int = 2,
    carrier: str = "none",
    states: tuple[str, ...] = (),
    traits: frozenset[str] = frozenset(),
) -> Signal:
    return Signal(
        key=f"belimo/{device.serial}/{datapoint}",
        vendor="belimo",
        device=device.serial,
        site=device.site.key,
        address=datapoint,
        name=name,
        quantity=quantity,
        kind=kind,
        unit=unit,
        model=model,
        cadence=device.cadence,
        carrier=carrier,
        states=states,
        decimals=decimals,
        traits=traits,
    )


def _valve(device: DeviceContext) -> tuple[Signal, ...]:
    n = device.number
    heating = heat_load(9_000.0 + 700.0 * n, site=device.site, season=1.0, number=n)
    cooling = heat_load(6_000.0 + 900.0 * n, site=device.site, season=-1.0, number=n + 3)

    def power(t: Floats) -> Floats:
        return heating.power_w(t) + cooling.power_w(t)

    def difference(t: Floats) -> Floats:
        return np.asarray(8.0 + 2.0 * np.sin(2 * np.pi * t / 7_200.0 + n), dtype=np.float64)

    def flow(t: Floats) -> Floats:
        return power(t) / (difference(t) * WATER_J_PER_M3_K)

    def supply_k(t: Floats) -> Floats:
        return np.asarray(318.15 + 6.0 * np.sin(2 * np.pi * t / 86_400.0 + n), dtype=np.float64)

    # The mean flow in m3/s stands in for a power, a thousandth of a cubic metre for the step.
    volume = Curve(constant_w=float(heating.constant_w + cooling.constant_w) / 3.344e7)
    return (
        _signal(
            device,
            "evcloud.200",
            "coolingEnergy",
            RegisterModel(curve=cooling, step_j=1.0, start_counts=1_000_000_000 * (n + 1)),
            quantity="cooling_energy",
            unit="J",
            kind="register",
            decimals=0,
            carrier="cooling",
        ),
        _signal(
            device,
            "evcloud.210",
            "heatingEnergy",
            RegisterModel(curve=heating, step_j=1.0, start_counts=2_000_000_000 * (n + 1)),
            quantity="heating_energy",
            unit="J",
            kind="register",
            decimals=0,
            carrier="heating",
            traits=frozenset({"no_unit"}),
        ),
        _signal(
            device,
            "evcloud.140",
            "absolutePower",
            GaugeModel(power, 1),
            quantity="active_power",
            unit="W",
            decimals=1,
        ),
        _signal(
            device,
            "evcloud.150",
            "supplyTemperature",
            GaugeModel(supply_k, 2),
            quantity="temperature",
            unit="K",
        ),
        _signal(
            device,
            "evcloud.160",
            "returnTemperature",
            GaugeModel(lambda t: supply_k(t) - difference(t), 2),
            quantity="temperature",
            unit="K",
        ),
        _signal(
            device,
            "evcloud.170",
            "temperatureDifference",
            GaugeModel(difference, 2),
            quantity="temperature_difference",
            unit="K",
        ),
        _signal(
            device,
            "evcloud.130",
            "volumeFlow",
            GaugeModel(flow, 7),
            quantity="volume_flow",
            unit="m3/s",
            decimals=7,
            carrier="water",
        ),
        _signal(
            device,
            "evcloudplus.461",
            "totalVolume",
            RegisterModel(curve=volume, step_j=0.001, decimals=3, start_counts=1_000 * n),
            quantity="volume",
            unit="m3",
            kind="register",
            decimals=3,
            carrier="water",
        ),
        _signal(
            device,
            "evcloud.120",
            "valvePosition",
            GaugeModel(lambda t: 50.0 + 35.0 * np.sin(2 * np.pi * t / 43_200.0 + n), 0),
            quantity="other",
            unit="%",
            decimals=0,
            # Not in the profile of the vendor's own example, which indexes every description.
            traits=frozenset({"no_description"} if n % 5 == 0 else ()),
        ),
        _signal(
            device,
            "evcloud.300",
            "flushing",
            StateModel((0, 1), 3_600, 41, n),
            quantity="state",
            unit="",
            kind="state",
            decimals=0,
            traits=frozenset({"boolean"}),
        ),
        _signal(
            device,
            "default.1",
            "health",
            StateModel((0, 1), 21_600, 29, n),
            quantity="state",
            unit="",
            kind="state",
            decimals=0,
            states=("OK", "WARN"),
        ),
    )


def build_belimo(sites: tuple[Site, ...], *, seed: int) -> tuple[Device, ...]:
    """Twenty-eight valves; every one measures heat and cold."""
    made: list[Device] = []
    number = 0
    for site in sites:
        for _ in range(VALVES_PER_SITE[site.key]):
            number += 1
            serial = f"{22_000 + number}-{50_000 + number * 7}-{100 + number}-{seed % 1_000:03d}"
            period = 21_600 if number == QUIET else 300
            device = DeviceContext(
                site=site,
                serial=serial,
                cadence=Cadence(period_s=period, spread_s=90, key=seed * 1_000 + 500 + number),
                number=number,
            )
            made.append(
                Device(
                    vendor="belimo",
                    serial=serial,
                    name=_name(site, number),
                    site=site.key,
                    model=_profile(number),
                    signals=_valve(device),
                    traits=_traits(number),
                )
            )
    return tuple(made)


def _profile(number: int) -> str:
    return PROFILES[number % 5 == 0]


def _name(site: Site, number: int) -> str:
    """The customer's name of a valve; those that the vendor's program looks for say Heizung.

    It reads the description of every datapoint without looking whether there is one, so they have
    the profile in which each datapoint has one.
    """
    if site.key != HEATING_SITE or number in NO_PROFILE or _profile(number) != PROFILES[0]:
        return f"{site.name} valve {number:02d}"
    floor, side = divmod(number - 1, len(SIDES))
    return f"Energieventil Heizung {floor + 1}.OG {SIDES[side]}"


def _traits(number: int) -> frozenset[str]:
    odd = {
        "no_profile": number in NO_PROFILE,
        "no_last_seen": number == NO_LAST_SEEN,
        "error": number == ERROR,
        "warning": number == WARNING,
        "quiet": number == QUIET,
    }
    return frozenset(trait for trait, holds in odd.items() if holds)
