"""Reads and writes the delivery ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.base import (
    LedgerBase,
    are_written,
    record_failure,
    retried,
    status_of,
    update_counts,
    write_dead_letters,
    write_events,
)
from energy_platform.delivery.ledger.model import (
    Event,
    OutboxEntry,
    PacketResult,
    Register,
    StreamFailure,
    StreamState,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STREAMS_PER_QUERY: Final = 400
"""Ids in one IN list; both databases take far more."""

_PLAN_COLUMNS: Final = (
    "planned_until_us",
    "last_packet_us",
    "undelivered_wh",
    "blocked_day",
    "blocked_since_us",
    "passed_day",
    "seen_version",
    "late_seen_version",
)
"""Columns of a stream that planning writes; all others belong to the answers."""

_REGISTER_COLUMNS: Final = tuple(column.name for column in fields(Register))


class Ledger(LedgerBase):
    """What was intended, acknowledged and refused, for every stream.

    Safe to use from several threads. One push at a time: see ``exclusive``.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL.
        terms: How long the lease of a push lasts.

    Raises:
        LedgerError: The URL is unusable, or the ledger is of a newer version.
    """

    # --- streams -------------------------------------------------------------------------------

    @retried
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

    def register_streams(self, stream_ids: Iterable[str], *, destination: str) -> None:
        """Make sure that each stream has a row; one that has keeps its destination."""
        rows = [{"stream_id": stream_id, "destination": destination} for stream_id in stream_ids]
        if rows:

            def work(connection: sa.Connection) -> None:
                connection.execute(self._insert(tables.streams).on_conflict_do_nothing(), rows)

            self._database.write(work)

    def commit_plan(
        self,
        states: Mapping[str, StreamState],
        *,
        entries: Sequence[OutboxEntry] = (),
        events: Sequence[Event] = (),
        now_us: int,
    ) -> None:
        """Write, at once, what was decided for some streams: entries, cursors and registers."""

        def work(connection: sa.Connection) -> None:
            if entries:
                connection.execute(
                    sa.insert(tables.packets),
                    [
                        {
                            "stream_id": entry.stream_id,
                            "at_us": entry.at_us,
                            "body": entry.body,
                            "status": "pending",
                            "planned_us": now_us,
                            "destination": entry.destination,
                        }
                        for entry in entries
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
            if entries:
                return status_of(connection, entries[0]) is not None
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

    @retried
    def pending_counts(self) -> dict[str, int]:
        """Return how many packets of each stream are planned and not yet answered."""
        packets = tables.packets
        query = (
            sa.select(packets.c.stream_id, sa.func.count())
            .where(packets.c.status == "pending")
            .group_by(packets.c.stream_id)
        )
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    @retried
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

    @retried
    def pending(self, stream_ids: Sequence[str]) -> dict[str, list[OutboxEntry]]:
        """Return the packets without an answer of some streams, in order."""
        packets = tables.packets
        found: dict[str, list[OutboxEntry]] = defaultdict(list)
        with self._read() as connection:
            for start in range(0, len(stream_ids), _STREAMS_PER_QUERY):
                query = (
                    sa.select(
                        packets.c.destination, packets.c.stream_id, packets.c.at_us, packets.c.body
                    )
                    .where(
                        packets.c.status == "pending",
                        packets.c.stream_id.in_(stream_ids[start : start + _STREAMS_PER_QUERY]),
                    )
                    .order_by(packets.c.stream_id, packets.c.at_us)
                )
                for name, stream_id, at_us, body in connection.execute(query):
                    found[stream_id].append(OutboxEntry(name, stream_id, at_us, bytes(body)))
        return dict(found)

    @retried
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

    @retried
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

    def record_results(
        self, results: Sequence[PacketResult], *, failures: Sequence[StreamFailure] = ()
    ) -> None:
        """Write what became of some packets, and which streams were left, in one transaction."""
        if not results and not failures:
            return
        packets = tables.packets

        def work(connection: sa.Connection) -> None:
            if results:
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
                        for one in results
                    ],
                )
                update_counts(connection, results)
                write_dead_letters(connection, [one for one in results if one.status == "refused"])
            for failure in failures:
                record_failure(connection, failure)

        def is_done(connection: sa.Connection) -> bool:
            return bool(results) and status_of(connection, results[0]) != "pending"

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

    def mark_in_doubt(self, destination: str) -> None:
        """Mark the streams with packets pending as in doubt: the push before crashed."""
        packets, streams = tables.packets, tables.streams
        pending = sa.select(packets.c.stream_id).where(packets.c.status == "pending")

        def work(connection: sa.Connection) -> None:
            connection.execute(
                sa.update(streams)
                .where(streams.c.destination == destination, streams.c.stream_id.in_(pending))
                .values(in_doubt=True)
            )

        self._database.write(work)
