"""Before anything is sent: who may send, from where and how far.

Belongs here: what a push knows, where new streams begin, how one new to the ledger is resumed. Does
not: what is in a packet (``values``), how registers follow late data and changed rules
(``registers``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.day_reader import DayReader
from energy_platform.delivery.ledger import Event
from energy_platform.delivery.registers import (
    advance_registers,
    awaits_refresh,
    is_rebased,
    register_from_value,
)
from energy_platform.delivery.streams import StreamWork, plan_streams
from energy_platform.delivery.watermarks import Completeness, late_since, look_ahead

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.destinations.base import LastPacket
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings


_HOUR_US: Final = 3600 * 1_000_000


@dataclass(kw_only=True)
class PushState:
    """All that a push knows before it begins; the push moves it on.

    Attributes:
        works: Every stream of the portfolio that goes to the destination, by id.
        completeness: Which days are known.
        frames: The day files.
        now_us: The present: no packet is stamped later.
        max_hold_us: How long a missing day is waited for, and how long an unconfirmed reading keeps
            its register's packets back.
    """

    works: dict[str, StreamWork]
    completeness: Completeness
    frames: DayReader
    now_us: int
    max_hold_us: int

    @property
    def todo(self) -> list[StreamWork]:
        """Streams that may be worked on."""
        return [work for work in self.works.values() if work.end is None]

    def look_ahead(self, works: Iterable[StreamWork]) -> list[Event]:
        """Find out how far some streams may go; returns holds that began or ended."""
        return look_ahead(
            works,
            completeness=self.completeness,
            now_us=self.now_us,
            max_hold_us=self.max_hold_us,
        )


def survey(
    lake: Lake,
    *,
    ledger: Ledger,
    portfolio: Portfolio,
    settings: DestinationSettings,
    now_us: int,
) -> PushState:
    """Load the delivery state. Inserts a row for each new stream.

    Args:
        lake: The day files.
        ledger: The delivery ledger.
        portfolio: The streams.
        settings: Patience.
        now_us: The present.
    """
    plans = plan_streams(portfolio, to=settings.destination)
    ledger.register_streams(plans, destination=settings.destination)
    states = ledger.states()
    pending = ledger.pending_counts()
    works = {
        stream_id: StreamWork(
            plan=plan,
            state=states[stream_id],
            pending=pending.get(stream_id, 0),
            is_new=states[stream_id].planned_until_us is None,
        )
        for stream_id, plan in plans.items()
    }
    return PushState(
        works=works,
        completeness=_completeness(lake, works),
        frames=_frames(lake, works),
        now_us=now_us,
        max_hold_us=int(settings.max_hold_h * _HOUR_US),
    )


def prepare(
    lake: Lake,
    *,
    ledger: Ledger,
    portfolio: Portfolio,
    settings: DestinationSettings,
    now_us: int,
) -> PushState:
    """Find out what a push needs to know, and write holds and rebases down.

    Args:
        lake: The day files.
        ledger: The delivery ledger.
        portfolio: The streams.
        settings: Credentials and patience.
        now_us: The present.
    """
    push = survey(lake, ledger=ledger, portfolio=portfolio, settings=settings, now_us=now_us)
    _admit(push, credentials=settings.all_credentials())
    find_starts(push, [work for work in push.todo if work.is_new])
    rebased = [work for work in push.todo if is_rebased(work)]
    if awaits_refresh(rebased, lake=lake, portfolio=portfolio):
        for work in rebased:
            work.end = ("waiting", _AWAITS_REFRESH)
    events = advance_registers(push, push.todo)
    events += push.look_ahead(push.todo)
    # A new stream's cursor is written with its first packet, so that a crash before that leaves
    # it new.
    written = {work.id: work.state for work in push.todo if not work.is_new}
    ledger.commit_plan(written, events=events, now_us=now_us)
    return push


def _completeness(lake: Lake, works: Mapping[str, StreamWork]) -> Completeness:
    """Read the footers of every day that a cursor or a register still needs."""
    days: list[str] = []
    for work in works.values():
        from_us = work.state.needs_lake_from_us
        if from_us is None:
            days = []
            break
        days.append(day_of(instant(from_us)))
        days += [register.baseline_day for register in work.state.registers.values()]
    vendors = {vendor for work in works.values() for vendor in work.plan.vendors}
    late = late_since(lake)
    if days and late is not None:
        days.append(late)
    return Completeness(lake, vendors=vendors, since=min(days, default=None))


def _frames(lake: Lake, works: Mapping[str, StreamWork]) -> DayReader:
    registers: set[str] = set()
    gauges: set[str] = set()
    for work in works.values():
        registers |= {register.point_id for register in work.state.registers.values()}
        for field in work.plan.fields:
            (gauges if field.kind == "gauge" else registers).add(field.point.point_id)
    return DayReader(lake, registers=registers, gauges=gauges)


def _admit(push: PushState, *, credentials: Container[str]) -> None:
    """Take streams off the list that cannot be worked on now, and say why."""
    for work in push.works.values():
        plan, state = work.plan, work.state
        credential = plan.stream.credential
        if problem := work.why_unfit():
            work.end = ("stopped", problem)
        elif credential not in credentials:
            variable = plan.destination.settings.variable
            reason = (
                f"credential {credential!r} is not set: {variable('username')} and "
                f"{variable('password')} for default, {variable('credentials')} for others"
            )
            work.end = ("stopped", reason)
        elif state.stopped is not None:
            work.end = ("stopped", state.stopped)
        elif state.resume_us is not None and state.resume_us > push.now_us:
            reason = f"{state.failure}; {plan.destination.title} asked to wait"
            work.end = ("gave_up", reason)


_AWAITS_REFRESH: Final = (
    "the portfolio changed how its registers are read; waits for the lake's refresh"
)


def find_starts(push: PushState, works: Iterable[StreamWork]) -> None:
    """Put the cursor of new streams just before their first data, or their agreed start.

    Days before a point's first reading are not missing: there is nothing to wait for. A stream that
    is to begin later is left alone.

    Args:
        push: What is known.
        works: The new streams; changed in place.
    """
    completeness = push.completeness
    by_start: dict[str, list[StreamWork]] = {}
    for work in works:
        plan = work.plan
        # Each by its own vendors: others may have begun earlier or later.
        first_day = completeness.first_day(plan.vendors)
        if first_day is None or (plan.start_us or 0) > push.now_us:
            continue
        if completeness.is_seen(work.state.seen_version, plan.vendors, since=first_day):
            continue
        work.state.seen_version = completeness.seen
        start = first_day if plan.start_us is None else day_of(instant(plan.start_us))
        by_start.setdefault(max(start, first_day), []).append(work)
    for start, group in by_start.items():
        points = sorted({field.point.point_id for work in group for field in work.plan.fields})
        days = [day for day in completeness.days if day >= start]
        firsts = push.frames.first_data(points, days=days)
        for work in group:
            instants = [
                firsts[field.point.point_id][1]
                for field in work.plan.fields
                if field.point.point_id in firsts
            ]
            if instants:
                begin_us = max(min(instants), work.plan.start_us or 0)
                work.state.planned_until_us = begin_us - 1


def resume_from_readback(
    push: PushState, work: StreamWork, *, stored: LastPacket, now_us: int
) -> list[Event]:
    """Initialise a new stream's cursor from the last packet read back.

    Registers continue from the value read back, so nothing falls and nothing is sent twice.

    Args:
        push: What is known.
        work: The stream; changed in place.
        stored: What was read back.
        now_us: The present.
    """
    plan, state = work.plan, work.state
    at_us = microseconds(stored.at)
    state.planned_until_us = max(at_us, (plan.start_us or 0) - 1)
    state.last_packet_us = at_us
    for one in plan.fields:
        value = stored.fields.get(one.name)
        if one.kind == "register" and value is not None:
            state.registers[one.name] = register_from_value(
                one, value, at_us=at_us, summed_version=push.completeness.seen
            )
    return [Event(now_us, work.id, "resumed_from_readback", {"last_us": at_us})]
