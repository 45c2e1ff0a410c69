"""Candidates for a time zone that a vendor does not say; every one is to be confirmed."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytz

from energy_platform.discovery.keywords import clean, slug

UNKNOWN_ZONE: Final = "UTC"
"""Placeholder of a zone that nothing names."""


def is_zone(name: str | None) -> bool:
    """Say whether a text is an IANA zone."""
    try:
        return bool(name) and bool(ZoneInfo(name or ""))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def candidate(*, city: str | None, country: str | None, name: str | None = None) -> tuple[str, str]:
    """Return a zone to be confirmed, and what speaks for it.

    Args:
        city: City of an address.
        country: ISO code of its country.
        name: What the place is called, which may hold the city of a zone.

    Returns:
        The country's zone named like the city, its only zone, the one zone whose city the name
        holds, or UTC as a placeholder.
    """
    code = (country or "").strip().upper()
    zones: list[str] = list(pytz.country_timezones.get(code) or ())
    place = slug(city or "", joint="_")
    for zone in zones:
        if place and zone.rsplit("/", 1)[-1].lower() == place:
            return zone, f"the vendor says no zone; taken from the city {clean(city)}, {code}"
    if len(zones) == 1:
        return zones[0], f"the vendor says no zone; this is the only one of {code}"
    if not zones:
        called = f"_{slug(name or '', joint='_')}_"
        named = [
            zone
            for zone in pytz.common_timezones
            if "/" in zone and f"_{zone.rsplit('/', 1)[-1].lower()}_" in called
        ]
        if len(named) == 1:
            return named[0], f"the vendor says no zone; taken from the name {clean(name)}"
    if zones:
        return UNKNOWN_ZONE, f"the vendor says no zone, and {code} has {len(zones)} of them"
    return UNKNOWN_ZONE, "the vendor says no zone; write one such as Europe/Paris"
