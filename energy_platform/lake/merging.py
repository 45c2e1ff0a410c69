"""Sorted rows merged a block at a time: the chunks of a pull, a newer day over an older."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from energy_platform.lake.lake import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from energy_platform.schemas import Table

Key = tuple[Any, ...]


@dataclass
class Pull:
    """The chunks of a pull on their way into a file.

    Attributes:
        table: Their contract.
        frames: The chunks as they come.
        conflicting: Rows so far that contradicted another of the same chunk and key.
        instants: First and last instant so far, none without rows.
    """

    table: Table
    frames: Iterable[pl.DataFrame]
    conflicting: int = 0
    instants: list[datetime] = field(default_factory=list)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Yield each chunk sorted, one row per key.

        Raises:
            LakeError: A chunk does not have the table's columns, or a key is null.
            ValueError: A chunk does not follow the one before.
        """
        last: Key | None = None
        for frame in self.frames:
            chunk, conflicting = deduplicate(frame, table=self.table)
            self.conflicting += conflicting
            if chunk.is_empty():
                continue
            if last is not None and _key(chunk, 0, self.table) <= last:
                raise ValueError(
                    f"{self.table.name}: a chunk of the pull begins before another ends"
                )
            last = _key(chunk, -1, self.table)
            self.instants = _bounds([*self.instants, *_instants(chunk)])
            yield chunk


@dataclass
class Merge:
    """Newer rows over older ones, both sorted by the key and one row each.

    Attributes:
        table: Their contract.
        old: Blocks in place.
        new: Blocks of the pull.
        changed: Rows so far that both have, with different content.
        carried_over: Rows so far that only the older ones have.
        carried_over_instants: First and last instant of these, none without rows.
        drops: Which of the rows that only the older ones have are dropped instead of kept.
        dropped: These rows, so far.
    """

    table: Table
    old: Iterable[pl.DataFrame]
    new: Iterable[pl.DataFrame]
    changed: int = 0
    carried_over: int = 0
    carried_over_instants: list[datetime] = field(default_factory=list)
    drops: pl.Expr | None = None
    dropped: list[pl.DataFrame] = field(default_factory=list)

    def blocks(self) -> Iterator[pl.DataFrame]:
        """Yield the merged rows in order, holding one block of each side."""
        olds, news = _Queue(self.old, self.table), _Queue(self.new, self.table)
        while (old_last := olds.last) is not None and (new_last := news.last) is not None:
            bound = min(old_last, new_last)
            yield self._over(olds.until(bound), news.until(bound))
        for old in olds.rest():
            yield self._over(old, self.table.empty())
        yield from news.rest()

    def _over(self, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        key = list(self.table.sort_key)
        kept = old.join(new, on=key, how="anti", maintain_order="left")
        if self.drops is not None and kept.height:
            self.dropped.append(kept.filter(self.drops))
            kept = kept.filter(~self.drops)
        self.changed += changed_rows(new, old, table=self.table)
        self.carried_over += kept.height
        self.carried_over_instants = _bounds([*self.carried_over_instants, *_instants(kept)])
        return pl.concat([new, kept]).sort(key) if kept.height else new


class _Queue:
    """Sorted blocks, taken up to a key."""

    def __init__(self, blocks: Iterable[pl.DataFrame], table: Table) -> None:
        self._blocks = iter(blocks)
        self._table = table
        self._held = table.empty()
        self._fill()

    def _fill(self) -> None:
        while self._held.is_empty():
            block = next(self._blocks, None)
            if block is None:
                return
            self._held = block

    @property
    def last(self) -> Key | None:
        """Last key of the block in hand; None at the end."""
        return None if self._held.is_empty() else _key(self._held, -1, self._table)

    def until(self, bound: Key) -> pl.DataFrame:
        """Take the rows of the block in hand whose key is at most ``bound``."""
        above = pl.lit(value=False)
        for name, value in reversed(list(zip(self._table.sort_key, bound, strict=True))):
            limit = pl.lit(value, dtype=self._table.schema[name])
            above = (pl.col(name) > limit) | ((pl.col(name) == limit) & above)
        count = self._held.height - int(self._held.select(above.sum()).item())
        taken, self._held = self._held.head(count), self._held.slice(count)
        self._fill()
        return taken

    def rest(self) -> Iterator[pl.DataFrame]:
        """Take everything that is left."""
        while not self._held.is_empty():
            taken, self._held = self._held, self._table.empty()
            yield taken
            self._fill()


def _is_rising(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether rows are sorted by the key, one each: far cheaper than sorting them again.

    Most rows repeat all of the key but its last column. Only where another column turns are the
    rows compared by the whole key.
    """
    count = frame.height - 1
    if count < 1:
        return True
    keys = pl.DataFrame([frame[name] for name in key])
    before, after = keys.head(count), keys.tail(count)
    *names, last = key
    turns = np.zeros(count, dtype=bool)
    for name in names:
        turns |= (after[name] != before[name]).to_numpy()
    if not (turns | (after[last] > before[last]).to_numpy()).all():
        return False
    rows = np.flatnonzero(turns)
    ends, begins = before[rows], after[rows]
    rising = np.zeros(len(rows), dtype=bool)
    for name in reversed(key):
        rising &= (begins[name] == ends[name]).to_numpy()
        rising |= (begins[name] > ends[name]).to_numpy()
    return bool(rising.all())


def _key(frame: pl.DataFrame, row: int, table: Table) -> Key:
    return frame.select(table.sort_key).row(row)


def _instants(frame: pl.DataFrame) -> list[datetime]:
    found = [frame["at"].min(), frame["at"].max()]
    return [one for one in found if isinstance(one, datetime)]


def _bounds(instants: Sequence[datetime]) -> list[datetime]:
    return [min(instants), max(instants)] if instants else []


def deduplicate(frame: pl.DataFrame, *, table: Table) -> tuple[pl.DataFrame, int]:
    """Return rows sorted by the key, one each, and how many contradicted another.

    Of rows that contradict each other the smallest value that is not zero is kept.

    Raises:
        LakeError: The frame does not have the table's columns, or a key is null.

    >>> from energy_platform.schemas import Column, Table
    >>> columns = (
    ...     Column(name="at", dtype=pl.Int64(), description="When."),
    ...     Column(name="value", dtype=pl.Float64(), description="What."),
    ... )
    >>> table = Table(name="t", description="Values.", columns=columns, sort_key=("at",))
    >>> frame = pl.DataFrame({"at": [2, 1, 1], "value": [5.0, 0.0, 7.0]})
    >>> rows, contradicting = deduplicate(frame, table=table)
    >>> rows.rows(), contradicting
    ([(1, 7.0), (2, 5.0)], 1)
    """
    if frame.schema != table.schema:
        expected = ", ".join(f"{name} {dtype}" for name, dtype in table.schema.items())
        came = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
        raise LakeError(f"{table.name}: expected columns ({expected}), came ({came})")
    for name in table.sort_key:
        if nulls := frame[name].null_count():
            raise LakeError(f"{table.name}.{name}: {nulls} rows without it; it is part of the key")
    key = list(table.sort_key)
    if _is_rising(frame, key):
        return frame, 0
    ordered = frame.sort(key)
    if _is_rising(ordered, key):
        return ordered, 0
    distinct = frame.unique()
    preference = [name for name in frame.columns if name not in key]
    if "value" in frame.columns:
        is_zero = pl.col("value").fill_null(0.0) == 0
        distinct = distinct.sort(*key, is_zero, *preference, nulls_last=True)
    else:
        distinct = distinct.sort(*key, *preference, nulls_last=True)
    kept = distinct.unique(subset=key, keep="first", maintain_order=True)
    return kept, distinct.height - kept.height


def changed_rows(pull: pl.DataFrame, old: pl.DataFrame, *, table: Table) -> int:
    """Count rows of equal key and different content."""
    key = list(table.sort_key)
    both = pull.join(old, on=key, how="inner", suffix=" before")
    others = [name for name in table.schema if name not in key]
    if not others:
        return 0
    return both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} before")) for name in others)
    ).height
