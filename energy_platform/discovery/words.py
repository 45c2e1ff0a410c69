"""The vendors' words: split, cleaned, made fit for ids."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from energy_platform.schemas import Phase

LONGEST_NAME: Final = 120
"""Characters of a vendor's name that are kept."""

_PARTS: Final = re.compile(r"[^\W_]+")
_HUMPS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_EMAIL: Final = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")
_PHONE: Final = re.compile(r"\+\d[\d ()/.-]{6,}\d")
_PHASES: Final[tuple[tuple[str, Phase], ...]] = (
    (r"l1\W?l2|l12", "L12"),
    (r"l1\W?l3|l3\W?l1|l13|l31", "L13"),
    (r"l2\W?l3|l23", "L23"),
    (r"l1|phase 1", "L1"),
    (r"l2|phase 2", "L2"),
    (r"l3|phase 3", "L3"),
)
_SYMBOLS: Final = (
    *("Wh", "kWh", "MWh", "J", "kJ", "MJ", "varh", "kvarh", "VAh", "kVAh"),
    *("W", "kW", "MW", "var", "kvar", "VA", "kVA", "V", "mV", "kV", "A", "mA", "kA"),
    *("Hz", "°C", "K", "%", "Ah", "m³", "m³/h", "m³/s", "lx", "s", "min", "h", "d", "count"),
)
"""Usual spellings, in the order they are preferred."""


def words(*texts: str | None) -> frozenset[str]:
    """Return the words of some names in lower case: ``heatingEnergy`` gives heating, energy."""
    found: set[str] = set()
    for text in texts:
        for part in _PARTS.findall(text or ""):
            found.add(part.lower())
            found.update(hump.lower() for hump in _HUMPS.findall(part))
    return frozenset(found)


def clean(text: str | None) -> str:
    """Return a vendor's text on one line, without control characters and personal data.

    Names are free text and sometimes hold somebody's e-mail address or telephone number.
    """
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text or "")
    plain = _PHONE.sub("***", _EMAIL.sub("***", plain))
    return " ".join(plain.split())[:LONGEST_NAME].strip()


def slug(text: str, *, joint: str = "-") -> str:
    """Return a text as an id: lower-case letters, digits and joints; empty when none is left."""
    plain = unicodedata.normalize("NFKD", clean(text)).encode("ascii", "ignore").decode()
    return joint.join(re.findall(r"[a-z0-9]+", plain.lower()))


def phase_of(*texts: str | None) -> Phase:
    """Return the phase that a name speaks of, else total."""
    text = " ".join(part for part in texts if part).lower().replace("_", " ")
    for pattern, phase in _PHASES:
        if re.search(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", text):
            return phase
    return "total"


def usual_unit(said: str | None) -> str | None:
    """Return the usual symbol of a vendor's unit name; the name itself where there is none."""
    name = (said or "").strip()
    if not name:
        return None
    how = conversion(name, quantity="other")
    if how is None:
        return clean(name)
    if "%" in name:
        return "%"
    same = (one for one in _SYMBOLS if conversion(one, quantity="other") == how)
    return next(same, name)
