"""From a unit and some words to a quantity and a kind; what the words do not say stays unknown.

Only a counting word next to an energy unit makes a register: a number in kWh may as well be what a
battery can still give. No unit is ever assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.discovery.vocabulary import (
    AVERAGE,
    BATTERY,
    BITS,
    BYPASS,
    CAPACITY,
    CHARGE,
    COLD,
    COUNTING,
    COUNTS,
    DELIVERED,
    DIFFERENCE,
    DISCHARGE,
    EXPORT,
    EXTREMES,
    GENERATION,
    HEALTH,
    HEAT,
    HOURS,
    HUMIDITY,
    IMPORT,
    INPUT,
    LIGHT_LEVEL,
    LOAD_RATE,
    MAIN,
    NEGATIVE,
    NET,
    NETWORK,
    OFFERED,
    ON_BATTERY,
    ONE_STATE,
    OUTDOOR,
    OUTPUT,
    OVERLOAD,
    POSITION,
    POSITIVE,
    PRODUCED,
    RATED,
    RECEIVED,
    RESTARTING,
    RETURN,
    RUNNING,
    SET,
    SETPOINT,
    SHED,
    STATES,
    STORED,
    SUPPLY,
    TEMPERATURE,
    USER,
    VALVE,
    WHOLE,
)
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from energy_platform.portfolio.model import Confidence
    from energy_platform.schemas import Kind, Phase, Quantity, Role


@dataclass(frozen=True, kw_only=True)
class Classification:
    """What a unit and some words come to.

    Attributes:
        quantity: What is measured.
        kind: How to read it.
        confidence: How sure that is.
        doubt: What is missing, for the person who confirms; empty when nothing.
        unit: Unit that the words say where the vendor says none.
        counts: Whether an energy may enter a site's sums before somebody has confirmed it; one
            whose direction could be either may not.
    """

    quantity: Quantity
    kind: Kind
    confidence: Confidence
    doubt: str = ""
    unit: str | None = None
    counts: bool = True


_GAUGES: Final[dict[str, Quantity]] = {
    "W": "active_power",
    "var": "reactive_power",
    "VA": "apparent_power",
    "V": "voltage",
    "A": "current",
    "Hz": "frequency",
    "m³/h": "volume_flow",
    "Pa": "pressure",
}
"""Canonical units that speak for themselves."""


def classify(
    unit: str | None, words: AbstractSet[str], *, device: AbstractSet[str] = frozenset()
) -> Classification:
    """Judge a number.

    Args:
        unit: Unit as the vendor says it.
        words: Words of the point's own names.
        device: Words of the device's names, for what it is part of.
    """
    if not (unit or "").strip():
        return _without_unit(words)
    how = conversion(unit, quantity="other")
    if how is None:
        return _other(
            "low", f"the unit {unit!r} is not known, so its readings are quarantined; set the unit"
        )
    if words & (SET | RATED | EXTREMES):
        return _not_measured(words, unit=how.unit)
    if words & OFFERED and how.unit in {"W", "var", "VA"}:
        return _gauge("available_power") if how.unit == "W" else _other("medium")
    if words & AVERAGE and how.unit not in _AVERAGED:
        return _other("medium")
    if how.unit == "Wh":
        return _energy(words, device=device)
    if how.unit in _GAUGES:
        return Classification(quantity=_GAUGES[how.unit], kind="gauge", confidence="high")
    special = _SPECIAL.get(how.unit)
    return special(words) if special is not None else _other("medium")


def _not_measured(words: AbstractSet[str], *, unit: str) -> Classification:
    """Judge what is ordered, offered, rated or the highest of some time."""
    if words & (RATED | EXTREMES):
        return _other("medium")
    if unit == "W" and words & SHED and not words & SETPOINT:
        return _gauge("available_power", "medium")
    return _gauge("setpoint", "medium") if words & SETPOINT else _other("medium")


_AVERAGED: Final = frozenset({"V", "A", "Hz", "°C", "K", "%", "1"})
"""Units whose average over phases or cells is a quantity of its own; no power adds up by one."""


def of_phase(
    classified: Classification, words: AbstractSet[str], *, phase: Phase
) -> Classification:
    """Return what a judgement comes to of one phase, whose average is one over some time."""
    if phase != "total" and words & AVERAGE:
        return _other("medium")
    return classified


def _other(confidence: Confidence, doubt: str = "") -> Classification:
    return Classification(quantity="other", kind="gauge", confidence=confidence, doubt=doubt)


def _gauge(quantity: Quantity, confidence: Confidence = "high", doubt: str = "") -> Classification:
    return Classification(quantity=quantity, kind="gauge", confidence=confidence, doubt=doubt)


def _without_unit(words: AbstractSet[str]) -> Classification:
    if words & BITS:
        kind: Kind = "state" if words & STATES and words & ONE_STATE else "bitfield"
        return Classification(quantity="state", kind=kind, confidence="medium")
    if words & STATES:
        return Classification(quantity="state", kind="state", confidence="medium")
    if _is_power_factor(words):
        return _gauge("power_factor", "medium")
    if words & HOURS and not words & (SET | RATED | EXTREMES):
        return Classification(
            quantity=_time_on(words),
            kind="gauge",
            confidence="low",
            doubt="the vendor says no unit; h is taken from the name",
            unit="h",
        )
    if words & COUNTS and not words & (SET | RATED | EXTREMES):
        return _gauge("overload_count" if words & OVERLOAD else "count", "medium")
    return _other("low", "no unit said; set quantity and unit if you know them")


def _is_power_factor(words: AbstractSet[str]) -> bool:
    return bool(words & {"pf", "cosphi", "leistungsfaktor"}) or any(
        words >= both for both in ({"power", "factor"}, {"facteur", "puissance"}, {"cos", "phi"})
    )


def _plain_number(words: AbstractSet[str]) -> Classification:
    """Judge a number of which the vendor says that it has no unit."""
    classified = _without_unit(words)
    return (
        classified
        if classified.unit is None
        else _other("low", "a time, but the vendor says no unit")
    )


def _percent_of_battery(words: AbstractSet[str]) -> Classification | None:
    if "soc" in words or any(
        words >= both for both in ({"state", "charge"}, {"battery", "charge"}, {"etat", "charge"})
    ):
        return _gauge("state_of_charge")
    if words & {"ladezustand", "ladestand"}:
        return _gauge("state_of_charge")
    if any(words >= one for one in HEALTH):
        return _gauge("state_of_health")
    if words & BATTERY and words & CAPACITY:
        return _gauge("state_of_charge", "medium", "charge, or health of the battery")
    return None


def _percent(words: AbstractSet[str]) -> Classification:
    if (of_battery := _percent_of_battery(words)) is not None:
        return of_battery
    if words & HUMIDITY:
        return _gauge("humidity")
    if words & POSITION:
        return _gauge("valve_position", "high" if words & VALVE else "medium")
    if _is_power_factor(words):
        return _gauge("power_factor", "medium")
    if any(words >= one for one in LOAD_RATE):
        return _gauge("load_rate")
    if words & LIGHT_LEVEL:
        return _gauge("lighting_level", "medium")
    return _other("medium")


def _ampere_hours(words: AbstractSet[str]) -> Classification:
    if words & CAPACITY:
        return _gauge("battery_capacity")
    return _other("medium")


def _temperature(words: AbstractSet[str]) -> Classification:
    """Judge a temperature, by where it is measured; two places at once are none."""
    if words & DIFFERENCE:
        return _gauge("temperature_difference")
    places: list[Quantity] = []
    if words & OUTDOOR:
        places.append("outdoor_temperature")
    if words & SUPPLY:
        places.append("supply_temperature")
    if words & RETURN:
        places.append("return_temperature")
    return _gauge(places[0] if len(places) == 1 else "temperature")


def _kelvin(words: AbstractSet[str]) -> Classification:
    if words & (DIFFERENCE | TEMPERATURE):
        return _temperature(words)
    return _other("low", "a temperature, or a difference of temperatures")


def _energy(words: AbstractSet[str], *, device: AbstractSet[str]) -> Classification:
    if words & STORED:
        return _held(words)
    if words & RESTARTING:
        return _other("low", "an energy that starts again each period; not a register")
    if not words & COUNTING:
        return _other("low", "an energy, but nothing says that it is a counter")
    is_ups_input = (words | device) & {"ups"} and words & INPUT and not words & (BATTERY | OUTPUT)
    known = _said_directions(words, device=device)
    if is_ups_input:
        known = {"input_energy"}
    if len(known) > 1:
        return _other("low", f"an energy that could be {' or '.join(sorted(known))}")
    if known:
        return _directed(known.pop(), words, device=device)
    if words & (CHARGE | DISCHARGE):
        return _other("low", "an energy charged, but nothing says into what")
    if words & (DELIVERED | RECEIVED):
        return Classification(
            quantity="active_energy_import" if words & DELIVERED else "active_energy_export",
            kind="register",
            confidence="low",
            doubt="delivered and received are said from the utility's side or from the site's",
            counts=False,
        )
    is_generation = bool((words | device) & GENERATION)
    return Classification(
        quantity="generation_energy" if is_generation else "active_energy_import",
        kind="register",
        confidence="medium",
        doubt="the direction is not said",
    )


def _held(words: AbstractSet[str]) -> Classification:
    """Judge what a storage could take, holds, or can hold."""
    is_capacity = bool(words & CAPACITY)
    if is_capacity and words & CHARGE and not words & DISCHARGE:
        return _gauge("storable_energy", "medium", "the room that is left, not what is stored")
    if words & CHARGE and not words & DISCHARGE:
        return _other("low", "what a storage holds, or the room that is left in it")
    if is_capacity and not words & (STORED - CAPACITY):
        return _other("low", "what a storage can hold, or what it holds")
    return _gauge("stored_energy")


def _directed(
    quantity: Quantity, words: AbstractSet[str], *, device: AbstractSet[str]
) -> Classification:
    """Judge a register whose direction is said; where the device makes it odd, it waits."""
    doubt = ""
    if quantity == "generation_energy" and device & MAIN and not (words | device) & GENERATION:
        quantity = "active_energy_export"
        doubt = "production at a main meter is taken for what goes out"
    elif quantity in {"active_energy_import", "active_energy_export"} and device & GENERATION:
        doubt = "of a plant; generation_energy is the register of what it produces"
    return Classification(
        quantity=quantity,
        kind="register",
        confidence="low" if doubt else "high",
        doubt=doubt,
        counts=not doubt,
    )


def direction_of(words: AbstractSet[str]) -> set[str]:
    """Return the directions that some words say: import, export, both or none."""
    found: set[str] = set()
    negative = bool(words & NEGATIVE)
    if words & (IMPORT | POSITIVE) or (words & DELIVERED and words & USER - {"site"}):
        found.add("import")
    if words & RECEIVED and words & NETWORK:
        found.add("import")
    if words & EXPORT or negative:
        found.add("export")
    if (words & DELIVERED and words & NETWORK) or (words & RECEIVED and words & USER - {"site"}):
        found.add("export")
    return found


def _said_directions(words: AbstractSet[str], *, device: AbstractSet[str]) -> set[Quantity]:
    known: set[Quantity] = set()
    if words & HEAT:
        known.add("heating_energy")
    if words & COLD:
        known.add("cooling_energy")
    if (words | device) & (BATTERY | {"ups"}):
        if words & CHARGE:
            known.add("battery_energy_charge")
        if words & DISCHARGE:
            known.add("battery_energy_discharge")
    directions = direction_of(words)
    # "Negative (production)", as meters print it, is what goes out, not what a plant generates.
    if (words & PRODUCED and not words & NEGATIVE) or (words & GENERATION and not directions):
        known.add("generation_energy")
    if words & NET:
        known.add("active_energy_net")
    if "import" in directions:
        known.add("active_energy_import")
    if "export" in directions:
        known.add("active_energy_export")
    return known


def _volume(words: AbstractSet[str]) -> Classification:
    if words & (WHOLE | {"volume", "volumen", "counter", "index"}) and not words & RESTARTING:
        return Classification(quantity="volume", kind="register", confidence="medium")
    return _other("low", "in m³, but nothing says that it is a counter")


def _duration(words: AbstractSet[str]) -> Classification:
    if words & RUNNING:
        return Classification(quantity=_time_on(words), kind="register", confidence="medium")
    return _other("medium")


def _time_on(words: AbstractSet[str]) -> Quantity:
    """Return which running time it is: a UPS counts those on battery and on bypass apart."""
    if words & BYPASS:
        return "time_on_bypass"
    if words & {"ups", "on", "autonomy", "autonomie"} and words & ON_BATTERY:
        return "time_on_battery"
    return "operating_time"


def _apparent(words: AbstractSet[str]) -> Classification:
    if words & RESTARTING or not words & COUNTING:
        return _other("low", "in VAh, but nothing says that it is a counter")
    return Classification(quantity="apparent_energy", kind="register", confidence="high")


def _reactive(words: AbstractSet[str]) -> Classification:
    if words & RESTARTING or not words & (COUNTING | POSITIVE | NEGATIVE):
        return _other("low", "in varh, but nothing says that it is a counter")
    directions = direction_of(words)
    if len(directions) > 1:
        return _other("low", "a reactive energy of both directions")
    return Classification(
        quantity="reactive_energy_export" if "export" in directions else "reactive_energy_import",
        kind="register",
        confidence="high" if directions else "medium",
        doubt="" if directions else "the direction is not said",
    )


_SPECIAL: Final[dict[str, Callable[[AbstractSet[str]], Classification]]] = {
    "varh": _reactive,
    "VAh": _apparent,
    "K": _kelvin,
    "°C": _temperature,
    "ppm": lambda words: _gauge("co2_concentration") if "co2" in words else _other("medium"),
    "%": _percent,
    "m³": _volume,
    "s": _duration,
    "Ah": _ampere_hours,
    "lx": lambda _: _gauge("illuminance"),
    "count": lambda words: _gauge("overload_count" if words & OVERLOAD else "count"),
    "1": _plain_number,
}
"""Canonical units that need words to be understood."""


def role_of(device: AbstractSet[str]) -> Role:
    """Return the part in the site's balance that a device's name says, else none."""
    found: set[Role] = set()
    if device & GENERATION:
        found.add("generation")
    if device & BATTERY:
        found.add("storage")
    if device & MAIN:
        found.add("main")
    return found.pop() if len(found) == 1 else "none"
