"""Socomec devices of the world: gateways, power meters, inverters and UPS with their services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from energy_platform.simulators.world.curves import DAY_S, Curve, Floats
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.electrical import (
    NOMINAL_HZ,
    NOMINAL_V,
    Place,
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


def _meter(place: Place, curve: Curve, *, in_kwh: bool, energy: str, pf: float) -> list[Signal]:
    """A three-phase meter of one load, plant or inverter with one energy register."""
    made = electrical(place, curve, pf=pf)
    index = register(place, "130101", "Active energy", curve, quantity=energy, in_kwh=in_kwh)
    reactive = curve * float(np.tan(np.arccos(pf)))
    made += [
        index,
        register(
            place,
            "130103",
            "Reactive energy",
            reactive,
            quantity="reactive_energy_import",
            unit="VAR_HOUR",
            role="none",
        ),
    ]
    if isinstance(index.model, RegisterModel):
        made.append(
            service(
                place,
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


def _main_meter(place: Place) -> list[Signal]:
    site = place.site
    net = site.imported - site.exported
    return [
        *electrical(place, net, pf=0.96),
        register(
            place, "130101", "Active energy import", site.imported, quantity="active_energy_import"
        ),
        register(
            place, "130102", "Active energy export", site.exported, quantity="active_energy_export"
        ),
        register(
            place,
            "130103",
            "Reactive energy import",
            site.imported * 0.29,
            quantity="reactive_energy_import",
            unit="VAR_HOUR",
            role="none",
        ),
        register(
            place,
            "130104",
            "Reactive energy export",
            site.imported * 0.01,
            quantity="reactive_energy_export",
            unit="VAR_HOUR",
            role="none",
        ),
    ]


def _battery(place: Place) -> list[Signal]:
    site = place.site
    return [
        *electrical(place, site.charge - site.discharge, pf=0.99),
        register(
            place,
            "130101",
            "Energy charged",
            site.charge,
            quantity="battery_energy_charge",
            in_kwh=True,
        ),
        register(
            place,
            "130102",
            "Energy discharged",
            site.discharge,
            quantity="battery_energy_discharge",
            in_kwh=True,
        ),
        service(
            place,
            "130121",
            "State of charge",
            GaugeModel(site.state_of_charge, 1),
            quantity="state_of_charge",
            unit="PERCENT",
            decimals=1,
        ),
    ]


def _ups(place: Place, curve: Curve) -> list[Signal]:
    nominal_w = curve.constant_w * 2.0
    key = place.number

    def rate(t: Floats) -> Floats:
        return curve.power_w(t) / nominal_w * 100

    def battery_c(t: Floats) -> Floats:
        return np.asarray(22.0 + 2.5 * np.sin(2 * np.pi * t / DAY_S + key), dtype=np.float64)

    overload = RegisterModel(curve=Curve(constant_w=1 / 7_200.0), step_j=1.0)
    phases = [
        service(
            place,
            f"14010{5 + phase}",
            f"Output current L{phase}",
            GaugeModel(lambda t: curve.power_w(t) / 3 / 0.95 / NOMINAL_V[place.site.key], 1),
            quantity="current",
            unit="AMPERE",
            phase=phase,
            decimals=1,
        )
        for phase in (1, 2, 3)
    ]
    return [
        service(
            place,
            "140100",
            "Output global load rate",
            GaugeModel(rate, 0),
            quantity="other",
            unit="PERCENT",
            decimals=0,
        ),
        *phases,
        service(
            place,
            "140110",
            "Output active power",
            GaugeModel(lambda t: curve.power_w(t) / 1_000, 2),
            quantity="active_power",
            unit="KILOWATT",
        ),
        service(
            place,
            "140112",
            "Output frequency",
            GaugeModel(lambda t: np.full(t.shape, NOMINAL_HZ[place.site.key]), 1),
            quantity="frequency",
            unit="HERTZ",
            decimals=1,
        ),
        service(
            place,
            "140120",
            "Battery temperature",
            GaugeModel(battery_c, 1),
            quantity="temperature",
            unit="CELSIUS",
            decimals=1,
            label="Battery",
        ),
        service(
            place,
            "140121",
            "Battery capacity",
            GaugeModel(lambda t: np.full(t.shape, 100.0), 0),
            quantity="state_of_charge",
            unit="PERCENT",
            decimals=0,
            label="Battery",
        ),
        register(
            place,
            "140130",
            "Output active energy",
            curve,
            quantity="active_energy_import",
            in_kwh=True,
        ),
        service(
            place,
            "140140",
            "Operating mode",
            StateModel((2, 1, 3), 3_600, 97, key),
            quantity="state",
            unit="",
            kind="state",
            decimals=0,
        ),
        service(
            place,
            "141935",
            "IUpsStatistic_Overload5s_Delta",
            IncrementModel(overload),
            quantity="other",
            unit="",
            kind="increment",
            decimals=0,
        ),
        service(
            place,
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
            place = Place(
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
                    signals=tuple(_services(place, title)),
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


def _services(place: Place, title: str) -> list[Signal]:
    site = place.site
    match title:
        case "main meter":
            return _main_meter(place)
        case "battery inverter":
            return _battery(place)
        case "solar plant":
            return _meter(place, site.solar, in_kwh=False, energy="generation_energy", pf=0.99)
        case "UPS":
            return _ups(place, site.loads["ups"])
        case _:
            return _meter(
                place,
                site.loads[title],
                in_kwh=place.number % 2 == 0,
                energy="active_energy_import",
                pf=0.92,
            )
