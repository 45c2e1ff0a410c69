"""The ledger, open: what was planned, acknowledged and refused, for every stream.

Belongs here: opening it, owning it for a push, its queries and its transactions. Does not: what a
transaction writes (``writes``), how it is fenced and repeated (``database``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial, wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from pydantic import SecretStr

from energy_platform.closeable import Closeable
from energy_platform.delivery.ledger import tables, writes
from energy_platform.delivery.ledger.database import Database, migrate, open_engine
from energy_platform.delivery.ledger.lease import LeaseTerms, owned
from energy_platform.delivery.ledger.tables import (
    CredentialStop,
    DeadLetter,
    Event,
    OutboxEntry,
    Register,
    Run,
    StreamState,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from energy_platform.delivery.ledger.lease import Lease
    from energy_platform.delivery.ledger.tables import PacketResult, StreamFailure

_STREAMS_PER_QUERY: Final = 400
"""Ids in one IN list; both databases take far more."""

P = ParamSpec("P")
T = TypeVar("T")


def _retried(
    read: Callable[Concatenate[Ledger, P], T],
) -> Callable[Concatenate[Ledger, P], T]:
    """Let a method that only reads wait, during a push, for a database that is away."""

    @wraps(read)
    def waiting(self: Ledger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.retry_reads(lambda: read(self, *args, **kwargs))

    return waiting


class Ledger(Closeable):
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

    @_retried
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
        ids = [*stream_ids]
        if ids:
            self._database.write(
                partial(writes.register_streams, stream_ids=ids, destination=destination)
            )

    def commit_plan(
        self,
        states: Mapping[str, StreamState],
        *,
        entries: Sequence[OutboxEntry] = (),
        events: Sequence[Event] = (),
        now_us: int,
    ) -> None:
        """Write, at once, what was decided for some streams: entries, cursors and registers."""

        def is_done(connection: sa.Connection) -> bool:
            if entries:
                return writes.status_of(connection, entries[0]) is not None
            return writes.are_written(connection, events)

        self._database.write(
            partial(
                writes.write_plan, states=states, entries=entries, events=events, now_us=now_us
            ),
            is_done=is_done,
        )

    def mark_restored(self, *, lake_until_us: int, now_us: int) -> int:
        """Note that this is an older ledger put back: each stream reads back before it sends.

        Args:
            lake_until_us: Up to where the lake is there: the days since then are waited for.
            now_us: The present.

        Returns:
            How many streams there are.
        """
        self._database.write(
            partial(writes.mark_restored, lake_until_us=lake_until_us, now_us=now_us)
        )
        return len(self.states())

    def record_read_back(
        self,
        stream_id: str,
        state: StreamState,
        *,
        stored_us: int | None,
        unrecorded: tuple[int, int] | None,
        events: Sequence[Event],
        now_us: int,
    ) -> None:
        """Write, at once, where a restored stream goes on.

        Args:
            stream_id: The stream.
            state: Its cursor and registers.
            stored_us: Newest instant that is stored there; None: nothing is.
            unrecorded: After and until which instant packets were sent that are not listed here.
            events: What an operator should know of.
            now_us: The present.
        """
        self._database.write(
            partial(
                writes.write_read_back,
                stream_id=stream_id,
                state=state,
                stored_us=stored_us,
                unrecorded=unrecorded,
                events=events,
                now_us=now_us,
            ),
            is_done=lambda connection: writes.are_written(connection, events),
        )

    @_retried
    def unrecorded(self, stream_ids: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
        """Return the spans ``(after, until]`` whose packets were sent and are not listed here."""
        wanted = set(stream_ids)
        table = tables.unrecorded
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        with self._read() as connection:
            for stream_id, after_us, until_us in connection.execute(
                sa.select(table.c.stream_id, table.c.after_us, table.c.until_us)
            ):
                if stream_id in wanted:
                    found[stream_id].append((after_us, until_us))
        return dict(found)

    # --- packets -------------------------------------------------------------------------------

    @_retried
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

    @_retried
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

    @_retried
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

    @_retried
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

    @_retried
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

        def is_done(connection: sa.Connection) -> bool:
            return bool(results) and writes.status_of(connection, results[0]) != "pending"

        self._database.write(
            partial(writes.write_results, results=results, failures=failures), is_done=is_done
        )

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

    # --- dead letters --------------------------------------------------------------------------

    @_retried
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
        self._database.write(
            partial(
                writes.close_dead_letter,
                dead_letter=dead_letter,
                state=state,
                pending=pending,
                now_us=now_us,
            )
        )

    # --- events --------------------------------------------------------------------------------

    @_retried
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

    @_retried
    def stopped_credentials(self, destination: str) -> dict[str, CredentialStop]:
        """Return the credentials that a destination refused, by name."""
        table = tables.credentials
        query = sa.select(table).where(table.c.destination == destination)
        with self._read() as connection:
            rows = connection.execute(query).mappings()
            return {row["name"]: CredentialStop(**dict(row)) for row in rows}

    def stop_credential(self, stop: CredentialStop) -> None:
        """Remember that a credential was refused and when to probe it; notes the first time."""
        self._database.write(partial(writes.stop_credential, stop=stop))

    def free_credential(self, name: str, *, destination: str, now_us: int) -> None:
        """Remember that a credential works again."""
        self._database.write(
            partial(writes.free_credential, name=name, destination=destination, now_us=now_us)
        )

    # --- runs ----------------------------------------------------------------------------------

    @_retried
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
        self._database.write(partial(writes.set_run, run=run, destination=destination))
