"""From a unit and some words to a quantity and a kind; what the words do not say stays unknown.

Only a counting word beside an energy unit makes a register: a number in kWh may as well be what a
battery can still give. No unit is ever assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from energy_platform.portfolio.model import Confidence
    from energy_platform.schemas import Kind, Quantity, Role

LIMITS: Final = frozenset(
    {"setpoint", "setpoints", "limit", "limits", "threshold", "target", "nominal", "rated"}
    | {"max", "maximum", "min", "minimum", "average", "avg", "mean", "peak", "thd", "harmonic"}
)
"""Words of numbers that are set or computed rather than measured."""

PERIODS: Final = frozenset(
    {"today", "daily", "yesterday", "weekly", "monthly", "yearly", "hourly", "partial"}
)
"""Words of counters that begin anew."""

GENERATION: Final = frozenset({"solar", "pv", "photovoltaic", "wind", "turbine", "genset"})
BATTERY: Final = frozenset({"battery", "storage", "bess", "ess", "accumulator"})
MAIN: Final = frozenset({"main", "mains", "incomer", "incoming", "utility", "grid", "tgbt"})

_COUNTING: Final = frozenset(
    {"energy", "counter", "lifetime", "index", "total", "totalizer", "consumption", "consumed"}
    | {"production", "produced", "generated", "generation", "yield", "import", "export"}
    | {"imported", "exported", "charged", "discharged"}
)
_IMPORT: Final = frozenset({"import", "imported", "consumption", "consumed", "received"})
_EXPORT: Final = frozenset({"export", "exported", "delivered", "injected", "injection"})
_CHARGE: Final = frozenset({"charge", "charged", "charging"})
_DISCHARGE: Final = frozenset({"discharge", "discharged", "discharging"})
_PRODUCED: Final = frozenset({"generation", "generated", "production", "produced", "yield"})
_STORED: Final = frozenset({"available", "stored", "remaining", "capacity", "reserve"})
_BITS: Final = frozenset(
    {"alarm", "alarms", "warning", "warnings", "fault", "faults", "trip", "bits", "bitfield"}
)
_STATES: Final = frozenset({"stat", "status", "state", "mode", "health"})
_DIFFERENCE: Final = frozenset({"difference", "delta", "spread", "differential"})
_RUNNING: Final = frozenset({"operating", "operation", "running", "runtime", "uptime", "working"})


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a unit and some words come to.

    Attributes:
        quantity: What is measured.
        kind: How to read it.
        confidence: How sure that is.
        doubt: What is missing, for the person who confirms; empty when nothing.
    """

    quantity: Quantity
    kind: Kind
    confidence: Confidence
    doubt: str = ""


_GAUGES: Final[dict[str, Quantity]] = {
    "W": "active_power",
    "var": "reactive_power",
    "VA": "apparent_power",
    "V": "voltage",
    "A": "current",
    "Hz": "frequency",
    "°C": "temperature",
    "m³/h": "volume_flow",
}
"""Canonical units that speak for themselves."""


def judge(
    unit: str | None, said: AbstractSet[str], *, device: AbstractSet[str] = frozenset()
) -> Judgement:
    """Judge a number.

    Args:
        unit: Unit as the vendor says it.
        said: Words of the point's own names.
        device: Words of the device's names, for what it is part of.
    """
    if not (unit or "").strip():
        return _without_unit(said)
    how = conversion(unit, quantity="other")
    if how is None:
        return _other(
            "low", f"the unit {unit!r} is not known, so its readings are quarantined; set the unit"
        )
    if said & LIMITS:
        return _other("medium")
    if how.unit == "Wh":
        return _energy(said, device=device)
    if how.unit in _GAUGES:
        return Judgement(quantity=_GAUGES[how.unit], kind="gauge", confidence="high")
    special = _SPECIAL.get(how.unit)
    return special(said) if special is not None else _other("medium")


def _other(confidence: Confidence, doubt: str = "") -> Judgement:
    return Judgement(quantity="other", kind="gauge", confidence=confidence, doubt=doubt)


def _without_unit(said: AbstractSet[str]) -> Judgement:
    if said & _BITS:
        return Judgement(quantity="state", kind="bitfield", confidence="medium")
    if said & _STATES:
        return Judgement(quantity="state", kind="state", confidence="medium")
    if "pf" in said or said >= {"power", "factor"}:
        return Judgement(quantity="power_factor", kind="gauge", confidence="medium")
    return _other("low", "no unit said; set quantity and unit if you know them")


def _percent(said: AbstractSet[str]) -> Judgement:
    if "soc" in said or said >= {"state", "charge"} or said >= {"battery", "charge"}:
        return Judgement(quantity="state_of_charge", kind="gauge", confidence="high")
    if said >= {"battery", "capacity"}:
        return Judgement(
            quantity="state_of_charge",
            kind="gauge",
            confidence="medium",
            doubt="charge, or health of the battery",
        )
    if "pf" in said or said >= {"power", "factor"}:
        return Judgement(quantity="power_factor", kind="gauge", confidence="medium")
    return _other("medium")


def _kelvin(said: AbstractSet[str]) -> Judgement:
    if said & _DIFFERENCE:
        return Judgement(quantity="temperature_difference", kind="gauge", confidence="high")
    if said & {"temperature", "temp"}:
        return Judgement(quantity="temperature", kind="gauge", confidence="high")
    return _other("low", "a temperature, or a difference of temperatures")


def _energy(said: AbstractSet[str], *, device: AbstractSet[str]) -> Judgement:
    if said & _STORED:
        return Judgement(quantity="stored_energy", kind="gauge", confidence="high")
    if said & PERIODS:
        return _other("low", "an energy that begins anew each period; no register")
    if not said & _COUNTING:
        return _other("low", "an energy, but nothing says that it is a counter")
    known = _said_directions(said, device=device)
    if len(known) > 1:
        return _other("low", f"an energy that could be {' or '.join(sorted(known))}")
    if known:
        return Judgement(quantity=known.pop(), kind="register", confidence="high")
    if said & (_CHARGE | _DISCHARGE):
        return _other("low", "an energy charged, but nothing says into what")
    is_generation = bool((said | device) & GENERATION)
    return Judgement(
        quantity="generation_energy" if is_generation else "active_energy_import",
        kind="register",
        confidence="medium",
        doubt="the direction is not said",
    )


def _said_directions(said: AbstractSet[str], *, device: AbstractSet[str]) -> set[Quantity]:
    known: set[Quantity] = set()
    if said & {"heat", "heating"}:
        known.add("heating_energy")
    if said & {"cool", "cooling", "chilled"}:
        known.add("cooling_energy")
    if (said | device) & (BATTERY | {"ups"}):
        if said & _CHARGE:
            known.add("battery_energy_charge")
        if said & _DISCHARGE:
            known.add("battery_energy_discharge")
    if said & _PRODUCED or (said & GENERATION and not said & (_IMPORT | _EXPORT)):
        known.add("generation_energy")
    if "net" in said:
        known.add("active_energy_net")
    if said & _IMPORT:
        known.add("active_energy_import")
    if said & _EXPORT:
        known.add("active_energy_export")
    return known


def _volume(said: AbstractSet[str]) -> Judgement:
    if said & {"total", "volume", "counter", "lifetime", "totalizer"} and not said & PERIODS:
        return Judgement(quantity="volume", kind="register", confidence="medium")
    return _other("low", "in m³, but nothing says that it is a counter")


def _duration(said: AbstractSet[str]) -> Judgement:
    if said & _RUNNING:
        return Judgement(quantity="operating_time", kind="register", confidence="medium")
    return _other("medium")


def _apparent(said: AbstractSet[str]) -> Judgement:
    if said & PERIODS or not said & _COUNTING:
        return _other("low", "in VAh, but nothing says that it is a counter")
    return Judgement(quantity="apparent_energy", kind="register", confidence="high")


def _reactive(said: AbstractSet[str]) -> Judgement:
    if said & PERIODS or not said & _COUNTING:
        return _other("low", "in varh, but nothing says that it is a counter")
    exports, imports = bool(said & _EXPORT), bool(said & _IMPORT)
    if exports and imports:
        return _other("low", "a reactive energy of both directions")
    return Judgement(
        quantity="reactive_energy_export" if exports else "reactive_energy_import",
        kind="register",
        confidence="high" if exports or imports else "medium",
        doubt="" if exports or imports else "the direction is not said",
    )


_SPECIAL: Final[dict[str, Callable[[AbstractSet[str]], Judgement]]] = {
    "varh": _reactive,
    "VAh": _apparent,
    "K": _kelvin,
    "%": _percent,
    "m³": _volume,
    "s": _duration,
}
"""Canonical units that need words beside them."""


def role_of(device: AbstractSet[str]) -> Role:
    """Return the part in the site's balance that a device's name tells, else none."""
    found: set[Role] = set()
    if device & GENERATION:
        found.add("generation")
    if device & BATTERY:
        found.add("storage")
    if device & MAIN:
        found.add("main")
    return found.pop() if len(found) == 1 else "none"
