"""What a pull does to a raw day file: the newer answer wins, and no row is ever lost.

A day that is pulled again is merged with what it already has. Rows the vendor no longer sends are
kept and counted, so that a check can ask why they went. Equal rows leave the file byte for byte as
it is, so that nothing downstream wakes up.

A day may come in parts and is merged a row group at a time, so memory does not grow with the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.partitions import day_bounds
from energy_platform.storage.lake import LakeError
from energy_platform.storage.merging import Merge, Pull, changed_rows, settled

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    frame: pl.DataFrame | Iterable[pl.DataFrame],
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
            when the vendor answered with nothing. Or its parts, read one after the other before
            the table is locked: each may be in any order, but follows the one before in key.
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
        ValueError: ``complete_until`` has no zone, or a part does not follow the one before.
        Exception: What reading the parts raises; nothing was changed.
    """
    end = day_bounds(day)[1]
    if complete_until.tzinfo is None:
        raise ValueError(f"complete_until without a zone: {complete_until.isoformat()}")
    pull = Pull(table, [frame] if isinstance(frame, pl.DataFrame) else frame)
    merge: Merge | None = None
    with lake.draft(table, pull.parts(), day=day) as draft, lake.lock(table.name):
        before = lake.footer(table, day=day)
        until = min(complete_until.astimezone(UTC), end)
        if before is not None:
            until = max(until, complete_until_of(before))
            closed = closed or is_closed(before)
        meta = {COMPLETE_UNTIL: until.isoformat(), CLOSED: "true" if closed else "false"}
        old = lake.blocks(table, day=day)
        if before is None or before.content_id == draft.content_id:
            for _ in old:
                # Equal rows in a damaged file are not equal.
                pass
            written = draft.put_in_place(meta=meta, before=before)
        else:
            merge = Merge(table, old, draft.blocks())
            written = lake.write(table, merge.blocks(), day=day, meta=meta)
    changes = merge or Merge(table, (), ())
    bounds = [*pull.instants, *changes.kept_instants]
    return Landed(
        rows=written.after.rows,
        new=written.after.rows - (before.rows if before else 0),
        changed=changes.changed,
        lost=changes.kept if whole else 0,
        conflicting=pull.conflicting,
        first_at=min(bounds, default=None),
        last_at=max(bounds, default=None),
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
    snapshot, conflicting = settled(frame, table=table)
    with lake.lock(table.name):
        old = lake.read(table)
        written = lake.write(table, snapshot)
    gone = old.join(snapshot, on=table.sort_key, how="anti").height
    return Landed(
        rows=snapshot.height,
        new=snapshot.height - (old.height - gone),
        changed=changed_rows(snapshot, old, table=table),
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
