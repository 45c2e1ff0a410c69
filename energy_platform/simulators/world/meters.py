"""Socomec devices of the world: gateways, power meters, inverters and UPS with their services."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from energy_platform.simulators.world.curves import DAY_S, Curve, Floats
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.electrical import (
    NOMINAL_HZ,
    NOMINAL_V,
    DeviceContext,
    between_phases,
    electrical,
    register,
    service,
)
from energy_platform.simulators.world.signals import (
    Cadence,
    GaugeModel,
    IncrementModel,
    RegisterModel,
    Role,
    Signal,
    StateModel,
)

if TYPE_CHECKING:
    from energy_platform.simulators.world.sites import Site


STATISTICS_S: Final = 3_600
"""How often a UPS counts its statistics, seconds."""


def _meter(
    device: DeviceContext,
    curve: Curve,
    *,
    in_kwh: bool,
    energy: str,
    pf: float,
    names: tuple[str, str],
) -> list[Signal]:
    """A three-phase meter of one load, plant or inverter with one energy register.

    ``names`` are those of the active and the reactive register.
    """
    made = electrical(device, curve, pf=pf)
    index = register(device, "130101", names[0], curve, quantity=energy, in_kwh=in_kwh)
    reactive = curve * float(np.tan(np.arccos(pf)))
    made += [
        index,
        register(
            device,
            "130103",
            names[1],
            reactive,
            quantity="reactive_energy_import",
            unit="VAR_HOUR",
            role="none",
        ),
    ]
    if isinstance(index.model, RegisterModel):
        made.append(
            service(
                device,
                "130111",
                "IMeterEnergy_Active_Delta",
                IncrementModel(index.model),
                quantity=energy,
                unit=index.unit,
                kind="increment",
                label="Index",
                decimals=index.decimals,
            )
        )
    return made


def _main_meter(device: DeviceContext) -> list[Signal]:
    site = device.site
    net = site.imported - site.exported
    return [
        *electrical(device, net, pf=0.96, power="Total active power"),
        *between_phases(device, net, pf=0.96),
        register(
            device,
            "130101",
            "Positive active energy",
            site.imported,
            quantity="active_energy_import",
        ),
        register(
            device,
            "130102",
            "Negative active energy",
            site.exported,
            quantity="active_energy_export",
        ),
        register(
            device,
            "130103",
            "Positive reactive energy",
            site.imported * 0.29,
            quantity="reactive_energy_import",
            unit="VAR_HOUR",
            role="none",
        ),
        register(
            device,
            "130104",
            "Negative reactive energy",
            site.imported * 0.01,
            quantity="reactive_energy_export",
            unit="VAR_HOUR",
            role="none",
        ),
    ]


def _battery(device: DeviceContext) -> list[Signal]:
    site = device.site
    return [
        *electrical(device, site.charge - site.discharge, pf=0.99, power="Total active power"),
        register(
            device,
            "130101",
            "Energy charged",
            site.charge,
            quantity="battery_energy_charge",
            in_kwh=True,
        ),
        register(
            device,
            "130102",
            "Energy discharged",
            site.discharge,
            quantity="battery_energy_discharge",
            in_kwh=True,
        ),
        service(
            device,
            "130121",
            "State of charge",
            GaugeModel(site.state_of_charge, 1),
            quantity="state_of_charge",
            unit="PERCENTAGE",
            decimals=1,
        ),
    ]


def _ups(device: DeviceContext, curve: Curve) -> list[Signal]:
    nominal_w = curve.constant_w * 2.0
    key = device.number

    def rate(t: Floats) -> Floats:
        return curve.power_w(t) / nominal_w * 100

    def battery_c(t: Floats) -> Floats:
        return np.asarray(22.0 + 2.5 * np.sin(2 * np.pi * t / DAY_S + key), dtype=np.float64)

    overload = RegisterModel(curve=Curve(constant_w=1 / 7_200.0), step_j=1.0)
    # One second a second on the inverter, one in two hundred on the bypass; shown in 0.01 h.
    on_inverter = RegisterModel(curve=Curve(constant_w=1.0), step_j=36.0, decimals=2)
    on_bypass = RegisterModel(curve=Curve(constant_w=0.005), step_j=36.0, decimals=2)
    hourly = replace(device, cadence=replace(device.cadence, period_s=STATISTICS_S))
    phases = [
        service(
            device,
            f"14010{5 + phase}",
            f"Ups output current L{phase}",
            GaugeModel(lambda t: curve.power_w(t) / 3 / 0.95 / NOMINAL_V[device.site.key], 1),
            quantity="current",
            unit="AMPERE",
            phase=phase,
            decimals=1,
        )
        for phase in (1, 2, 3)
    ]
    return [
        service(
            device,
            "140100",
            "Ups output global load rate",
            GaugeModel(rate, 0),
            quantity="other",
            unit="PERCENTAGE",
            decimals=0,
        ),
        *phases,
        service(
            device,
            "140110",
            "Ups output active power",
            GaugeModel(lambda t: curve.power_w(t) / 1_000, 2),
            quantity="active_power",
            unit="KILOWATT",
        ),
        service(
            device,
            "140112",
            "Ups output frequency",
            GaugeModel(lambda t: np.full(t.shape, NOMINAL_HZ[device.site.key]), 1),
            quantity="frequency",
            unit="HERTZ",
            decimals=1,
        ),
        service(
            device,
            "140120",
            "Ups ambient temperature",
            GaugeModel(battery_c, 1),
            quantity="temperature",
            unit="CELSIUS",
            decimals=1,
            label="Battery",
        ),
        service(
            device,
            "140121",
            "Ups battery capacity",
            GaugeModel(lambda t: np.full(t.shape, 100.0), 0),
            quantity="other",
            unit="AMPERE_HOUR",
            decimals=0,
            label="Battery",
        ),
        service(
            device,
            "140122",
            "Ups battery negative voltage",
            GaugeModel(lambda t: 270.0 + 0.4 * np.sin(2 * np.pi * t / DAY_S + key), 1),
            quantity="voltage",
            unit="VOLT",
            decimals=1,
            label="Battery",
        ),
        register(
            device,
            "140130",
            "Ups output active energy",
            curve,
            quantity="active_energy_import",
            in_kwh=True,
        ),
        service(
            device,
            "140140",
            "Operating mode",
            StateModel((2, 1, 3), 3_600, 97, key),
            quantity="state",
            unit="",
            kind="state",
            decimals=0,
        ),
        service(
            device,
            "140141",
            "Number of unit into the Ups",
            GaugeModel(lambda t: np.full(t.shape, 3.0), 0),
            quantity="other",
            unit="",
            decimals=0,
        ),
        service(
            hourly,
            "141935",
            "Ups overload more than 5s Delta",
            IncrementModel(overload),
            quantity="other",
            unit="",
            kind="increment",
            decimals=0,
        ),
        service(
            hourly,
            "141937",
            "Delta Ups hours on Inverter",
            IncrementModel(on_inverter),
            quantity="operating_time",
            unit="",
            kind="increment",
        ),
        service(
            hourly,
            "141938",
            "Delta Ups hours on Bypass",
            IncrementModel(on_bypass),
            quantity="operating_time",
            unit="HOUR",
            kind="increment",
        ),
        service(
            device,
            "150001",
            "General alarm",
            StateModel((0, 1), 7_200, 61, key),
            quantity="state",
            unit="",
            kind="state",
            decimals=0,
            label="Alarm",
            traits=frozenset({"alarm"}),
        ),
    ]


def build_socomec(sites: tuple[Site, ...], *, seed: int) -> tuple[Device, ...]:
    """Three gateways and the twelve devices behind them."""
    made: list[Device] = []
    number = 0
    for position, site in enumerate(sites):
        gateway = f"GW{position + 1:06d}"
        made.append(
            Device(
                vendor="socomec",
                serial=gateway,
                name=f"{site.name} gateway",
                site=site.key,
                model="DATALOG H80",
            )
        )
        for title, model, role in _plan(site):
            number += 1
            serial = f"SN{number:06d}"
            cadence = Cadence(
                period_s=310 if "UPS" in title else 300, spread_s=55, key=seed * 1_000 + number
            )
            item = "Load|1" if role == "sub" and "UPS" not in title else "Global|0"
            device = DeviceContext(
                site=site, serial=serial, cadence=cadence, number=number, item=item, role=role
            )
            made.append(
                Device(
                    vendor="socomec",
                    serial=serial,
                    name=f"{site.name} {title}",
                    site=site.key,
                    model=model,
                    gateway=gateway,
                    signals=tuple(_services(device, title)),
                )
            )
    return tuple(made)


def _plan(site: Site) -> list[tuple[str, str, Role]]:
    """Title, model and role of each device of a site."""
    plan: list[tuple[str, str, Role]] = [("main meter", "DIRIS A-40", "main")]
    if site.key == "paris":
        plan += [
            ("solar plant", "COUNTIS E44", "generation"),
            ("battery inverter", "SUNSYS HES", "storage"),
        ]
    plan += [
        ("UPS", "MODULYS GP2", "sub") if load == "ups" else (load, "DIRIS B-30", "sub")
        for load in site.loads
        if load != "rest"
    ]
    return plan


def _services(device: DeviceContext, title: str) -> list[Signal]:
    site = device.site
    match title:
        case "main meter":
            return _main_meter(device)
        case "battery inverter":
            return _battery(device)
        case "solar plant":
            return _meter(
                device,
                site.solar,
                in_kwh=False,
                energy="generation_energy",
                pf=0.99,
                names=("Active energy", "Reactive energy"),
            )
        case "UPS":
            return _ups(device, site.loads["ups"])
        case _:
            return _meter(
                device,
                site.loads[title],
                in_kwh=device.number % 2 == 0,
                energy="active_energy_import",
                pf=0.92,
                names=("Ea+", "Er+"),
            )
