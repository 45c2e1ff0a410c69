"""Numbers as loggers write them: decimal comma or point, signs between thousands.

``1,234`` is a thousand or a little more than one; only other numbers of the same file, or the
mapping, can tell. Where neither does, the file is refused: a factor of a thousand in silence is
the one mistake that no later check would call a mistake.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.sources.files.errors import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.sources.files.mapping import Mapping

MISSING: Final = frozenset(
    {"-", "--", "---", "n/a", "#n/a", "na", "nan", "null", "none", "#nv", "nil", "?"}
)
"""Texts, in lower case, that loggers and spreadsheets write where there is no value."""

_BLANKS: Final = "[\u0020\u00a0\u2007\u202f]"
"""Blanks that may stand between thousands, the narrow ones among them."""

_SIGN: Final = "^[+\u2212-]?"


class NumberStyle(NamedTuple):
    """How numbers are written.

    Attributes:
        decimal: Sign before the decimals.
        thousands: Sign between thousands; empty for none.
    """

    decimal: str = "."
    thousands: str = ""


def style_of(columns: Iterable[pl.Series], *, mapping: Mapping) -> NumberStyle:
    """Return how a file writes its numbers.

    Args:
        columns: Texts of its columns of values.
        mapping: Says it, or leaves it to the numbers.

    Raises:
        RefusedFileError: The numbers leave a doubt that the mapping does not settle.

    >>> from energy_platform.sources.files.mapping import Mapping
    >>> style_of([pl.Series(["1.234,5", "12"])], mapping=Mapping())
    NumberStyle(decimal=',', thousands='.')
    """
    said = mapping.thousands
    stated_thousands = "" if said in {None, "none"} else str(said)
    if mapping.decimal is not None and said is not None:
        return NumberStyle(mapping.decimal, stated_thousands)
    texts = pl.concat([pl.Series([None], dtype=pl.String), *columns]).drop_nulls()
    signs = {sign: _Evidence(texts, sign) for sign in ".,"}
    decimal = mapping.decimal or _decimal(signs, thousands=stated_thousands)
    if said is not None:
        return NumberStyle(decimal, stated_thousands)
    other = "," if decimal == "." else "."
    if signs[other].grouped.len():
        return NumberStyle(decimal, other)
    for sign, pattern in (("'", "['\u2019]"), (" ", _BLANKS)):
        if texts.str.contains(
            rf"{_SIGN}\d{{1,3}}(?:{pattern}\d{{3}})+(?:{re.escape(decimal)}\d*)?$"
        ).any():
            return NumberStyle(decimal, sign)
    return NumberStyle(decimal)


class _Evidence:
    """What the numbers of a file say of one sign."""

    def __init__(self, texts: pl.Series, sign: str) -> None:
        one, other = re.escape(sign), re.escape("," if sign == "." else ".")
        self.grouped = texts.filter(
            texts.str.contains(rf"{_SIGN}[1-9]\d{{0,2}}(?:{one}\d{{3}})+(?:{other}\d*)?$")
        )
        """Numbers in which it may stand between thousands."""
        is_grouped_twice = self.grouped.str.contains(rf"{one}.*{one}|{other}")
        self.thousands = self.grouped.filter(is_grouped_twice)
        """Numbers in which it can stand for nothing else."""
        self.doubtful = self.grouped.filter(~is_grouped_twice)
        is_decimal = texts.str.contains(
            rf"{_SIGN}(?:\d*|\d{{1,3}}(?:{other}\d{{3}})+|\d{{1,3}}(?:{_BLANKS}\d{{3}})+){one}\d*(?:[eE][+-]?\d+)?$"
        )
        self.decimal = texts.filter(
            is_decimal & ~texts.str.contains(rf"{_SIGN}[1-9]\d{{0,2}}{one}\d{{3}}$")
        )
        """Numbers in which it can only be the decimal sign."""


def _decimal(signs: dict[str, _Evidence], *, thousands: str) -> str:
    proven = [
        sign
        for sign, one in signs.items()
        if sign != thousands and (one.decimal.len() or signs[_other(sign)].thousands.len())
    ]
    if len(proven) > 1:
        raise RefusedFileError(
            f"writes numbers in two ways ({signs[','].decimal.head(1).to_list()[:1] or ['1.000,0']}"
            f" and {signs['.'].decimal.head(1).to_list()[:1] or ['1,000.0']}); say decimal: and "
            "thousands: in the mapping"
        )
    if proven:
        return proven[0]
    if thousands in signs:
        return _other(thousands)
    doubtful = [sign for sign, one in signs.items() if one.doubtful.len()]
    if doubtful:
        shown = signs[doubtful[0]].doubtful[0]
        raise RefusedFileError(
            f"{shown!r} can be read as {shown.replace(doubtful[0], '')} or as "
            f"{shown.replace(doubtful[0], '.')}, and no other number tells; say decimal: "
            f'"{doubtful[0]}" or decimal: "{_other(doubtful[0])}" in the mapping'
        )
    return "."


def _other(sign: str) -> str:
    return "," if sign == "." else "."


def numbers_of(texts: pl.Series, *, style: NumberStyle) -> pl.Series:
    """Return texts as numbers; null where one is not a number in this style, or not finite.

    Example:
        >>> texts = pl.Series(["1.234,5", "1.23,4", "12"])
        >>> numbers_of(texts, style=NumberStyle(",", ".")).to_list()
        [1234.5, None, 12.0]
    """
    one, grouping = re.escape(style.decimal), style.thousands
    between = {"": None, " ": _BLANKS, "'": "['\u2019]"}.get(grouping, re.escape(grouping))
    whole = r"\d+" if between is None else rf"(?:\d+|\d{{1,3}}(?:{between}\d{{3}})+)"
    fits = texts.str.contains(rf"{_SIGN}(?:{whole}(?:{one}\d*)?|{one}\d+)(?:[eE][+-]?\d+)?$")
    plain = texts.set(~fits.fill_null(value=False), None).str.replace("\u2212", "-")
    if between is not None:
        plain = plain.str.replace_all(between, "")
    if style.decimal != ".":
        plain = plain.str.replace(style.decimal, ".", literal=True)
    values = plain.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite().fill_null(value=True), None)


def is_missing(texts: pl.Series, *, mapping: Mapping) -> pl.Series:
    """Say of each text whether it stands for no value.

    >>> from energy_platform.sources.files.mapping import Mapping
    >>> is_missing(pl.Series(["12", "n/a", None]), mapping=Mapping()).to_list()
    [False, True, True]
    """
    words = MISSING | {word.strip().lower() for word in mapping.missing}
    return texts.is_null() | texts.str.to_lowercase().is_in(sorted(words))


def looks_like_number(text: str) -> bool:
    """Say whether a text is a number in any style.

    Example:
        >>> looks_like_number("1.234,5"), looks_like_number("12:30")
        (True, False)
    """
    return _ANY_NUMBER.fullmatch(text.strip()) is not None


_ANY_NUMBER: Final = re.compile(
    rf"[+\u2212-]?(?:\d[\d.,'\u2019]*|[.,]\d+)(?:{_BLANKS}\d{{3}})*(?:[.,]\d+)?(?:[eE][+-]?\d+)?"
)
