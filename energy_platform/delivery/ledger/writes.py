"""What one transaction of the ledger writes, as functions of its connection.

Belongs here: the rows that a plan, an answer, a refused credential or an operator changes. Does
not: when they are written and what is read (``ledger``), fencing and repeating (``database``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import fields
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.tables import Event, Register, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from energy_platform.delivery.ledger.tables import (
        CredentialStop,
        DeadLetter,
        EventKind,
        OutboxEntry,
        PacketResult,
        StreamFailure,
        StreamState,
    )

_PLAN_COLUMNS: Final = (
    "planned_until_us",
    "last_packet_us",
    "undelivered_wh",
    "blocked_day",
    "blocked_since_us",
    "passed_day",
    "seen_version",
    "late_seen_version",
    "is_restored",
    "lake_from_us",
)
"""Columns of a stream that planning writes; all others belong to the answers."""

_REGISTER_COLUMNS: Final = tuple(column.name for column in fields(Register))


def _write_many(
    connection: sa.Connection,
    statement: sa.Insert | sa.Update,
    names: tuple[str, ...],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Run a statement for many rows, as ``execute`` does but without its work for each of them.

    That work, for values that the drivers take as they are, was a sixth of the processor time of a
    push (``benchmarks.push``).

    Args:
        connection: Of the transaction.
        statement: An insert, or an update with parameters.
        names: Of the columns or parameters that the rows hold.
        rows: Values in this order.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    if compiled.positional:
        place = {name: n for n, name in enumerate(names)}
        take = itemgetter(*(place[name] for name in compiled.positiontup or ()))
        connection.exec_driver_sql(str(compiled), [take(row) for row in rows])
    else:
        named = [dict(zip(names, row, strict=True)) for row in rows]
        connection.exec_driver_sql(str(compiled), named)


def _insert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that knows conflicts, in the database's own dialect."""
    is_postgresql = connection.dialect.name == "postgresql"
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


# --- streams and their plans -----------------------------------------------------------------


def register_streams(
    connection: sa.Connection, stream_ids: Iterable[str], *, destination: str
) -> None:
    """Make sure that each stream has a row; one that has keeps its destination."""
    connection.execute(
        _insert(connection, tables.streams).on_conflict_do_nothing(),
        [{"stream_id": stream_id, "destination": destination} for stream_id in stream_ids],
    )


def write_plan(
    connection: sa.Connection,
    states: Mapping[str, StreamState],
    *,
    entries: Sequence[OutboxEntry],
    events: Sequence[Event],
    now_us: int,
) -> None:
    """Write what was decided for some streams: entries, cursors, registers and events."""
    if entries:
        _write_many(
            connection,
            sa.insert(tables.packets),
            ("stream_id", "at_us", "body", "status", "planned_us", "destination"),
            [
                (one.stream_id, one.at_us, one.body, "pending", now_us, one.destination)
                for one in entries
            ],
        )
    if states:
        connection.execute(
            sa.update(tables.streams)
            .where(tables.streams.c.stream_id == sa.bindparam("key"))
            .values({name: sa.bindparam(f"new_{name}") for name in _PLAN_COLUMNS}),
            [
                {"key": stream_id} | {f"new_{name}": getattr(state, name) for name in _PLAN_COLUMNS}
                for stream_id, state in states.items()
            ],
        )
    _write_registers(connection, states)
    write_events(connection, events)


def write_read_back(
    connection: sa.Connection,
    stream_id: str,
    state: StreamState,
    *,
    stored_us: int | None,
    unrecorded: tuple[int, int] | None,
    events: Sequence[Event],
    now_us: int,
) -> None:
    """Write where a restored stream goes on, and take what is stored already off its packets."""
    write_plan(connection, {stream_id: state}, entries=(), events=events, now_us=now_us)
    streams = tables.streams
    settled: dict[str, Any] = {"failure": None, "failing_since_us": None, "stopped": None}
    if stored_us is not None:
        packets = tables.packets
        done = connection.execute(
            sa.update(packets)
            .where(
                packets.c.stream_id == stream_id,
                packets.c.status == "pending",
                packets.c.at_us <= stored_us,
            )
            .values(status="acknowledged", settled_us=now_us)
        )
        known = sa.func.coalesce(streams.c.last_acknowledged_us, stored_us)
        settled |= {
            "in_doubt": sa.false(),
            "acknowledged": streams.c.acknowledged + done.rowcount,
            "last_acknowledged_us": sa.case((known < stored_us, stored_us), else_=known),
        }
    connection.execute(sa.update(streams).where(streams.c.stream_id == stream_id).values(**settled))
    if unrecorded is not None:
        after_us, until_us = unrecorded
        insert = _insert(connection, tables.unrecorded)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["stream_id", "after_us"],
                set_={"until_us": insert.excluded.until_us},
            ),
            [{"stream_id": stream_id, "after_us": after_us, "until_us": until_us}],
        )


def mark_restored(connection: sa.Connection, *, lake_until_us: int, now_us: int) -> None:
    """Let every stream read back before it sends again, and wait for the days that are lost."""
    streams = tables.streams
    cursor = streams.c.planned_until_us
    earlier = sa.func.coalesce(streams.c.lake_from_us, lake_until_us)
    until = sa.case((earlier < lake_until_us, earlier), else_=lake_until_us)
    connection.execute(
        sa.update(streams).values(
            is_restored=sa.true(),
            lake_from_us=sa.case((cursor < until, cursor), else_=until),
        )
    )
    detail = {"lake_until_us": lake_until_us}
    write_events(connection, [Event(now_us, None, "restored", detail)])


def _write_registers(connection: sa.Connection, states: Mapping[str, StreamState]) -> None:
    rows = [
        {"stream_id": stream_id, "field": name}
        | {column: getattr(register, column) for column in _REGISTER_COLUMNS}
        for stream_id, state in states.items()
        for name, register in state.registers.items()
    ]
    if rows:
        insert = _insert(connection, tables.registers)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["stream_id", "field"],
                set_={column: insert.excluded[column] for column in _REGISTER_COLUMNS},
            ),
            rows,
        )


# --- answers -----------------------------------------------------------------------------------


def write_results(
    connection: sa.Connection,
    results: Sequence[PacketResult],
    *,
    failures: Sequence[StreamFailure],
) -> None:
    """Write what became of some packets, and which streams were left."""
    packets = tables.packets
    if results:
        _write_many(
            connection,
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
            ("new_status", "new_settled_us", "new_answer", "key", "key_us"),
            [(one.status, one.settled_us, one.answer, one.stream_id, one.at_us) for one in results],
        )
        _update_counts(connection, results)
        _write_dead_letters(connection, [one for one in results if one.status == "refused"])
    for failure in failures:
        _record_failure(connection, failure)


def _update_counts(connection: sa.Connection, results: Sequence[PacketResult]) -> None:
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


def _write_dead_letters(connection: sa.Connection, refused: Sequence[PacketResult]) -> None:
    """Keep refused packets whole, with the answer."""
    packets = tables.packets
    for one in refused:
        packet = connection.execute(
            sa.select(packets.c.body, packets.c.destination).where(
                packets.c.stream_id == one.stream_id, packets.c.at_us == one.at_us
            )
        ).one()
        connection.execute(
            sa.insert(tables.dead_letters).values(
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
        detail = {"packet_us": one.at_us, "answer": one.answer, "reason": one.reason}
        write_events(connection, [Event(one.settled_us, one.stream_id, "refused", detail)])


def _record_failure(connection: sa.Connection, failure: StreamFailure) -> None:
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


def close_dead_letter(
    connection: sa.Connection, dead_letter: DeadLetter, *, state: str, pending: bool, now_us: int
) -> None:
    """Take a refused packet off the list, and let its stream run again."""
    packets, letters = tables.packets, tables.dead_letters
    connection.execute(sa.update(letters).where(letters.c.id == dead_letter.id).values(state=state))
    connection.execute(
        sa.update(packets)
        .where(packets.c.stream_id == dead_letter.stream_id, packets.c.at_us == dead_letter.at_us)
        .values(status="pending" if pending else "skipped", settled_us=None if pending else now_us)
    )
    connection.execute(
        sa.update(tables.streams)
        .where(tables.streams.c.stream_id == dead_letter.stream_id)
        .values(stopped=None, refused_streak=0, failure=None, failing_since_us=None)
    )
    kind: EventKind = "resent" if pending else "skipped"
    event = Event(now_us, dead_letter.stream_id, kind, {"packet_us": dead_letter.at_us})
    write_events(connection, [event])


# --- events, credentials, runs -----------------------------------------------------------------


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


def stop_credential(connection: sa.Connection, stop: CredentialStop) -> None:
    """Remember that a credential was refused and when to probe it; notes the first time."""
    table = tables.credentials
    insert = _insert(connection, table)
    is_new = (
        connection.scalar(
            sa.select(table.c.name).where(
                table.c.destination == stop.destination, table.c.name == stop.name
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
        detail = {
            "destination": stop.destination,
            "credential": stop.name,
            "reason": stop.reason,
        }
        write_events(connection, [Event(stop.stopped_us, None, "auth_stopped", detail)])


def free_credential(connection: sa.Connection, name: str, *, destination: str, now_us: int) -> None:
    """Remember that a credential works again."""
    table = tables.credentials
    gone = connection.execute(
        sa.delete(table).where(table.c.destination == destination, table.c.name == name)
    )
    if gone.rowcount:
        detail = {"destination": destination, "credential": name}
        write_events(connection, [Event(now_us, None, "auth_recovered", detail)])


def set_run(connection: sa.Connection, run: Run, *, destination: str) -> None:
    """Write how the newest push to a destination stands."""
    insert = _insert(connection, tables.runs)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["destination"],
            set_={name: insert.excluded[name] for name in Run._fields},
        ),
        [{"destination": destination} | run._asdict()],
    )
