"""What the ledger keeps beside streams and packets: refused packets, events, credentials, runs."""

from __future__ import annotations

import json

import sqlalchemy as sa

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.base import LedgerBase, retried
from energy_platform.delivery.ledger.model import CredentialStop, DeadLetter, Event, Run
from energy_platform.delivery.ledger.results import are_written, write_events


class LedgerRecords(LedgerBase):
    """The part of the ledger that people read."""

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
