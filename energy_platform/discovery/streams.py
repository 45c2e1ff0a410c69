"""Streams at Wattics, proposed as comments: ids and intervals are agreed with Wattics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.discovery.keywords import slug
from energy_platform.identity import point_id
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from energy_platform.discovery.vendor_inventory import ProposedDevice, ProposedPoint
    from energy_platform.discovery.yaml_entries import Lines
    from energy_platform.schemas import Phase, Quantity

_FIELDS: Final[dict[Quantity, str]] = {
    "active_power": "aP",
    "reactive_power": "rP",
    "apparent_power": "apP",
    "voltage": "v",
    "current": "c",
}
_PHASES: Final[dict[Phase, str]] = {
    "L1": "1",
    "L2": "2",
    "L3": "3",
    "L12": "12",
    "L13": "13",
    "L23": "23",
}
_HEAT: Final = frozenset({"heating_energy", "cooling_energy"})


def proposed_streams(
    device: ProposedDevice,
    *,
    site_id: str,
    scalar: Callable[[str | float], str],
    free: Callable[[str], str],
) -> Lines:
    """Return the entries of streams of a device's registers, without comment marks.

    Args:
        device: The device.
        site_id: Its site.
        scalar: How a value is written.
        free: How an id becomes one that no other stream has.
    """
    lines: Lines = []
    taken: set[str] = set()
    for point in device.points:
        if point.kind != "register" or point.quantity not in ENERGY_QUANTITIES:
            continue
        if point.is_implausible:
            continue
        is_heat = point.quantity in _HEAT
        fields = {"value" if is_heat else "pC_1": point}
        item = point.item
        if not is_heat and item not in taken:
            taken.add(item)
            fields |= _beside(device, item=item)
        name = free(
            f"{site_id}-{slug(device.serial)}" + (f"-{slug(point.name)}" if is_heat else "")
        )
        lines += [
            f"- id: {scalar(name)}",
            f"  kind: {'value' if is_heat else 'electricity'}",
            f"  site: {scalar(site_id)}",
            "  credential: default",
            "  interval: 15m",
            "  reading: cumulative",
            *(["  unit: Wh"] if is_heat else []),
            "  fields:",
            *(
                f"    {field}: {scalar(point_id(device.vendor, device.serial, one.key))}"
                for field, one in fields.items()
            ),
        ]
    return lines


def _beside(device: ProposedDevice, *, item: str) -> dict[str, ProposedPoint]:
    """Return the gauges of the same item, by field; none where the vendor names no items."""
    found: dict[str, ProposedPoint] = {}
    if not item:
        return found
    gauges: Sequence[ProposedPoint] = [
        one for one in device.points if one.kind == "gauge" and one.item == item
    ]
    for one in gauges:
        field, phase = _FIELDS.get(one.quantity), _PHASES.get(one.phase)
        if field is not None and phase is not None and (len(phase) == 1 or field == "v"):
            found.setdefault(f"{field}_{phase}", one)
    for one in gauges:
        field = _FIELDS.get(one.quantity)
        # A total stands in the first phase, where no phase has a figure of its own.
        if field in {"aP", "rP", "apP"} and one.phase == "total":
            found.setdefault(f"{field}_1", one)
    return found
