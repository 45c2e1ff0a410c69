"""Decides, a day and some streams at a time, which packets are due and what is in them.

Nothing here is sent. Whatever is decided for an instant stands: it becomes an outbox entry with its
exact bytes, or there will be no packet for it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.days import day_before, day_of, instant
from energy_platform.delivery.day_reader import midnight_us
from energy_platform.delivery.ledger import OutboxEntry
from energy_platform.delivery.values import FieldValues, GridSlot, StreamWork
from energy_platform.delivery.watermarks import next_day
from energy_platform.transforms.sampling import gauges_at, grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from energy_platform.delivery.day_reader import DayReader
    from energy_platform.delivery.ledger import Event
    from energy_platform.delivery.streams import FieldPlan
    from energy_platform.delivery.watermarks import Completeness, Watermark


class DayPlan(NamedTuple):
    """What was decided.

    Attributes:
        entries: Packets, chronological per stream.
        events: What people should know of.
    """

    entries: list[OutboxEntry]
    events: list[Event]


class Planner:
    """Plans days for groups of streams.

    Args:
        completeness: Which days are known.
        frames: The day files.
        now_us: The present: no packet is stamped later.
        max_hold_us: How long an unconfirmed reading keeps its register's packets back.
    """

    def __init__(
        self, completeness: Completeness, *, frames: DayReader, now_us: int, max_hold_us: int
    ) -> None:
        self._completeness = completeness
        self._values = FieldValues(completeness, frames=frames, now_us=now_us)
        self._frames = frames
        self._now_us = now_us
        self._max_hold_us = max_hold_us
        self._newest: dict[tuple[str, str], dict[int, int]] = {}
        self._suspects: dict[str, dict[str, int]] = {}

    def plan(self, day: str, works: Sequence[StreamWork]) -> DayPlan:
        """Decide the instants of a UTC day for some streams, as far as they are ready.

        Moves each stream's cursor and registers forward.

        Args:
            day: The day that holds each stream's next instant.
            works: The streams.

        Returns:
            The packets to send, and events.
        """
        end_us = midnight_us(next_day(day))
        slots: list[GridSlot] = []
        ends: list[int] = []
        clocks: dict[tuple[str, int], dict[int, datetime]] = {}
        for number, work in enumerate(works):
            ready_us = self._ready_us(day, work, end_us=end_us)
            ends.append(ready_us)
            found, locals_ = _slots(number, day, work, until_us=min(ready_us, end_us))
            slots += found
            clocks[work.plan.zone, work.plan.interval_s] = locals_
        self._values.advance(day, works)
        decided = {slot.work: slot.at_us for slot in slots}
        slots = self._at_samples(day, works, slots)
        values, events = self._values.values(day, works, slots) if slots else ([], [])
        entries = []
        for (number, at_us), group in groupby(sorted(values), key=itemgetter(0, 1)):
            plan = works[number].plan
            present = [*group]
            at = clocks[plan.zone, plan.interval_s].get(at_us)
            if at is None:  # a sample's own instant, off the grid
                at = instant(at_us).astimezone(ZoneInfo(plan.zone))
            body = plan.destination.encode(
                plan.stream, at, [(one.name, one.text) for one in present]
            )
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
        self._values.advance(next_day(day), whole)
        return DayPlan(entries, events)

    # --- readiness -----------------------------------------------------------------------------

    def _ready_us(self, day: str, work: StreamWork, *, end_us: int) -> int:
        """Return the last instant that may be decided now."""
        watermark = work.watermark
        limit_us = min(watermark.until_us, self._now_us)
        silent_us = watermark.until_us - work.plan.hold_us
        if silent_us >= end_us:
            return min(limit_us, silent_us)
        return min(
            limit_us,
            *(
                self._point_ready_us(day, field, watermark=watermark, silent_us=silent_us)
                for field in work.plan.fields
            ),
        )

    def _point_ready_us(
        self, day: str, field: FieldPlan, *, watermark: Watermark, silent_us: int
    ) -> int:
        last_day = day_of(instant(max(watermark.until_us - 1, midnight_us(day))))
        point = self._frames.number[field.point.point_id]
        kind = "gauge" if field.kind == "gauge" else "register"
        settled_us = -1
        at_day = day
        while at_day <= last_day:
            settled_us = max(settled_us, self._newest_of(kind, at_day).get(point, -1))
            at_day = next_day(at_day)
        if kind == "gauge":
            # What a closed day does not hold is known to be absent; its end belongs to the next.
            return max(settled_us, silent_us, watermark.closed_until_us - 1)
        if field.point.point_id in self._suspects_on(last_day):
            return max(settled_us, watermark.until_us - self._max_hold_us)
        return max(settled_us, silent_us)

    def _newest_of(self, kind: str, day: str) -> dict[int, int]:
        found = self._newest.get((kind, day))
        if found is None:
            if kind == "gauge":
                frame = self._frames.gauges(day).select("point", "at")
            else:
                frame = self._frames.deltas(day).select("point", at="end_at")
            newest = frame.group_by("point").agg(pl.col("at").max())
            found = self._newest[kind, day] = dict(newest.iter_rows())
        return found

    def _suspects_on(self, day: str) -> dict[str, int]:
        days = self._completeness.delta_days
        place = bisect_right(days, day)
        if not place:
            return {}
        newest = days[place - 1]
        if newest not in self._suspects:
            self._suspects[newest] = self._frames.suspects(newest)
        return self._suspects[newest]

    def _at_samples(
        self, day: str, works: Sequence[StreamWork], slots: list[GridSlot]
    ) -> list[GridSlot]:
        """Move the instants of streams so agreed to the newest sample of their interval."""
        sampled = {n for n, work in enumerate(works) if work.plan.stream.stamp == "sample"}
        if not sampled:
            return slots
        days = (day_before(day), day, next_day(day))
        samples = pl.concat(
            [self._frames.deltas(one).select("point", at="end_at") for one in days]
            + [self._frames.gauges(one).select("point", "at") for one in days]
        )
        wanted = pl.DataFrame(
            [
                (place, self._frames.number[field.point.point_id], slot.at_us, plan.interval_us)
                for place, slot in enumerate(slots)
                if slot.work in sampled
                for plan in (works[slot.work].plan,)
                for field in plan.fields
            ],
            schema={
                "place": pl.Int64(),
                "point": pl.Int32(),
                "at": pl.Int64(),
                "width_us": pl.Int64(),
            },
            orient="row",
        )
        readings = samples.unique().sort("point", "at").with_columns(value=pl.lit(1.0))
        newest = dict(
            gauges_at(readings, wanted=wanted)
            .drop_nulls("read_at")
            .group_by("place")
            .agg(pl.col("read_at").max())
            .iter_rows()
        )
        moved = []
        for place, slot in enumerate(slots):
            if slot.work not in sampled:
                moved.append(slot)
            elif place in newest:
                # A packet says milliseconds; the next interval begins after its end.
                moved.append(slot._replace(at_us=newest[place] // 1000 * 1000))
        return moved


def _slots(
    number: int, day: str, work: StreamWork, *, until_us: int
) -> tuple[list[GridSlot], dict[int, datetime]]:
    """Return the instants of a day that a stream has to decide, and the day's grid on its clock."""
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
            slots.append(GridSlot(number, one.at_us, before_us))
        before_us = one.at_us
    return slots, {one.at_us: one.local for one in instants}
