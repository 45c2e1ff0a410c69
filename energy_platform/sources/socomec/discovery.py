"""Socomec SoData: sites with their zones, services by name, title and unit.

Source: SoData API, sections 3, 4.1 and 8: services that end in ``_Delta`` are increments, units
are enumeration names of which only some are certain, no energy service is documented.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.discovery.keywords import clean, keywords, usual_unit
from energy_platform.discovery.phases import phase_of
from energy_platform.discovery.registers import once
from energy_platform.discovery.rules import classify, of_phase, role_of
from energy_platform.discovery.states import states_of
from energy_platform.discovery.vendor_inventory import (
    SHARED,
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)
from energy_platform.discovery.vocabulary import OVERLOAD
from energy_platform.discovery.zones import UNKNOWN_ZONE, is_zone
from energy_platform.identity import is_told_apart
from energy_platform.sources.inventory import RowsByKey
from energy_platform.sources.socomec.keys import socomec_key
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_VARIABLES,
)
from energy_platform.transforms.quantities import COUNTED_OTHERWISE, ENERGY_QUANTITIES
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.schemas import Quantity

INCREMENT: Final = "_delta"
"""End of the names of services that are increments per period."""

_COUNTED: Final = frozenset({None, "Wh", "varh", "VAh", "s", "m³", "count", "1"})
"""Canonical units of what can be an increment; a delta of a temperature is a difference."""

_COUNTS: Final = frozenset(COUNTED_OTHERWISE - {"volume", "other"})
"""Times and counts, which an increment keeps whether or not the words make a register of it."""

ALARM: Final = "Alarm"

_DAY_S: Final = 86_400

NO_SITE: Final = "socomec without site"

_ROLE: Final = "main, sub, generation, storage or none; only what counts in the site's use"


def discover_socomec(inventory: Mapping[str, pl.DataFrame]) -> VendorInventory:
    """Read the inventory frames: sites, devices, variables."""
    sites = {
        row["uuid"]: _site(row) for row in inventory[RAW_SOCOMEC_SITES.name].iter_rows(named=True)
    }
    variables = RowsByKey(inventory[RAW_SOCOMEC_VARIABLES.name], "device_uuid")
    seen = _words_seen(inventory.get(RAW_SOCOMEC_LAST_VALUES.name))
    devices: dict[str, ProposedDevice] = {}
    remarks: list[str] = []
    frame = inventory[RAW_SOCOMEC_DEVICES.name].sort("serial_number")
    gateways = set(frame["gateway_uuid"].drop_nulls())
    for row in frame.iter_rows(named=True):
        own = variables[row["uuid"]]
        is_gateway = row["uuid"] in gateways
        if is_gateway and not any(one["service_type"] != ALARM for one in own):
            continue
        serial = row["serial_number"]
        if is_told_apart(serial, own_id=row["uuid"]):
            remarks.append(SHARED.format(vendor="socomec", name=serial))
        key = row["site_uuid"] or NO_SITE
        if key not in sites:
            sites[key] = _unseen_site(row, key=key)
        devices[serial] = _device(row, own, site=key, seen=seen)
    return VendorInventory(sites=sites, devices=devices, remarks=tuple(remarks))


def _words_seen(last: pl.DataFrame | None) -> dict[str, list[str]]:
    """Return the words that were last said, per service: one alarm shows one of its words only."""
    found: dict[str, list[str]] = {}
    if last is not None:
        texts = last.filter(pl.col("value_text").is_not_null())
        for service, text in texts.select("service_id", "value_text").iter_rows():
            found.setdefault(service, []).append(text)
    return found


def _site(row: Mapping[str, Any]) -> ProposedSite:
    zone = row["time_zone"]
    known = is_zone(zone)
    return ProposedSite(
        key=row["uuid"],
        name=clean(row["name"]) or f"Socomec site {row['uuid'][:8]}",
        timezone=zone if known else UNKNOWN_ZONE,
        confirm="" if known else f"SoData says {clean(zone) or 'no zone'}",
    )


def _unseen_site(row: Mapping[str, Any], *, key: str) -> ProposedSite:
    zone = row["time_zone"]
    known = is_zone(zone)
    return ProposedSite(
        key=key,
        name="Socomec devices without a visible site" if key == NO_SITE else f"Site {key[:8]}",
        timezone=zone if known else UNKNOWN_ZONE,
        confirm="the site is not visible to this user; "
        + ("the zone is that of a device" if known else "no zone is known"),
    )


def _device(
    row: Mapping[str, Any],
    own: Sequence[Mapping[str, Any]],
    *,
    site: str,
    seen: Mapping[str, Sequence[str]],
) -> ProposedDevice:
    called = keywords(row["name"], row["model_name"])
    left_out = {_key(one): "not active at SoData" for one in own if one["active"] is False}
    guesses = [
        _point(one, device=called, seen=seen.get(one["service_id"], ()))
        for one in own
        if one["active"] is not False
    ]
    names = [one.name for one in guesses]
    told = [
        one if names.count(one.name) == 1 else _told_apart(one)
        for one in sorted(guesses, key=lambda one: one.quantity not in ENERGY_QUANTITIES)
    ]
    role = role_of(keywords(row["name"]))
    points = once(told)
    has_energy = any(one.quantity in ENERGY_QUANTITIES for one in points)
    role = role if has_energy else "none"
    remarks = [] if own else ["SoData lists no variables for it"]
    return ProposedDevice(
        vendor="socomec",
        serial=row["serial_number"],
        site=site,
        name=clean(row["name"]) or row["serial_number"],
        model=clean(row["model_name"]) or "socomec device",
        points=tuple(points),
        left_out=left_out,
        carrier="electricity",
        role=role,
        role_confirm=_ROLE if has_energy else "",
        needs_power=any(
            one.kind == "register" and one.quantity in ENERGY_QUANTITIES for one in points
        ),
        remarks=tuple(remarks),
    )


def _key(one: Mapping[str, Any]) -> str:
    return socomec_key(one["item_type"], one["item_index"], one["service_id"])


def _told_apart(guess: ProposedPoint) -> ProposedPoint:
    item_type, item_index, _ = guess.key.removeprefix("|").split("|", 2)
    return replace(guess, name=f"{guess.name} ({item_type} {item_index})")


def _point(
    one: Mapping[str, Any], *, device: frozenset[str], seen: Sequence[str] = ()
) -> ProposedPoint:
    title, service = clean(one["title"]), clean(one["service_name"])
    unit = one["unit"]
    words = keywords(title, service, one["service_group"])
    shown = title or service or f"service {one['service_id']}"
    counted = f" in {clean(unit)}" if unit else ", no unit"
    is_increment = _is_increment(one, words=keywords(title))
    classified = classify(unit, words - {"delta"} if is_increment else words, device=device)
    phase = phase_of(title, None if title else service, quantity=classified.quantity)
    classified = of_phase(classified, words, phase=phase)
    quantity, kind = classified.quantity, classified.kind
    confidence, doubts = classified.confidence, [classified.doubt]
    states: tuple[tuple[str, float], ...] = ()
    why = f'"{shown}"{counted}'
    if one["service_type"] == ALARM:
        quantity, kind, confidence, doubts = "state", "state", "medium", []
        why = f'"{shown}" is an alarm'
    elif is_increment:
        kind, why = "increment", f'"{service or shown}"{counted} is an increment by its name'
        confidence = "medium" if one["is_computed"] else "low"
        if classified.kind != "register" and quantity not in _COUNTS:
            counted_as: Quantity = "overload_count" if words & OVERLOAD else "count"
            quantity, doubts = ("other" if unit else counted_as), []
    if kind == "state":
        states, confirm = states_of(seen)
        doubts.append(confirm)
    if one["is_scaled"]:
        doubts.append("a coefficient is set at SoData and taken as applied")
    is_energy = quantity in ENERGY_QUANTITIES
    return ProposedPoint(
        key=_key(one),
        name=shown,
        quantity=quantity,
        unit=usual_unit(unit or classified.unit)
        or ("count" if quantity in {"count", "overload_count"} else None),
        kind=kind,
        phase=phase,
        item=_key(one).rpartition("|")[0],
        # The register next to an increment already counts in the site's balance.
        role="none" if is_energy and (kind == "increment" or not classified.counts) else None,
        states=states,
        # What is sent on a change has no cadence.
        every=None if one["service_type"] == ALARM else _cadence(one["polling_time"]),
        confidence=confidence,
        why=why,
        confirm="; ".join(doubt for doubt in doubts if doubt),
    )


def _is_increment(one: Mapping[str, Any], *, words: frozenset[str]) -> bool:
    if (one["service_name"] or "").lower().endswith(INCREMENT):
        return True
    how = conversion(one["unit"], quantity="other") if one["unit"] else None
    return "delta" in words and (how.unit if how else None) in _COUNTED


def _cadence(polling_time: int | None) -> float | None:
    """Return the seconds between two samples: in the vendor's example 3600, of an hour."""
    return float(polling_time) if polling_time and 0 < polling_time <= _DAY_S else None
