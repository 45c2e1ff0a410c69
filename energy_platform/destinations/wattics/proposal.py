"""Streams proposed for a device's registers: their ids and intervals are agreed with Wattics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.destinations.base import ProposedStream
from energy_platform.discovery.keywords import slug
from energy_platform.identity import point_id
from energy_platform.transforms.quantities import ENERGY_QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.discovery.vendor_inventory import ProposedDevice, ProposedPoint
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


def proposed_streams(device: ProposedDevice, site_id: str) -> list[ProposedStream]:
    """Return a stream for each register of a device, with the gauges that belong to it.

    Args:
        device: The device.
        site_id: Its site.
    """
    found: list[ProposedStream] = []
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
        found.append(
            ProposedStream(
                id=f"{site_id}-{slug(device.serial)}" + (f"-{slug(point.name)}" if is_heat else ""),
                kind="value" if is_heat else "electricity",
                unit="Wh" if is_heat else None,
                points={
                    field: point_id(device.vendor, device.serial, one.key)
                    for field, one in fields.items()
                },
            )
        )
    return found


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
