"""SkyCentrics gateways of the world: battery, solar, building meter and what else they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.sensors import (
    DeviceContext,
    counter,
    feeders,
    gauge,
    oddities,
    reactive,
    sensor,
    setpoint,
    zones,
)
from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    Kind,
    RegisterModel,
    Signal,
    StateModel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.simulators.world.curves import Floats
    from energy_platform.simulators.world.sites import Site

GATEWAYS: Final = (("los-angeles", "1000000001"), ("kolkata", "1000000002"))
"""Site and device id of the two gateways."""

WORD: Final = 65_536.0
"""What a count is multiplied by when the words of its 32-bit register are exchanged."""

_KWH_J: Final = 3.6e6


def _battery(device: DeviceContext) -> list[Signal]:
    site = device.site
    capacity_kwh = 256.5 * (1 + device.number)

    def available(t: Floats) -> Floats:
        return site.state_of_charge(t) / 100 * capacity_kwh

    power = site.charge - site.discharge

    def volts(t: Floats) -> Floats:
        return 720.0 + site.state_of_charge(t) * 0.6

    lifetime = [
        # The two registers whose 16-bit words are exchanged: whole kWh of a young battery, so that
        # the true figure is plausible and the shown one is not.
        sensor(
            device,
            f"BESS_LIFETIME_{way}_COUNTER",
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
            device,
            "BESS_STATE_OF_CHARGE",
            GaugeModel(site.state_of_charge, 1),
            label="Charge",
            unit="%",
            quantity="state_of_charge",
            decimals=1,
        ),
        sensor(
            device,
            "BESS_AVAILABLE_DISCHARGE_CAPACITY",
            GaugeModel(available, 1),
            label="Energy",
            unit="kWh",
            quantity="stored_energy",
            decimals=1,
        ),
        sensor(
            device,
            # The room that is left, not what is stored.
            "BESS_AVAILABLE_CHARGE_CAPACITY",
            GaugeModel(lambda t: capacity_kwh - available(t), 1),
            label="Energy",
            unit="kWh",
            quantity="other",
            decimals=1,
        ),
        gauge(device, "BESS_PCS_CHARGE_DISCHARGE_REAL_POWER", power),
        reactive(device, "BESS_PCS_CHARGE_DISCHARGE_REACTIVE_POWER", power, share=0.05),
        counter(
            device,
            "BESS_CHARGE_ENERGY",
            site.charge,
            quantity="battery_energy_charge",
            role="storage",
            start=900,
        ),
        counter(
            device,
            "BESS_DISCHARGE_ENERGY",
            site.discharge,
            quantity="battery_energy_discharge",
            role="storage",
            start=800,
        ),
        *lifetime,
        sensor(
            device,
            "BESS_SYSTEM_AVERAGE_VOLTAGE",
            GaugeModel(volts, 1),
            label="Voltage",
            unit="V",
            quantity="voltage",
            decimals=1,
        ),
        sensor(
            device,
            "BESS_SYSTEM_AVERAGE_CURRENT",
            GaugeModel(lambda t: power.power_w(t) / volts(t), 1),
            label="Current",
            unit="A",
            quantity="current",
            decimals=1,
        ),
        setpoint(device, "BESS_REACTIVE_POWER_SETPOINT", 0.0, unit="kVAR"),
        *_states(device),
    ]


def _states(device: DeviceContext) -> list[Signal]:
    """Alarms and modes: numbers that are not measured, and never averaged or summed."""
    plan: tuple[tuple[str, Kind, tuple[int, ...]], ...] = (
        ("BESS_ALARMS_BITFIELD_1_5", "bitfield", (0, 4, 20, 1_024)),
        ("BESS_WARNINGS", "bitfield", (0, 1, 2, 8)),
        ("BESS_SYSTEM_STATE", "state", (3, 2, 5)),
        ("MICROGRID_OPERATION_MODE", "state", (1, 2)),
        ("UTILITY_GRID_STATE", "state", (1, 0)),
    )
    return [
        sensor(
            device,
            name,
            StateModel(codes, 7_200, 17, device.number * 10 + position),
            label="State",
            unit="",
            quantity="state",
            kind=kind,
            decimals=0,
        )
        for position, (name, kind, codes) in enumerate(plan)
    ]


INVERTERS: Final = ((1, 0.6), (2, 0.4))
"""Number and share of the two inverters of a plant."""


def _solar(device: DeviceContext) -> list[Signal]:
    solar = device.site.solar
    made: list[Signal] = []
    for number, share in INVERTERS:
        made += [
            gauge(device, f"SOLAR_INVERTER_{number}_ACTIVE_POWER", solar * share),
            counter(
                device,
                f"SOLAR_INVERTER_{number}_ENERGY",
                solar * share,
                quantity="generation_energy",
                role="generation",
                start=1_200 * number,
            ),
            setpoint(device, f"SETPOINT_SOLAR_EDGE_INVERTER_{number}", 100.0, unit="% of Wmax"),
        ]
    return [
        *made,
        # Both inverters together: no third plant.
        gauge(device, "SOLAR_INVERTER_BREAKER_ACTIVE_POWER", solar),
        setpoint(device, "PV_SYSTEM_REAL_POWER_SETPOINT_LIMIT_TOTAL", 120.0, unit="kW"),
    ]


def _building(device: DeviceContext) -> list[Signal]:
    """The building meter: it checks the main meter and is no part of the site's balance."""
    site = device.site
    net = site.imported - site.exported
    hertz = 60.0 if site.key == "los-angeles" else 50.0
    return [
        gauge(device, "E30A_3 kW: 3ph Total", net),
        reactive(device, "E30A_3 kVAR: 3ph Total", net, share=0.29),
        counter(
            device,
            "E30A_3 kWh Energy: 3ph Total",
            site.imported,
            quantity="active_energy_import",
            start=40_000,
        ),
        sensor(
            device,
            "E30A_3 Power Factor: 3ph Total",
            GaugeModel(lambda t: np.full(t.shape, 0.96), 2),
            label="State",
            unit="",
            quantity="power_factor",
        ),
        sensor(
            device,
            "E30A_3 Frequency",
            GaugeModel(lambda t: hertz + 0.02 * np.sin(2 * np.pi * t / 1_800.0), 2),
            label="Frequency",
            unit="Hz",
            quantity="frequency",
        ),
        sensor(
            device,
            "E30A_3 Amps: 3ph Average",
            GaugeModel(lambda t: np.abs(net.power_w(t)) / 3 / 277.0, 1),
            label="Current",
            unit="A",
            quantity="current",
            decimals=1,
        ),
        *_voltages(device),
    ]


def _voltages(device: DeviceContext) -> list[Signal]:
    """Six voltages and two averages; the vendor's country calls its phases A, B and C."""

    def volts(nominal: float, turn: int) -> Callable[[Floats], Floats]:
        return lambda t: nominal * (1.0 + 0.007 * np.sin(2 * np.pi * t / 5_400.0 + turn))

    plan = (
        ("A-N", 277.0, 1),
        ("B-N", 277.0, 2),
        ("C-N", 277.0, 3),
        ("A-B", 480.0, 12),
        ("B-C", 480.0, 23),
        ("A-C", 480.0, 13),
        ("L-N: 3ph Ave", 277.0, 0),
        ("L-L: 3ph Ave", 480.0, 0),
    )
    return [
        sensor(
            device,
            f"E30A_3 VOLTS {name}",
            GaugeModel(volts(nominal, phase), 1),
            label="Voltage",
            unit="V",
            quantity="voltage",
            phase=phase,
            decimals=1,
        )
        for name, nominal, phase in plan
    ]


def build_skycentrics(sites: tuple[Site, ...], *, seed: int) -> tuple[Device, ...]:
    """Two gateways with about sixty sensors each; all of a gateway's sensors share their stamps."""
    by_key = {site.key: site for site in sites}
    made: list[Device] = []
    for number, (site_key, serial) in enumerate(GATEWAYS):
        device = DeviceContext(
            site=by_key[site_key],
            device=serial,
            cadence=Cadence(period_s=60, spread_s=1, key=seed * 1_000 + 900 + number),
            number=number,
        )
        made.append(
            Device(
                vendor="skycentrics",
                serial=serial,
                name=f"{site_key}-gateway",
                site=site_key,
                model="250",
                mac=f"0200000000{number + 1:02x}",
                signals=tuple(
                    _battery(device)
                    + _solar(device)
                    + _building(device)
                    + feeders(device)
                    + zones(device)
                    + oddities(device)
                ),
            )
        )
    return tuple(made)
