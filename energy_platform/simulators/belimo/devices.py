"""Belimo energy valves of the world: lifetime heat and cold in joules, temperatures, flow.

What they report stands in ``devices.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.curves import Curve, Floats
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.signals import Cadence, Signal
from energy_platform.simulators.world.sites import Site, heat_load
from energy_platform.simulators.world.tables import DeviceContext, build_signals, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES: Final = Path(__file__).with_name("devices.yaml")

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


def _signals(site: Site, *, serial: str, cadence: Cadence, number: int) -> tuple[Signal, ...]:
    """Return the signals of one valve; its running number makes it differ from the others."""
    n = number
    heating = heat_load(9_000.0 + 700.0 * n, site=site, season=1.0, number=n)
    cooling = heat_load(6_000.0 + 900.0 * n, site=site, season=-1.0, number=n + 3)

    def power(t: Floats) -> Floats:
        return heating.power_w(t) + cooling.power_w(t)

    def difference_k(t: Floats) -> Floats:
        return np.asarray(8.0 + 2.0 * np.sin(2 * np.pi * t / 7_200.0 + n), dtype=np.float64)

    def supply_k(t: Floats) -> Floats:
        return np.asarray(318.15 + 6.0 * np.sin(2 * np.pi * t / 86_400.0 + n), dtype=np.float64)

    device = DeviceContext(
        vendor="belimo",
        serial=serial,
        site=site,
        cadence=cadence,
        number=n,
        curves={
            "heating": heating,
            "cooling": cooling,
            "volume": Curve(constant_w=float(heating.constant_w + cooling.constant_w) / 3.344e7),
        },
        functions={
            "power": power,
            "supply_k": supply_k,
            "return_k": lambda t: supply_k(t) - difference_k(t),
            "difference_k": difference_k,
            "flow": lambda t: power(t) / (difference_k(t) * WATER_J_PER_M3_K),
            "position": lambda t: 50.0 + 35.0 * np.sin(2 * np.pi * t / 43_200.0 + n),
        },
    )
    tables = read_rows(TABLES)
    position = "position_without_description" if n % 5 == 0 else "position"
    rows = (*tables["valve"], *tables[position], *tables["states"])
    return tuple(build_signals(rows, device))


def build_valves(sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
    """Twenty-eight valves; every one measures heat and cold."""
    made: list[Device] = []
    number = 0
    for site in sites:
        for _ in range(VALVES_PER_SITE[site.key]):
            number += 1
            serial = f"{22_000 + number}-{50_000 + number * 7}-{100 + number}-{seed % 1_000:03d}"
            period = 21_600 if number == QUIET else 300
            cadence = Cadence(period_s=period, spread_s=90, key=seed * 1_000 + 500 + number)
            made.append(
                Device(
                    vendor="belimo",
                    serial=serial,
                    name=_name(site, number),
                    site=site.key,
                    model=_profile(number),
                    signals=_signals(site, serial=serial, cadence=cadence, number=number),
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
