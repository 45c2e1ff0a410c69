"""Phases and pairs of phases, as meters of several countries print them.

European meters number their phases (L1, U12, I3), American ones letter them (A-N, VAB, Phase C),
older ones say R, S, T.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from energy_platform.discovery.keywords import folded

if TYPE_CHECKING:
    from energy_platform.schemas import Phase, Quantity

_ELECTRICAL: Final = frozenset(
    {"voltage", "current", "active_power", "reactive_power", "apparent_power", "power_factor"}
)

_SYMBOLS: Final[dict[str, str]] = {
    "voltage": "[uv]",
    "current": "i",
    "active_power": "(?:p|kw)",
    "reactive_power": "(?:q|kvar)",
    "apparent_power": "(?:s|kva)",
    "power_factor": "(?:pf|cos ?phi)",
}
"""Symbol before the number or letter of a phase, per quantity: ``V1``, ``Ia``."""

_NUMBERED: Final[dict[str, Phase]] = {
    "1": "L1",
    "2": "L2",
    "3": "L3",
    "a": "L1",
    "b": "L2",
    "c": "L3",
    "r": "L1",
    "s": "L2",
    "t": "L3",
}

_PAIRS: Final[dict[frozenset[Phase], Phase]] = {
    frozenset({"L1", "L2"}): "L12",
    frozenset({"L2", "L3"}): "L23",
    frozenset({"L1", "L3"}): "L13",
}

_START: Final = r"(?<![a-z0-9])"
_END: Final = r"(?![a-z0-9])"
_CALLED: Final = r"(?:phase|ph|leiter)"
_NEUTRAL: Final = re.compile(
    rf"neutr|nullleiter|{_START}(?:amps?|current|courant|strom)[ -]n{_END}"
)
_IN: Final = re.compile(r"(?<![A-Za-z0-9])I[ _]?[nN](?![A-Za-z0-9])")
"""The current of the neutral; ``in`` is a word of its own."""


def phase_of(*texts: str | None, quantity: Quantity = "other") -> Phase:
    """Return the phase or the pair of phases that a name speaks of, else total.

    Args:
        texts: Names of the point.
        quantity: What is measured: only of electrical gauges do single letters and symbols such
            as ``V1`` name a phase.
    """
    name = folded(" ".join(part for part in texts if part)).replace("_", " ")
    text = name.lower()
    if quantity == "current" and (_IN.search(name) or _NEUTRAL.search(text)):
        return "N"
    for one, other in _pairs(text, quantity=quantity):
        if one in _NUMBERED and other in _NUMBERED:
            pair = _PAIRS.get(frozenset({_NUMBERED[one], _NUMBERED[other]}))
            if pair is not None:
                return pair
    for pattern in _singles(quantity):
        found = re.search(pattern, text)
        if found:
            return _NUMBERED[found[1]]
    return "total"


def _pairs(text: str, *, quantity: Quantity) -> list[tuple[str, str]]:
    patterns = [
        rf"{_START}(?:[a-z]?l)([123])\W{{0,3}}l?([123]){_END}",
        rf"{_START}{_CALLED} ?([1-3abc]) ?[-/] ?(?:{_CALLED} ?)?([1-3abc]){_END}",
    ]
    if quantity == "voltage":
        patterns += [
            rf"{_START}[uv] ?l?([123]) ?[-/]? ?l?([123]){_END}",
            rf"{_START}[uv] ?([abcrst]) ?[-/]? ?([abcrst]){_END}",
            rf"{_START}(?:volts?|voltage|spannung|tension) ?([abc])([abc]){_END}",
            rf"{_START}([abc]) ?[-/] ?([abc]){_END}",
            rf"{_START}([rst]) ?[-/] ?([rst]){_END}",
            rf"{_START}([123]) ?[-/] ?([123]){_END}",
        ]
    return [match for pattern in patterns for match in re.findall(pattern, text)]


def _singles(quantity: Quantity) -> list[str]:
    patterns = [
        rf"{_START}[a-z]?l([123])(?:\W?n)?{_END}",
        rf"{_START}{_CALLED}[ -]?([123abc])(?:\W?n)?{_END}",
    ]
    if quantity in _ELECTRICAL:
        symbol = _SYMBOLS[quantity]
        patterns += [
            rf"{_START}{symbol} ?([123abcrst])\W?n?{_END}",
            rf"{_START}([123abcrst])[-/ ]?n{_END}",
            rf"{_START}(?:volts?|voltage|amps?|current|kw|kvar|kva|pf|power|factor) ([abc]){_END}",
        ]
    return patterns
