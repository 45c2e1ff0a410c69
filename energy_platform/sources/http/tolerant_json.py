"""JSON that is not quite JSON: one odd value must not cost the rest of an answer.

Programs write ``NaN``, ``Infinity`` or numbers beyond every float although JSON has none of them.
This slow path reads such a body; every number that is none comes as the text it was.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import msgspec

MOST_DIGITS: Final = 400
"""Digits of a whole number that can still be a float; more stay a text."""


def loads(body: bytes) -> Any:
    """Decode a body whose numbers may be no numbers.

    Args:
        body: JSON, apart from ``NaN``, ``Infinity``, ``-Infinity`` and numbers out of range.

    Returns:
        The value; numbers are finite floats or whole numbers, all others the text they were.

    Raises:
        msgspec.DecodeError: It is not JSON otherwise either: cut, or a page for a browser.

    >>> loads(b'{"value": NaN, "next": 1e999, "last": 21.5}')
    {'value': 'NaN', 'next': '1e999', 'last': 21.5}
    """
    try:
        return json.loads(body, parse_constant=str, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(f"not JSON: {type(error).__name__}") from None


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _whole(text: str) -> int | str:
    if len(text) > MOST_DIGITS:
        return text
    number = int(text)
    try:
        float(number)
    except OverflowError:
        return text
    return number
