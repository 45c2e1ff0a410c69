"""What a refresh found and did, for metadata, logs and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class StaleDay:
    """A day whose derived files no longer follow from what they were made of.

    Attributes:
        day: Partition key.
        why: What differs, one phrase each.
    """

    day: str
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BlockedDay:
    """A day whose raw file vanished or is damaged; its readings stay as they were.

    Attributes:
        day: Partition key.
        why: Which file, and what to do.
    """

    day: str
    why: str


@dataclass(frozen=True, kw_only=True)
class RefreshedTable:
    """What became of one table's file of a day.

    Attributes:
        rows: Rows now in the file.
        written: Whether the file was replaced; its fingerprint alone may have changed.
        changed: Whether the rows differ from those before.
        first_at: Earliest instant of the table's time column, None without rows.
        last_at: Latest instant of the table's time column, None without rows.
        statuses: Rows by status, or by kind, method or reason where the table has no status.
        reasons: Rows by reason, without those that have none.
    """

    rows: int
    written: bool
    changed: bool
    first_at: datetime | None
    last_at: datetime | None
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RefreshedDay:
    """A day that was rebuilt, in whole or in part.

    Attributes:
        day: Partition key.
        why: Why it was stale, one phrase each.
        tables: By table name, only those that were rebuilt.
        merged: Rows of repeated samples that were merged away, by kind of repetition.
    """

    day: str
    why: tuple[str, ...]
    tables: Mapping[str, RefreshedTable]
    merged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """A whole refresh.

    Attributes:
        days: Those rebuilt, in order.
        blocked: Those whose raw files need an operator.
        seen: Number of days looked at.
    """

    days: tuple[RefreshedDay, ...]
    blocked: tuple[BlockedDay, ...]
    seen: int
