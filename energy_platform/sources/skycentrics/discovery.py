"""SkyCentrics: one site per gateway to confirm, sensors by unit and the words of their id.

Source: SkyCentrics cloud API, sections 6 and 7: the type of a sensor is a free label and never
looked at, W and kW stand in one answer, a battery's sign is not documented, and a counter whose
16-bit words are exchanged shows its low word times 65,536.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from energy_platform.discovery.keywords import clean, keywords, usual_unit
from energy_platform.discovery.phases import phase_of
from energy_platform.discovery.registers import once
from energy_platform.discovery.rules import classify, of_phase, role_of
from energy_platform.discovery.states import states_of
from energy_platform.discovery.vendor_inventory import (
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)
from energy_platform.discovery.vocabulary import BATTERY, CAPACITY, CHARGE, DISCHARGE
from energy_platform.discovery.zones import candidate
from energy_platform.sources.inventory import RowsByKey
from energy_platform.sources.skycentrics.tables import (
    RAW_SKYCENTRICS_DEVICES,
    RAW_SKYCENTRICS_SENSORS,
)
from energy_platform.transforms.quantities import ENERGY_QUANTITIES
from energy_platform.transforms.readings import WORD
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from energy_platform.schemas import Role

_ELECTRIC: Final = frozenset(
    {"Wh", "kWh", "MWh", "W", "kW", "MW", "var", "kvar", "VA", "kVA", "varh", "kvarh", "VAh"}
    | {"V", "kV", "A", "Hz"}
)


def discover_skycentrics(inventory: Mapping[str, pl.DataFrame]) -> VendorInventory:
    """Read the inventory frames: gateways and sensors."""
    sensors = RowsByKey(inventory[RAW_SKYCENTRICS_SENSORS.name], "device_id")
    sites: dict[str, ProposedSite] = {}
    devices: dict[str, ProposedDevice] = {}
    for row in inventory[RAW_SKYCENTRICS_DEVICES.name].iter_rows(named=True):
        own = sensors[row["id"]]
        name = clean(row["name"]) or f"SkyCentrics gateway {row['id']}"
        zone, reason = candidate(city=None, country=None, name=name)
        sites[row["id"]] = ProposedSite(key=row["id"], name=name, timezone=zone, confirm=reason)
        guesses = once([_point(sensor) for sensor in own])
        devices[row["id"]] = ProposedDevice(
            vendor="skycentrics",
            serial=row["id"],
            site=row["id"],
            name=name,
            model="skycentrics gateway",
            points=tuple(sorted(guesses, key=lambda one: one.quantity not in ENERGY_QUANTITIES)),
            remarks=tuple(_capacity(own)) if guesses else ("it answers no sensors",),
        )
    return VendorInventory(sites=sites, devices=devices)


def _point(row: Mapping[str, Any]) -> ProposedPoint:
    key, units = row["sensor_id"], row["units"]
    words = keywords(key, row["name"])
    classified = classify(units, words)
    phase = phase_of(row["name"], key, quantity=classified.quantity)
    classified = of_phase(classified, words, phase=phase)
    quantity, kind = classified.quantity, classified.kind
    is_energy = kind == "register" and quantity in ENERGY_QUANTITIES
    doubts = [classified.doubt]
    if "dup" in words:
        doubts.append("a duplicate point of the gateway with a value of its own")
    if quantity == "active_power" and words & BATTERY:
        doubts.append("the sign is not documented; set sign: -1 if discharging is positive")
    if quantity == "active_power" and "breaker" in words:
        doubts.append("of a breaker: what it feeds is measured behind it too, no load of its own")
    is_swapped = is_energy and _is_in_words(row["value"])
    if is_swapped:
        doubts.append(
            f"{row['value']:.0f} is {row['value'] / WORD:.0f} times 65,536, a register with its "
            "words exchanged: quarantined until a correction says what is right"
        )
    elif is_energy and "lifetime" in words:
        doubts.append("set rated_capacity_wh, which unmasks a register with swapped words")
    states: tuple[tuple[str, float], ...] = ()
    if row["value_text"] and (kind == "state" or not units):
        states, confirm = states_of([row["value_text"]])
        quantity, kind = "state", "state"
        doubts = [confirm]
    unit = usual_unit(units or classified.unit)
    shown = clean(row["name"]) or key
    return ProposedPoint(
        key=key,
        name=shown,
        quantity=quantity,
        unit=unit if quantity != "state" else None,
        kind=kind,
        phase=phase,
        carrier="electricity" if unit in _ELECTRIC else None,
        role=_role(words, counts=classified.counts and "dup" not in words) if is_energy else None,
        states=states,
        needs_power=is_energy,
        is_implausible=is_swapped,
        confidence=classified.confidence,
        why=f'"{shown}"' + (f" in {clean(units)}" if unit else ", no unit"),
        confirm="; ".join(doubt for doubt in doubts if doubt),
    )


def _role(words: frozenset[str], *, counts: bool) -> Role:
    return role_of(words) if counts else "none"


def _is_in_words(value: float | None) -> bool:
    """Say whether a count is a multiple of 65,536, as one with exchanged words is."""
    return bool(value) and (value or 0.0) % WORD == 0


def _capacity(own: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a battery can hold: the room that is left and what it holds, together."""
    room: list[tuple[str, float]] = []
    held: list[tuple[str, float]] = []
    for row in own:
        words = keywords(row["sensor_id"], row["name"])
        how = conversion(row["units"], quantity="stored_energy")
        if (
            how is None
            or row["value"] is None
            or not words >= {"available"}
            or not words & CAPACITY
        ):
            continue
        place = room if words & CHARGE and not words & DISCHARGE else held
        place.append((row["sensor_id"], row["value"] * how.multiplier / how.divisor))
    if len(room) != 1 or len(held) != 1:
        return []
    total = room[0][1] + held[0][1]
    sentence = (
        f"{room[0][0]} and {held[0][0]} are {total / 1e3:g} kWh together, the "
        "battery's capacity: "
        f"set rated_capacity_wh: {total:.0f} on its lifetime counters once it is confirmed"
    )
    return [sentence]
