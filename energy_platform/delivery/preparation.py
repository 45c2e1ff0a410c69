"""Before anything is sent: who may send, from where, how far, and registers brought up to date.

Belongs here: where new streams begin, how one new to the ledger is resumed, how registers follow
late data and changed rules. Does not: what is in a packet (``values``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.day_reader import EVER_US, DayReader, EnergyQuery
from energy_platform.delivery.ledger import Event, Register
from energy_platform.delivery.streams import plan_streams, why_unfit
from energy_platform.delivery.watermarks import Completeness, late_since, look_ahead, next_day
from energy_platform.transforms.sampling import THOUSANDTHS

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from energy_platform.delivery.ledger import Ledger, StreamState
    from energy_platform.delivery.outcome import OutcomeStatus
    from energy_platform.delivery.streams import FieldPlan, StreamPlan
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


def rebased_streams(plans: Mapping[str, StreamPlan], states: Mapping[str, StreamState]) -> set[str]:
    """Return the streams whose registers the portfolio reads otherwise than they were sent."""
    return {
        stream_id
        for stream_id, plan in plans.items()
        for one in plan.fields
        if one.kind != "gauge"
        and (register := states[stream_id].registers.get(one.name))
        and is_rebased(RegisterBinding(stream_id, one, register))
    }


def awaits_refresh(rebased: Collection[str], *, lake: Lake, portfolio: Portfolio) -> bool:
    """Whether streams whose rules changed have to wait until the lake follows the portfolio."""
    if not rebased:
        return False
    from energy_platform import refresh  # noqa: PLC0415 - slow to import, needed after an edit

    return bool(refresh.stale(lake, portfolio))


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


REBASE_FROM_WH: Final = 0.5
"""A changed rule that moves a register by less than half a watt-hour moves no packet."""


class RegisterBinding(NamedTuple):
    """A register of the ledger with the field it belongs to now."""

    stream_id: str
    field: FieldPlan
    register: Register


def is_rebased(binding: RegisterBinding) -> bool:
    """Whether the portfolio reads the register otherwise than when it was last sent."""
    return (
        binding.register.config_fingerprint != binding.field.config_fingerprint
        or binding.register.point_id != binding.field.point.point_id
    )


def advance_registers(
    bindings: Iterable[RegisterBinding],
    *,
    completeness: Completeness,
    frames: DayReader,
    now_us: int,
) -> list[Event]:
    """Bring registers up to date with what changed behind them in the lake.

    Late data move the sum, so that the next value sent carries them. A changed policy, correction,
    rule or point moves the offset instead: what was sent stays, and the register goes on from
    there.

    Args:
        bindings: Registers to look at; changed in place.
        completeness: Which days are known.
        frames: The day files.
        now_us: The present.

    Returns:
        One event per rebase.
    """
    events = []
    rebased = []
    for binding in bindings:
        register = binding.register
        if register.point_id != binding.field.point.point_id:
            events.append(_repointed(binding, now_us=now_us))
        elif register.config_fingerprint != binding.field.config_fingerprint:
            rebased.append(binding)
    events += _rebase(rebased, completeness=completeness, frames=frames, now_us=now_us)
    outdated = [
        binding
        for binding in bindings
        if not completeness.is_summed(
            binding.register.summed_version,
            binding.register.baseline_day,
            end=binding.register.sum_day,
        )
    ]
    queries = [
        EnergyQuery(
            key,
            binding.register.point_id,
            binding.register.baseline_us,
            EVER_US,
            binding.register.baseline_day,
            binding.register.sum_day,
        )
        for key, binding in enumerate(outdated)
    ]
    sums = frames.energy(queries, days=completeness.delta_days) if queries else {}
    for key, binding in enumerate(outdated):
        register = binding.register
        register.sum_wh = sums[key]
        register.summed_version = completeness.seen
    return events


def _rebase(
    rebased: list[RegisterBinding], *, completeness: Completeness, frames: DayReader, now_us: int
) -> list[Event]:
    if not rebased:
        return []
    end = next_day(completeness.delta_days[-1]) if completeness.delta_days else ""
    queries = [
        EnergyQuery(
            key,
            binding.register.point_id,
            binding.register.baseline_us,
            binding.register.sent_us,
            binding.register.baseline_day,
            end,
        )
        for key, binding in enumerate(rebased)
    ]
    sums = frames.energy(queries, days=completeness.delta_days)
    events = []
    for key, binding in enumerate(rebased):
        register = binding.register
        by_new_rules = register.baseline_wh + register.offset_wh + sums[key]
        moved_wh = register.target_wh - by_new_rules
        register.config_fingerprint = binding.field.config_fingerprint
        if abs(moved_wh) < REBASE_FROM_WH:
            continue
        register.offset_wh += moved_wh
        events.append(
            _event(
                binding, now_us=now_us, moved_wh=moved_wh, why="policy, correction or rule changed"
            )
        )
    return events


def _repointed(binding: RegisterBinding, *, now_us: int) -> Event:
    """Go on from the value sent last with another point."""
    register = binding.register
    why = f"fed by {binding.field.point.point_id} instead of {register.point_id}"
    before_wh = register.baseline_wh + register.offset_wh
    register.point_id = binding.field.point.point_id
    register.config_fingerprint = binding.field.config_fingerprint
    register.baseline_wh = register.target_wh
    register.baseline_us = register.sent_us
    register.offset_wh = 0.0
    register.sum_wh = 0.0
    register.sum_day = register.baseline_day
    register.summed_version = ""
    return _event(binding, now_us=now_us, moved_wh=register.baseline_wh - before_wh, why=why)


def _event(binding: RegisterBinding, *, now_us: int, moved_wh: float, why: str) -> Event:
    return Event(
        now_us,
        binding.stream_id,
        "rebase",
        {
            "field": binding.field.name,
            "why": why,
            "moved_wh": round(moved_wh, 3),
            "offset_wh": round(binding.register.offset_wh, 3),
            "from_us": binding.register.sent_us,
        },
    )
