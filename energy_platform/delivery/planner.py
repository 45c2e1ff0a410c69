"""Decides, a day and some streams at a time, which packets are due and what is in them.

Nothing here is sent. Whatever is decided for an instant stands: it becomes an intent with its exact
bytes, or there will be no packet for it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from energy_platform.days import day_before, day_of
from energy_platform.delivery.days import midnight_us
from energy_platform.delivery.knowledge import next_day
from energy_platform.delivery.ledger import Intent
from energy_platform.delivery.numbers import Cell, Due, Numbers
from energy_platform.transforms.packets import gauges_at, grid, instant, packet, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.delivery.days import DayFrames
    from energy_platform.delivery.knowledge import Frontier, Knowledge
    from energy_platform.delivery.ledger import Event
    from energy_platform.delivery.plans import FieldPlan


class DayPlan(NamedTuple):
    """What was decided.

    Attributes:
        intents: Packets, chronological per stream.
        events: What people should know of.
    """

    intents: list[Intent]
    events: list[Event]


class Planner:
    """Plans days for groups of streams.

    Args:
        knowledge: The footers.
        frames: The day files.
        now_us: The present: no packet is stamped later.
        max_hold_us: How long an unconfirmed reading keeps its register's packets back.
    """

    def __init__(
        self, knowledge: Knowledge, *, frames: DayFrames, now_us: int, max_hold_us: int
    ) -> None:
        self._knowledge = knowledge
        self._numbers = Numbers(knowledge, frames=frames, now_us=now_us)
        self._frames = frames
        self._now_us = now_us
        self._max_hold_us = max_hold_us
        self._newest: dict[tuple[str, str], dict[int, int]] = {}
        self._suspects: dict[str, dict[str, int]] = {}

    def plan(self, day: str, dues: Sequence[Due]) -> DayPlan:
        """Decide the instants of a UTC day for some streams, as far as they are ready.

        Moves each stream's cursor and registers forward.

        Args:
            day: The day that holds each stream's next instant.
            dues: The streams.

        Returns:
            The packets to send, and events.
        """
        end_us = midnight_us(next_day(day))
        cells: list[Cell] = []
        ends: list[int] = []
        stamps: dict[tuple[str, int], dict[int, str]] = {}
        for number, due in enumerate(dues):
            ready_us = self._ready_us(day, due, end_us=end_us)
            ends.append(ready_us)
            found, texts = _cells(number, day, due, until_us=min(ready_us, end_us))
            cells += found
            stamps[due.plan.zone, due.plan.interval_s] = texts
        self._numbers.bring_forward(day, dues)
        decided = {cell.due: cell.at_us for cell in cells}
        cells = self._at_samples(day, dues, cells)
        lines, events = self._numbers.lines(day, dues, cells) if cells else ([], [])
        intents = []
        for (number, at_us), group in groupby(sorted(lines), key=itemgetter(0, 1)):
            plan = dues[number].plan
            text = stamps[plan.zone, plan.interval_s].get(at_us) or stamp(at_us, zone=plan.zone)
            body = packet(plan.head, stamp=text, fields=[(one.name, one.text) for one in group])
            intents.append(Intent(plan.stream.id, at_us, body))
            dues[number].state.last_packet_us = at_us
        whole = []
        for number, due in enumerate(dues):
            if ends[number] >= end_us:
                due.state.planned_until_us = end_us
                whole.append(due)
            elif number in decided:
                due.state.planned_until_us = decided[number]
        self._numbers.bring_forward(next_day(day), whole)
        return DayPlan(intents, events)

    # --- readiness -----------------------------------------------------------------------------

    def _ready_us(self, day: str, due: Due, *, end_us: int) -> int:
        """Return the last instant that may be decided now."""
        frontier = due.frontier
        limit_us = min(frontier.until_us, self._now_us)
        silent_us = frontier.until_us - due.plan.hold_us
        if silent_us >= end_us:
            return min(limit_us, silent_us)
        return min(
            limit_us,
            *(
                self._point_ready_us(day, field, frontier=frontier, silent_us=silent_us)
                for field in due.plan.fields
            ),
        )

    def _point_ready_us(
        self, day: str, field: FieldPlan, *, frontier: Frontier, silent_us: int
    ) -> int:
        last_day = day_of(instant(max(frontier.until_us - 1, midnight_us(day))))
        point = self._frames.number[field.point.point_id]
        kind = "gauge" if field.kind == "gauge" else "register"
        settled_us = -1
        at_day = day
        while at_day <= last_day:
            settled_us = max(settled_us, self._newest_of(kind, at_day).get(point, -1))
            at_day = next_day(at_day)
        if kind == "gauge":
            # What a closed day does not hold is known to be absent; its end belongs to the next.
            return max(settled_us, silent_us, frontier.closed_until_us - 1)
        if field.point.point_id in self._suspects_on(last_day):
            return max(settled_us, frontier.until_us - self._max_hold_us)
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
        days = self._knowledge.delta_days
        place = bisect_right(days, day)
        if not place:
            return {}
        newest = days[place - 1]
        if newest not in self._suspects:
            self._suspects[newest] = self._frames.suspects(newest)
        return self._suspects[newest]

    def _at_samples(self, day: str, dues: Sequence[Due], cells: list[Cell]) -> list[Cell]:
        """Move the instants of streams so agreed to the newest sample of their interval."""
        sampled = {n for n, due in enumerate(dues) if due.plan.stream.stamp == "sample"}
        if not sampled:
            return cells
        days = (day_before(day), day, next_day(day))
        samples = pl.concat(
            [self._frames.deltas(one).select("point", at="end_at") for one in days]
            + [self._frames.gauges(one).select("point", "at") for one in days]
        )
        wanted = pl.DataFrame(
            [
                (place, self._frames.number[field.point.point_id], cell.at_us, plan.interval_us)
                for place, cell in enumerate(cells)
                if cell.due in sampled
                for plan in (dues[cell.due].plan,)
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
        for place, cell in enumerate(cells):
            if cell.due not in sampled:
                moved.append(cell)
            elif place in newest:
                # A packet says milliseconds; the next interval begins after its end.
                moved.append(cell._replace(at_us=newest[place] // 1000 * 1000))
        return moved


def _cells(number: int, day: str, due: Due, *, until_us: int) -> tuple[list[Cell], dict[int, str]]:
    """Return the instants of a day that a stream has to decide, and the day's stamps."""
    plan = due.plan
    instants = grid(day, zone=plan.zone, interval_s=plan.interval_s)
    earlier = grid(day_before(day), zone=plan.zone, interval_s=plan.interval_s)
    start_us = midnight_us(day)
    before_us = earlier[-1].at_us if earlier else start_us - plan.interval_us
    after_us = due.state.planned_until_us
    if after_us is None:
        after_us = start_us - 1
    cells = []
    for one in instants:
        if after_us < one.at_us <= until_us:
            cells.append(Cell(number, one.at_us, before_us))
        before_us = one.at_us
    return cells, {one.at_us: one.stamp for one in instants}
