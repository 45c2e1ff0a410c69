"""What is proposed behind the devices as comments: corrections and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.destinations.base import destinations
from energy_platform.discovery.keywords import free_name
from energy_platform.discovery.yaml_entries import commented, indented, scalar
from energy_platform.identity import point_id
from energy_platform.transforms.readings import WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from energy_platform.destinations.base import Destination, ProposedStream
    from energy_platform.discovery.vendor_inventory import ProposedDevice
    from energy_platform.discovery.yaml_entries import Lines

_CORRECTIONS: Final = (
    "# Counters whose 16-bit words are exchanged, it seems: each shows its low word times 65,536.",
    "# Compare with the display of the device, then remove the marks; till then none counts.",
)


def proposed_behind(
    placed: Sequence[tuple[ProposedDevice, str]],
    *,
    has: Callable[[str], bool],
    streams: Iterable[str],
) -> Lines:
    """Return comments that come alive when their marks are removed.

    Args:
        placed: New devices with the ids of their sites.
        has: Whether the text has a section of a name already, alive or as a comment.
        streams: Ids that are taken.
    """
    taken = set(streams)

    def free(base: str) -> str:
        name = free_name(base, taken, joint="-")
        taken.add(name)
        return name

    corrections = [
        line
        for device, _ in placed
        for point in device.points
        if point.is_implausible
        for line in _correction(point_id(device.vendor, device.serial, point.key))
    ]
    lines: Lines = []
    if corrections:
        lines += [
            *_CORRECTIONS,
            *_section("corrections", corrections, is_there=has("corrections")),
            "",
        ]
    has_streams = has("streams")
    for target in destinations().values():
        if agreed := _streams(target, placed, free=free):
            lines += [*_about(target), *_section("streams", agreed, is_there=has_streams)]
            has_streams = True
    return lines


def _about(target: Destination) -> Lines:
    title = target.title
    agree = f"Agree on ids, intervals and credentials with {title},"
    return [
        f"# Streams at {title}, one per register. {agree}",
        "# then remove the marks of those that you want to be delivered; nothing else is.",
    ]


def _streams(
    target: Destination,
    placed: Sequence[tuple[ProposedDevice, str]],
    *,
    free: Callable[[str], str],
) -> Lines:
    """Return the entries of the streams that a destination proposes, without comment marks."""
    if target.propose is None:
        return []
    return [
        line
        for device, site_id in placed
        for proposed in target.propose(device, site_id)
        for line in _stream(proposed, target=target.name, site_id=site_id, free=free)
    ]


def _stream(
    proposed: ProposedStream, *, target: str, site_id: str, free: Callable[[str], str]
) -> Lines:
    return [
        f"- id: {scalar(free(proposed.id))}",
        *([] if target == DEFAULT_DESTINATION else [f"  destination: {target}"]),
        f"  kind: {scalar(proposed.kind)}",
        f"  site: {scalar(site_id)}",
        "  credential: default",
        "  interval: 15m",
        "  reading: cumulative",
        *([] if proposed.unit is None else [f"  unit: {scalar(proposed.unit)}"]),
        "  fields:",
        *(f"    {field}: {scalar(point)}" for field, point in proposed.points.items()),
    ]


def _correction(point: str) -> Lines:
    """Return the lines of a correction that puts a counter's exchanged words right."""
    return [
        f"- points: [{scalar(point)}]",
        f"  factor: {1 / WORD!r}  # 1/65536",
        "  reason: words of the register are exchanged",
    ]


def _section(name: str, lines: Lines, *, is_there: bool) -> Lines:
    key = [] if is_there else [f"{name}:"]
    return commented([*key, *indented(lines, by=2)])
