"""Sites of several vendors that are one place, by zone, city and the parts of their names.

No vendor knows another's sites. Where three of them print Paris, one building is far more likely
than three, and three would give each a part of the figures. Which it is, an operator confirms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.discovery.keywords import slug
from energy_platform.sources import source_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.discovery.vendor_inventory import ProposedSite

_GENERIC: Final = frozenset(
    {"gateway", "site", "building", "office", "offices", "campus", "plant", "factory", "demo"}
    | {"tower", "house", "home", "roof", "main", "head", "meter", "devices", "device", "without"}
    | {"address", "visible", "skybox", "test", "group", *source_names()}
    | {"gebaude", "gebaeude", "werk", "buro", "buero", "standort", "haus", "zentrale", "halle"}
    | {"batiment", "bureau", "bureaux", "usine", "siege", "immeuble", "project", "projekt"}
    | {"the", "and", "und", "der", "die", "das", "les", "des", "del", "von", "sur", "gmbh"}
    | {"los", "las", "san", "sao", "santa", "saint", "sankt", "bad", "new", "north", "south"}
    | {"east", "west", "nord", "sud", "ost", "est", "ouest", "floor", "etage", "stock"}
)
"""Parts of names that many places have."""

_SHORTEST: Final = 3


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site of the portfolio, as it is or as it is about to be.

    Attributes:
        site_id: Its id.
        name: Its name.
        timezone: Its zone, None when nothing says it.
        city: City of its address, None when unknown.
    """

    site_id: str
    name: str
    timezone: str | None
    city: str | None = None


@dataclass(frozen=True, kw_only=True)
class Match:
    """A place that a vendor's site is taken for.

    Attributes:
        site_id: Id of the place.
        shared: Parts of their names that they share.
    """

    site_id: str
    shared: frozenset[str]


def parts_of(*names: str | None) -> frozenset[str]:
    """Return the parts of some names that distinguish one place from another."""
    found = {part for name in names for part in slug(name or "").split("-")}
    return frozenset(
        part for part in found if len(part) >= _SHORTEST and not part.isdigit()
    ) - frozenset(_GENERIC)


def matches(
    sites: Sequence[ProposedSite], places: Iterable[Place]
) -> tuple[Mapping[str, Match], list[str]]:
    """Find the place of each of a vendor's sites.

    A vendor keeps its own sites apart, so no two of them become one place, and a site that could
    be either of two places stays its own.

    Args:
        sites: New sites of one vendor.
        places: Sites that hold no other site of that vendor.

    Returns:
        The matches by the site's key, and sentences about those that stay undecided.
    """
    known = list(places)
    best: dict[str, Match] = {}
    remarks: list[str] = []
    for site in sites:
        scored = [
            (len(shared), place, shared) for place in known if (shared := _shared(site, place))
        ]
        if not scored:
            continue
        most = max(score for score, _, _ in scored)
        first, *others = [(place, shared) for score, place, shared in scored if score == most]
        if others:
            names = " or ".join(place.site_id for place, _ in (first, *others))
            remarks.append(f"{site.name} could be {names}; it is proposed as a site of its own")
            continue
        best[site.key] = Match(site_id=first[0].site_id, shared=first[1])
    by_place: dict[str, list[str]] = {}
    for key, match in best.items():
        by_place.setdefault(match.site_id, []).append(key)
    for site_id, keys in by_place.items():
        most = max(len(best[key].shared) for key in keys)
        closest = [key for key in keys if len(best[key].shared) == most]
        for key in keys:
            if len(closest) == 1 and key in closest:
                continue
            if len(keys) > 1:
                name = next(site.name for site in sites if site.key == key)
                remarks.append(f"{name} may be a part of {site_id}; it is proposed on its own")
                del best[key]
    return best, remarks


def _shared(site: ProposedSite, place: Place) -> frozenset[str]:
    if not site.is_placeholder and place.timezone not in {None, site.timezone}:
        return frozenset()
    return parts_of(site.name, site.city) & parts_of(place.name, place.city)
