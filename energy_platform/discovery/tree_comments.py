"""Proposed links in a portfolio's text: comments that come alive when their mark is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.discovery.propose import DiscoveryError, PartChange, Proposal
from energy_platform.discovery.vendor_inventory import TO_CONFIRM
from energy_platform.discovery.yaml_editor import PortfolioText, TextError
from energy_platform.discovery.yaml_entries import clean_comment, scalar
from energy_platform.identity import point_id as id_of_point
from energy_platform.portfolio import parse_portfolio
from energy_platform.portfolio.load import merge_files, parse_file
from energy_platform.portfolio.parts import YamlFile
from energy_platform.portfolio.tree import DeviceLink, Link, of_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.discovery.trees import ProposedLink
    from energy_platform.portfolio import Portfolio
    from energy_platform.portfolio.model import PortfolioFile

Place = tuple[str | int, ...]


def propose_tree(
    text: str, links: Iterable[ProposedLink], *, name: str, parts: Sequence[YamlFile] = ()
) -> Proposal:
    """Add links to a portfolio as comments, each at its point or at its device.

    A point of a device type has no entry of its own: its link stands at the device, where it is
    meant of the one point that measures the same, or says which point it is of.

    Args:
        text: The portfolio.
        links: What names and data speak for.
        name: What to call the portfolio in errors.
        parts: Its further files.

    Returns:
        The texts, and each link in a sentence.

    Raises:
        PortfolioError: The portfolio does not load as it is.
        DiscoveryError: It is laid out in a way that nothing can be added to.
    """
    portfolio = parse_portfolio(text, name=name, parts=parts)
    places = _places(parse_file(text, name=name, parts=parts))
    files = (YamlFile(name, text), *parts)
    merged = merge_files(files)
    remarks: list[str] = []
    try:
        editors = [PortfolioText(one.text) for one in files]
    except TextError as error:
        raise DiscoveryError(f"{name}: {error}") from error
    for link in links:
        device, point = places[link.point_id]
        line = _comment(link, portfolio, places=places, is_at_point=point is not None)
        number, place = merged.owner(point or device)
        marked = line.partition("  #")[0]
        if marked in editors[number].comments_of(place):
            continue
        remarks.append(f"{link.point_id}: {link.name} {link.target}? {link.why}")
        if not editors[number].add_to_entry(place, [line]):
            remarks[-1] += "; its entry is written in braces: write it there yourself"
    after = [one.result() for one in editors]
    parse_portfolio(
        after[0],
        name=name,
        parts=[one._replace(text=new) for one, new in zip(parts, after[1:], strict=True)],
    )
    return Proposal(
        before=text,
        after=after[0],
        parts=tuple(
            PartChange(one.name, one.text, new)
            for one, new in zip(parts, after[1:], strict=True)
            if one.text != new
        ),
        remarks=tuple(remarks),
    )


def _places(file: PortfolioFile) -> dict[str, tuple[Place, Place | None]]:
    """Return where the device of each point stands, and the point where it has an entry there."""
    found: dict[str, tuple[Place, Place | None]] = {}
    for number, device in enumerate(file.devices):
        shared = file.device_types[device.type].points if device.type else ()
        at: Place = ("devices", number)
        for spec in shared:
            found[id_of_point(device.vendor, device.serial, spec.key)] = (at, None)
        for n, spec in enumerate(device.points):
            point = id_of_point(device.vendor, device.serial, spec.key)
            found[point] = (at, (*at, "points", n))
    return found


def _comment(
    link: ProposedLink,
    portfolio: Portfolio,
    *,
    places: Mapping[str, tuple[Place, Place | None]],
    is_at_point: bool,
) -> str:
    said = f"{link.name}: {scalar(link.target)}"
    why = f"  # {TO_CONFIRM}: {clean_comment(link.why)}"
    if is_at_point:
        return f"# {said}{why}"
    own = tuple(one for one in places if places[one][0] == places[link.point_id][0])
    meant = of_device(
        DeviceLink((), link.name, portfolio.points[link.point_id].device_id, link.target),
        portfolio.points,
        own=own,
    )
    if isinstance(meant, Link) and meant.point_id == link.point_id:
        return f"# {said}{why}"
    return f"# a point of its own, {scalar(link.point_id)}, with {said}{why}"
