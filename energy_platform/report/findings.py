"""What is worth a look, by rules whose limits are said next to what they found. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.report.records import Ups, Valve

BELOW_DESIGN: Final = 0.5
"""A valve is named where this share of its energy came at a smaller difference than designed."""

SATURATED: Final = 0.1
"""… that is open to 95 % or more for this share of the time: it asks for more than it gets."""

REVERSALS: Final = 4.0
"""… that turns round this often an hour: it hunts."""

RATIO_OFF: Final = 0.15
"""… whose register and sensors are apart by this share."""

UPS_LOAD: Final = 80.0
"""A UPS is named above this load rate, %, for 5 % of a day: little is left for a fault."""

UPS_BATTERY_S: Final = 600.0
"""… with more time on battery in a period than this."""

UPS_EFFICIENCY: Final = 0.9
"""… that gives less of what it takes than this."""


class Reason(NamedTuple):
    """Why something is named.

    Attributes:
        key: Key of its text.
        value: The figure.
        limit: What it is held against.
        excess: How far beyond, as a multiple of the limit; for the order only.
    """

    key: str
    value: float
    limit: float
    excess: float


def valve_reasons(valve: Valve) -> list[Reason]:
    """Return why a valve wants a look, the strongest reason first; none for a quiet one."""
    found = []
    if valve.flow_energy_ratio is not None and abs(valve.flow_energy_ratio - 1) >= RATIO_OFF:
        off = abs(valve.flow_energy_ratio - 1)
        found.append(Reason("ratio", valve.flow_energy_ratio, RATIO_OFF, off / RATIO_OFF))
    for key, value, limit in (
        ("below_design", valve.below_design_share, BELOW_DESIGN),
        ("saturated", valve.saturated_share, SATURATED),
        ("hunting", valve.reversals_per_hour, REVERSALS),
    ):
        if value is not None and value >= limit:
            found.append(Reason(key, value, limit, value / limit))
    return sorted(found, key=lambda one: -one.excess)


def ups_reasons(ups: Ups) -> list[Reason]:
    """Return why a UPS wants a look, the strongest reason first."""
    found = []
    for key, value, limit in (
        ("load", ups.load_rate_p95, UPS_LOAD),
        ("battery", ups.time_on_battery_s, UPS_BATTERY_S),
    ):
        if value is not None and value >= limit:
            found.append(Reason(key, value, limit, value / limit))
    if ups.overload_s:
        found.append(Reason("overload", ups.overload_s, 0.0, 1 + ups.overload_s))
    elif ups.overload_events and round(ups.overload_events) > 0:
        found.append(Reason("overload_events", ups.overload_events, 0.0, 1 + ups.overload_events))
    if ups.efficiency is not None and ups.efficiency < UPS_EFFICIENCY:
        excess = UPS_EFFICIENCY / max(ups.efficiency, 0.01)
        found.append(Reason("efficiency", ups.efficiency, UPS_EFFICIENCY, excess))
    return sorted(found, key=lambda one: -one.excess)


def rank(reasons: Iterable[list[Reason]]) -> list[int]:
    """Return the places of those that have reasons: most reasons first, then the strongest.

    >>> one = [Reason("hunting", 5.0, 4.0, 1.25)]
    >>> rank([[], one, [*one, Reason("saturated", 0.2, 0.1, 2.0)]])
    [2, 1]
    """
    known = [(n, one) for n, one in enumerate(reasons) if one]
    return [n for n, _ in sorted(known, key=lambda e: (-len(e[1]), -e[1][0].excess, e[0]))]
