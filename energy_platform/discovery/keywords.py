"""Names of vendors taken apart: keywords to look up, and texts made fit for ids.

What a keyword means is in ``vocabulary``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from energy_platform.discovery.vocabulary import COMPOUNDS
from energy_platform.transforms.units import conversion

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NAME: Final = 120
"""Characters of a vendor's name that are kept."""

_PARTS: Final = re.compile(r"[^\W_]+")
_HUMPS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_EMAIL: Final = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")
_PHONE: Final = re.compile(r"\+\d[\d ()/.-]{6,}\d")
_SYMBOL: Final = r"(?<![a-z0-9])(?:e[apr]?|[apq]|[km]?(?:wh?|va(?:r?h)?))"
_SIGNED: Final = r"(?:e[ar]|active|reactive|actif|reactif|energy|energie|arbeit)"
_BEFORE: Final = r"(?:a|r|e[ar]|[km]?(?:w|var)h)"
_SIGNS: Final = (
    (re.compile(r"(?<![A-Za-z0-9])E[ar](?![A-Za-z0-9])"), "energy"),
    *(
        (
            re.compile(
                rf"(?i){_SYMBOL}{sign}(?![a-z0-9])"
                rf"|(?<![^\s(]){sign}{_BEFORE}(?![a-z0-9])"
                rf"|(?<![a-z]){_SIGNED}\s*(?:\({sign}\)|{sign}\s*$)"
                rf"|(?<!\d){code}\.8\.\d"
            ),
            word,
        )
        for sign, code, word in ((r"\+", 1, "positive"), ("[-\u2013\u2212]", 2, "negative"))
    ),
)
"""Symbols of an energy with the sign of its direction, and its OBIS code."""

_SHORTEST_COMPOUND: Final = 8
_TELLING: Final = frozenset(
    {"betriebsstunden", "sollwert", "einspeisung", "auslastung", "heiz", "warme", "waerme"}
    | {"kalte", "kaelte", "entladung", "speicher", "batterie", "zahler", "zaehler", "verbrauch"}
    | {"erzeugung", "grenzwert", "mittelwert"}
)
"""Parts that mean something where no other part of the word is known."""
_SYMBOLS: Final = (
    *("Wh", "kWh", "MWh", "J", "kJ", "MJ", "varh", "kvarh", "VAh", "kVAh"),
    *("W", "kW", "MW", "var", "kvar", "VA", "kVA", "V", "mV", "kV", "A", "mA", "kA"),
    *("Hz", "°C", "K", "%", "Ah", "m³", "m³/h", "m³/s", "lx", "s", "min", "h", "d", "count", "1"),
    *("Pa", "kPa", "mbar", "bar", "ppm"),
)
"""Usual spellings, in the order they are preferred."""


def keywords(*texts: str | None) -> frozenset[str]:
    """Return the words of some names in lower case: ``heatingEnergy`` gives heating, energy.

    Accents are taken off, German compounds are split, and the sign of a direction becomes a word:
    ``Ea+`` and ``+A`` say positive, as ``1.8.0`` does.
    """
    found: set[str] = set()
    for text in texts:
        plain = folded(text or "")
        for part in _PARTS.findall(plain):
            found.add(part.lower())
            found.update(hump.lower() for hump in _HUMPS.findall(part))
        for pattern, word in _SIGNS:
            if pattern.search(plain):
                found |= {word, "energy"}
    return frozenset(found.union(*(_compound(one) for one in found)))


def folded(text: str) -> str:
    """Return a text without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def _compound(word: str) -> set[str]:
    """Return the parts of a word that is written in one."""
    parts: set[str] = set()
    if len(word) < _SHORTEST_COMPOUND:
        return parts
    for part in COMPOUNDS:
        if part in word and part != word:
            parts.add(part)
            word = word.replace(part, " ")
    # "Strom" and "solar" stand in many words of other languages; alone they mean nothing.
    return parts if len(parts) > 1 or parts & _TELLING else set()


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


def usual_unit(unit: str | None) -> str | None:
    """Return the usual symbol of a vendor's unit name; the name itself where there is none."""
    name = (unit or "").strip()
    if not name:
        return None
    how = conversion(name, quantity="other")
    if how is None:
        return clean(name)
    if "%" in name:
        return "%"
    same = (one for one in _SYMBOLS if conversion(one, quantity="other") == how)
    return next(same, name)


def free_name(base: str, taken: Iterable[str], *, joint: str) -> str:
    """Return a name, with a number behind it where it is taken."""
    names = set(taken)
    if base not in names:
        return base
    number = 2
    while f"{base}{joint}{number}" in names:
        number += 1
    return f"{base}{joint}{number}"
