"""What stands, and which message went where: ``data/alerts.sqlite``.

A condition, its message and the sendings of that message are written in one transaction, so that a
restart reports nothing twice and forgets nothing. A sending that was under way when the process
died may have arrived; it is not repeated, and the daily digest lists what stands in any case.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from energy_platform.alerts.conditions import Condition
from energy_platform.closeable import Closeable
from energy_platform.days import MICROSECOND, instant, microseconds
from energy_platform.lake.database import sqlite_engine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from energy_platform.alerts.messages import Message

ALERTS_FILE: Final = "alerts.sqlite"


CLAIM_TIMEOUT: Final = timedelta(minutes=10)
"""A sending under way for longer belonged to a process that died."""

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""A channel that does not accept a message is asked again with a growing pause, for a day."""

KEPT: Final = timedelta(days=90)
"""How long conditions that are over and their messages are kept."""


class AlertStoreError(RuntimeError):
    """The alerts file cannot be used; the message names it and what to do."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A condition and what was reported of it.

    Attributes:
        id: Its number in the store.
        condition: As it was last seen.
        notified_at: When a message said that it begins; None when it was not reported yet.
        seen_at: When it last held.
    """

    id: int
    condition: Condition
    notified_at: datetime | None
    seen_at: datetime


class Sending(NamedTuple):
    """One message on its way through one channel."""

    id: int
    channel: str
    title: str
    body: str
    created_at: datetime
    attachments: tuple[Path, ...] = ()


_METADATA: Final = sa.MetaData()

_STANDING: Final = sa.Table(
    "conditions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("todo", sa.Text, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("seen_us", sa.BigInteger, nullable=False),
    sa.Column("told_us", sa.BigInteger),
    sa.Column("over_us", sa.BigInteger),
    sa.Index(
        "one_standing", "kind", "subject", unique=True, sqlite_where=sa.text("over_us IS NULL")
    ),
)

_MESSAGES: Final = sa.Table(
    "messages",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # JSON, a list of paths; null in messages without any and in those of older versions.
    sa.Column("attachments", sa.Text),
)

_SENDINGS: Final = sa.Table(
    "sendings",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("message_id", sa.Integer, sa.ForeignKey("messages.id"), nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)

_NOTES: Final = sa.Table(
    "notes",
    _METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class AlertStore(Closeable):
    """The alerts of one data folder; safe with several threads and processes.

    Args:
        path: The SQLite file; created when missing.

    Raises:
        AlertStoreError: The file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._faults():
            self._engine = sqlite_engine(sa.make_url(f"sqlite:///{path}"))
            _METADATA.create_all(self._engine)
            _add_attachments(self._engine)

    @classmethod
    def of(cls, data_dir: Path) -> AlertStore:
        """Open (or create) the alerts of a data folder."""
        return cls(data_dir / ALERTS_FILE)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change what stands and what is sent, all at once or not at all."""
        with self._faults(), self._engine.begin() as connection:
            yield Transaction(connection)

    def standing(self) -> list[Standing]:
        """Return what stands, oldest first."""
        with self._faults(), self._read() as connection:
            return _standing(connection)

    def claim(self, *, channels: Collection[str], now: datetime) -> list[Sending]:
        """Take every sending that is due, so that no other process sends it as well."""
        now_us = microseconds(now)
        table = _SENDINGS
        with self._faults(), self._engine.begin() as connection:
            connection.execute(
                sa.update(table)
                .where(
                    table.c.state == "sending",
                    table.c.next_us < now_us - CLAIM_TIMEOUT // MICROSECOND,
                )
                .values(state="unknown", error="the process ended while it was sent")
            )
            rows = connection.execute(
                sa.select(
                    table.c.id,
                    table.c.channel,
                    _MESSAGES.c.title,
                    _MESSAGES.c.body,
                    _MESSAGES.c.created_us,
                    _MESSAGES.c.attachments,
                )
                .join(_MESSAGES, _MESSAGES.c.id == table.c.message_id)
                .where(
                    table.c.state == "waiting",
                    table.c.next_us <= now_us,
                    table.c.channel.in_(list(channels)),
                )
                .order_by(table.c.id)
            ).all()
            if rows:
                connection.execute(
                    sa.update(table)
                    .where(table.c.id.in_([row.id for row in rows]))
                    .values(state="sending", next_us=now_us)
                )
        return [
            Sending(
                row.id,
                row.channel,
                row.title,
                row.body,
                instant(row.created_us),
                tuple(Path(one) for one in json.loads(row.attachments or "[]")),
            )
            for row in rows
        ]

    def note_sent(self, sending: Sending, *, error: str, now: datetime) -> None:
        """Note what became of a sending; one that was not accepted is due again after a pause."""
        table = _SENDINGS
        with self._faults(), self._engine.begin() as connection:
            if not error:
                values: dict[str, str | int] = {"state": "sent", "error": ""}
            else:
                attempts = connection.scalar(
                    sa.select(table.c.attempts).where(table.c.id == sending.id)
                )
                tries = int(attempts or 0) + 1
                pause = min(FIRST_PAUSE * float(1 << min(tries - 1, 20)), LONGEST_PAUSE)
                is_over = now - sending.created_at >= GIVE_UP_AFTER
                values = {
                    "state": "given_up" if is_over else "waiting",
                    "attempts": tries,
                    "next_us": microseconds(now + pause),
                    "error": error,
                }
            connection.execute(sa.update(table).where(table.c.id == sending.id).values(values))

    def troubles(self) -> dict[str, str]:
        """Return, by channel, what keeps messages from going out; empty when all went."""
        table = _SENDINGS
        query = (
            sa.select(table.c.channel, sa.func.count(), sa.func.max(table.c.error))
            .where(table.c.error != "", table.c.state.in_(("waiting", "sending", "given_up")))
            .group_by(table.c.channel)
        )
        with self._faults(), self._read() as connection:
            return {
                row[0]: f"{row[1]} messages not accepted: {row[2]}"
                for row in connection.execute(query)
            }

    def note(self, name: str) -> str | None:
        """Return what was noted under a name."""
        with self._faults(), self._read() as connection:
            value: str | None = connection.scalar(
                sa.select(_NOTES.c.value).where(_NOTES.c.name == name)
            )
        return value

    def _read(self) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DatabaseError as error:
            raise AlertStoreError(
                f"{self._path}: cannot be used ({error.orig}). If it is damaged, remove it: what "
                "stands is reported once more"
            ) from error


def _add_attachments(engine: sa.Engine) -> None:
    """Give a file of an older version the column that it lacks."""
    known = {one["name"] for one in sa.inspect(engine).get_columns(_MESSAGES.name)}
    if "attachments" in known:
        return
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE messages ADD COLUMN attachments TEXT"))
    except sa.exc.OperationalError as error:
        # Another process was quicker.
        if "duplicate column" not in str(error.orig):
            raise


class Transaction:
    """One change of the store."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def standing(self) -> list[Standing]:
        """Return what stands, oldest first."""
        return _standing(self._connection)

    def see(self, condition: Condition, *, now: datetime) -> None:
        """Note that a condition holds now; since when it does is kept from the first time."""
        table = _STANDING
        updated = self._connection.execute(
            sa.update(table)
            .where(
                table.c.kind == condition.kind,
                table.c.subject == condition.subject,
                table.c.over_us.is_(None),
            )
            .values(what=condition.what, todo=condition.todo, seen_us=microseconds(now))
        )
        if not updated.rowcount:
            self._connection.execute(
                sa.insert(table).values(
                    kind=condition.kind,
                    subject=condition.subject,
                    what=condition.what,
                    todo=condition.todo,
                    since_us=microseconds(condition.since),
                    seen_us=microseconds(now),
                )
            )

    def reported(self, ids: Sequence[int], *, now: datetime) -> None:
        """Note that the beginning of some conditions was put into a message."""
        self._set(ids, told_us=microseconds(now))

    def over(self, ids: Sequence[int], *, now: datetime) -> None:
        """Note that some conditions are over."""
        self._set(ids, over_us=microseconds(now))

    def _set(self, ids: Sequence[int], **values: int) -> None:
        if ids:
            self._connection.execute(
                sa.update(_STANDING).where(_STANDING.c.id.in_(list(ids))).values(values)
            )

    def queue(
        self,
        message: Message,
        *,
        channels: Collection[str],
        now: datetime,
        attachments: Collection[Path] = (),
    ) -> None:
        """Put a message on its way through some channels, with files that go with it."""
        now_us = microseconds(now)
        key = self._connection.execute(
            sa.insert(_MESSAGES).values(
                created_us=now_us,
                phase=message.phase,
                title=message.title,
                body=message.body,
                attachments=json.dumps([str(one) for one in attachments]) if attachments else None,
            )
        ).inserted_primary_key
        if key is None:
            raise AlertStoreError("the alerts file gave a message no number")
        self._connection.execute(
            sa.insert(_SENDINGS),
            [
                {
                    "message_id": key[0],
                    "channel": channel,
                    "state": "waiting",
                    "attempts": 0,
                    "next_us": now_us,
                    "error": "",
                }
                for channel in channels
            ],
        )

    def note(self, name: str, value: str) -> None:
        """Keep a value under a name."""
        self._connection.execute(sa.delete(_NOTES).where(_NOTES.c.name == name))
        self._connection.execute(sa.insert(_NOTES).values(name=name, value=value))

    def noted(self, name: str) -> str | None:
        """Return what was noted under a name."""
        value: str | None = self._connection.scalar(
            sa.select(_NOTES.c.value).where(_NOTES.c.name == name)
        )
        return value

    def prune(self, *, now: datetime) -> None:
        """Forget what is long over."""
        before = microseconds(now - KEPT)
        old = sa.select(_MESSAGES.c.id).where(_MESSAGES.c.created_us < before)
        self._connection.execute(sa.delete(_SENDINGS).where(_SENDINGS.c.message_id.in_(old)))
        self._connection.execute(sa.delete(_MESSAGES).where(_MESSAGES.c.created_us < before))
        self._connection.execute(sa.delete(_STANDING).where(_STANDING.c.over_us < before))


def _standing(connection: sa.Connection) -> list[Standing]:
    table = _STANDING
    query = sa.select(table).where(table.c.over_us.is_(None)).order_by(table.c.since_us, table.c.id)
    return [
        Standing(
            id=row["id"],
            condition=Condition(
                kind=row["kind"],
                subject=row["subject"],
                what=row["what"],
                since=instant(row["since_us"]),
                todo=row["todo"],
            ),
            notified_at=None if row["told_us"] is None else instant(row["told_us"]),
            seen_at=instant(row["seen_us"]),
        )
        for row in connection.execute(query).mappings()
    ]
