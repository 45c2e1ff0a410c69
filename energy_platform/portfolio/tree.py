"""What stands behind what: from ``parent`` and ``same_as`` to one tree of loads per site.

A load is what one or more instruments measure: a point, and the points that are ``same_as`` it. Its
first instrument is the one that names no other. Links between points belong here; where in the file
a link stands is known to ``load``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.schemas import ONCE_PER_SITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_platform.portfolio.messages import Place, Problem
    from energy_platform.portfolio.resolved import Point

LINKS: Final = ("parent", "same_as")
"""Entries of a point, or of a device, that name another point."""

_DIRECTIONS: Final = {
    "active_energy_import": "drawn",
    "active_energy_net": "drawn",
    "active_power": "drawn",
    "battery_energy_charge": "drawn",
    "active_energy_export": "delivered",
    "generation_energy": "delivered",
    "battery_energy_discharge": "delivered",
    "heating_energy": "heat",
    "cooling_energy": "cold",
}
"""Which way energy flows, seen from the load: only what flows the same way can be taken from it. A
register that runs both ways, and a power that is integrated, count what is drawn as positive."""

_CARRIERS: Final = {"heating_energy": "heating", "cooling_energy": "cooling"}
"""What flows where the portfolio does not say it; else it is electricity."""


class Link(NamedTuple):
    """A link as it is written.

    Attributes:
        place: Where in the file.
        name: ``parent`` or ``same_as``.
        point_id: The point that it is said of.
        target: The point that it names.
    """

    place: Place
    name: str
    point_id: str
    target: str


@dataclass(frozen=True)
class DeviceLink:
    """A link of a whole device: it is meant of the point that measures what the target does.

    Attributes:
        place: Where in the file.
        name: ``parent`` or ``same_as``.
        device: The device, for messages.
        target: The point that it names.
    """

    place: Place
    name: str
    device: str
    target: str


def is_metered(point: Point) -> bool:
    """Say whether a point brings energy, and may so stand in a tree."""
    if point.quantity not in _DIRECTIONS:
        return False
    return point.energy_from_power or point.kind in {"register", "increment"}


def direction_of(point: Point) -> str:
    """Return which way a point's energy flows: drawn, delivered, heat or cold."""
    return _DIRECTIONS[point.quantity]


def carrier_of(point: Point) -> str:
    """Return what flows, where nothing is said: heat of heat meters, else electricity."""
    return point.carrier or _CARRIERS.get(point.quantity, "electricity")


def of_device(
    link: DeviceLink, points: Mapping[str, Point], *, own: tuple[str, ...]
) -> Link | Problem:
    """Return the link of the one point of a device that is meant, or why none is.

    Args:
        link: As it is written at the device.
        points: Every point of the portfolio.
        own: The device's points that say nothing of the kind themselves.
    """
    target = points.get(link.target)
    if target is None:
        return link.place, f"unknown point {link.target!r}"
    # Export or heat of the same device may have trees of their own.
    alike = [
        points[one]
        for one in own
        if one != link.target and _difference(points[one], target) is None
    ]
    # A battery's charge is drawn like the import of its device, and is not what is meant by it.
    alike = [one for one in alike if one.quantity == target.quantity] or alike
    # The register counts before the increment next to it, which has no place in the balance.
    meant = [one for one in alike if one.role != "none"] or alike
    meant = [one for one in meant if one.phase == target.phase] or meant
    if len(meant) == 1:
        return Link(link.place, link.name, meant[0].point_id, link.target)
    if meant:
        names = ", ".join(one.point_id for one in meant)
        return link.place, (
            f"{link.name} of {link.device} could be meant of several of its points; "
            f"say it at one of them: {names}"
        )
    return link.place, (
        f"{link.device} has no point that measures what {link.target} does, {_what(target)}"
    )


def with_links(
    points: Mapping[str, Point], links: list[Link]
) -> tuple[dict[str, Point], list[Problem]]:
    """Return the points with the parent and the first instrument of their loads.

    ``parent`` of the result is the first instrument of the load that a point's load stands behind.

    Args:
        points: Every point, without links.
        links: As they are written.

    Returns:
        The points, and what cannot be meant: unknown points, circles, two parents, points that do
        not measure the same, or would count twice in the use of their site.
    """
    sound: list[Link] = []
    problems: list[Problem] = []
    for link in links:
        problem = _unfit(link, points)
        if problem is None:
            sound.append(link)
        else:
            problems.append((link.place, problem))
    if problems:
        return dict(points), problems
    first, problems = _first_instruments([one for one in sound if one.name == "same_as"])
    if problems:
        return dict(points), problems
    parents, problems = _parents([one for one in sound if one.name == "parent"], first)
    if problems:
        return dict(points), problems
    linked = {
        point_id: replace(
            point,
            parent=parents[load].target
            if (load := first.get(point_id, point_id)) in parents
            else None,
            same_as=first.get(point_id),
        )
        for point_id, point in points.items()
    }
    return linked, [*_counted_twice(linked, parents)]


def _what(point: Point) -> str:
    return f"{point.quantity} of {carrier_of(point)}, phase {point.phase}, at {point.site_id}"


def _difference(point: Point, other: Point) -> str | None:
    """Say in what two points differ that could be one load, or one behind the other."""
    if not is_metered(point):
        return f"{point.point_id} brings no energy, it is a {point.kind} of {point.quantity}"
    if point.site_id != other.site_id:
        return f"{point.point_id} is at site {point.site_id}, {other.point_id} at {other.site_id}"
    if carrier_of(point) != carrier_of(other):
        return (
            f"{point.point_id} measures {carrier_of(point)}, {other.point_id} {carrier_of(other)}"
        )
    if direction_of(point) != direction_of(other):
        return f"{point.point_id} measures {point.quantity}, {other.point_id} {other.quantity}"
    return None


def _unfit(link: Link, points: Mapping[str, Point]) -> str | None:
    point, target = points[link.point_id], points.get(link.target)
    if target is None:
        return f"unknown point {link.target!r}"
    if link.point_id == link.target:
        return f"{link.name} of {link.point_id} names the point itself"
    if not is_metered(target):
        return f"{target.point_id} brings no energy, it is a {target.kind} of {target.quantity}"
    difference = _difference(point, target)
    if difference is not None:
        return f"{link.name}: {difference}"
    if point.phase != target.phase and (link.name == "same_as" or target.phase != "total"):
        return (
            f"{link.name}: {point.point_id} is of phase {point.phase}, "
            f"{target.point_id} of {target.phase}"
        )
    return None


def _first_instruments(links: list[Link]) -> tuple[dict[str, str], list[Problem]]:
    """Return the first instrument of each point that is a further one of a load."""
    named = {one.point_id: one for one in links}
    first: dict[str, str] = {}
    for link in links:
        seen = [link.point_id]
        at = link.target
        while at in named and at not in seen:
            seen.append(at)
            at = named[at].target
        if at in seen:
            circle = [*seen[seen.index(at) :], at]
            return {}, [(link.place, f"same_as runs in a circle: {' -> '.join(circle)}")]
        first[link.point_id] = at
    return first, []


def _parents(links: list[Link], first: Mapping[str, str]) -> tuple[dict[str, Link], list[Problem]]:
    """Return, by the first instrument of each load, the link to that of its parent."""
    parents: dict[str, Link] = {}
    for link in links:
        load = first.get(link.point_id, link.point_id)
        target = first.get(link.target, link.target)
        if load == target:
            return {}, [
                (link.place, f"{link.point_id} and its parent {link.target} measure the same load")
            ]
        before = parents.get(load)
        if before is not None and before.target != target:
            through = "" if before.point_id == link.point_id else f", through {before.point_id}"
            why = f"{link.point_id} has two parents: {link.target} and {before.target}{through}"
            return {}, [(link.place, why)]
        parents.setdefault(load, link._replace(target=target))
    problems: list[Problem] = []
    known: set[str] = set()
    for start in parents:
        seen = [start]
        while (link_up := parents.get(seen[-1])) is not None and link_up.target not in known:
            if link_up.target in seen:
                circle = [*seen[seen.index(link_up.target) :], link_up.target]
                why = f"parents run in a circle: {' -> '.join(circle)}"
                problems.append((parents[link_up.target].place, why))
                break
            seen.append(link_up.target)
        known.update(seen)
    return parents, problems


def _counted_twice(points: Mapping[str, Point], parents: Mapping[str, Link]) -> Iterator[Problem]:
    """Yield the points that count in the use of their site, like a meter that they stand behind."""
    instruments: dict[str, list[Point]] = {}
    for point in points.values():
        if point.role in ONCE_PER_SITE:
            instruments.setdefault(point.same_as or point.point_id, []).append(point)
    for load, link in parents.items():
        counting = {(one.role, one.quantity): one for one in instruments.get(load, ())}
        above: str | None = link.target
        while counting and above is not None:
            for other in instruments.get(above, ()):
                own = counting.pop((other.role, other.quantity), None)
                if own is not None:
                    why = f"{own.point_id} stands behind {other.point_id} and both have role"
                    why = f"{why} {own.role}: site use would count it twice; say role: sub"
                    yield link.place, why
            above = parents[above].target if above in parents else None
