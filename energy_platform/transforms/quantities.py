"""Which quantities are counted, and how: the sets that every room asks for.

The names of the quantities are those of ``schemas.Quantity``, their units stand in ``units``. A
set of quantities that only one rule needs belongs next to that rule, not here.
"""

from __future__ import annotations

from typing import Final

from energy_platform.transforms.units import CANONICAL_UNITS

ENERGY_QUANTITIES: Final[frozenset[str]] = frozenset(
    quantity
    for quantity, unit in CANONICAL_UNITS.items()
    if unit == "Wh" and quantity != "stored_energy"
)
"""Quantities that become energy; stored energy is a gauge (design, units and quantities)."""

_UNBOUND_BY_POWER: Final = frozenset({"volume", "operating_time", "count", "other"})
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

REGISTER_QUANTITIES: Final = ENERGY_QUANTITIES | (CONSUMPTION_QUANTITIES - {"count", "other"})
"""Quantities that are registers unless the portfolio says otherwise: a count may be a gauge."""
