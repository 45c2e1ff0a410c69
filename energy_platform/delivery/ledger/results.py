"""What answers change in the ledger, inside a transaction of the caller's."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from energy_platform.delivery.ledger import tables
from energy_platform.delivery.ledger.model import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.delivery.ledger.model import OutboxEntry, PacketResult, StreamFailure


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
