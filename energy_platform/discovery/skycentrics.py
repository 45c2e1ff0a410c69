"""SkyCentrics: one site per gateway to confirm, sensors by unit and the words of their id.

Source: SkyCentrics cloud API, sections 6 and 7: the type of a sensor is a free label and never
looked at, W and kW stand in one answer, a battery's sign is not documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from energy_platform.discovery.found import Found, FoundDevice, FoundSite, Guess
from energy_platform.discovery.rules import BATTERY, judge
from energy_platform.discovery.words import clean, phase_of, usual_unit, words
from energy_platform.discovery.zones import candidate
from energy_platform.portfolio.model import ENERGY_QUANTITIES
from energy_platform.schemas import RAW_SKYCENTRICS_DEVICES, RAW_SKYCENTRICS_SENSORS

if TYPE_CHECKING:
    from collections.abc import Mapping

_ELECTRIC = frozenset({"Wh", "kWh", "MWh", "W", "kW", "MW", "var", "kvar", "VA", "kVA", "varh"})


def found_at_skycentrics(inventory: Mapping[str, pl.DataFrame]) -> Found:
    """Read the inventory frames: gateways and sensors."""
    sensors = inventory[RAW_SKYCENTRICS_SENSORS.name]
    sites: dict[str, FoundSite] = {}
    devices: dict[str, FoundDevice] = {}
    for row in inventory[RAW_SKYCENTRICS_DEVICES.name].iter_rows(named=True):
        own = sensors.filter(pl.col("device_id") == row["id"])
        zone, reason = candidate(city=None, country=None)
        name = clean(row["name"]) or f"SkyCentrics gateway {row['id']}"
        sites[row["id"]] = FoundSite(key=row["id"], name=name, timezone=zone, confirm=reason)
        guesses = [_point(sensor) for sensor in own.iter_rows(named=True)]
        devices[row["id"]] = FoundDevice(
            vendor="skycentrics",
            serial=row["id"],
            site=row["id"],
            name=name,
            model="skycentrics gateway",
            points=tuple(sorted(guesses, key=lambda one: one.quantity not in ENERGY_QUANTITIES)),
            remarks=() if guesses else ("it answers no sensors",),
        )
    return Found(sites=sites, devices=devices)


def _point(row: Mapping[str, Any]) -> Guess:
    key, units = row["sensor_id"], row["units"]
    said = words(key, row["name"])
    judged = judge(units, said)
    unit = usual_unit(units)
    is_energy = judged.kind == "register" and judged.quantity in ENERGY_QUANTITIES
    doubts = [judged.doubt] if judged.doubt else []
    if "dup" in said:
        doubts.append("a duplicate point of the gateway with a value of its own")
    if judged.quantity == "active_power" and said & BATTERY:
        doubts.append("the sign is not documented; set sign: -1 if discharging is positive")
    if is_energy and "lifetime" in said:
        doubts.append("set rated_capacity_wh, which unmasks a register with swapped words")
    shown = clean(row["name"]) or key
    return Guess(
        key=key,
        name=shown,
        quantity=judged.quantity,
        unit=unit,
        kind=judged.kind,
        phase=phase_of(row["name"], key),
        carrier="electricity" if unit in _ELECTRIC else None,
        role="none" if is_energy else None,
        needs_power=is_energy,
        confidence=judged.confidence,
        why=f'"{shown}"' + (f" in {clean(units)}" if unit else ", no unit"),
        confirm="; ".join(doubts),
    )
