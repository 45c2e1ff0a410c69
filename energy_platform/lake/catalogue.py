"""The catalogue of days: what each source gave for each UTC day, and when it is asked for again.

One database, ``data/catalogue.sqlite`` or one by URL, shared with
:mod:`energy_platform.lake.day_files`. Here belongs what no file can say: a day that failed, a
device that is missing, how often it was tried, an answer that an operator accepted. Losing it
loses no reading: days are judged again when they are read again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import sqlalchemy as sa

from energy_platform.closeable import Closeable
from energy_platform.lake.catalogue_database import (
    CATALOGUE_FILE,
    CatalogueDatabase,
    CatalogueError,
    Text,
    from_column,
    to_column,
)
from energy_platform.lake.remembered import remembered_answer
from energy_platform.sources.coverage import DeviceDay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from energy_platform.lake.lake import Lake

DayState = Literal["whole", "partial", "failed"]
"""Whole: shown to be all there is. Partial: landed, something is missing. Failed: nothing new."""

FIRST_PAUSE: Final = timedelta(minutes=10)
"""Pause after the first partial or failed attempt at a day; doubled with each further one."""

LONGEST_PAUSE: Final = timedelta(hours=12)
"""The pause grows no further, so that a day is asked for at least twice a day."""


@dataclass(frozen=True, kw_only=True)
class DayRecord:
    """What is known of one source's UTC day.

    Attributes:
        source: The source.
        day: The UTC day.
        state: Whole, partial or failed at the newest attempt.
        why: Why it is not whole; empty when it is.
        rows: Rows of the day's file after the newest attempt.
        answer_id: Digest of the newest answer; empty when there was none.
        since: Since when the answer is this one, or the day has been failing.
        attempts: Attempts in a row that left the day partial or failed.
        next_at: Not asked for again before this instant; None when it is whole.
        attempted_at: The newest attempt.
    """

    source: str
    day: str
    state: DayState
    why: str
    rows: int
    answer_id: str
    since: datetime
    attempts: int
    next_at: datetime | None
    attempted_at: datetime


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A newer answer that an operator let take the place of what a day had.

    Attributes:
        source: The source.
        day: The UTC day.
        device: The one device it was for; empty for all.
        at: When.
        operator: Who: the name of the user at the machine.
        reason: Why, in the operator's words.
        dropped: Rows the day had and the newer answer has not.
        changed: Rows of both with another content.
        before_id: Digest of the day's rows before.
        after_id: Digest of the day's rows after.
        kept_in: File that holds the dropped rows; empty without any.
    """

    source: str
    day: str
    device: str
    at: datetime
    operator: str
    reason: str
    dropped: int
    changed: int
    before_id: str
    after_id: str
    kept_in: str


__all__ = [
    "CATALOGUE_FILE",
    "FIRST_PAUSE",
    "LONGEST_PAUSE",
    "Catalogue",
    "CatalogueError",
    "DayRecord",
    "DayState",
    "Replacement",
    "pause_after",
]

_METADATA: Final = sa.MetaData()

_SOURCE_DAYS: Final = sa.Table(
    "source_days",
    _METADATA,
    sa.Column("source", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("state", Text, nullable=False),
    sa.Column("why", Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("answer_id", Text, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_us", sa.BigInteger),
    sa.Column("attempted_us", sa.BigInteger, nullable=False),
)

_DEVICE_DAYS: Final = sa.Table(
    "device_days",
    _METADATA,
    sa.Column("source", Text, primary_key=True),
    sa.Column("day", Text, primary_key=True),
    sa.Column("device", Text, primary_key=True),
    sa.Column("asked", sa.Integer, nullable=False),
    sa.Column("answered", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("first_us", sa.BigInteger),
    sa.Column("last_us", sa.BigInteger),
    sa.Column("why_partial", Text, nullable=False),
)


_REPLACEMENTS: Final = sa.Table(
    "replacements",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("day", Text, nullable=False),
    sa.Column("device", Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("operator", Text, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("before_id", Text, nullable=False),
    sa.Column("after_id", Text, nullable=False),
    sa.Column("kept_in", Text, nullable=False),
)


class Catalogue(Closeable):
    """The catalogue of one data folder; safe with several threads and processes.

    Args:
        data_dir: The data folder.
        url: SQLAlchemy URL of a catalogue elsewhere; None for SQLite in the data folder.

    Raises:
        CatalogueError: The disk or the server refuses.
    """

    def __init__(self, data_dir: Path, *, url: SecretStr | None = None) -> None:
        self._data_dir = data_dir
        self._database = CatalogueDatabase(data_dir, _METADATA, url=url)
        self._database.open()

    @classmethod
    def of(cls, lake: Lake) -> Catalogue:
        """Open (or create) the catalogue that belongs to a lake."""
        return cls(lake.root.parent, url=lake.catalogue_url)

    @staticmethod
    def exists(lake: Lake) -> bool:
        """Whether a lake has one yet: looking must not make it."""
        return CatalogueDatabase(lake.root.parent, _METADATA, url=lake.catalogue_url).exists

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def record(
        self,
        *,
        source: str,
        day: str,
        state: DayState,
        now: datetime,
        why: str = "",
        rows: int = 0,
        answer_id: str = "",
        devices: Sequence[DeviceDay] | None = None,
    ) -> DayRecord:
        """Note what an attempt at a day came to.

        Args:
            source: The source.
            day: The UTC day.
            state: What the attempt came to.
            now: The present.
            why: Why the day is not whole.
            rows: Rows of the day's file.
            answer_id: Digest of the answer.
            devices: What each device gave; None leaves what is known.
        """

        def note(connection: sa.Connection) -> DayRecord:
            before = self._one(connection, source, day)
            same = before is not None and (before.state == state and before.answer_id == answer_id)
            attempts = 0 if state == "whole" else (before.attempts if before else 0) + 1
            after = DayRecord(
                source=source,
                day=day,
                state=state,
                why=why,
                rows=rows,
                answer_id=answer_id,
                since=before.since if before is not None and same else now,
                attempts=attempts,
                next_at=None if state == "whole" else now + pause_after(attempts),
                attempted_at=now,
            )
            _replace(connection, _SOURCE_DAYS, [_row_of(after)], source=source, day=day)
            if devices is not None:
                rows_of = [_device_row(source, day, device) for device in devices]
                _replace(connection, _DEVICE_DAYS, rows_of, source=source, day=day)
            return after

        return self._database.write(note)

    def days(
        self, source: str, *, first: str | None = None, last: str | None = None
    ) -> dict[str, DayRecord]:
        """Return what is known of a source's days, by day in order."""
        table = _SOURCE_DAYS
        query = sa.select(table).where(table.c.source == source).order_by(table.c.day)
        if first is not None:
            query = query.where(table.c.day >= first)
        if last is not None:
            query = query.where(table.c.day <= last)

        def read() -> dict[str, DayRecord]:
            return {row["day"]: _record_of(row) for row in self._rows(query)}

        if first is not None or last is not None:
            return read()
        return remembered_answer(
            ("source_days", self._data_dir, source), state=lambda: self._state(source), read=read
        )

    def _state(self, source: str) -> object:
        """Return what is another when anything about a source's days was noted."""
        table = _SOURCE_DAYS
        at = table.c.attempted_us
        query = sa.select(sa.func.count(), sa.func.max(at), sa.func.sum(at // 1_000_000)).where(
            table.c.source == source
        )
        return self._database.read(lambda connection: tuple(connection.execute(query).one()))

    def devices(self, source: str, day: str) -> tuple[DeviceDay, ...]:
        """Return what each device gave on a day, by device in order."""
        table = _DEVICE_DAYS
        query = (
            sa.select(table)
            .where(table.c.source == source, table.c.day == day)
            .order_by(table.c.device)
        )
        return tuple(
            DeviceDay(
                device=row["device"],
                asked=row["asked"],
                answered=row["answered"],
                rows=row["rows"],
                first_at=from_column(row["first_us"]),
                last_at=from_column(row["last_us"]),
                why_partial=row["why_partial"],
            )
            for row in self._rows(query)
        )

    def partial_since(self, source: str, device: str, *, day: str) -> str | None:
        """Return the first of the days up to ``day`` on all of which a device was not whole.

        Returns:
            None when it was whole on the day, or nothing is known of it.
        """
        table = _DEVICE_DAYS
        of_device = sa.and_(table.c.source == source, table.c.device == device, table.c.day <= day)
        whole = sa.select(sa.func.max(table.c.day)).where(of_device, table.c.why_partial == "")

        def read(connection: sa.Connection) -> str | None:
            last_whole = connection.execute(whole).scalar_one()
            query = sa.select(sa.func.min(table.c.day)).where(of_device)
            if last_whole is not None:
                query = query.where(table.c.day > last_whole)
            first: str | None = connection.execute(query).scalar_one()
            return first

        return self._database.read(read)

    def note_replacement(self, replacement: Replacement) -> None:
        """Keep that an operator let a newer answer take the place of rows a day had."""
        row = asdict(replacement) | {"at_us": to_column(replacement.at)}
        del row["at"]
        is_it = [column == row[column.name] for column in _REPLACEMENTS.c if column.name in row]

        def note(connection: sa.Connection) -> None:
            # A server that dies may have committed the first attempt and not said so.
            if connection.execute(sa.select(_REPLACEMENTS.c.id).where(*is_it)).first() is None:
                connection.execute(sa.insert(_REPLACEMENTS), row)

        self._database.write(note)

    def replacements(
        self, source: str | None = None, *, day: str | None = None
    ) -> tuple[Replacement, ...]:
        """Return what operators replaced, oldest first."""
        table = _REPLACEMENTS
        query = sa.select(table).order_by(table.c.at_us)
        if source is not None:
            query = query.where(table.c.source == source)
        if day is not None:
            query = query.where(table.c.day == day)
        found = []
        for row in self._rows(query):
            fields = {name: value for name, value in row.items() if name not in {"id", "at_us"}}
            at = from_column(row["at_us"])
            if at is not None:
                found.append(Replacement(**fields, at=at))
        return tuple(found)

    def _rows(self, query: sa.Select[tuple[object, ...]]) -> Sequence[sa.RowMapping]:
        return self._database.read(lambda connection: connection.execute(query).mappings().all())

    def _one(self, connection: sa.Connection, source: str, day: str) -> DayRecord | None:
        table = _SOURCE_DAYS
        query = sa.select(table).where(table.c.source == source, table.c.day == day)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _record_of(row)


def pause_after(attempts: int) -> timedelta:
    """Return how long a day rests after so many partial or failed attempts in a row.

    >>> [str(pause_after(attempts)) for attempts in (1, 2, 3, 99)]
    ['0:10:00', '0:20:00', '0:40:00', '12:00:00']
    """
    doublings = min(max(attempts, 1), 30) - 1
    return min(FIRST_PAUSE * float(1 << doublings), LONGEST_PAUSE)


def _replace(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[dict[str, object]],
    *,
    source: str,
    day: str,
) -> None:
    connection.execute(sa.delete(table).where(table.c.source == source, table.c.day == day))
    if rows:
        connection.execute(sa.insert(table), list(rows))


def _row_of(record: DayRecord) -> dict[str, object]:
    return {
        "source": record.source,
        "day": record.day,
        "state": record.state,
        "why": record.why,
        "rows": record.rows,
        "answer_id": record.answer_id,
        "since_us": to_column(record.since),
        "attempts": record.attempts,
        "next_us": to_column(record.next_at),
        "attempted_us": to_column(record.attempted_at),
    }


def _record_of(row: sa.RowMapping) -> DayRecord:
    since, attempted = from_column(row["since_us"]), from_column(row["attempted_us"])
    if since is None or attempted is None:
        raise CatalogueError("a day without an instant in the catalogue; remove it")
    return DayRecord(
        source=row["source"],
        day=row["day"],
        state=row["state"],
        why=row["why"],
        rows=row["rows"],
        answer_id=row["answer_id"],
        since=since,
        attempts=row["attempts"],
        next_at=from_column(row["next_us"]),
        attempted_at=attempted,
    )


def _device_row(source: str, day: str, device: DeviceDay) -> dict[str, object]:
    return {
        "source": source,
        "day": day,
        "device": device.device,
        "asked": device.asked,
        "answered": device.answered,
        "rows": device.rows,
        "first_us": to_column(device.first_at),
        "last_us": to_column(device.last_at),
        "why_partial": device.why_partial,
    }
