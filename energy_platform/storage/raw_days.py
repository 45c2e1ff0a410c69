"""What a pull does to a raw day file: the newer answer wins, and no row is ever lost.

A day that is pulled again is merged with what it already has. Rows the vendor no longer sends are
kept and counted, so that a check can ask why they went. Equal rows leave the file byte for byte as
it is, so that nothing downstream wakes up.

A day is held in memory while it is merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.partitions import day_bounds
from energy_platform.storage.lake import LakeError

if TYPE_CHECKING:
    from energy_platform.schemas import Table
    from energy_platform.storage.lake import Footer, Lake

COMPLETE_UNTIL: Final = "complete_until"
"""Footer key: the vendor was asked for everything before this instant (ISO, UTC)."""

CLOSED: Final = "closed"
"""Footer key: ``true`` when the daily run has read the whole day, else ``false``."""


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What a pull changed.

    Attributes:
        rows: Rows now in the file.
        new: Rows the file did not have.
        changed: Rows the file had with another content; the newer pull replaced them.
        lost: Rows the file had and the pull did not. A day keeps them, a snapshot does not.
        conflicting: Rows of one pull that contradicted another row of the same key and instant;
            the smallest value that is not zero was kept.
        first_at: Earliest instant in the file, None without rows.
        last_at: Latest instant in the file, None without rows.
        complete_until: Up to where the day was asked for, None for a snapshot.
        closed: Whether the day is closed; a snapshot never is.
        written: Whether the file was replaced.
    """

    rows: int
    new: int
    changed: int
    lost: int
    conflicting: int
    first_at: datetime | None
    last_at: datetime | None
    complete_until: datetime | None
    closed: bool
    written: bool


def land_day(
    lake: Lake,
    table: Table,
    *,
    day: str,
    frame: pl.DataFrame,
    complete_until: datetime,
    closed: bool,
    whole: bool = True,
) -> Landed:
    """Merge a pull into a raw day file.

    Args:
        lake: Where the file lies.
        table: Contract of the raw table.
        day: Partition key.
        frame: The pull in the table's columns, in any order, repeated rows allowed; zero rows
            when the vendor answered with nothing.
        complete_until: The vendor was asked for everything before this instant; what lies beyond
            the day's end counts as its end. It never goes back.
        closed: Whether this pull closes the day. A closed day never becomes open again.
        whole: Whether the pull claims to be all the vendor has for the day. When False (newest
            values only), the rows it leaves out are not counted as lost.

    Returns:
        What changed.

    Raises:
        LakeError: The pull does not have the table's columns, a key is null, or the file in place
            is damaged; nothing was changed.
    """
    end = day_bounds(day)[1]
    if complete_until.tzinfo is None:
        raise ValueError(f"complete_until without a zone: {complete_until.isoformat()}")
    pull, conflicting = _settled(frame, table=table)
    with lake.lock(table.name):
        before = lake.footer(table, day=day)
        old = lake.read(table, day=day)
        kept = old.join(pull, on=table.sort_key, how="anti", maintain_order="left")
        merged = pl.concat([pull, kept]).sort(table.sort_key) if kept.height else pull
        until = min(complete_until.astimezone(UTC), end)
        if before is not None:
            until = max(until, complete_until_of(before))
            closed = closed or is_closed(before)
        written = lake.write(
            table,
            merged,
            day=day,
            meta={COMPLETE_UNTIL: until.isoformat(), CLOSED: "true" if closed else "false"},
        )
    return Landed(
        rows=merged.height,
        new=merged.height - old.height,
        changed=_changed(pull, old, table=table),
        lost=kept.height if whole else 0,
        conflicting=conflicting,
        first_at=_bound(merged, end="min"),
        last_at=_bound(merged, end="max"),
        complete_until=until,
        closed=closed,
        written=written.written,
    )


def land_snapshot(lake: Lake, table: Table, frame: pl.DataFrame) -> Landed:
    """Replace an inventory by its newest snapshot; equal rows leave the file untouched.

    Args:
        lake: Where the file lies.
        table: Contract of the inventory.
        frame: The snapshot in the table's columns, in any order, repeated rows allowed.

    Returns:
        What changed; ``lost`` counts entries that are gone.

    Raises:
        LakeError: The snapshot does not have the table's columns, a key is null, or the file in
            place is damaged; nothing was changed.
    """
    snapshot, conflicting = _settled(frame, table=table)
    with lake.lock(table.name):
        old = lake.read(table)
        written = lake.write(table, snapshot)
    gone = old.join(snapshot, on=table.sort_key, how="anti").height
    return Landed(
        rows=snapshot.height,
        new=snapshot.height - (old.height - gone),
        changed=_changed(snapshot, old, table=table),
        lost=gone,
        conflicting=conflicting,
        first_at=None,
        last_at=None,
        complete_until=None,
        closed=False,
        written=written.written,
    )


def complete_until_of(footer: Footer) -> datetime:
    """Return up to where a raw day was asked for.

    Raises:
        LakeError: The file is no raw day.
    """
    text = footer.meta.get(COMPLETE_UNTIL)
    if text is None:
        raise LakeError("a raw day without complete_until; remove the file and run its day again")
    return datetime.fromisoformat(text)


def is_closed(footer: Footer) -> bool:
    """Whether the daily run has closed a raw day."""
    return footer.meta.get(CLOSED) == "true"


def _settled(frame: pl.DataFrame, *, table: Table) -> tuple[pl.DataFrame, int]:
    """Sort by the key, one row each; return the rows and how many contradicted another."""
    if frame.schema != table.schema:
        expected = ", ".join(f"{name} {dtype}" for name, dtype in table.schema.items())
        came = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
        raise LakeError(f"{table.name}: expected columns ({expected}), came ({came})")
    for name in table.sort_key:
        if nulls := frame[name].null_count():
            raise LakeError(f"{table.name}.{name}: {nulls} rows without it; it is part of the key")
    key = list(table.sort_key)
    ordered = frame.sort(key)
    if not ordered.select(pl.struct(key).is_duplicated().any()).item():
        return ordered, 0
    distinct = frame.unique()
    preference = [name for name in frame.columns if name not in key]
    if "value" in frame.columns:
        is_zero = pl.col("value").fill_null(0.0) == 0
        distinct = distinct.sort(*key, is_zero, *preference, nulls_last=True)
    else:
        distinct = distinct.sort(*key, *preference, nulls_last=True)
    settled = distinct.unique(subset=key, keep="first", maintain_order=True)
    return settled, distinct.height - settled.height


def _changed(pull: pl.DataFrame, old: pl.DataFrame, *, table: Table) -> int:
    """Count rows of equal key and different content."""
    key = list(table.sort_key)
    both = pull.join(old, on=key, how="inner", suffix=" before")
    others = [name for name in table.schema if name not in key]
    if not others:
        return 0
    return both.filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} before")) for name in others)
    ).height


def _bound(frame: pl.DataFrame, *, end: str) -> datetime | None:
    found = frame["at"].min() if end == "min" else frame["at"].max()
    return found if isinstance(found, datetime) else None
