"""Numbers for the words of a state, from the words seen; an operator confirms each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.discovery.vocabulary import OPPOSITES

if TYPE_CHECKING:
    from collections.abc import Iterable

States = tuple[tuple[str, float], ...]


def states_of(seen: Iterable[str | None]) -> tuple[States, str]:
    """Return numbers for the words of a state, and what to confirm.

    A word that is one of a known pair brings the other one, in the same spelling. Other words are
    numbered as they stand in the alphabet.

    Args:
        seen: Words that the vendor said.

    Returns:
        The states, empty when no word was seen, and a sentence for the person who confirms.
    """
    known = sorted({word for word in seen if word and word.strip()})
    if not known:
        return (), ""
    folded = {word.strip().lower() for word in known}
    for zero, one in OPPOSITES:
        if folded <= {zero, one}:
            shown = " and ".join(f'"{word}"' for word in known)
            states = ((_spelt(zero, known), 0.0), (_spelt(one, known), 1.0))
            return states, f"{shown} seen; 0 and 1 are taken from the pair of words"
    shown = ", ".join(f'"{word}"' for word in known)
    return (
        tuple((word, float(number)) for number, word in enumerate(known)),
        f"{shown} seen; number them as you like, other words are quarantined",
    )


def _spelt(word: str, known: list[str]) -> str:
    """Return a word as it was seen, or spelt like the one that was seen."""
    for one in known:
        if one.strip().lower() == word:
            return one
    if known[0].isupper():
        return word.upper()
    return word.capitalize() if known[0][:1].isupper() else word
