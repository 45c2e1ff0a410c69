"""The demo's portfolio.yaml: what a reviewed portfolio of this world looks like.

Written from the world itself, so that a changed world never leaves a stale portfolio behind. The
streams are the same that the Wattics simulator registers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from energy_platform.simulators.demo_streams import streams_of
from energy_platform.simulators.registry import simulators

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from energy_platform.simulators.base import PortfolioRules
    from energy_platform.simulators.wattics import WatticsStream
    from energy_platform.simulators.world import Curve, Device, Event, Signal, World

Entry = dict[str, Any]

UNITS: Final = {
    "AMPERE": "A",
    "VOLT": "V",
    "KILOWATT": "kW",
    "KILOVAR": "kvar",
    "KILOVOLT_AMPERE": "kVA",
    "WATT_HOUR": "Wh",
    "KILOWATT_HOUR": "kWh",
    "VAR_HOUR": "varh",
    "AMPERE_HOUR": "Ah",
    "HOUR": "h",
    "NONE": "1",
    "PERCENTAGE": "%",
    "HERTZ": "Hz",
    "CELSIUS": "°C",
    "m3": "m³",
    "m3/s": "m³/h",
    "luxes": "lx",
    "kVAR": "kvar",
    "% of Wmax": "%",
}
"""Vendors' unit names that differ from the usual symbol."""

KNOWN_UNITS: Final = {
    "Weather Station Temp": "°C",
    "Number of unit into the Ups": "count",
    "Delta Ups hours on Inverter": "h",
}
"""What an operator knows of points whose vendor says no unit, by name."""

WH_PER_UNIT: Final = {
    "J": 1 / 3_600,
    **dict.fromkeys(("Wh", "WATT_HOUR"), 1.0),
    **dict.fromkeys(("kWh", "KILOWATT_HOUR"), 1000.0),
    "MWh": 1_000_000.0,
}
"""Watt-hours in the units of the world's energy registers: usual symbols, and vendors' words."""

HEADROOM: Final = 1.5
"""Rated power as a multiple of the largest power the world can show."""

BATTERY_CAPACITY_WH: Final = 513_000.0
"""Rated capacity behind the SkyCentrics lifetime counters."""

ACCURACY_PERCENT: Final = 0.5
"""Class of the demo's meters: 0.5 S, as those that bill are."""

CHARGE_SWING: Final = 0.7
"""Share of its capacity that a battery of the world takes and gives each day."""

DESIGN_DELTA_T_K: Final = 7.0
"""Difference of temperatures that the circuits of the world's valves are designed for."""

HOUR_S: Final = 3_600
"""What a UPS counts by the hour has a cadence of its own beside its device's, seconds."""


def demo_portfolio(
    world: World,
    *,
    start: datetime | None = None,
    events: Iterable[Event] = (),
    reviewed: bool = False,
) -> str:
    """The whole file as text.

    Args:
        world: The world the simulators serve.
        start: When the streams go live; None leaves it to the first push.
        events: What goes wrong; exchanges of meters are announced, with both readings.
        reviewed: Whether somebody has decided about the counters with swapped words.
    """
    types, devices = _devices(world)
    content: Entry = {
        "version": 1,
        "sites": [
            {"id": site.key, "name": site.name, "timezone": site.zone, "country": site.country}
            for site in world.sites
        ],
        "device_types": types,
        "devices": [*devices, *_sums(world)],
        "streams": [
            _stream_entry(stream, fields) | ({"start": start} if start else {})
            for stream, fields in streams_of(world)
        ],
    }
    corrections = [_announced(world, event) for event in events if event.kind == "exchange"]
    if reviewed:
        corrections.append(_reviewed_swaps(world))
    if corrections:
        content["corrections"] = corrections
    head = (
        "# The demo's portfolio: sites, devices, points and Wattics streams of the simulators.\n"
        "# Written by energy_platform.simulators.demo_portfolio; yours comes from"
        " `energy-platform discover`.\n"
    )
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def demo_streams(world: World) -> tuple[WatticsStream, ...]:
    """The streams of that portfolio, as registered at Wattics beforehand."""
    return tuple(stream for stream, _ in streams_of(world))


def _reviewed_swaps(world: World) -> Entry:
    """The counters whose words the gateway swaps: somebody looked, and decided to leave them out.

    A factor of 1/65536 would repair the value but not what the low word counted meanwhile.
    """
    return {
        "points": sorted(key for key, one in world.signals.items() if "word_swapped" in one.traits),
        "from": date(2020, 1, 1),
        "reason": "the gateway swaps the words of these counters; the vendor was asked",
        "drop": True,
    }


def _announced(world: World, event: Event) -> Entry:
    """An exchange of a meter as it was written down on site."""
    signal = world.signals[event.signal]
    at = np.array([int(event.start_s)], dtype=np.int64)
    shown = float(signal.model.values(at, cadence=signal.cadence)[0])
    wh = WH_PER_UNIT[signal.unit]
    return {
        "points": [event.signal],
        "from": event.start.date(),
        "reason": "meter exchanged, both registers read off on site",
        "policy": {
            "reset_markers": [
                {"at": event.start, "final_wh": shown * wh, "start_wh": event.amount * wh}
            ]
        },
    }


def _devices(world: World) -> tuple[dict[str, Entry], list[Entry]]:
    """Device types and devices: devices with equal points share a type."""
    alike: dict[str, list[tuple[Device, list[Signal]]]] = defaultdict(list)
    seen: Counter[str] = Counter()
    for device in world.devices:
        signals = _rules()[device.vendor].points(device, number=seen[device.vendor])
        seen[device.vendor] += 1
        if signals:
            shape = repr([_point(signal, max_power_w=None) for signal in signals])
            alike[shape].append((device, signals))
    types: dict[str, Entry] = {}
    devices: list[Entry] = []
    mains = {
        one.site: one
        for one in world.signals.values()
        if one.role == "main" and one.quantity == "active_energy_import"
    }
    for members in alike.values():
        name = _type_name(members[0][0], taken=types)
        columns = zip(*(signals for _, signals in members), strict=True)
        types[name] = {
            "points": [
                _point(column[0], max_power_w=max(map(_rated_w, column))) for column in columns
            ]
        }
        for device, signals in members:
            entry = _device(device, signals, type_name=name)
            shared = {one["key"]: one for one in types[name]["points"]}
            devices.append(entry | _links(device, signals, mains=mains, shared=shared))
    return types, devices


def _links(
    device: Device,
    signals: list[Signal],
    *,
    mains: dict[str, Signal],
    shared: dict[str, Entry],
) -> Entry:
    """What a device's registers stand behind: the main meter, or the same current as it.

    A device with several of them says it at its points, one with a single one for the device.
    """
    main = mains.get(device.site)
    registers = [
        one for one in signals if one.kind == "register" and one.quantity == "active_energy_import"
    ]
    if main is None or not registers:
        return {}
    known: Entry = {"accuracy_percent": ACCURACY_PERCENT}
    links = [
        (one, "same_as" if one.curve == main.curve else "parent")
        for one in registers
        if one is not main
    ]
    if len(links) == 1:
        return known | {links[0][1]: main.key}
    points = [shared[one.address] | {link: main.key} for one, link in links]
    return known | ({"points": points} if points else {})


def _sums(world: World) -> list[Entry]:
    """What no meter shows: the main meter of each site less the meters behind it."""
    entries: list[Entry] = []
    for site in world.sites:
        imports = [
            signal
            for signal in world.signals.values()
            if signal.site == site.key
            and signal.quantity == "active_energy_import"
            and signal.kind == "register"
            and not signal.phase
        ]
        mains = [one.key for one in imports if one.role == "main"]
        behind = [one.key for one in imports if one.role == "sub"]
        if mains and behind:
            parts: list[Any] = [*mains, *({"point": key, "factor": -1} for key in behind)]
            rest = {"key": "rest", "name": "Not submetered", "quantity": "active_energy_net"}
            entries.append(
                {
                    "vendor": "virtual",
                    "serial": site.key,
                    "site": site.key,
                    "name": f"Sums of {site.name}",
                    "carrier": "electricity",
                    "points": [rest | {"of": parts}],
                }
            )
    return entries


def _rules() -> dict[str, PortfolioRules]:
    """How each vendor's devices are described, by vendor."""
    return {one.name: one.portfolio for one in simulators() if one.portfolio is not None}


def _type_name(device: Device, *, taken: dict[str, Entry]) -> str:
    base = _rules()[device.vendor].device_type(device)
    number = sum(name == base or name.startswith(f"{base}_") for name in taken)
    return base if number == 0 else f"{base}_{number + 1}"


def _device(device: Device, signals: list[Signal], *, type_name: str) -> Entry:
    rules = _rules()[device.vendor]
    entry: Entry = {
        "vendor": device.vendor,
        "serial": device.serial,
        "site": device.site,
        "name": device.name,
        "type": type_name,
        "every": _duration(max(signals[0].cadence.period_s, rules.every_at_least_s)),
    }
    if rules.has_device_role:
        entry["carrier"] = "electricity"
        entry["role"] = next((one.role for one in signals if one.role != "none"), "none")
    return entry | _plate(signals)


def _plate(signals: list[Signal]) -> Entry:
    """What stands on a device's plate, of plants, batteries and valves."""
    entry: Entry = {}
    made = [_curve_w(one) for one in signals if one.quantity == "generation_energy"]
    given = [_curve_w(one) for one in signals if one.quantity == "battery_energy_discharge"]
    if any(made):
        # Registers only: the increment next to one is of the same plant.
        entry["peak_power_w"] = round(sum(made), -3)
    if any(given):
        # Half a sine over half a day takes the charge down by the swing of the world's batteries.
        energy_wh = max(given) * 24 / np.pi
        entry["rated_capacity_wh"] = float(round(energy_wh / CHARGE_SWING, -3))
    if any(one.quantity == "valve_position" for one in signals):
        entry["design_delta_t_k"] = DESIGN_DELTA_T_K
    return entry


def _curve_w(signal: Signal) -> float:
    curve = signal.curve
    return 0.0 if curve is None or signal.kind != "register" else _largest_w(curve)


def _point(signal: Signal, *, max_power_w: float | None) -> Entry:
    entry: Entry = {"key": signal.address, "name": signal.name, "quantity": signal.quantity}
    unit = _unit(signal)
    if unit:
        entry["unit"] = unit
    entry["kind"] = signal.kind
    if signal.phase:
        entry["phase"] = f"L{signal.phase}"
    entry |= _place(signal)
    if "stale" in signal.traits:
        entry["every"] = "1d"
    elif _rules()[signal.vendor].hourly_points and signal.cadence.period_s >= HOUR_S:
        entry["every"] = _duration(signal.cadence.period_s)
    if states := _states(signal):
        entry["states"] = states
    if "word_swapped" in signal.traits:
        entry["rated_capacity_wh"] = BATTERY_CAPACITY_WH
    if max_power_w and signal.kind == "register" and "energy" in signal.quantity:
        entry["max_power_w"] = max_power_w
        if signal.decimals and unit == "kWh":
            entry["resolution_wh"] = 1_000.0 / 10**signal.decimals
    return entry


def _place(signal: Signal) -> Entry:
    """Carrier and role where they differ from the device's."""
    if _rules()[signal.vendor].has_device_role:
        # The register beside an increment already counts in the site's balance.
        return {"role": "none"} if signal.kind == "increment" else {}
    entry: Entry = {}
    if signal.carrier != "none":
        entry["carrier"] = signal.carrier
    if signal.role != "none":
        entry["role"] = signal.role
    return entry


def _unit(signal: Signal) -> str:
    """The unit to convert from: the vendor's, or what an operator knows where it has none.

    A flow in m3/s arrives with this unit in its rows.
    """
    if signal.unit == "m3/s":
        return "m³/s"
    if signal.unit:
        return UNITS.get(signal.unit, signal.unit)
    if signal.quantity in {"power_factor", "state"} and not signal.states:
        return "1"
    if signal.name in KNOWN_UNITS:
        return KNOWN_UNITS[signal.name]
    return "count" if signal.kind == "increment" else ""


def _states(signal: Signal) -> dict[str, float]:
    """Words as numbers: only those that were reviewed."""
    if "alarm" in signal.traits:
        return {"INACTIVE": 0.0, "ACTIVE": 1.0}
    if "boolean" in signal.traits:
        return {"false": 0.0, "true": 1.0}
    number = _rules()[signal.vendor].code_of_state
    return {text: number(position, text) for position, text in enumerate(signal.states)}


def _rated_w(signal: Signal) -> float:
    """A rated power that the curve never reaches, in whole kilowatts."""
    curve = signal.curve
    if curve is None:
        return 0.0
    return max(1_000.0, round(_largest_w(curve) * HEADROOM, -3))


def _largest_w(curve: Curve) -> float:
    waves = (*curve.waves, *curve.lobes)
    return curve.constant_w + sum(abs(wave.amplitude_w) for wave in waves)


def _duration(seconds: int) -> str:
    for unit, size in (("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _stream_entry(stream: WatticsStream, fields: dict[str, str]) -> Entry:
    site = next(name for name in ("paris", "los-angeles", "kolkata") if stream.id.startswith(name))
    entry: Entry = {
        "id": stream.id,
        "kind": stream.kind,
        "site": site,
        "credential": stream.group,
        "interval": _duration(stream.interval_s),
        "reading": stream.reading,
    }
    if stream.kind == "value":
        entry["unit"] = stream.unit
    return entry | {"fields": fields}
