"""Virtual points: what each is made of in the end, and what cannot be meant by one.

A virtual point is a sum of other points, each times a factor, and constants. Behind virtual parts
stand others, so that every virtual point comes down to points that are measured, its leaves. How
its figures are made of theirs is in :mod:`energy_platform.transforms.virtual`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from energy_platform.portfolio.resolved import Part, weakest
from energy_platform.schemas import VIRTUAL
from energy_platform.transforms.quantities import ENERGY_QUANTITIES
from energy_platform.transforms.units import canonical_unit
from energy_platform.transforms.virtual import SHORTEST_STEP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from energy_platform.portfolio.messages import Place, Problem
    from energy_platform.portfolio.model import Device, PointSpec
    from energy_platform.portfolio.resolved import Point

_ENERGY_UNIT: Final = "Wh"
_POWER_UNITS: Final = ("W", "var", "VA")
"""Units that add up: temperatures and voltages of two points have no sum."""

_ROLES_OF_SITE: Final = frozenset({"main", "generation", "storage"})
"""Roles by which a point counts in the use of its site."""

_NOT_OF_VIRTUAL: Final = (
    "unit",
    "kind",
    "states",
    "stamp",
    "width",
    "maximum",
    "rated_capacity_wh",
    "energy_from_power",
    "max_power_w",
    "on_fall",
    "reset_base_wh",
    "dip_ratio",
    "glitch",
    "confirm",
    "register_modulus_wh",
    "resolution_wh",
    "gap_after",
    "reset_markers",
)
"""Settings of how a vendor's numbers are read; a virtual point reads none."""


def misplaced(spec: PointSpec, device: Device, *, is_shared: bool) -> str | None:
    """Say what is wrong with a point's ``of`` where it stands, or None."""
    if device.vendor != VIRTUAL:
        if spec.of:
            return (
                f"{spec.key!r} of {device.vendor}/{device.serial} has 'of'; a point that is "
                f"computed stands on a device of vendor {VIRTUAL}"
            )
        return None
    if is_shared:
        return f"a device of vendor {VIRTUAL} names its points itself, it has no type"
    if not any(part.point for part in spec.of):
        return f"virtual point {spec.key!r} needs 'of': the points that it is made of"
    if stated := [name for name in _NOT_OF_VIRTUAL if name in spec.model_fields_set]:
        return (
            f"{', '.join(stated)} of virtual point {spec.key!r}: say it of the points it is made "
            "of, or with their factors"
        )
    if spec.sign != 1:
        return f"sign of virtual point {spec.key!r}: give its parts the factor -1"
    if _unit_of_sum(spec.quantity) is None:
        return (
            f"virtual point {spec.key!r} is {spec.quantity}; energies in Wh and powers in "
            f"{', '.join(_POWER_UNITS)} can be added up"
        )
    return None


def resolve_virtual(
    points: Mapping[str, Point], *, places: Mapping[str, Place]
) -> tuple[dict[str, Point], list[Problem]]:
    """Return the virtual points with their leaves, and what is wrong with the others.

    Args:
        points: All points by id, the virtual ones with ``of`` as the portfolio names it.
        places: Where each virtual point stands.
    """
    problems: list[Problem] = []
    behind: dict[str, set[str]] = {}
    for point_id, place in places.items():
        problems += _unfit_parts(points[point_id], points, place=place)
        behind[point_id] = {part.point_id for part in points[point_id].of} & places.keys()
    while True:
        try:
            order = list(TopologicalSorter(behind).static_order())
            break
        except CycleError as error:
            cycle = error.args[1]
            way = " is made of ".join(reversed(cycle))
            problems.append(((*places[cycle[-1]], "of"), f"{way}: a circle"))
            behind = {one: parts - {*cycle} for one, parts in behind.items() if one not in cycle}
    if problems:
        return {}, problems
    found: dict[str, Point] = {}
    for point_id in order:
        found[point_id] = _resolved(points[point_id], {**points, **found})
        problems += _counted_twice(found[point_id], points, place=places[point_id])
    return found, problems


def _unit_of_sum(quantity: str) -> str | None:
    if quantity in ENERGY_QUANTITIES:
        return _ENERGY_UNIT
    unit = canonical_unit(quantity)
    return unit if unit in _POWER_UNITS else None


def _unit_of_part(part: Point, *, wants_energy: bool) -> str | None:
    """Return the unit a part is counted in, None where it cannot be one."""
    if part.is_virtual:
        return _unit_of_sum(part.quantity)
    if part.is_energy:
        return _ENERGY_UNIT if part.kind in {"register", "increment"} else None
    if part.energy_from_power and wants_energy:
        return _ENERGY_UNIT
    unit = canonical_unit(part.quantity)
    return unit if part.kind == "gauge" and unit in _POWER_UNITS else None


def _unfit_parts(point: Point, points: Mapping[str, Point], *, place: Place) -> Iterator[Problem]:
    wanted = _unit_of_sum(point.quantity)
    seen: set[str] = set()
    for name, _ in point.of:
        part = points.get(name)
        if part is None:
            yield (*place, "of"), f"virtual point {point.point_id}: unknown point {name!r}"
        elif name in seen:
            why = f"{name} is there twice; a factor says how often it counts"
            yield (*place, "of"), f"virtual point {point.point_id}: {why}"
        elif (unit := _unit_of_part(part, wants_energy=wanted == _ENERGY_UNIT)) != wanted:
            counts = f"is in {unit}" if unit else f"is a {part.kind} that does not add up"
            why = f"is {point.quantity} in {wanted}; its part {name} ({part.quantity}) {counts}"
            yield (*place, "of"), f"virtual point {point.point_id} {why}"
        seen.add(name)


def _resolved(point: Point, points: Mapping[str, Point]) -> Point:
    """Return a virtual point with its leaves; those of its virtual parts are known."""
    factors: dict[str, list[float]] = {}
    constants = [point.constant_w]
    for name, factor in point.of:
        part = points[name]
        constants.append(part.constant_w * factor)
        for leaf in part.leaves or (Part(name, 1.0),):
            factors.setdefault(leaf.point_id, []).append(leaf.factor * factor)
    leaves = tuple(Part(name, math.fsum(found)) for name, found in sorted(factors.items()))
    measured = [points[leaf.point_id] for leaf in leaves]
    return replace(
        point,
        leaves=leaves,
        constant_w=math.fsum(constants),
        leaf_stamps=tuple(one.stamp() for one in measured),
        every=_step(point, measured),
        until=min((one.until for one in (point, *measured) if one.until), default=None),
        is_read=point.is_read and all(one.is_read for one in measured),
        confidence=weakest(point.confidence, *(one.confidence for one in measured)),
    )


def _step(point: Point, measured: list[Point]) -> timedelta | None:
    """Return the step of a virtual power's readings; nobody expects any of an energy."""
    if point.is_energy:
        return None
    return point.every or max([SHORTEST_STEP, *(one.every for one in measured if one.every)])


def _counted_twice(point: Point, points: Mapping[str, Point], *, place: Place) -> Iterator[Problem]:
    """Yield the leaves that count at the virtual point's site next to it."""
    for leaf in point.leaves:
        part = points[leaf.point_id]
        if part.site_id == point.site_id and _counts(point) and _counts_alike(part, point):
            why = f"counts as {point.role} at site {point.site_id}, and so does its part"
            what = f"{part.point_id}: give one of them the role sub or none"
            yield place, f"virtual point {point.point_id} {why} {what}"


def _counts(point: Point) -> bool:
    return point.role in _ROLES_OF_SITE


def _counts_alike(part: Point, point: Point) -> bool:
    if part.quantity in {"heating_energy", "cooling_energy"}:
        return part.role != "sub" and part.quantity == point.quantity
    return part.role == point.role
