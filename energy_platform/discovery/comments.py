"""What is proposed behind the devices as comments: corrections and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.discovery.keywords import free_name
from energy_platform.discovery.streams import proposed_streams
from energy_platform.discovery.yaml_entries import commented, indented, scalar
from energy_platform.identity import point_id
from energy_platform.transforms.readings import WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from energy_platform.discovery.vendor_inventory import ProposedDevice
    from energy_platform.discovery.yaml_entries import Lines

_CORRECTIONS: Final = (
    "# Counters whose 16-bit words are exchanged, it seems: each shows its low word times 65,536.",
    "# Compare with the display of the device, then remove the marks; till then none counts.",
)
_STREAMS: Final = (
    "# Streams at Wattics, one per register. Agree on ids, intervals and credentials with Wattics,",
    "# then remove the marks of those that you want to be delivered; nothing else is.",
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
    agreed = [
        line
        for device, site_id in placed
        for line in proposed_streams(device, site_id=site_id, scalar=scalar, free=free)
    ]
    lines: Lines = []
    if corrections:
        lines += [*_CORRECTIONS, *_section("corrections", corrections, has=has), ""]
    if agreed:
        lines += [*_STREAMS, *_section("streams", agreed, has=has)]
    return lines


def _correction(point: str) -> Lines:
    """Return the lines of a correction that puts a counter's exchanged words right."""
    return [
        f"- points: [{scalar(point)}]",
        f"  factor: {1 / WORD!r}  # 1/65536",
        "  reason: words of the register are exchanged",
    ]


def _section(name: str, lines: Lines, *, has: Callable[[str], bool]) -> Lines:
    key = [] if has(name) else [f"{name}:"]
    return commented([*key, *indented(lines, by=2)])
