"""What was probably meant by a name that there is not."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LISTED: Final = 8
"""Names that a message lists; of more it says how many there are."""


def meant(typed: str, known: Iterable[str]) -> str:
    """Return how to end a message about a name that there is not: what comes near, or what is.

    Args:
        typed: As typed.
        known: The names that there are.

    Example:
        >>> meant("pairs", ["paris", "rome"])
        'did you mean paris?'
        >>> meant("x", ["paris", "rome"])
        'there are: paris, rome'
    """
    names = sorted(known)
    folded = {one.casefold(): one for one in names}
    near = difflib.get_close_matches(typed.casefold(), folded, n=3)
    if near:
        return f"did you mean {' or '.join(folded[one] for one in near)}?"
    if not names:
        return "there is none so far"
    more = len(names) - _LISTED
    listed = ", ".join(names[:_LISTED])
    return f"there are: {listed}" + (f" and {more} more" if more > 0 else "")
