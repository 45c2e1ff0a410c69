"""SkyCentrics gateways of the world: battery, solar, building meter and what else they carry.

What they carry stands in ``devices.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.curves import HOUR_S, Curve, load
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.signals import Cadence, Signal
from energy_platform.simulators.world.tables import DeviceContext, build_signals, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from energy_platform.simulators.world.curves import Floats
    from energy_platform.simulators.world.sites import Site

    Functions = dict[str, Callable[[Floats], Floats]]

TABLES: Final = Path(__file__).with_name("devices.yaml")

GATEWAYS: Final = (("los-angeles", "1000000001"), ("kolkata", "1000000002"))
"""Site and device id of the two gateways."""

INVERTERS: Final = ((1, 0.6), (2, 0.4))
"""Number and share of the two inverters of a plant."""

INVERTER_START: Final = 120_000
"""Counts of the first inverter at the beginning: 1,200 kWh; of the second twice as many."""

FEEDERS: Final = range(1, 7)
"""Numbers of the branch circuits; the counter of the last never moves."""

FEEDER_START: Final = 7_000
"""Counts of a branch circuit at the beginning: 70 kWh."""

LIGHTING_UNITS: Final = (62, 63)
"""Numbers of the lighting units, as the vendor prints them."""

NOMINAL_V: Final = {277: (0, 1, 2, 3), 480: (0, 12, 23, 13)}
"""Nominal voltages and the phases, or pairs of phases, that show them."""


def build_gateways(sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
    """Two gateways with about sixty sensors each; all of a gateway's sensors share their stamps."""
    by_key = {site.key: site for site in sites}
    return tuple(
        Device(
            vendor="skycentrics",
            serial=serial,
            name=f"{site}-gateway",
            site=site,
            model="250",
            mac=f"0200000000{number + 1:02x}",
            signals=tuple(
                _signals(
                    by_key[site],
                    serial=serial,
                    cadence=Cadence(period_s=60, spread_s=1, key=seed * 1_000 + 900 + number),
                    number=number,
                )
            ),
        )
        for number, (site, serial) in enumerate(GATEWAYS)
    )


def _signals(site: Site, *, serial: str, cadence: Cadence, number: int) -> list[Signal]:
    device = DeviceContext(
        vendor="skycentrics",
        serial=serial,
        site=site,
        cadence=cadence,
        number=number,
        curves=_curves(site),
        functions=_functions(site, capacity_kwh=256.5 * (1 + number)),
    )
    tables = read_rows(TABLES)
    signals = build_signals(tables["battery"], device)
    for inverter, _ in INVERTERS:
        signals += build_signals(
            tables["inverter"],
            device,
            words={"number": inverter, "start": INVERTER_START * inverter},
        )
    signals += build_signals((*tables["plant"], *tables["building"]), device)
    for feeder in FEEDERS:
        start = 0 if feeder == FEEDERS[-1] else FEEDER_START
        signals += build_signals(
            tables["feeder"], device, state_key=feeder, words={"number": feeder, "start": start}
        )
    for position, unit in enumerate(LIGHTING_UNITS):
        signals += build_signals(
            tables["lighting"], device, state_key=position, words={"unit": unit}
        )
    signals += build_signals(tables["first_lighting"], device, words={"unit": LIGHTING_UNITS[0]})
    return signals + build_signals(tables["oddities"], device)


def _curves(site: Site) -> dict[str, Curve]:
    feeders = {
        f"feeder_{number}": Curve()
        if number == FEEDERS[-1]
        else load(
            2_000.0 + 900.0 * number,
            solar_offset_s=site.solar_offset_s,
            busiest_hour=8.0 + number,
        )
        for number in FEEDERS
    }
    return {
        "battery": site.charge - site.discharge,
        "charge": site.charge,
        "discharge": site.discharge,
        "lifetime_charge": site.charge * 0.001,
        "lifetime_discharge": site.discharge * 0.001,
        "solar": site.solar,
        **{f"inverter_{number}": site.solar * share for number, share in INVERTERS},
        "net": site.imported - site.exported,
        "imported": site.imported,
        "ups": site.loads["ups"],
        **feeders,
    }


def _functions(site: Site, *, capacity_kwh: float) -> Functions:
    battery, net = site.charge - site.discharge, site.imported - site.exported
    nominal_hz = 60.0 if site.key == "los-angeles" else 50.0

    def stored_kwh(t: Floats) -> Floats:
        return site.state_of_charge(t) / 100 * capacity_kwh

    def battery_v(t: Floats) -> Floats:
        return 720.0 + site.state_of_charge(t) * 0.6

    return {
        "state_of_charge": site.state_of_charge,
        "stored_kwh": stored_kwh,
        "room_kwh": lambda t: capacity_kwh - stored_kwh(t),
        "battery_v": battery_v,
        "battery_a": lambda t: battery.power_w(t) / battery_v(t),
        "building_a": lambda t: np.abs(net.power_w(t)) / 3 / 277.0,
        "hertz": lambda t: nominal_hz + 0.02 * np.sin(2 * np.pi * t / 1_800.0),
        **{
            f"volts_{nominal}_{phase}": _volts(float(nominal), turn=phase)
            for nominal, phases in NOMINAL_V.items()
            for phase in phases
        },
        "dim": lambda t: np.round(55 + 40 * np.sin(2 * np.pi * t / (6 * HOUR_S)), 0),
        "lux": lambda t: 300.0 + 250.0 * np.sin(2 * np.pi * t / (24 * HOUR_S)),
        "duplicate_kw": lambda t: site.loads["ups"].power_w(t) / 1_000 + 1.5,
        "outdoor_c": site.outdoor_c,
    }


def _volts(nominal: float, *, turn: int) -> Callable[[Floats], Floats]:
    return lambda t: nominal * (1.0 + 0.007 * np.sin(2 * np.pi * t / 5_400.0 + turn))
