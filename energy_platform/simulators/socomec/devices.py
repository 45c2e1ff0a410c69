"""Socomec devices of the world: gateways, power meters, inverters and UPS.

What they report stands in ``devices.yaml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from energy_platform.simulators.world.curves import DAY_S, Curve
from energy_platform.simulators.world.devices import Device
from energy_platform.simulators.world.signals import Cadence, Role
from energy_platform.simulators.world.tables import DeviceContext, build_signals, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from energy_platform.simulators.world.curves import Floats
    from energy_platform.simulators.world.sites import Site

    Functions = dict[str, Callable[[Floats], Floats]]

TABLES: Final = Path(__file__).with_name("devices.yaml")

NOMINAL_V: Final = {"paris": 230.0, "los-angeles": 277.0, "kolkata": 240.0}
NOMINAL_HZ: Final = {"paris": 50.0, "los-angeles": 60.0, "kolkata": 50.0}

UPS_EFFICIENCY: Final = 0.94
"""Energy out of a UPS per energy into it."""

SHARES: Final = (0.34, 0.33, 0.33)
"""Of the current, by phase; the first carries a hundredth more than the others."""


class _Kind(NamedTuple):
    """A kind of device.

    Attributes:
        title: What stands behind the site's name.
        model: As the vendor lists it.
        role: Its place in the site's energy balance.
        tables: Of its signals, in order.
        load: The power it measures.
        pf: Power factor of that power, 0 to 1.
        words: For the ``{words}`` of the rows.
        period_s: Mean distance between its samples.
    """

    title: str
    model: str
    role: Role
    tables: tuple[str, ...]
    load: Curve
    pf: float
    words: dict[str, str]
    period_s: int = 300


def build_meters(sites: Sequence[Site], *, seed: int) -> tuple[Device, ...]:
    """Three gateways and the twelve devices behind them."""
    made: list[Device] = []
    number = 0
    for position, site in enumerate(sites):
        gateway = f"GW{position + 1:06d}"
        title = f"{site.name} gateway"
        made.append(Device("socomec", gateway, title, site.key, "DATALOG H80"))
        for kind in _kinds(site):
            number += 1
            made.append(_device(kind, site, number=number, gateway=gateway, seed=seed))
    return tuple(made)


def _device(kind: _Kind, site: Site, *, number: int, gateway: str, seed: int) -> Device:
    context = DeviceContext(
        vendor="socomec",
        serial=f"SN{number:06d}",
        site=site,
        cadence=Cadence(period_s=kind.period_s, spread_s=55, key=seed * 1_000 + number),
        number=number,
        item="Load|1" if kind.role == "sub" and kind.title != "UPS" else "Global|0",
        role=kind.role,
        curves=_curves(site, kind),
        functions=_functions(site, kind, number=number),
    )
    tables = read_rows(TABLES)
    # Every second load is metered in kilowatt-hours with two decimals.
    index = "meter_kwh" if number % 2 == 0 and kind.role == "sub" else "meter_wh"
    rows = [row for name in kind.tables for row in tables[index if name == "meter" else name]]
    return Device(
        vendor="socomec",
        serial=context.serial,
        name=f"{site.name} {kind.title}",
        site=site.key,
        model=kind.model,
        gateway=gateway,
        signals=tuple(build_signals(rows, context, words=kind.words)),
    )


def _kinds(site: Site) -> list[_Kind]:
    """Return the devices of a site: the main meter, plant and battery, and a meter per load."""
    # A power that has both signs is called a total.
    total = {"power": "Total active power"}
    metered = {"power": "Positive active power", "active": "Ea+", "reactive": "Er+"}
    metered["energy"] = "active_energy_import"
    plant = metered | {"active": "Active energy", "reactive": "Reactive energy"}
    plant["energy"] = "generation_energy"
    net, battery = site.imported - site.exported, site.charge - site.discharge
    main = ("electrical", "main_meter")
    kinds = [_Kind("main meter", "DIRIS A-40", "main", main, net, 0.96, total)]
    meter = ("electrical", "meter")
    if site.key == "paris":
        kinds += [
            _Kind("solar plant", "COUNTIS E44", "generation", meter, site.solar, 0.99, plant),
            _Kind(
                "battery inverter",
                "SUNSYS HES",
                "storage",
                ("electrical", "battery"),
                battery,
                0.99,
                total,
            ),
        ]
    for name, load in site.loads.items():
        if name == "ups":
            kinds.append(_Kind("UPS", "MODULYS GP2", "sub", ("ups",), load, 0.95, {}, 310))
        elif name != "rest":
            kinds.append(_Kind(name, "DIRIS B-30", "sub", meter, load, 0.92, metered))
    return kinds


def _curves(site: Site, kind: _Kind) -> dict[str, Curve]:
    return {
        "load": kind.load,
        "input": kind.load * (1 / UPS_EFFICIENCY),
        "reactive": kind.load * float(np.tan(np.arccos(kind.pf))),
        "imported": site.imported,
        "exported": site.exported,
        "reactive_imported": site.imported * 0.29,
        "reactive_exported": site.imported * 0.01,
        "charge": site.charge,
        "discharge": site.discharge,
        "overload": Curve(constant_w=1 / 7_200.0),
        # One second a second on the inverter, one in two hundred on the bypass or the battery.
        "on_inverter": Curve(constant_w=1.0),
        "on_battery": Curve(constant_w=0.005),
        "on_bypass": Curve(constant_w=0.005),
    }


def _functions(site: Site, kind: _Kind, *, number: int) -> Functions:
    load, pf = kind.load, kind.pf
    nominal_v, nominal_hz = NOMINAL_V[site.key], NOMINAL_HZ[site.key]
    reactive = float(np.tan(np.arccos(pf)))
    rated_w = load.constant_w * 2.0

    def volts(phase: int) -> Callable[[Floats], Floats]:
        return lambda t: nominal_v * (1.0 + 0.012 * np.sin(2 * np.pi * t / 5_400.0 + phase))

    def volts_between(pair: int) -> Callable[[Floats], Floats]:
        return lambda t: 3**0.5 * nominal_v * (1.0 + 0.01 * np.sin(2 * np.pi * t / 5_400.0 + pair))

    def amperes(phase: int) -> Callable[[Floats], Floats]:
        share = SHARES[phase - 1]
        return lambda t: np.abs(load.power_w(t)) * share / pf / volts(phase)(t)

    return {
        **{f"volts_{phase}": volts(phase) for phase in (1, 2, 3)},
        **{f"volts_{pair}": volts_between(pair) for pair in (12, 23, 13)},
        **{f"amperes_{phase}": amperes(phase) for phase in (1, 2, 3)},
        "neutral": lambda t: np.abs(load.power_w(t)) * 0.01 / pf / nominal_v,
        "kilovar": lambda t: load.power_w(t) * reactive / 1_000,
        "kilovolt_ampere": lambda t: np.abs(load.power_w(t)) / pf / 1_000,
        "power_factor": lambda t: np.full(t.shape, pf),
        "hertz": lambda t: nominal_hz + 0.03 * np.sin(2 * np.pi * t / 1_800.0),
        "nominal_hz": lambda t: np.full(t.shape, nominal_hz),
        "state_of_charge": site.state_of_charge,
        "load_rate": lambda t: load.power_w(t) / rated_w * 100,
        "output_a": lambda t: load.power_w(t) / 3 / 0.95 / nominal_v,
        "ambient_c": lambda t: 22.0 + 2.5 * np.sin(2 * np.pi * t / DAY_S + number),
        "battery_v": lambda t: 270.0 + 0.4 * np.sin(2 * np.pi * t / DAY_S + number),
    }
