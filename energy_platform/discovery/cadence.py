"""How often points are sampled: what the data show, else what the vendor says.

A poll of ours says nothing of how often a gateway measures, so without data the points of a vendor
that names no cadence get none: a wrong one would call every day incomplete.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from energy_platform.identity import point_id
from energy_platform.schemas import CORE_READINGS
from energy_platform.transforms.quality import habits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.discovery.vendor_inventory import ProposedPoint, VendorInventory
    from energy_platform.lake.lake import Lake

MOST_DEVIATION: Final = 1.5
"""A cadence fits data whose usual step differs by less than this factor."""


def steps_seen(lake: Lake | None) -> dict[str, float | None]:
    """Return the usual seconds between samples on the last whole day, None for irregular points.

    Args:
        lake: Where the readings are; None for none.
    """
    days = lake.days(CORE_READINGS) if lake is not None else []
    if lake is None or not days:
        return {}
    # The newest day may be as young as its first sample.
    day = days[-2] if len(days) > 1 else days[-1]
    found = habits(lake.read(CORE_READINGS, day=day)).select("point_id", "step_s")
    return dict(found.iter_rows())


def with_cadences(found: VendorInventory, seen: Mapping[str, float | None]) -> VendorInventory:
    """Return an inventory whose points have the cadence of their data where there are any."""
    if not seen:
        return found
    devices = {
        serial: replace(
            device,
            points=tuple(
                _with_cadence(point, seen, name=point_id(device.vendor, device.serial, point.key))
                for point in device.points
            ),
        )
        for serial, device in found.devices.items()
    }
    return replace(found, devices=devices)


def _with_cadence(
    point: ProposedPoint, seen: Mapping[str, float | None], *, name: str
) -> ProposedPoint:
    if name not in seen:
        return point
    step = seen[name]
    if step is None:
        # Sent on a change: nobody can say how many samples a day has.
        return replace(point, every=None)
    if point.every and 1 / MOST_DEVIATION < step / point.every < MOST_DEVIATION:
        return point
    return replace(point, every=float(round(step)) or None)
