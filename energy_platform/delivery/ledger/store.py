"""Reads and writes the delivery ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.answers import (
    are_written,
    bury,
    note_failure,
    status_of,
    tally,
    write_events,
)
from energy_platform.delivery.ledger.base import patient
from energy_platform.delivery.ledger.model import (
    Event,
    Failure,
    Intent,
    Register,
    Settled,
    StreamState,
)
from energy_platform.delivery.ledger.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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


class Ledger(Notes):
    """What was intended, acknowledged and refused, for every stream.

    Safe to use from several threads. One push at a time: see ``exclusive``.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.
        terms: How long the lease of a push lasts.

    Raises:
        LedgerError: The URL is unusable, or the ledger is of a newer version.
    """

    # --- streams -------------------------------------------------------------------------------

    @patient
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

    @patient
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

    @patient
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

    @patient
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

    @patient
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

    @patient
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

    def doubt(self) -> None:
        """Mark every stream with packets pending as unclear: the push before ended in a crash."""
        packets, streams = tables.packets, tables.streams
        pending = sa.select(packets.c.stream_id).where(packets.c.status == "pending")

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(streams).where(streams.c.stream_id.in_(pending)).values(unclear=True)
            )

        self._database.write(work)
