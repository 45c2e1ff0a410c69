"""Which packets are due, a day and some streams at a time; and which came too late to be.

Nothing here is sent. Whatever is decided for an instant stands: it becomes an outbox entry with its
exact bytes, or there will be no packet for it. What came too late is listed; it is sent behind the
cursor only where that was agreed (``allow_backfill``), and only for values: a register's next value
carries it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.days import day_after, day_before, day_of, instant
from energy_platform.delivery.day_reader import midnight_us
from energy_platform.delivery.ledger import OutboxEntry, StreamState
from energy_platform.delivery.registers import sum_until
from energy_platform.delivery.streams import StreamWork
from energy_platform.delivery.values import SLOTS, field_values
from energy_platform.delivery.watermarks import LATE_DAYS, Watermark
from energy_platform.transforms.sampling import gauges_at, grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from energy_platform.delivery.day_reader import DayReader
    from energy_platform.delivery.ledger import Event, Ledger
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.streams import FieldPlan


def plan_day(
    push: PushState, day: str, works: Sequence[StreamWork]
) -> tuple[list[OutboxEntry], list[Event]]:
    """Decide the instants of a UTC day for some streams, as far as they are ready.

    Moves each stream's cursor and registers forward.

    Args:
        push: What is known.
        day: The day that holds each stream's next instant.
        works: The streams.

    Returns:
        The packets to send, chronological per stream, and what an operator should know of.
    """
    end_us = midnight_us(day_after(day))
    rows: list[tuple[int, int, int]] = []
    ends: list[int] = []
    clocks: dict[tuple[str, int], dict[int, datetime]] = {}
    for number, work in enumerate(works):
        ready_us = _ready_us(push, day, work, end_us=end_us)
        ends.append(ready_us)
        found, locals_ = _slots(number, day, work, until_us=min(ready_us, end_us))
        rows += found
        clocks[work.plan.zone, work.plan.interval_s] = locals_
    sum_until(push, day, works)
    decided = {number: at_us for number, at_us, _ in rows}
    slots = _at_samples(push.frames, day, works, pl.DataFrame(rows, schema=SLOTS, orient="row"))
    values, events = field_values(push, day, works, slots) if slots.height else ([], [])
    entries = []
    for (number, at_us), group in groupby(sorted(values), key=itemgetter(0, 1)):
        plan = works[number].plan
        present = [*group]
        at = clocks[plan.zone, plan.interval_s].get(at_us)
        if at is None:  # a sample's own instant, off the grid
            at = instant(at_us).astimezone(ZoneInfo(plan.zone))
        body = plan.destination.encode(plan.stream, at, [(one.name, one.text) for one in present])
        entries.append(
            OutboxEntry(
                plan.destination.name,
                plan.stream.id,
                at_us,
                body,
                sum(one.thousandths for one in present),
            )
        )
        works[number].state.last_packet_us = at_us
    whole = []
    for number, work in enumerate(works):
        if ends[number] >= end_us:
            work.state.planned_until_us = end_us
            whole.append(work)
        elif number in decided:
            work.state.planned_until_us = decided[number]
    sum_until(push, day_after(day), whole)
    return entries, events


# --- readiness ---------------------------------------------------------------------------------


def _ready_us(push: PushState, day: str, work: StreamWork, *, end_us: int) -> int:
    """Return the last instant that may be decided now."""
    watermark = work.watermark
    limit_us = min(watermark.until_us, push.now_us)
    silent_us = watermark.until_us - work.plan.hold_us
    partial_us = push.completeness.partial_from(work.plan.vendors, from_us=midnight_us(day))
    # Of a day that lacks something, who is silent may only not have been read: it is waited for as
    # for a missing day. Whose readings are there goes on.
    overdue_us = watermark.until_us - push.max_hold_us if work.plan.may_jump else 0
    silent_us = min(silent_us, max(partial_us, overdue_us))
    if silent_us >= end_us:
        return min(limit_us, silent_us)
    return min(
        limit_us,
        *(
            _point_ready_us(push, day, work, field, silent_us=silent_us, partial_us=partial_us)
            for field in work.plan.fields
        ),
    )


def _point_ready_us(
    push: PushState,
    day: str,
    work: StreamWork,
    field: FieldPlan,
    *,
    silent_us: int,
    partial_us: int,
) -> int:
    watermark = work.watermark
    last_day = day_of(instant(max(watermark.until_us - 1, midnight_us(day))))
    point = push.frames.number[field.point.point_id]
    kind: Literal["gauge", "register"] = "gauge" if field.kind == "gauge" else "register"
    end_us = midnight_us(day_after(day))
    is_partial = midnight_us(day) == partial_us
    settled_us = -1
    at_day = day
    while at_day <= last_day:
        settled_us = max(settled_us, push.frames.newest(kind, at_day).get(point, -1))
        if is_partial and kind == "register":
            gap_us = push.frames.gaps(at_day).get(point, end_us)
            if gap_us < end_us:
                settled_us = gap_us
                break
        elif is_partial and settled_us < end_us - work.plan.hold_us:
            break
        at_day = day_after(at_day)
    if kind == "gauge":
        # What a closed day does not hold is known to be absent; its end belongs to the next.
        return max(settled_us, silent_us, min(watermark.closed_until_us, partial_us) - 1)
    days = push.completeness.delta_days
    place = bisect_right(days, last_day)
    if place and field.point.point_id in push.frames.unconfirmed(days[place - 1]):
        return max(settled_us, watermark.until_us - push.max_hold_us)
    return max(settled_us, silent_us)


def _at_samples(
    frames: DayReader, day: str, works: Sequence[StreamWork], slots: pl.DataFrame
) -> pl.DataFrame:
    """Move the instants of streams so agreed to the newest sample of their interval."""
    fields = [
        (number, frames.number[field.point.point_id], work.plan.interval_us)
        for number, work in enumerate(works)
        if work.plan.stream.stamp == "sample"
        for field in work.plan.fields
    ]
    if not fields:
        return slots
    days = (day_before(day), day, day_after(day))
    samples = pl.concat(
        [frames.deltas(one).select("point", at="end_at") for one in days]
        + [frames.gauges(one).select("point", "at") for one in days]
    )
    readings = samples.unique().sort("point", "at").with_columns(value=pl.lit(1.0))
    asked = pl.DataFrame(
        fields,
        schema={"work": pl.Int32(), "point": pl.Int32(), "width_us": pl.Int64()},
        orient="row",
    )
    numbered = slots.with_row_index("place")
    newest = (
        gauges_at(readings, wanted=numbered.join(asked, on="work", maintain_order="left"))
        .drop_nulls("read_at")
        .group_by("place")
        .agg(pl.col("read_at").max())
    )
    is_sampled = pl.col("work").is_in(asked["work"].unique().implode())
    return (
        numbered.join(newest, on="place", how="left", maintain_order="left")
        .filter(~is_sampled | pl.col("read_at").is_not_null())
        # A packet says milliseconds; the next interval begins after its end.
        .with_columns(at=pl.when(is_sampled).then(pl.col("read_at") // 1000 * 1000).otherwise("at"))
        .select(*SLOTS)
    )


def _slots(
    number: int, day: str, work: StreamWork, *, until_us: int
) -> tuple[list[tuple[int, int, int]], dict[int, datetime]]:
    """Return the rows of ``SLOTS`` that a stream has to decide, and the day's grid on its clock."""
    plan = work.plan
    instants = grid(day, zone=plan.zone, interval_s=plan.interval_s)
    earlier = grid(day_before(day), zone=plan.zone, interval_s=plan.interval_s)
    start_us = midnight_us(day)
    before_us = earlier[-1].at_us if earlier else start_us - plan.interval_us
    after_us = work.state.planned_until_us
    if after_us is None:
        after_us = start_us - 1
    slots = []
    for one in instants:
        if after_us < one.at_us <= until_us:
            slots.append((number, one.at_us, before_us))
        before_us = one.at_us
    return slots, {one.at_us: one.local for one in instants}


CHUNK_STREAMS: Final = 256
"""Streams looked at together."""


def late_entries(
    push: PushState, works: Iterable[StreamWork], *, ledger: Ledger, days: int = LATE_DAYS
) -> dict[str, list[OutboxEntry]]:
    """Return the packets that would fill instants already decided without one.

    The values of registers in them are not meant to be sent; only their instants count.

    Args:
        push: What is known.
        works: Which streams.
        ledger: The delivery ledger.
        days: How many days back.
    """
    found: dict[str, list[OutboxEntry]] = {}
    begun = {work.id: work for work in works if work.state.planned_until_us is not None}
    firsts = ledger.first_instants(begun)
    chosen = [begun[stream_id] for stream_id in firsts]
    if not chosen:
        return found
    newest_us = max(work.state.planned_until_us or 0 for work in chosen)
    known = [day for day in push.completeness.days if day <= day_of(instant(newest_us))][-days:]
    for start in range(0, len(chosen), CHUNK_STREAMS):
        group = chosen[start : start + CHUNK_STREAMS]
        for day in known:
            for entry in _expected(push, group, day=day):
                until_us = begun[entry.stream_id].state.planned_until_us or 0
                if firsts[entry.stream_id] < entry.at_us <= until_us:
                    found.setdefault(entry.stream_id, []).append(entry)
    unrecorded = ledger.unrecorded(found)
    for stream_id, entries in [*found.items()]:
        there = ledger.instants(
            stream_id, after_us=entries[0].at_us - 1, until_us=entries[-1].at_us
        )
        # What was sent before a ledger was lost is not listed, and was sent all the same.
        spans = unrecorded.get(stream_id, [])
        missing = [
            entry
            for entry in entries
            if entry.at_us not in there
            and not any(after_us < entry.at_us <= until_us for after_us, until_us in spans)
        ]
        if missing:
            found[stream_id] = missing
        else:
            del found[stream_id]
    return found


def _expected(push: PushState, group: Sequence[StreamWork], *, day: str) -> list[OutboxEntry]:
    """Return the packets a day would give streams that had never been planned before."""
    start_us = midnight_us(day)
    end_us = midnight_us(day_after(day))
    works = []
    for work in group:
        until_us = work.state.planned_until_us or 0
        if until_us > start_us:
            # Everything decided is known; nothing is waited for.
            reach_us = min(until_us, end_us) + work.plan.hold_us
            works.append(
                StreamWork(
                    plan=work.plan,
                    state=StreamState(planned_until_us=start_us),
                    watermark=Watermark(reach_us, reach_us, None),
                )
            )
    return plan_day(push, day, works)[0] if works else []
