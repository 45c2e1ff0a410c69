"""Which of several registers of one direction counts: never two unasked.

A meter shows the same energy as a total, since the last reset and per tariff. Added up they would
count twice, so one is taken into the site's sums and the others wait for somebody's word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from energy_platform.discovery.keywords import folded, keywords
from energy_platform.discovery.vocabulary import NUMBERED, RESETTABLE, TARIFFS, WHOLE
from energy_platform.schemas import Role, Vendor
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.discovery.vendor_inventory import ProposedDevice, ProposedPoint
    from energy_platform.portfolio.model import PortfolioFile

COUNTED_ROLES: Final = frozenset[Role | None]({"main", "generation", "storage"})
"""Roles with which a point enters its site's sums."""

_NUMBER: Final = re.compile(r"([a-z]+)[ _\[#-]*0*(\d{1,4})(?![a-z0-9])")


def once(points: Sequence[ProposedPoint]) -> list[ProposedPoint]:
    """Leave out of the site's sums what would count again on one device."""
    groups: dict[tuple[str, str], list[ProposedPoint]] = defaultdict(list)
    for point in points:
        if point.kind == "register" and point.quantity in ENERGY_QUANTITIES:
            groups[point.quantity, point.phase].append(point)
    out: dict[str, str] = {}
    for members in groups.values():
        counted = _counted(members)
        others = [one for one in members if one not in counted]
        shown = " and ".join(one.key for one in counted)
        for other in others:
            out[other.key] = (
                f"counts the same as {shown} or a part of it; left out of the site's sums, give "
                "it a role if it is another circuit"
            )
        for one in counted:
            if _is_tariff(one):
                out[one.key] = (
                    "a tariff's share of an energy without a total; left out of the site's sums, "
                    "give a role to every tariff if there is no total"
                )
    return [_left_out(one, out[one.key]) if one.key in out else one for one in points]


def once_per_site(
    placed: Sequence[tuple[ProposedDevice, str, str]], file: PortfolioFile
) -> list[ProposedDevice]:
    """Return new devices so that what two vendors may both measure on a site counts once.

    Args:
        placed: New devices with the ids of their sites and a remark, in the order they are added.
        file: The portfolio as it is; what it counts goes first.
    """
    taken: dict[tuple[str, Role], Vendor] = {}
    for known in file.devices:
        shared = file.device_types[known.type].points if known.type else ()
        for role in {known.role, *(spec.role for spec in (*shared, *known.points))}:
            if role is not None and role in COUNTED_ROLES:
                taken.setdefault((known.site, role), known.vendor)
    found: list[ProposedDevice] = []
    for device, site_id, _ in placed:
        counted = device
        for role in sorted({device.role, *(one.role or "none" for one in device.points)}):
            if role not in COUNTED_ROLES:
                continue
            other = taken.setdefault((site_id, role), device.vendor)
            if other != device.vendor:
                counted = _without_role(counted, role=role, other=other)
        found.append(counted)
    return found


def _without_role(device: ProposedDevice, *, role: Role, other: Vendor) -> ProposedDevice:
    """Return a device that does not count with a role: another vendor already measures it there."""
    reason = f"{other} already has a device or point with the role {role} on this site"
    return replace(
        device,
        role="none" if device.role == role else device.role,
        role_confirm=(
            f"{reason}; give it the role if it is another one"
            if device.role == role
            else device.role_confirm
        ),
        points=tuple(
            replace(
                one,
                role="none",
                confirm="; ".join(part for part in (one.confirm, reason) if part),
                confidence="low",
            )
            if one.role == role
            else one
            for one in device.points
        ),
    )


def _counted(members: Sequence[ProposedPoint]) -> list[ProposedPoint]:
    """Return the one that counts; of numbered things behind one gateway, one each.

    What has no number among numbered ones, such as the breaker of two inverters, is all of them.
    """
    parts: dict[str, list[ProposedPoint]] = defaultdict(list)
    for one in members:
        parts[_part(one)].append(one)
    best = {part: min(ones, key=_rank) for part, ones in parts.items()}
    whole = best.pop("", None)
    if whole is not None and (not best or not whole.is_implausible):
        return [whole]
    return list(best.values())


def _left_out(point: ProposedPoint, reason: str) -> ProposedPoint:
    doubt = "; ".join(part for part in (point.confirm, reason) if part)
    counts_by_quantity = point.quantity in {"heating_energy", "cooling_energy"}
    return replace(
        point,
        # Heat counts with any role but this one.
        role="sub" if counts_by_quantity else "none",
        confirm=doubt,
        confidence="low",
    )


def _part(point: ProposedPoint) -> str:
    """Return the numbered thing that a point belongs to, such as the second of two inverters."""
    text = folded(point.name).lower().replace("_", " ")
    return " ".join(
        f"{word} {number}" for word, number in _NUMBER.findall(text) if word in NUMBERED
    )


def _rank(point: ProposedPoint) -> tuple[bool, int, bool, str]:
    words = keywords(point.name)
    if _is_tariff(point):
        order = 3
    elif _is_resettable(point):
        order = 2
    else:
        order = 0 if words & WHOLE else 1
    return point.is_implausible, order, point.role == "none", point.key


def _is_tariff(point: ProposedPoint) -> bool:
    return bool(TARIFFS.search(folded(point.name).lower().replace("_", " ")))


def _is_resettable(point: ProposedPoint) -> bool:
    return bool(keywords(point.name) & RESETTABLE)
