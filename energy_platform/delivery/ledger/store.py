"""Reads and writes the delivery ledger."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.dialects import postgresql, sqlite

from energy_platform.closing import Closing
from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.answers import (
    are_written,
    bury,
    note_failure,
    status_of,
    tally,
    write_events,
)
from energy_platform.delivery.ledger.database import Database
from energy_platform.delivery.ledger.lease import Lease, LeaseTerms, owned
from energy_platform.delivery.ledger.model import (
    CredentialStop,
    DeadLetter,
    Event,
    Failure,
    Intent,
    Register,
    Run,
    Settled,
    StreamState,
)
from energy_platform.delivery.ledger.schema import migrate, open_engine

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_STREAMS_PER_QUERY: Final = 400
"""Ids in one IN list; both databases take far more."""

_PLAN_COLUMNS: Final = (
    "planned_until_us",
    "last_packet_us",
    "undelivered_wh",
    "held_day",
    "held_since_us",
    "passed_day",
    "looked_mark",
    "late_mark",
)
"""Columns of a stream that planning writes; all others belong to the answers."""

_REGISTER_COLUMNS: Final = tuple(column.name for column in fields(Register))

P = ParamSpec("P")
T = TypeVar("T")


def _patient(
    read: Callable[Concatenate[Ledger, P], T],
) -> Callable[Concatenate[Ledger, P], T]:
    """Let a method that only reads wait, during a push, for a database that is away."""

    @wraps(read)
    def patient(self: Ledger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.patiently(lambda: read(self, *args, **kwargs))

    return patient


class Ledger(Closing):
    """What was intended, acknowledged and refused, for every stream.

    Safe to use from several threads. One push at a time: see ``exclusive``.

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

    # --- streams -------------------------------------------------------------------------------

    @_patient
    def states(self) -> dict[str, StreamState]:
        """Return where every stream stands, by stream id."""
        with self._read() as connection:
            found = {
                row.pop("stream_id"): StreamState(**row)
                for row in map(dict, connection.execute(sa.select(tables.streams)).mappings())
            }
            for row in map(dict, connection.execute(sa.select(tables.registers)).mappings()):
                stream_id, field = row.pop("stream_id"), row.pop("field")
                if stream_id in found:
                    found[stream_id].registers[field] = Register(**row)
        return found

    def enrol(self, stream_ids: Iterable[str]) -> None:
        """Make sure that each stream has a row."""
        rows = [{"stream_id": stream_id} for stream_id in stream_ids]
        if rows:

            def work(connection: sa.Connection) -> None:
                connection.execute(self._insert(tables.streams).on_conflict_do_nothing(), rows)

            self._database.write(work)

    def commit_plan(
        self,
        states: Mapping[str, StreamState],
        *,
        intents: Sequence[Intent] = (),
        events: Sequence[Event] = (),
        now_us: int,
    ) -> None:
        """Write, at once, what was decided for some streams: intents, cursors and registers."""

        def work(connection: sa.Connection) -> None:
            if intents:
                connection.execute(
                    sa.insert(tables.packets),
                    [
                        {
                            "stream_id": intent.stream_id,
                            "at_us": intent.at_us,
                            "body": intent.body,
                            "status": "pending",
                            "intent_us": now_us,
                        }
                        for intent in intents
                    ],
                )
            if states:
                connection.execute(
                    sa.update(tables.streams)
                    .where(tables.streams.c.stream_id == sa.bindparam("key"))
                    .values({name: sa.bindparam(f"new_{name}") for name in _PLAN_COLUMNS}),
                    [
                        {"key": stream_id}
                        | {f"new_{name}": getattr(state, name) for name in _PLAN_COLUMNS}
                        for stream_id, state in states.items()
                    ],
                )
            self._write_registers(connection, states)
            write_events(connection, events)

        def is_done(connection: sa.Connection) -> bool:
            if intents:
                return status_of(connection, intents[0]) is not None
            return are_written(connection, events)

        self._database.write(work, is_done=is_done)

    def _write_registers(
        self, connection: sa.Connection, states: Mapping[str, StreamState]
    ) -> None:
        rows = [
            {"stream_id": stream_id, "field": name}
            | {column: getattr(register, column) for column in _REGISTER_COLUMNS}
            for stream_id, state in states.items()
            for name, register in state.registers.items()
        ]
        if rows:
            insert = self._insert(tables.registers)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["stream_id", "field"],
                    set_={column: insert.excluded[column] for column in _REGISTER_COLUMNS},
                ),
                rows,
            )

    # --- packets -------------------------------------------------------------------------------

    @_patient
    def pending_counts(self) -> dict[str, int]:
        """Return how many packets of each stream have an intent and no answer."""
        packets = tables.packets
        query = (
            sa.select(packets.c.stream_id, sa.func.count())
            .where(packets.c.status == "pending")
            .group_by(packets.c.stream_id)
        )
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    @_patient
    def pending_since(self) -> dict[str, int]:
        """Return the oldest instant without an answer of each stream that has one."""
        packets = tables.packets
        query = (
            sa.select(packets.c.stream_id, sa.func.min(packets.c.at_us))
            .where(packets.c.status == "pending")
            .group_by(packets.c.stream_id)
        )
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    @_patient
    def pending(self, stream_ids: Sequence[str]) -> dict[str, list[Intent]]:
        """Return the packets without an answer of some streams, in order."""
        packets = tables.packets
        found: dict[str, list[Intent]] = defaultdict(list)
        with self._read() as connection:
            for start in range(0, len(stream_ids), _STREAMS_PER_QUERY):
                query = (
                    sa.select(packets.c.stream_id, packets.c.at_us, packets.c.body)
                    .where(
                        packets.c.status == "pending",
                        packets.c.stream_id.in_(stream_ids[start : start + _STREAMS_PER_QUERY]),
                    )
                    .order_by(packets.c.stream_id, packets.c.at_us)
                )
                for stream_id, at_us, body in connection.execute(query):
                    found[stream_id].append(Intent(stream_id, at_us, bytes(body)))
        return dict(found)

    @_patient
    def first_instants(self, stream_ids: Iterable[str]) -> dict[str, int]:
        """Return the oldest instant that each of some streams has a packet for."""
        packets = tables.packets
        query = (
            sa.select(packets.c.at_us)
            .where(packets.c.stream_id == sa.bindparam("key"))
            .order_by(packets.c.at_us)
            .limit(1)
        )
        with self._read() as connection:
            found = {
                stream_id: connection.scalar(query, {"key": stream_id}) for stream_id in stream_ids
            }
        return {stream_id: at_us for stream_id, at_us in found.items() if at_us is not None}

    @_patient
    def instants(self, stream_id: str, *, after_us: int, until_us: int) -> dict[int, str]:
        """Return the instants in ``(after, until]`` that have a packet, with its status."""
        packets = tables.packets
        query = sa.select(packets.c.at_us, packets.c.status).where(
            packets.c.stream_id == stream_id,
            packets.c.at_us > after_us,
            packets.c.at_us <= until_us,
        )
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def settle(self, settled: Sequence[Settled], *, failures: Sequence[Failure] = ()) -> None:
        """Write what became of some packets, and which streams were left, in one transaction."""
        if not settled and not failures:
            return
        packets = tables.packets

        def work(connection: sa.Connection) -> None:
            if settled:
                connection.execute(
                    sa.update(packets)
                    .where(
                        packets.c.stream_id == sa.bindparam("key"),
                        packets.c.at_us == sa.bindparam("key_us"),
                    )
                    .values(
                        status=sa.bindparam("new_status"),
                        settled_us=sa.bindparam("new_settled_us"),
                        answer=sa.bindparam("new_answer"),
                    ),
                    [
                        {
                            "key": one.stream_id,
                            "key_us": one.at_us,
                            "new_status": one.status,
                            "new_settled_us": one.settled_us,
                            "new_answer": one.answer,
                        }
                        for one in settled
                    ],
                )
                tally(connection, settled)
                bury(connection, [one for one in settled if one.status == "refused"])
            for failure in failures:
                note_failure(connection, failure)

        def is_done(connection: sa.Connection) -> bool:
            return bool(settled) and status_of(connection, settled[0]) != "pending"

        self._database.write(work, is_done=is_done)

    def prune(self, stream_ids: Iterable[str], *, before_us: int) -> None:
        """Forget settled packets of some streams older than an instant.

        Counts, cursors, dead letters and events stay.
        """
        packets = tables.packets
        rows = [{"key": stream_id, "before": before_us} for stream_id in stream_ids]
        if rows:

            def work(connection: sa.Connection) -> None:
                connection.execute(
                    sa.delete(packets).where(
                        packets.c.stream_id == sa.bindparam("key"),
                        packets.c.at_us < sa.bindparam("before"),
                        packets.c.status != "pending",
                    ),
                    rows,
                )

            self._database.write(work)

    # --- dead letters --------------------------------------------------------------------------

    @_patient
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

    def close_letter(self, letter: DeadLetter, *, state: str, pending: bool, now_us: int) -> None:
        """Take a refused packet off the list, either to be sent again or for good.

        Args:
            letter: The letter.
            state: ``resent`` or ``discarded``.
            pending: Whether its packet is to be sent again, in its place in the order.
            now_us: The present.
        """
        packets, letters = tables.packets, tables.dead_letters

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(letters).where(letters.c.id == letter.id).values(state=state)
            )
            connection.execute(
                sa.update(packets)
                .where(packets.c.stream_id == letter.stream_id, packets.c.at_us == letter.at_us)
                .values(
                    status="pending" if pending else "skipped",
                    settled_us=None if pending else now_us,
                )
            )
            connection.execute(
                sa.update(tables.streams)
                .where(tables.streams.c.stream_id == letter.stream_id)
                .values(stopped=None, refused_streak=0, failure=None, failing_since_us=None)
            )
            detail: dict[str, str | int | float | None] = {"packet_us": letter.at_us}
            kind = Event(now_us, letter.stream_id, "resent" if pending else "skipped", detail)
            write_events(connection, [kind])

        self._database.write(work)

    # --- events --------------------------------------------------------------------------------

    def note(self, *events: Event) -> None:
        """Write events."""

        def work(connection: sa.Connection) -> None:
            write_events(connection, events)

        self._database.write(work, is_done=lambda connection: are_written(connection, events))

    @_patient
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

    @_patient
    def stopped_credentials(self) -> dict[str, CredentialStop]:
        """Return the credentials that Wattics refused."""
        with self._read() as connection:
            rows = connection.execute(sa.select(tables.credentials)).mappings()
            return {row["name"]: CredentialStop(**dict(row)) for row in rows}

    def stop_credential(self, stop: CredentialStop) -> None:
        """Remember that a credential was refused and when to probe it; notes the first time."""
        insert = self._insert(tables.credentials)

        def work(connection: sa.Connection) -> None:
            is_new = (
                connection.scalar(
                    sa.select(tables.credentials.c.name).where(
                        tables.credentials.c.name == stop.name
                    )
                )
                is None
            )
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"probe_us": insert.excluded.probe_us, "reason": insert.excluded.reason},
                ),
                [stop._asdict()],
            )
            if is_new:
                detail: dict[str, str | int | float | None] = {
                    "credential": stop.name,
                    "reason": stop.reason,
                }
                write_events(connection, [Event(stop.stopped_us, None, "auth_stopped", detail)])

        self._database.write(work)

    def free_credential(self, name: str, *, now_us: int) -> None:
        """Remember that a credential works again."""
        table = tables.credentials

        def work(connection: sa.Connection) -> None:
            gone = connection.execute(sa.delete(table).where(table.c.name == name))
            if gone.rowcount:
                event = Event(now_us, None, "auth_recovered", {"credential": name})
                write_events(connection, [event])

        self._database.write(work)

    # --- runs ----------------------------------------------------------------------------------

    @_patient
    def run(self) -> Run | None:
        """Return how the newest push stands; None before the first."""
        table = tables.runs
        query = sa.select(
            table.c.is_open, table.c.failures, table.c.started_us, table.c.next_us, table.c.error
        ).where(table.c.id == 1)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Run(*row)

    def set_run(self, run: Run) -> None:
        """Write how the newest push stands."""
        insert = self._insert(tables.runs)

        def work(connection: sa.Connection) -> None:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["id"],
                    set_={name: insert.excluded[name] for name in Run._fields},
                ),
                [{"id": 1} | run._asdict()],
            )

        self._database.write(work)

    def doubt(self) -> None:
        """Mark every stream with packets pending as unclear: the push before ended in a crash."""
        packets, streams = tables.packets, tables.streams
        pending = sa.select(packets.c.stream_id).where(packets.c.status == "pending")

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(streams).where(streams.c.stream_id.in_(pending)).values(unclear=True)
            )

        self._database.write(work)
