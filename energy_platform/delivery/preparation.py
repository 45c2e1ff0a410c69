"""Before anything is sent: who may send, from where and how far.

Belongs here: where new streams begin, how one new to the ledger is resumed. Does not: what is
in a packet (``values``), how registers follow late data and changed rules (``registers``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.day_reader import DayReader
from energy_platform.delivery.ledger import Event, Register
from energy_platform.delivery.registers import (
    RegisterBinding,
    advance_registers,
    awaits_refresh,
    rebased_streams,
)
from energy_platform.delivery.streams import plan_streams, why_unfit
from energy_platform.delivery.watermarks import Completeness, late_since, look_ahead
from energy_platform.transforms.sampling import THOUSANDTHS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from energy_platform.delivery.ledger import Ledger, StreamState
    from energy_platform.delivery.outcome import OutcomeStatus
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.delivery.watermarks import Watermark
    from energy_platform.destinations.base import LastPacket
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings


_HOUR_US: Final = 3600 * 1_000_000


@dataclass(kw_only=True)
class PushState:
    """All that a push knows before it begins; the push moves it on.

    Attributes:
        plans: Every stream of the portfolio.
        states: Where each stands.
        pending: Packets of each that are planned and not yet answered.
        completeness: Which days are known.
        frames: The day files.
        todo: Streams that may be worked on.
        new: Streams the ledger knows nothing of yet.
        watermarks: How far each stream may go.
        ends: How streams ended that are not worked on any more.
        max_hold_us: How long a missing day is waited for.
    """

    plans: dict[str, StreamPlan]
    states: dict[str, StreamState]
    pending: dict[str, int]
    completeness: Completeness
    frames: DayReader
    todo: dict[str, StreamPlan]
    new: set[str]
    max_hold_us: int
    watermarks: dict[str, Watermark] = field(default_factory=dict)
    ends: dict[str, tuple[OutcomeStatus, str]] = field(default_factory=dict)

    def look_ahead(self, stream_ids: Iterable[str], *, now_us: int) -> list[Event]:
        """Find out how far some streams may go; returns holds that began or ended."""
        found, events = look_ahead(
            {stream_id: self.plans[stream_id] for stream_id in stream_ids},
            states=self.states,
            completeness=self.completeness,
            now_us=now_us,
            max_hold_us=self.max_hold_us,
        )
        self.watermarks.update(found)
        return events

    def next_day(self, stream_id: str, *, now_us: int) -> str | None:
        """Return the day to plan next for a stream, None when all that is known is decided."""
        planned_us = self.states[stream_id].planned_until_us
        watermark = self.watermarks.get(stream_id)
        if watermark is None or planned_us is None or stream_id not in self.todo:
            return None
        if planned_us >= min(watermark.until_us, now_us):
            return None
        return day_of(instant(planned_us))

    def end(self, stream_id: str, status: OutcomeStatus, reason: str) -> None:
        """Take a stream off the list."""
        self.todo.pop(stream_id, None)
        self.ends[stream_id] = (status, reason)


def survey(
    lake: Lake, *, ledger: Ledger, portfolio: Portfolio, settings: DestinationSettings
) -> PushState:
    """Load the delivery state. Inserts a row for each new stream.

    Args:
        lake: The day files.
        ledger: The delivery ledger.
        portfolio: The streams.
        settings: Patience.
    """
    plans = plan_streams(portfolio, to=settings.destination)
    ledger.register_streams(plans, destination=settings.destination)
    states = ledger.states()
    return PushState(
        plans=plans,
        states=states,
        pending=ledger.pending_counts(),
        completeness=_completeness(lake, plans, states),
        frames=_frames(lake, plans, states),
        todo=dict(plans),
        new={stream_id for stream_id in plans if states[stream_id].planned_until_us is None},
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
    prepared = survey(lake, ledger=ledger, portfolio=portfolio, settings=settings)
    states = prepared.states
    _admit(prepared, credentials=settings.all_credentials(), now_us=now_us)
    find_starts(
        {stream_id: plan for stream_id, plan in prepared.todo.items() if stream_id in prepared.new},
        states=states,
        completeness=prepared.completeness,
        frames=prepared.frames,
        now_us=now_us,
    )
    bindings = [
        RegisterBinding(stream_id, one, register)
        for stream_id, plan in prepared.todo.items()
        for one in plan.fields
        if one.kind != "gauge" and (register := states[stream_id].registers.get(one.name))
    ]
    rebased = rebased_streams(prepared.todo, states)
    if awaits_refresh(rebased, lake=lake, portfolio=portfolio):
        for stream_id in rebased:
            prepared.end(stream_id, "waiting", _AWAITS_REFRESH)
        bindings = [one for one in bindings if one.stream_id not in rebased]
    events = advance_registers(
        bindings, completeness=prepared.completeness, frames=prepared.frames, now_us=now_us
    )
    events += prepared.look_ahead(prepared.todo, now_us=now_us)
    # A new stream's cursor is written with its first packet, so that a crash before that leaves
    # it new.
    written = {
        stream_id: states[stream_id] for stream_id in prepared.todo if stream_id not in prepared.new
    }
    ledger.commit_plan(written, events=events, now_us=now_us)
    return prepared


def _completeness(
    lake: Lake, plans: dict[str, StreamPlan], states: dict[str, StreamState]
) -> Completeness:
    """Read the footers of every day that a cursor or a register still needs."""
    days: list[str] = []
    for stream_id in plans:
        state = states[stream_id]
        if state.planned_until_us is None:
            days = []
            break
        days.append(day_of(instant(state.planned_until_us)))
        days += [register.baseline_day for register in state.registers.values()]
    vendors = {vendor for plan in plans.values() for vendor in plan.vendors}
    late = late_since(lake)
    if days and late is not None:
        days.append(late)
    return Completeness(lake, vendors=vendors, since=min(days, default=None))


def _frames(lake: Lake, plans: dict[str, StreamPlan], states: dict[str, StreamState]) -> DayReader:
    fields = [one for plan in plans.values() for one in plan.fields]
    registers = {one.point.point_id for one in fields if one.kind != "gauge"}
    registers |= {
        register.point_id
        for stream_id in plans
        for register in states[stream_id].registers.values()
    }
    gauges = {one.point.point_id for one in fields if one.kind == "gauge"}
    return DayReader(lake, registers=registers, gauges=gauges)


def _admit(prepared: PushState, *, credentials: Container[str], now_us: int) -> None:
    """Take streams off the list that cannot be worked on now, and say why."""
    for stream_id, plan in prepared.plans.items():
        state = prepared.states[stream_id]
        credential = plan.stream.credential
        if problem := why_unfit(plan, state):
            prepared.end(stream_id, "stopped", problem)
        elif credential not in credentials:
            variable = plan.destination.settings.variable
            reason = (
                f"credential {credential!r} is not set: {variable('username')} and "
                f"{variable('password')} for default, {variable('credentials')} for others"
            )
            prepared.end(stream_id, "stopped", reason)
        elif state.stopped is not None:
            prepared.end(stream_id, "stopped", state.stopped)
        elif state.resume_us is not None and state.resume_us > now_us:
            reason = f"{state.failure}; {plan.destination.title} asked to wait"
            prepared.end(stream_id, "gave_up", reason)


_AWAITS_REFRESH: Final = (
    "the portfolio changed how its registers are read; waits for the lake's refresh"
)


def find_starts(
    plans: Mapping[str, StreamPlan],
    *,
    states: Mapping[str, StreamState],
    completeness: Completeness,
    frames: DayReader,
    now_us: int,
) -> None:
    """Put the cursor of new streams just before their first data, or their agreed start.

    Days before a point's first reading are not missing: there is nothing to wait for.

    Args:
        plans: The new streams.
        states: All streams; changed in place.
        completeness: Which days are known.
        frames: The day files.
        now_us: The present; a stream that is to begin later is left alone.
    """
    waiting = {}
    first_days: dict[str, str] = {}
    for stream_id, plan in plans.items():
        # Each by its own vendors: others may have begun earlier or later.
        first_day = completeness.first_day(plan.vendors)
        if first_day is None or (plan.start_us or 0) > now_us:
            continue
        first_days[stream_id] = first_day
        if not completeness.is_seen(states[stream_id].seen_version, plan.vendors, since=first_day):
            waiting[stream_id] = plan
            states[stream_id].seen_version = completeness.seen
    by_start: dict[str, list[StreamPlan]] = {}
    for stream_id, plan in waiting.items():
        first_day = first_days[stream_id]
        start = first_day if plan.start_us is None else day_of(instant(plan.start_us))
        by_start.setdefault(max(start, first_day), []).append(plan)
    for start, group in by_start.items():
        points = sorted({field.point.point_id for plan in group for field in plan.fields})
        days = [day for day in completeness.days if day >= start]
        firsts = frames.first_data(points, days=days)
        for plan in group:
            instants = [
                firsts[field.point.point_id][1]
                for field in plan.fields
                if field.point.point_id in firsts
            ]
            if instants:
                begin_us = max(min(instants), plan.start_us or 0)
                states[plan.stream.id].planned_until_us = begin_us - 1


def resume_from_readback(
    plan: StreamPlan,
    state: StreamState,
    *,
    stored: LastPacket,
    completeness: Completeness,
    now_us: int,
) -> list[Event]:
    """Initialise a new stream's cursor from the last packet read back.

    Registers continue from the value read back, so nothing falls and nothing is sent twice.

    Args:
        plan: The stream.
        state: Where it stands; changed in place.
        stored: What was read back.
        completeness: Which days are known.
        now_us: The present.
    """
    at_us = microseconds(stored.at)
    state.planned_until_us = max(at_us, (plan.start_us or 0) - 1)
    state.last_packet_us = at_us
    day = day_of(stored.at)
    for one in plan.fields:
        value = stored.fields.get(one.name)
        if one.kind != "register" or value is None:
            continue
        value_wh = value * one.conversion.multiplier / one.conversion.divisor
        state.registers[one.name] = Register(
            point_id=one.point.point_id,
            config_fingerprint=one.config_fingerprint,
            baseline_wh=value_wh,
            baseline_us=at_us,
            sum_day=day,
            summed_version=completeness.seen,
            target_wh=value_wh,
            sent_thousandths=round(value * THOUSANDTHS),
            sent_us=at_us,
        )
    return [Event(now_us, plan.stream.id, "resumed_from_readback", {"last_us": at_us})]
