"""Loggers of dropped files: a site each to confirm, points by unit, words and behaviour.

What the mapping states is taken. What it leaves out is proposed: a number in kWh that only rises is
a register, one that rises and falls is energy per period, and somebody has to confirm either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from energy_platform.discovery.keywords import clean, keywords, usual_unit
from energy_platform.discovery.phases import phase_of
from energy_platform.discovery.registers import once
from energy_platform.discovery.rules import classify, direction_of, of_phase, role_of
from energy_platform.discovery.states import states_of
from energy_platform.discovery.vendor_inventory import (
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)
from energy_platform.discovery.zones import candidate
from energy_platform.sources.files.layout import ELECTRICITY_FIELDS, UPLOAD_CSV
from energy_platform.sources.files.mapping import offset_of
from energy_platform.sources.files.tables import RAW_FILES_LOGGERS, RAW_FILES_POINTS
from energy_platform.sources.inventory import RowsByKey
from energy_platform.transforms.quantities import ENERGY_QUANTITIES, REGISTER_QUANTITIES
from energy_platform.transforms.units import CANONICAL_UNITS, conversion

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from energy_platform.portfolio.model import Confidence
    from energy_platform.schemas import Kind, Phase, Quantity

FEW_STEPS: Final = 20
"""Steps below which nobody can say that a number only rises."""

NOISE: Final = 0.001
"""Share of falling steps that a register may show: exchanges and glitches, not consumption."""

_COUNTED: Final[dict[str, Quantity]] = {
    "Wh": "active_energy_import",
    "varh": "reactive_energy_import",
    "VAh": "apparent_energy",
    "m³": "volume",
}
"""What a counter of a unit counts where no word says."""

_FIELD_UNITS: Final = dict(ELECTRICITY_FIELDS)
_FIELD_QUANTITIES: Final[dict[str, Quantity]] = {
    "aP": "active_power",
    "rP": "reactive_power",
    "apP": "apparent_power",
    "v": "voltage",
    "c": "current",
    "pC": "active_energy_import",
}

_FIELD_PHASES: Final[dict[str, Phase]] = {
    "1": "L1",
    "2": "L2",
    "3": "L3",
    "12": "L12",
    "13": "L13",
    "23": "L23",
}


class _Meaning(NamedTuple):
    quantity: Quantity
    kind: Kind
    confidence: Confidence
    doubt: str = ""
    phase: Phase = "total"
    counts: bool = True


def found_in_files(inventory: Mapping[str, pl.DataFrame]) -> VendorInventory:
    """Return the sites, devices and points that the inventory of loggers comes to."""
    points = RowsByKey(inventory[RAW_FILES_POINTS.name], "device_id")
    sites: dict[str, ProposedSite] = {}
    devices: dict[str, ProposedDevice] = {}
    for row in inventory[RAW_FILES_LOGGERS.name].iter_rows(named=True):
        own = points[row["id"]]
        name = clean(row["name"]) or row["id"]
        sites[row["id"]] = _site(row, name)
        guesses = once([_point(point, every_s=row["every_s"]) for point in own])
        devices[row["id"]] = ProposedDevice(
            vendor="files",
            serial=row["id"],
            site=row["id"],
            name=name,
            model=f"logger {name}",
            points=tuple(sorted(guesses, key=lambda one: one.quantity not in ENERGY_QUANTITIES)),
            remarks=(f"{row['bad_lines']} lines of its files could not be used",)
            if row["bad_lines"]
            else (),
        )
    return VendorInventory(sites=sites, devices=devices)


def _site(row: Mapping[str, Any], name: str) -> ProposedSite:
    zone = row["timezone"]
    if zone is not None and offset_of(zone) is None:
        confirm = "the clock that the logger's mapping states; is the site's the same?"
        return ProposedSite(key=row["id"], name=name, timezone=zone, confirm=confirm)
    guessed, reason = candidate(city=None, country=None, name=name)
    return ProposedSite(key=row["id"], name=name, timezone=guessed, confirm=reason)


def _point(row: Mapping[str, Any], *, every_s: float | None) -> ProposedPoint:
    key, unit = row["point"], row["unit"]
    shown = clean(row["name"]) or key
    said = keywords(key, row["name"])
    meaning = _meaning(row, said)
    states: tuple[tuple[str, float], ...] = ()
    doubts = [meaning.doubt]
    quantity, kind = meaning.quantity, meaning.kind
    if row["kind"] == "state":
        states, confirm = states_of((row["texts"] or "").split(",") if row["texts"] else [])
        quantity, kind, doubts = "state", "state", [confirm]
    is_energy = quantity in ENERGY_QUANTITIES
    is_increment = kind == "increment"
    width = row["width_s"] or (row["step_s"] if is_increment else None)
    if is_increment and row["width_s"] is None:
        doubts.append("is the stamp the start of the period, or its end (stamp: start)?")
    return ProposedPoint(
        key=key,
        name=shown,
        quantity=quantity,
        unit=usual_unit(unit) if quantity != "state" else None,
        kind=kind,
        phase=meaning.phase,
        role=(role_of(said) if meaning.counts else "none") if is_energy else None,
        states=states,
        needs_power=is_energy and kind == "register",
        every=every_s or row["step_s"],
        width=width if is_increment else None,
        stamp=row["stamp"] if is_increment else None,
        confidence=meaning.confidence,
        why=f'"{shown}"' + (f" in {clean(unit)}" if unit else ", no unit"),
        confirm="; ".join(doubt for doubt in doubts if doubt),
    )


def _meaning(row: Mapping[str, Any], said: frozenset[str]) -> _Meaning:
    """Say what a point measures: by its mapping, else by a known layout, else unit and words."""
    if row["point"] in _FIELD_UNITS and row["unit"] == _FIELD_UNITS[row["point"]]:
        return _of_field(row["point"])
    classified = classify(row["unit"], said)
    phase = phase_of(row["name"], row["point"], quantity=classified.quantity)
    classified = of_phase(classified, said, phase=phase)
    behaves, why = _behaviour(row)
    quantity, kind, doubt = classified.quantity, classified.kind, classified.doubt
    confidence, counts = classified.confidence, classified.counts
    how = conversion(row["unit"], quantity="other") if row["unit"] else None
    counted = None if how is None else _COUNTED.get(how.unit)
    if counted is not None and (quantity == "other" or behaves == "increment"):
        quantity = counted if quantity == "other" else quantity
        kind, doubt, confidence = behaves, why, "low"
        counts = bool(direction_of(said)) or how is None or how.unit != "Wh"
    elif counted is not None and behaves == "register":
        doubt = "; ".join(part for part in (doubt, why) if part)
    elif row["unit"] is None and behaves == "register":
        doubt = f"{why}; set its unit and quantity, and kind: register"
    if row["quantity"] is not None:
        quantity, confidence, doubt, counts = row["quantity"], "high", "", True
        kind = "register" if quantity in REGISTER_QUANTITIES else kind
    if row["kind"] is not None:
        if quantity in CANONICAL_UNITS or row["kind"] == "gauge":
            doubt = "" if row["quantity"] is not None else doubt
        kind = row["kind"]
    return _Meaning(quantity, kind, confidence, doubt, phase, counts)


def _behaviour(row: Mapping[str, Any]) -> tuple[Kind, str]:
    """Say how a number behaves, and why, for whoever confirms it."""
    steps = row["rises"] + row["falls"]
    if not steps or (steps < FEW_STEPS and not row["falls"]):
        return "register", "too few values to tell a register from energy per period"
    if row["falls"] <= NOISE * steps:
        return "register", f"it rose {row['rises']} times and fell {row['falls']}: a register"
    step = row["step_s"] or 0
    return (
        "increment",
        (
            f"it rose {row['rises']} times and fell {row['falls']}: an amount per period of "
            f"{step / 60:g} minutes, no register"
        ),
    )


def _of_field(point: str) -> _Meaning:
    name, _, phase = point.partition("_")
    quantity = _FIELD_QUANTITIES[name]
    is_energy = quantity in ENERGY_QUANTITIES
    doubt = f"a column of {UPLOAD_CSV}; a total stands in phase 1, then phase: total" * is_energy
    return _Meaning(
        quantity,
        "register" if is_energy else "gauge",
        "medium",
        doubt,
        _FIELD_PHASES[phase],
        counts=True,
    )
