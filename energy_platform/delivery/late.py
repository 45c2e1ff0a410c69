"""Instants the lake can fill now, but could not when they were decided.

What came too late is listed. It is sent behind the cursor only where that was agreed
(``allow_backfill``), and only for values: a register's next value carries it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.days import day_of, instant
from energy_platform.delivery.day_reader import midnight_us
from energy_platform.delivery.ledger import StreamState
from energy_platform.delivery.values import StreamWork
from energy_platform.delivery.watermarks import LATE_DAYS, Watermark, next_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from energy_platform.delivery.ledger import Ledger, OutboxEntry
    from energy_platform.delivery.planner import Planner
    from energy_platform.delivery.preparation import PushState

CHUNK_STREAMS: Final = 256
"""Streams looked at together."""


def late_entries(
    prepared: PushState,
    *,
    stream_ids: Iterable[str],
    ledger: Ledger,
    planner: Planner,
    days: int = LATE_DAYS,
) -> dict[str, list[OutboxEntry]]:
    """Return the packets that would fill instants already decided without one.

    The values of registers in them are not meant to be sent; only their instants count.

    Args:
        prepared: What the push (or the reconcile) knows.
        stream_ids: Which streams.
        ledger: The delivery ledger.
        planner: Any planner over the same day files.
        days: How many days back.
    """
    found: dict[str, list[OutboxEntry]] = {}
    begun = [one for one in stream_ids if prepared.states[one].planned_until_us is not None]
    firsts = ledger.first_instants(begun)
    chosen = [*firsts]
    if not chosen:
        return found
    newest_us = max(prepared.states[stream_id].planned_until_us or 0 for stream_id in chosen)
    known = [day for day in prepared.completeness.days if day <= day_of(instant(newest_us))][-days:]
    for start in range(0, len(chosen), CHUNK_STREAMS):
        group = chosen[start : start + CHUNK_STREAMS]
        for day in known:
            for entry in _expected(prepared, group, planner=planner, day=day):
                until_us = prepared.states[entry.stream_id].planned_until_us or 0
                if firsts[entry.stream_id] < entry.at_us <= until_us:
                    found.setdefault(entry.stream_id, []).append(entry)
    for stream_id, entries in [*found.items()]:
        there = ledger.instants(
            stream_id, after_us=entries[0].at_us - 1, until_us=entries[-1].at_us
        )
        missing = [entry for entry in entries if entry.at_us not in there]
        if missing:
            found[stream_id] = missing
        else:
            del found[stream_id]
    return found


def _expected(
    prepared: PushState, group: Sequence[str], *, planner: Planner, day: str
) -> list[OutboxEntry]:
    """Return the packets a day would give streams that had never been planned before."""
    start_us = midnight_us(day)
    end_us = midnight_us(next_day(day))
    works = []
    for stream_id in group:
        until_us = prepared.states[stream_id].planned_until_us or 0
        if until_us > start_us:
            state = StreamState(planned_until_us=start_us)
            # Everything decided is known; nothing is waited for.
            reach_us = min(until_us, end_us) + prepared.plans[stream_id].hold_us
            works.append(
                StreamWork(prepared.plans[stream_id], state, Watermark(reach_us, reach_us, None))
            )
    return planner.plan(day, works).entries if works else []
