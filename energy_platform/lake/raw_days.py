"""What a pull does to a raw day file: the newer answer wins, and no row is ever lost.

A day that is pulled again is merged with what it already has. Rows the vendor no longer sends are
kept and counted, so that a check can ask why they went. Equal rows leave the file byte for byte as
it is, so that nothing downstream wakes up.

A day may come in chunks and is merged a row group at a time, so memory does not grow with the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.lake.files import set_aside
from energy_platform.lake.lake import LakeError
from energy_platform.lake.merging import Merge, Pull, changed_rows, deduplicate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from energy_platform.lake.lake import Footer, Lake
    from energy_platform.lake.restamped import Increments
    from energy_platform.schemas import Table

COMPLETE_UNTIL: Final = "complete_until"
"""Footer key: the vendor was asked for everything before this instant (ISO, UTC)."""

CLOSED: Final = "closed"
"""Footer key: ``true`` when the daily run has read the whole day, else ``false``."""


PARTIAL: Final = "partial"
"""Footer key: why the day is not shown to be whole; absent when it is."""


class Verdict(NamedTuple):
    """What a pull makes of a day once all its rows are read.

    Attributes:
        closed: Whether the day is closed by it.
        partial: Why the day is not shown to be whole; empty when it is. The same pull gives the
            same words, without clocks: they are part of the file.
    """

    closed: bool
    partial: str = ""


@dataclass(frozen=True, kw_only=True)
class RawDayResult:
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
        partial: Why the day is not shown to be whole; empty when it is, and for a snapshot.
        answer_id: Digest of the rows of the pull; empty for a snapshot.
        damaged: The damaged file that was set aside for this one; None without.
        damaged_rows: Rows that file said to have; None when it could not be asked.
        dropped: Rows the file had and no longer has, because the pull was to replace them.
        before_id: Digest of the file's rows before; empty without a file, and for a snapshot.
        after_id: Digest of the file's rows now.
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
    partial: str = ""
    answer_id: str = ""
    damaged: Path | None = None
    damaged_rows: int | None = None
    dropped: pl.DataFrame | None = None
    before_id: str = ""
    after_id: str = ""


def land_day(
    lake: Lake,
    table: Table,
    *,
    day: str,
    frame: pl.DataFrame | Iterable[pl.DataFrame],
    complete_until: datetime,
    closed: bool,
    whole: bool = True,
    verdict: Callable[[str], Verdict] | None = None,
    drops: pl.Expr | None = None,
    increments: Increments | None = None,
) -> RawDayResult:
    """Merge a pull into a raw day file.

    Args:
        lake: Where the file lies.
        table: Contract of the raw table.
        day: Partition key.
        frame: The pull in the table's columns, in any order, repeated rows allowed; zero rows
            when the vendor answered with nothing. Or its chunks, read one after the other before
            the table is locked: each may be in any order, but follows the one before in key.
        complete_until: The vendor was asked for everything before this instant; what lies beyond
            the day's end counts as its end. It never goes back.
        closed: Whether this pull closes the day. A closed day never becomes open again.
        whole: Whether the pull claims to be all the vendor has for the day. When False (newest
            values only), the rows it leaves out are not counted as lost.
        verdict: Asked, with a digest of the pulled rows, once they are all read; decides instead
            of ``closed``.
        drops: Which rows that the pull no longer has are to be dropped instead of kept: an
            operator accepts the newer answer. They are returned.
        increments: Which rows are increments: those that the pull no longer has, and that it has
            another stamp for, are dropped too.

    Returns:
        What changed.

    Raises:
        LakeError: The pull does not have the table's columns, or a key is null; nothing was
            changed. A damaged file in place is set aside, and the pull takes its place.
        ValueError: ``complete_until`` has no zone, or a chunk does not follow the one before.
        Exception: What reading the chunks raises; nothing was changed.

    A row that a newer answer no longer has is kept, and counted as lost:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from energy_platform.lake.lake import Lake
    >>> from energy_platform.schemas import RAW_VALUE, Table, instant_column, key_column
    >>> samples = Table(
    ...     name="raw_acme__samples",
    ...     description="Samples.",
    ...     columns=(key_column("meter", "Meter."), instant_column("at", "When."), *RAW_VALUE),
    ...     sort_key=("meter", "at"),
    ... )
    >>> row = {"meter": "7", "at": datetime(2026, 3, 1, 12, tzinfo=UTC), "value": 1.5}
    >>> frame = pl.DataFrame([row], schema=samples.schema)
    >>> midnight = datetime(2026, 3, 2, tzinfo=UTC)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lake = Lake(Path(folder) / "lake")
    ...     for answer in (frame, samples.empty()):
    ...         result = land_day(
    ...             lake,
    ...             samples,
    ...             day="2026-03-01",
    ...             frame=answer,
    ...             complete_until=midnight,
    ...             closed=True,
    ...         )
    ...         print(result.rows, result.new, result.lost, result.written)
    1 1 0 True
    1 0 1 False
    """
    end = day_bounds(day)[1]
    if complete_until.tzinfo is None:
        raise ValueError(f"complete_until without a zone: {complete_until.isoformat()}")
    pull = Pull(table, [frame] if isinstance(frame, pl.DataFrame) else frame)
    merge: Merge | None = None
    with lake.stage(table, pull.chunks(), day=day) as staged_file, lake.lock(table.name):
        answer_id = staged_file.content_id
        if verdict is not None:
            closed, partial = verdict(answer_id)
        else:
            partial = ""
        before, damage = _sound(lake, table, day=day)
        until = min(complete_until.astimezone(UTC), end)
        if before is not None:
            until = max(until, complete_until_of(before))
            if is_closed(before):
                # What was whole once has kept all its rows.
                closed, partial = True, partial_of(before)
        meta = {COMPLETE_UNTIL: until.isoformat(), CLOSED: "true" if closed else "false"}
        if partial:
            meta[PARTIAL] = partial
        if before is None or before.content_id == staged_file.content_id:
            written = staged_file.put_in_place(meta=meta, before=before)
        else:
            if increments is not None:
                gone = increments.replaced(
                    table, old=lake.blocks(table, day=day), new=staged_file.blocks()
                )
                drops = _or_among(drops, gone)
            merge = Merge(table, lake.blocks(table, day=day), staged_file.blocks(), drops=drops)
            written = lake.write(table, merge.blocks(), day=day, meta=meta)
    changes = merge or Merge(table, (), ())
    bounds = [*pull.instants, *changes.carried_over_instants]
    return RawDayResult(
        rows=written.after.rows,
        new=written.after.rows - (before.rows if before else 0),
        changed=changes.changed,
        lost=changes.carried_over if whole else 0,
        conflicting=pull.conflicting,
        first_at=min(bounds, default=None),
        last_at=max(bounds, default=None),
        complete_until=until,
        closed=closed,
        written=written.written,
        partial=partial,
        answer_id=answer_id,
        damaged=damage.path,
        damaged_rows=damage.rows,
        dropped=pl.concat(changes.dropped) if changes.dropped else None,
        before_id=before.content_id if before else "",
        after_id=written.after.content_id,
    )


def _or_among(drops: pl.Expr | None, gone: pl.DataFrame) -> pl.Expr | None:
    """Return what is dropped anyway, and the rows of some keys."""
    if gone.is_empty():
        return drops
    among = pl.struct(gone.columns).is_in(gone.to_struct().implode())
    return among if drops is None else drops | among


class _Damage(NamedTuple):
    path: Path | None = None
    rows: int | None = None


def _sound(lake: Lake, table: Table, *, day: str) -> tuple[Footer | None, _Damage]:
    """Return the footer of a day's file; one that cannot be read whole is set aside first.

    A damaged file would otherwise keep its day, and all that is made of it, from ever being right
    again: nothing is lost by a new reading, and the old bytes stay for whoever can save them.
    """
    rows: int | None = None
    try:
        before = lake.footer(table, day=day)
        if before is None:
            return None, _Damage()
        rows = before.rows
        complete_until_of(before)
        found = sum(block.height for block in lake.blocks(table, day=day))
        if found == rows:
            return before, _Damage()
    except (LakeError, ValueError):
        pass
    return None, _Damage(set_aside(lake.path(table, day=day)), rows)


def land_snapshot(lake: Lake, table: Table, frame: pl.DataFrame) -> RawDayResult:
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
    snapshot, conflicting = deduplicate(frame, table=table)
    with lake.lock(table.name):
        old = lake.read(table)
        written = lake.write(table, snapshot)
    gone = old.join(snapshot, on=table.sort_key, how="anti").height
    return RawDayResult(
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
        after_id=written.after.content_id,
    )


def complete_until_of(footer: Footer) -> datetime:
    """Return up to where a raw day was asked for.

    Raises:
        LakeError: The file is not a raw day.

    >>> from energy_platform.lake.footers import Footer
    >>> meta = {"complete_until": "2026-03-02T00:00:00+00:00"}
    >>> complete_until_of(Footer(rows=0, content_id="", meta=meta)).isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    text = footer.meta.get(COMPLETE_UNTIL)
    if text is None:
        raise LakeError("a raw day without complete_until; remove the file and run its day again")
    return datetime.fromisoformat(text)


def partial_of(footer: Footer) -> str:
    """Return why a raw day is not shown to be whole; empty when it is.

    >>> from energy_platform.lake.footers import Footer
    >>> partial_of(Footer(rows=0, content_id="", meta={"partial": "the answer was cut"}))
    'the answer was cut'
    """
    return footer.meta.get(PARTIAL, "")


def is_closed(footer: Footer) -> bool:
    """Whether the daily run has closed a raw day.

    >>> from energy_platform.lake.footers import Footer
    >>> is_closed(Footer(rows=0, content_id="", meta={"closed": "true"}))
    True
    """
    return footer.meta.get(CLOSED) == "true"
