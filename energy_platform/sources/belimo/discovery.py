"""Belimo Cloud: sites from project and address, datapoints by their dataprofile.

Source: Belimo Cloud Client API, sections 3 and 7: energy is a lifetime counter in joules, a unit
may stand in the description only, a device knows no time zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from energy_platform.discovery.keywords import clean, keywords, usual_unit
from energy_platform.discovery.registers import once
from energy_platform.discovery.rules import classify
from energy_platform.discovery.vendor_inventory import (
    SHARED,
    ProposedDevice,
    ProposedPoint,
    ProposedSite,
    VendorInventory,
)
from energy_platform.discovery.zones import candidate
from energy_platform.identity import is_told_apart
from energy_platform.sources.belimo.tables import RAW_BELIMO_DATAPROFILES, RAW_BELIMO_DEVICES
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from energy_platform.schemas import Carrier, Quantity

DOCUMENTED: Final[dict[str, Quantity]] = {
    "evcloud.200": "cooling_energy",
    "evcloud.210": "heating_energy",
}
"""Energy datapoints of the vendor's own example."""

_CARRIERS: Final[dict[Quantity, Carrier]] = {
    "heating_energy": "heating",
    "cooling_energy": "cooling",
}


def discover_belimo(inventory: Mapping[str, pl.DataFrame]) -> VendorInventory:
    """Read the inventory frames: devices and dataprofiles."""
    profiles = inventory[RAW_BELIMO_DATAPROFILES.name]
    guesses: dict[str, tuple[list[ProposedPoint], dict[str, str]]] = {
        str(name): _points(list(part.iter_rows(named=True)))
        for (name,), part in profiles.group_by(["dataprofile"], maintain_order=True)
    }
    sites: dict[str, ProposedSite] = {}
    devices: dict[str, ProposedDevice] = {}
    remarks: list[str] = []
    frame = inventory[RAW_BELIMO_DEVICES.name].sort("serial_number", "last_seen_at")
    for row in frame.iter_rows(named=True):
        serial = row["serial_number"]
        if is_told_apart(serial, own_id=row["production_id"]):
            remarks.append(SHARED.format(vendor="belimo", name=serial))
        if serial in devices:
            remarks.append(
                f"belimo: serial number {serial} is there under two ids, as after a transfer"
            )
        site = _site(row)
        sites.setdefault(site.key, site)
        points, left_out = guesses.get(row["dataprofile"] or "", ([], {}))
        devices[serial] = _device(
            row, points, left_out, site=site.key, known=row["dataprofile"] in guesses
        )
    return VendorInventory(sites=sites, devices=devices, remarks=tuple(remarks))


def _site(row: Mapping[str, Any]) -> ProposedSite:
    project, city = clean(row["project_name"]), clean(row["address_city"])
    country = clean(row["address_country"]).upper()
    zone, reason = candidate(city=city, country=country)
    name = ", ".join(part for part in (project, city, country) if part)
    is_code = len(country) == 2 and country.isalpha()  # noqa: PLR2004 - ISO 3166 alpha-2
    return ProposedSite(
        key=f"{project}|{city}|{country}",
        name=name or "Belimo devices without an address",
        timezone=zone,
        country=country if is_code else None,
        city=city or None,
        confirm=reason,
    )


def _device(
    row: Mapping[str, Any],
    points: Sequence[ProposedPoint],
    left_out: Mapping[str, str],
    *,
    site: str,
    known: bool,
) -> ProposedDevice:
    profile = row["dataprofile"] or ""
    return ProposedDevice(
        vendor="belimo",
        serial=row["serial_number"],
        site=site,
        name=clean(row["display_name"]) or row["serial_number"],
        model=profile.partition("/")[0] or "belimo device",
        points=tuple(points),
        left_out=left_out,
        keys_known=known,
        needs_power=any(
            one.kind == "register" and one.quantity in ENERGY_QUANTITIES for one in points
        ),
        remarks=()
        if known
        else ("Belimo Cloud knows no dataprofile of it, so its datapoints are unknown",),
    )


def _points(rows: Sequence[Mapping[str, Any]]) -> tuple[list[ProposedPoint], dict[str, str]]:
    left_out = {
        row["datapoint_id"]: "may be written only"
        for row in rows
        if "r" not in (row["access"] or "r")
    }
    guesses = [_point(row) for row in rows if row["datapoint_id"] not in left_out]
    in_order = sorted(guesses, key=lambda one: one.quantity not in ENERGY_QUANTITIES)
    return once(in_order), left_out


def _point(row: Mapping[str, Any]) -> ProposedPoint:
    key, unit = row["datapoint_id"], row["unit"]
    name, description = clean(row["name"]), clean(row["description"])
    shown = name or description or key
    why = f'"{description or shown}"' + (f", unit {clean(unit)}" if unit else ", no unit")
    if row["basetype"] in {"text", "bool"}:
        is_bool = row["basetype"] == "bool"
        return ProposedPoint(
            key=key,
            name=shown,
            quantity="state",
            unit=None,
            kind="state",
            states=(("false", 0.0), ("true", 1.0)) if is_bool else (),
            confidence="high" if is_bool else "medium",
            why=f'"{shown}" is a {row["basetype"]}',
        )
    classified = classify(unit, keywords(name, description))
    quantity, kind, confidence, doubt = (
        classified.quantity,
        classified.kind,
        classified.confidence,
        classified.doubt,
    )
    is_energy = kind == "register" and quantity in ENERGY_QUANTITIES
    documented = DOCUMENTED.get(key)
    if is_energy and quantity not in _CARRIERS:
        quantity, kind, confidence = "other", "gauge", "low"
        doubt = "an energy, but nothing says heating or cooling"
    elif is_energy and documented not in {None, quantity}:
        quantity, kind, confidence = "other", "gauge", "low"
        doubt = f"the name says another energy than the vendor's document ({documented})"
    elif is_energy and documented is None:
        confidence = "medium"
    elif quantity == "active_power":
        doubt = "thermal power: set the carrier, heating or cooling"
    return ProposedPoint(
        key=key,
        name=shown,
        quantity=quantity,
        unit=usual_unit(unit),
        kind=kind,
        carrier=_CARRIERS.get(quantity),
        confidence=confidence,
        why=why,
        confirm=doubt,
    )
