"""From decoded answers to columns: mixed values, text instants, repeated samples.

The fast paths touch no point on its own; the slow ones run only when an answer really mixes types
or repeats an instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import polars as pl

from energy_platform.schemas import INSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTANT_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f%#z")
"""ISO 8601 with or without decimals: the plain ``Z`` first, any numeric offset after it."""

_NUMBERS: Final = frozenset({float, type(None)})


class Values(NamedTuple):
    """One column of answers as the two raw columns of the lake."""

    value: pl.Series
    value_text: pl.Series


class Deduplicated(NamedTuple):
    """Rows with one row per key.

    Attributes:
        frame: The rows, sorted by the key.
        duplicates: Rows that repeated another one exactly and were dropped.
        conflicts: Rows that gave another value for the same key and were dropped.
    """

    frame: pl.DataFrame
    duplicates: int
    conflicts: int


def split_values(values: Sequence[object]) -> Values:
    """Part numbers from everything else.

    Numbers go to ``value``; texts, booleans (``true``, ``false``) and JSON objects go to
    ``value_text``; a null stays null in both. A text that looks like a number stays a text.

    Args:
        values: Decoded JSON values; whole numbers may be int or float.

    >>> split_values([21.5, True, None]).value.to_list()
    [21.5, None, None]
    >>> split_values([21.5, True, None]).value_text.to_list()
    [None, 'true', None]
    """
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return Values(
            pl.Series("value", values, dtype=pl.Float64),
            pl.Series("value_text", [None], dtype=pl.String).new_from_index(0, len(values)),
        )
    numbers = [
        float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None for v in values
    ]
    return Values(
        pl.Series("value", numbers, dtype=pl.Float64),
        pl.Series("value_text", [_text(v) for v in values], dtype=pl.String),
    )


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def instants(texts: Sequence[str]) -> pl.Series:
    """Parse ISO 8601 texts into the column ``at``.

    Raises:
        ValueError: A text is not an instant; the message shows the first one.

    >>> instants(["2026-03-01T01:00:00+01:00"])[0].isoformat()
    '2026-03-01T00:00:00+00:00'
    """
    said = pl.Series("at", texts, dtype=pl.String)
    parsed = pl.Series("at", [None], dtype=INSTANT).new_from_index(0, len(said))
    for shape in INSTANT_FORMATS:
        try:
            parsed = said.str.to_datetime(
                shape, time_unit="us", time_zone="UTC", strict=False, ambiguous="raise"
            )
        except pl.exceptions.PolarsError:
            continue
        if parsed.null_count() == 0:
            return parsed
    first = said.filter(parsed.is_null())[0] if len(said) else ""
    raise ValueError(f"expected an ISO 8601 instant, came {str(first)[:40]!r}")


def deduplicate(frame: pl.DataFrame, *, key: Sequence[str]) -> Deduplicated:
    """Leave one row per key, in the order of the key.

    Equal rows become one. Where one pull gave several values for the same key, the smallest that
    is not zero stays: a glitch that reads zero must not replace a register.

    Args:
        frame: Rows with the columns of ``key`` and ``value``.
        key: Columns that identify a row; ``value`` and ``value_text`` are next to them.

    >>> rows = pl.DataFrame({"at": [1, 1, 2], "value": [0.0, 7.0, 8.0], "value_text": [None] * 3})
    >>> found = deduplicate(rows, key=["at"])
    >>> found.frame["value"].to_list(), found.duplicates, found.conflicts
    ([7.0, 8.0], 0, 1)
    """
    if frame.height < 2:  # noqa: PLR2004 - one row cannot repeat itself
        return Deduplicated(frame, 0, 0)
    rank = (
        pl.when(pl.col("value").is_null()).then(2).otherwise((pl.col("value") == 0).cast(pl.Int8))
    )
    ordered = frame.sort([*key, rank, "value", "value_text"], nulls_last=True, maintain_order=True)
    one = ordered.unique(subset=list(key), keep="first", maintain_order=True)
    dropped = frame.height - one.height
    if not dropped:
        return Deduplicated(one, 0, 0)
    different = frame.unique()
    duplicates = frame.height - different.height
    return Deduplicated(one, duplicates, dropped - duplicates)
