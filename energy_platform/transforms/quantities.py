"""Which quantities are counted, and how: the sets that every room asks for.

The names of the quantities are those of ``schemas.Quantity``, their units stand in ``units``. A
set of quantities that only one rule needs belongs next to that rule, not here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from energy_platform.transforms.units import CANONICAL_UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

ENERGY_QUANTITIES: Final[frozenset[str]] = frozenset(
    quantity
    for quantity, unit in CANONICAL_UNITS.items()
    if unit == "Wh" and quantity not in {"stored_energy", "storable_energy"}
)
"""Quantities that become energy; what a storage holds or has room for is a gauge."""

_UNBOUND_BY_POWER: Final = frozenset(
    {"volume", "operating_time", "time_on_battery", "time_on_bypass"}
    | {"count", "overload_count", "other"}
)
"""Their amounts per hour are not watts, vars or volt-amperes."""

CONSUMPTION_QUANTITIES: Final[frozenset[str]] = _UNBOUND_BY_POWER | {
    "reactive_energy_import",
    "reactive_energy_export",
    "apparent_energy",
}
"""Quantities whose registers and increments are consumption; ``other`` where the portfolio says
that it counts."""

COUNTED_OTHERWISE: Final = _UNBOUND_BY_POWER
"""Quantities whose registers a power in W, or in var or VA, cannot bound."""

REGISTER_QUANTITIES: Final = ENERGY_QUANTITIES | (
    CONSUMPTION_QUANTITIES - {"count", "overload_count", "other"}
)
"""Quantities that are registers unless the portfolio says otherwise: a count may be a gauge."""

PHYSICAL_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "outdoor_temperature": (-90.0, 60.0),
    "supply_temperature": (-60.0, 250.0),
    "return_temperature": (-60.0, 250.0),
    "humidity": (0.0, 105.0),
    "co2_concentration": (0.0, 50_000.0),
    "valve_position": (-5.0, 105.0),
    "state_of_health": (0.0, 150.0),
    "storable_energy": (0.0, math.inf),
    "input_energy": (0.0, math.inf),
    "output_energy": (0.0, math.inf),
    "time_on_battery": (0.0, math.inf),
    "time_on_bypass": (0.0, math.inf),
    "overload_count": (0.0, math.inf),
}
"""What a quantity can show, in its canonical unit; readings beyond are quarantined.

Outdoors: the records are -89.2 °C and 56.7 °C (WMO, World Weather and Climate Extremes Archive).
Water circuits: brine is frozen, and superheated water flashes, well inside these. A humidity sensor
in condensation shows up to 5 % more than saturation, an actuator up to 5 % beyond its ends; CO2
sensors for rooms and plants end at 5 %. New batteries may hold more than is rated.
"""
