"""Opens the ledger, and keeps what is next to streams and packets: events, refusals, runs.

Belongs here: refused packets, events, credentials, runs, and what answers change. Does not: plans
and packets (``store``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.dialects import postgresql, sqlite

from energy_platform.closeable import Closeable
from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.database import Database, migrate, open_engine
from energy_platform.delivery.ledger.lease import Lease, LeaseTerms, owned
from energy_platform.delivery.ledger.model import CredentialStop, DeadLetter, Event, Run

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from energy_platform.delivery.ledger.model import OutboxEntry, PacketResult, StreamFailure


L = TypeVar("L", bound="LedgerBase")
P = ParamSpec("P")
T = TypeVar("T")


def retried(
    read: Callable[Concatenate[L, P], T],
) -> Callable[Concatenate[L, P], T]:
    """Let a method that only reads wait, during a push, for a database that is away."""

    @wraps(read)
    def waiting(self: L, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.retry_reads(lambda: read(self, *args, **kwargs))

    return waiting


def update_counts(connection: sa.Connection, results: Sequence[PacketResult]) -> None:
    """Bring the counts and the newest acknowledged instant of each stream up to date."""
    by_stream: dict[str, list[PacketResult]] = defaultdict(list)
    for one in results:
        by_stream[one.stream_id].append(one)
    streams = tables.streams
    newest = sa.case(
        (sa.bindparam("newest_us", type_=sa.BigInteger).is_(None), streams.c.last_acknowledged_us),
        (
            sa.func.coalesce(streams.c.last_acknowledged_us, 0)
            < sa.bindparam("newest_us", type_=sa.BigInteger),
            sa.bindparam("newest_us", type_=sa.BigInteger),
        ),
        else_=streams.c.last_acknowledged_us,
    )
    rows: list[dict[str, Any]] = []
    for stream_id, ones in by_stream.items():
        good = [one.at_us for one in ones if one.status == "acknowledged"]
        refused = sum(1 for one in ones if one.status == "refused")
        streak = 0
        for one in reversed(ones):
            if one.status == "acknowledged":
                break
            streak += one.status == "refused"
        rows.append(
            {
                "key": stream_id,
                "good": len(good),
                "bad": refused,
                "streak": streak,
                "keep_streak": 0 if good else 1,
                "newest_us": max(good, default=None),
            }
        )
    connection.execute(
        sa.update(streams)
        .where(streams.c.stream_id == sa.bindparam("key"))
        .values(
            acknowledged=streams.c.acknowledged + sa.bindparam("good"),
            refused=streams.c.refused + sa.bindparam("bad"),
            refused_streak=streams.c.refused_streak * sa.bindparam("keep_streak")
            + sa.bindparam("streak"),
            last_acknowledged_us=newest,
            in_doubt=sa.false(),
            failure=None,
            failing_since_us=None,
            resume_us=None,
        ),
        rows,
    )


def write_dead_letters(connection: sa.Connection, refused: Sequence[PacketResult]) -> None:
    """Keep refused packets whole, with the answer."""
    packets, letters = tables.packets, tables.dead_letters
    for one in refused:
        packet = connection.execute(
            sa.select(packets.c.body, packets.c.destination).where(
                packets.c.stream_id == one.stream_id, packets.c.at_us == one.at_us
            )
        ).one()
        connection.execute(
            sa.insert(letters).values(
                stream_id=one.stream_id,
                at_us=one.at_us,
                body=packet.body,
                destination=packet.destination,
                answer=one.answer,
                reason=one.reason,
                refused_us=one.settled_us,
                state="open",
            )
        )
        detail: dict[str, str | int | float | None] = {
            "packet_us": one.at_us,
            "answer": one.answer,
            "reason": one.reason,
        }
        write_events(connection, [Event(one.settled_us, one.stream_id, "refused", detail)])


def record_failure(connection: sa.Connection, failure: StreamFailure) -> None:
    """Remember why a stream was left."""
    streams = tables.streams
    connection.execute(
        sa.update(streams)
        .where(streams.c.stream_id == failure.stream_id)
        .values(
            failure=failure.reason,
            failing_since_us=sa.func.coalesce(streams.c.failing_since_us, failure.at_us),
            in_doubt=failure.in_doubt,
            resume_us=failure.resume_us,
            stopped=failure.reason if failure.stopped else None,
        )
    )
    if failure.stopped:
        event = Event(failure.at_us, failure.stream_id, "stopped", {"reason": failure.reason})
        write_events(connection, [event])


def write_events(connection: sa.Connection, events: Sequence[Event]) -> None:
    """Append events."""
    if events:
        connection.execute(
            sa.insert(tables.events),
            [
                {
                    "at_us": event.at_us,
                    "stream_id": event.stream_id,
                    "kind": event.kind,
                    "detail": json.dumps(event.detail, sort_keys=True),
                }
                for event in events
            ],
        )


def are_written(connection: sa.Connection, events: Sequence[Event]) -> bool:
    """Say whether events are there already, by the first of them."""
    if not events:
        return False
    first, table = events[0], tables.events
    query = sa.select(table.c.id).where(
        table.c.at_us == first.at_us,
        table.c.stream_id.is_not_distinct_from(first.stream_id),
        table.c.kind == first.kind,
        table.c.detail == json.dumps(first.detail, sort_keys=True),
    )
    return connection.scalar(query.limit(1)) is not None


def status_of(connection: sa.Connection, packet: OutboxEntry | PacketResult) -> str | None:
    """Return how a packet stands; None when the ledger does not know it."""
    packets = tables.packets
    found: str | None = connection.scalar(
        sa.select(packets.c.status).where(
            packets.c.stream_id == packet.stream_id, packets.c.at_us == packet.at_us
        )
    )
    return found


class LedgerBase(Closeable):
    """An open ledger, with all that it keeps next to streams and packets.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.
        terms: How long the lease of a push lasts.

    Raises:
        LedgerError: The URL is unusable, or the ledger is of a newer version.
    """

    def __init__(self, url: str | SecretStr, *, terms: LeaseTerms | None = None) -> None:
        engine = open_engine(url.get_secret_value() if isinstance(url, SecretStr) else url)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        self._database = Database(engine)
        self._terms = terms or LeaseTerms()
        self._insert = postgresql.insert if self._database.is_postgresql else sqlite.insert

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open (or create) the SQLite ledger at a path."""
        return cls(f"sqlite:///{path}")

    def __repr__(self) -> str:
        return f"Ledger({self.engine.url.render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> sa.Engine:
        """The database, for reading with SQL of one's own."""
        return self._database.engine

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def exclusive(
        self, *, stop: threading.Event, place: str = "", under_way_s: float = 30.0
    ) -> AbstractContextManager[Lease | None]:
        """Own the ledger for a push: pushes of other hosts wait, and every transaction is fenced.

        Args:
            stop: Ends the waiting for another push; None is yielded then.
            place: A file whose lock is held meanwhile (see ``lease.place_of``).
            under_way_s: How long a request may be under way after it began.

        Raises:
            LedgerError: The database stayed away.
        """
        return owned(
            self._database, terms=self._terms, place=place, under_way_s=under_way_s, stop=stop
        )

    def _read(self) -> sa.Connection:
        return self._database.connect()

    # --- dead letters --------------------------------------------------------------------------

    @retried
    def dead_letters(
        self, *, stream_id: str | None = None, state: str | None = "open"
    ) -> list[DeadLetter]:
        """Return refused packets, oldest first.

        Args:
            stream_id: Of one stream only.
            state: ``open``, ``resent`` or ``discarded``; None for all.
        """
        letters = tables.dead_letters
        query = sa.select(letters).order_by(letters.c.id)
        if stream_id is not None:
            query = query.where(letters.c.stream_id == stream_id)
        if state is not None:
            query = query.where(letters.c.state == state)
        with self._read() as connection:
            return [
                DeadLetter(**dict(row) | {"body": bytes(row["body"])})
                for row in connection.execute(query).mappings()
            ]

    def close_dead_letter(
        self, dead_letter: DeadLetter, *, state: str, pending: bool, now_us: int
    ) -> None:
        """Take a refused packet off the list, either to be sent again or for good.

        Args:
            dead_letter: The refused packet.
            state: ``resent`` or ``discarded``.
            pending: Whether its packet is to be sent again, in its place in the order.
            now_us: The present.
        """
        packets, letters = tables.packets, tables.dead_letters

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(letters).where(letters.c.id == dead_letter.id).values(state=state)
            )
            connection.execute(
                sa.update(packets)
                .where(
                    packets.c.stream_id == dead_letter.stream_id,
                    packets.c.at_us == dead_letter.at_us,
                )
                .values(
                    status="pending" if pending else "skipped",
                    settled_us=None if pending else now_us,
                )
            )
            connection.execute(
                sa.update(tables.streams)
                .where(tables.streams.c.stream_id == dead_letter.stream_id)
                .values(stopped=None, refused_streak=0, failure=None, failing_since_us=None)
            )
            detail: dict[str, str | int | float | None] = {"packet_us": dead_letter.at_us}
            kind = Event(now_us, dead_letter.stream_id, "resent" if pending else "skipped", detail)
            write_events(connection, [kind])

        self._database.write(work)

    # --- events --------------------------------------------------------------------------------

    def note(self, *events: Event) -> None:
        """Write events."""

        def work(connection: sa.Connection) -> None:
            write_events(connection, events)

        self._database.write(work, is_done=lambda connection: are_written(connection, events))

    @retried
    def events(self, *, stream_id: str | None = None, kind: str | None = None) -> list[Event]:
        """Return events in order, all or of one stream or kind."""
        table = tables.events
        query = sa.select(table.c.at_us, table.c.stream_id, table.c.kind, table.c.detail).order_by(
            table.c.id
        )
        if stream_id is not None:
            query = query.where(table.c.stream_id == stream_id)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        with self._read() as connection:
            return [
                Event(at_us, stream, name, json.loads(detail))
                for at_us, stream, name, detail in connection.execute(query)
            ]

    # --- credentials ---------------------------------------------------------------------------

    @retried
    def stopped_credentials(self, destination: str) -> dict[str, CredentialStop]:
        """Return the credentials that a destination refused, by name."""
        table = tables.credentials
        query = sa.select(table).where(table.c.destination == destination)
        with self._read() as connection:
            rows = connection.execute(query).mappings()
            return {row["name"]: CredentialStop(**dict(row)) for row in rows}

    def stop_credential(self, stop: CredentialStop) -> None:
        """Remember that a credential was refused and when to probe it; notes the first time."""
        insert = self._insert(tables.credentials)

        def work(connection: sa.Connection) -> None:
            is_new = (
                connection.scalar(
                    sa.select(tables.credentials.c.name).where(
                        tables.credentials.c.destination == stop.destination,
                        tables.credentials.c.name == stop.name,
                    )
                )
                is None
            )
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["destination", "name"],
                    set_={"probe_us": insert.excluded.probe_us, "reason": insert.excluded.reason},
                ),
                [stop._asdict()],
            )
            if is_new:
                detail: dict[str, str | int | float | None] = {
                    "destination": stop.destination,
                    "credential": stop.name,
                    "reason": stop.reason,
                }
                write_events(connection, [Event(stop.stopped_us, None, "auth_stopped", detail)])

        self._database.write(work)

    def free_credential(self, name: str, *, destination: str, now_us: int) -> None:
        """Remember that a credential works again."""
        table = tables.credentials

        def work(connection: sa.Connection) -> None:
            gone = connection.execute(
                sa.delete(table).where(table.c.destination == destination, table.c.name == name)
            )
            if gone.rowcount:
                detail: dict[str, str | int | float | None] = {
                    "destination": destination,
                    "credential": name,
                }
                event = Event(now_us, None, "auth_recovered", detail)
                write_events(connection, [event])

        self._database.write(work)

    # --- runs ----------------------------------------------------------------------------------

    @retried
    def run(self, destination: str) -> Run | None:
        """Return how the newest push to a destination stands; None before the first."""
        table = tables.runs
        query = sa.select(
            table.c.is_open, table.c.failures, table.c.started_us, table.c.next_us, table.c.error
        ).where(table.c.destination == destination)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Run(*row)

    def set_run(self, run: Run, *, destination: str) -> None:
        """Write how the newest push to a destination stands."""
        insert = self._insert(tables.runs)

        def work(connection: sa.Connection) -> None:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["destination"],
                    set_={name: insert.excluded[name] for name in Run._fields},
                ),
                [{"destination": destination} | run._asdict()],
            )

        self._database.write(work)
