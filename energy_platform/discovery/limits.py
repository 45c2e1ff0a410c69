"""Limits of registers, proposed from what the lake has seen of them.

Only an explicit ``none`` is replaced: a number was somebody's decision, and ``doctor`` says where
it does not fit. One entry may stand for many registers (a device, a device type): it gets the limit
of the one that needs most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from energy_platform.discovery.propose import DiscoveryError, PartChange, Proposal
from energy_platform.identity import point_id as id_of_point
from energy_platform.portfolio import PortfolioError, parse_portfolio
from energy_platform.portfolio.load import merge_files, parse_file, takes_limit_of_device
from energy_platform.portfolio.parts import YamlFile
from energy_platform.portfolio.text import compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.limits_seen import SeenPower
    from energy_platform.portfolio.model import PointSpec, PortfolioFile

Place = tuple[str | int, ...]

_NONE: Final = "none"


def propose_limits(
    text: str, seen: Iterable[SeenPower], *, name: str, parts: Sequence[YamlFile] = ()
) -> Proposal:
    """Propose a number for every limit that is ``none`` and whose registers were seen enough.

    Args:
        text: The portfolio.
        seen: The highest power of each register.
        name: What to call the portfolio in errors.
        parts: Its further files.

    Returns:
        The texts, and for each register what was seen and what is proposed, or why nothing is.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        DiscoveryError: It could not be changed without changing something else.
    """
    portfolio = parse_portfolio(text, name=name, parts=parts)
    places = _places(parse_file(text, name=name, parts=parts))
    remarks: list[str] = []
    most: dict[Place, SeenPower] = {}
    for one in seen:
        summary = f"{one.point_id}: {one.description}, {one.rises:,} rises"
        place = places.get(one.point_id)
        if one.max_power_w is not None:
            remarks.append(f"{summary}; {one.max_power_w:,.6g} W is stated")
        elif place is None:
            remarks.append(
                f"{summary}; no limit of its own is written, write {one.proposed_w:,.0f}"
            )
        elif not one.is_enough:
            remarks.append(f"{summary}: too few to propose a limit")
        else:
            remarks.append(f"{summary}; proposed {one.proposed_w:,.0f} W")
            if place not in most or one.power_w > most[place].power_w:
                most[place] = one
    files = (YamlFile(name, text), *parts)
    after = _all_replaced(files, most)
    _prove(
        after,
        {point_id: most[place].proposed_w for point_id, place in places.items() if place in most}
        | {
            point_id: point.policy.max_power_w
            for point_id, point in portfolio.points.items()
            if places.get(point_id) not in most
        },
    )
    changed = tuple(
        PartChange(was.name, was.text, now.text)
        for was, now in zip(files[1:], after[1:], strict=True)
        if was != now
    )
    return Proposal(before=text, after=after[0].text, parts=changed, remarks=tuple(remarks))


def _places(file: PortfolioFile) -> dict[str, Place]:
    """Return where the limit of each point is written as ``none``."""
    found: dict[str, Place] = {}
    for number, device in enumerate(file.devices):
        shared = file.device_types[device.type].points if device.type else ()
        placed: list[tuple[Place, PointSpec]] = [
            *(
                (("device_types", str(device.type), "points", n), one)
                for n, one in enumerate(shared)
            ),
            *((("devices", number, "points", n), one) for n, one in enumerate(device.points)),
        ]
        for place, spec in placed:
            point_id = id_of_point(device.vendor, device.serial, spec.key)
            found.pop(point_id, None)
            if spec.max_power_w == _NONE:
                found[point_id] = (*place, "max_power_w")
            elif (
                spec.max_power_w is None
                and device.max_power_w == _NONE
                and takes_limit_of_device(spec)
            ):
                found[point_id] = ("devices", number, "max_power_w")
    return found


def _all_replaced(
    files: Sequence[YamlFile], most: Mapping[Place, SeenPower]
) -> tuple[YamlFile, ...]:
    """Return the files with each number in the file of its entry."""
    merged = merge_files(files)
    own: dict[int, dict[Place, SeenPower]] = {}
    for place, seen in most.items():
        number, there = merged.owner(place)
        own.setdefault(number, {})[there] = seen
    return tuple(
        file._replace(text=_replaced(file.text, own[number])) if number in own else file
        for number, file in enumerate(files)
    )


def _replaced(text: str, most: Mapping[Place, SeenPower]) -> str:
    # Places are counted behind a byte order mark.
    mark = "\ufeff" * text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    root = compose(text)
    changes = []
    for place, seen in most.items():
        node = _at(root, place)
        if isinstance(node, yaml.ScalarNode):
            changes.append((node.start_mark.index, node.end_mark.index, seen))
    for start, end, seen in sorted(changes, key=lambda one: one[0], reverse=True):
        text = text[:start] + f"{seen.proposed_w:.15g}" + _commented(text[end:], seen)
    return mark + text


def _commented(rest: str, seen: SeenPower) -> str:
    """Return what follows a value, with what the number rests on where a comment may stand."""
    line, newline, below = rest.partition("\n")
    text = line.strip()
    if text and not text.startswith("#"):
        return rest
    ending = "\r" if line.endswith("\r") else ""
    why = f"  # highest mean power {seen.description}"
    kept = text.removeprefix("#").strip()
    return why + (f"; {kept}" if kept else "") + ending + newline + below


def _at(node: yaml.Node | None, place: Place) -> yaml.Node | None:
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        else:
            return None
    return node


def _prove(after: Sequence[YamlFile], expected: Mapping[str, float | None]) -> None:
    """Make sure that the new texts say the limits that were proposed, the others as before."""
    name, text = after[0]
    try:
        points = parse_portfolio(text, name=name, parts=after[1:]).points
    except PortfolioError as error:
        raise DiscoveryError(f"{name}: limits could not be written ({error})") from error
    if {one: point.policy.max_power_w for one, point in points.items()} != dict(expected):
        raise DiscoveryError(
            f"{name}: limits could not be written without changing others; write max_power_w "
            "on lines of their own, without anchors"
        )
