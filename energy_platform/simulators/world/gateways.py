"""SkyCentrics gateways of the world: battery, solar, building meter and what else they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.sensors import (
    Place,
    counter,
    feeders,
    gauge,
    oddities,
    sensor,
    zones,
)
from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    RegisterModel,
    Signal,
    StateModel,
)

if TYPE_CHECKING:
    from energy_platform.simulators.world.curves import Floats
    from energy_platform.simulators.world.sites import Site

GATEWAYS: Final = (("los-angeles", "1000000001"), ("kolkata", "1000000002"))
"""Site and device id of the two gateways."""

WORD: Final = 65_536.0
"""What a count is multiplied by when the words of its 32-bit register are exchanged."""

_KWH_J: Final = 3.6e6


def _battery(place: Place) -> list[Signal]:
    site = place.site
    capacity_kwh = 256.5 * (1 + place.number)

    def available(t: Floats) -> Floats:
        return site.state_of_charge(t) / 100 * capacity_kwh

    lifetime = [
        # The two registers whose 16-bit words are exchanged: whole kWh of a young battery, so that
        # the true figure is plausible and the shown one is not.
        sensor(
            place,
            f"BATTERY_LIFETIME_{way}_COUNTER",
            RegisterModel(
                curve=curve * 0.001, step_j=_KWH_J, start_counts=5_000 * times, factor=WORD
            ),
            label="Energy",
            unit="kWh",
            quantity=f"battery_energy_{way.lower()}",
            kind="register",
            decimals=0,
            traits=frozenset({"word_swapped"}),
        )
        for way, curve, times in (("CHARGE", site.charge, 1), ("DISCHARGE", site.discharge, 2))
    ]
    return [
        sensor(
            place,
            "BATTERY_STATE_OF_CHARGE",
            GaugeModel(site.state_of_charge, 1),
            label="Charge",
            unit="%",
            quantity="state_of_charge",
            decimals=1,
        ),
        sensor(
            place,
            "BATTERY_AVAILABLE_DISCHARGE_CAPACITY",
            GaugeModel(available, 1),
            label="Energy",
            unit="kWh",
            quantity="stored_energy",
            decimals=1,
        ),
        sensor(
            place,
            "BATTERY_AVAILABLE_CHARGE_CAPACITY",
            GaugeModel(lambda t: capacity_kwh - available(t), 1),
            label="Energy",
            unit="kWh",
            quantity="stored_energy",
            decimals=1,
        ),
        gauge(place, "BATTERY_POWER", site.charge - site.discharge),
        counter(
            place,
            "BATTERY_CHARGE_ENERGY",
            site.charge,
            quantity="battery_energy_charge",
            role="storage",
            start=900,
        ),
        counter(
            place,
            "BATTERY_DISCHARGE_ENERGY",
            site.discharge,
            quantity="battery_energy_discharge",
            role="storage",
            start=800,
        ),
        *lifetime,
        sensor(
            place,
            "BATTERY_DC_VOLTAGE",
            GaugeModel(lambda t: 720.0 + site.state_of_charge(t) * 0.6, 1),
            label="Voltage",
            unit="V",
            quantity="voltage",
            decimals=1,
        ),
        sensor(
            place,
            "BATTERY_POWER_SETPOINT",
            GaugeModel(lambda t: np.full(t.shape, 40.0), 1),
            label="Power Setpoint",
            unit="% of Wmax",
            quantity="other",
            decimals=1,
        ),
        sensor(
            place,
            "BATTERY_ALARMS",
            StateModel((0, 4, 20, 1_024), 10_800, 17, place.number),
            label="State",
            unit="",
            quantity="state",
            kind="bitfield",
            decimals=0,
        ),
        sensor(
            place,
            "BATTERY_WARNINGS",
            StateModel((0, 1, 2, 8), 7_200, 11, place.number + 1),
            label="State",
            unit="",
            quantity="state",
            kind="bitfield",
            decimals=0,
        ),
    ]


def _solar(place: Place) -> list[Signal]:
    solar = place.site.solar
    return [
        gauge(place, "PV_POWER", solar),
        counter(
            place, "PV_ENERGY", solar, quantity="generation_energy", role="generation", start=1_200
        ),
        sensor(
            place,
            "PV_IRRADIANCE_LUX",
            GaugeModel(lambda t: solar.power_w(t) / solar.lobes[0].amplitude_w * 9e4, 0),
            label="State",
            unit="luxes",
            quantity="other",
            decimals=0,
        ),
        sensor(
            place,
            "PV_INVERTER_LIMIT",
            GaugeModel(lambda t: np.full(t.shape, 100.0), 0),
            label="Power Setpoint",
            unit="% of Wmax",
            quantity="other",
            decimals=0,
        ),
    ]


def _building(place: Place) -> list[Signal]:
    """The building meter: it checks the main meter and is no part of the site's balance."""
    site = place.site
    net = site.imported - site.exported
    hertz = 60.0 if site.key == "los-angeles" else 50.0
    made = [
        gauge(place, "Building Meter kW", net),
        sensor(
            place,
            "Building Meter kVAR",
            GaugeModel(lambda t: net.power_w(t) * 0.29 / 1_000, 3),
            label="Reactive Power",
            unit="kVAR",
            quantity="reactive_power",
            decimals=3,
        ),
        counter(
            place,
            "Building Meter kWh Energy",
            site.imported,
            quantity="active_energy_import",
            start=40_000,
        ),
        sensor(
            place,
            "Building Meter PF",
            GaugeModel(lambda t: np.full(t.shape, 0.96), 2),
            label="State",
            unit="",
            quantity="power_factor",
        ),
        sensor(
            place,
            "Building Meter Hz",
            GaugeModel(lambda t: hertz + 0.02 * np.sin(2 * np.pi * t / 1_800.0), 2),
            label="Frequency",
            unit="Hz",
            quantity="frequency",
        ),
    ]
    for phase in (1, 2, 3):
        made += [
            sensor(
                place,
                f"Building Meter V L{phase}",
                GaugeModel(lambda t: 277.0 + 2.0 * np.sin(2 * np.pi * t / 5_400.0), 1),
                label="Voltage",
                unit="V",
                quantity="voltage",
                phase=phase,
                decimals=1,
            ),
            sensor(
                place,
                f"Building Meter A L{phase}",
                GaugeModel(lambda t: np.abs(net.power_w(t)) / 3 / 277.0, 1),
                label="Current",
                unit="A",
                quantity="current",
                phase=phase,
                decimals=1,
            ),
        ]
    return made


def build_skycentrics(sites: tuple[Site, ...], *, seed: int) -> tuple[Device, ...]:
    """Two gateways with about sixty sensors each; all of a gateway's sensors share their stamps."""
    by_key = {site.key: site for site in sites}
    made: list[Device] = []
    for number, (site_key, device) in enumerate(GATEWAYS):
        place = Place(
            site=by_key[site_key],
            device=device,
            cadence=Cadence(period_s=60, spread_s=1, key=seed * 1_000 + 900 + number),
            number=number,
        )
        made.append(
            Device(
                vendor="skycentrics",
                serial=device,
                name=f"{site_key}-gateway",
                site=site_key,
                model="250",
                mac=f"0200000000{number + 1:02x}",
                signals=tuple(
                    _battery(place)
                    + _solar(place)
                    + _building(place)
                    + feeders(place)
                    + zones(place)
                    + oddities(place)
                ),
            )
        )
    return tuple(made)
