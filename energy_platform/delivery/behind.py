"""Which streams have something to deliver, told cheaply: footers and cursors, no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.delivery.attempts import next_attempt
from energy_platform.delivery.knowledge import Knowledge, late_since
from energy_platform.delivery.ledger import StreamState
from energy_platform.delivery.plans import plan_streams
from energy_platform.partitions import day_of
from energy_platform.transforms.packets import grid, instant

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.plans import StreamPlan
    from energy_platform.portfolio import Portfolio
    from energy_platform.storage.lake import Lake


class Behind(NamedTuple):
    """A stream that a push may have something for.

    Attributes:
        stream_id: The stream.
        since: Oldest instant not yet acknowledged; None for a stream never planned.
        pending: Packets with an intent and no answer.
        is_retry: Whether the newest attempt failed: asking again may wait.
        reason: One sentence for people.
    """

    stream_id: str
    since: datetime | None
    pending: int
    is_retry: bool
    reason: str


class Wanted(NamedTuple):
    """A push worth asking for.

    Attributes:
        run_key: The same for the same state of lake and ledger, another after each attempt.
        behind: The streams.
        alert: Whether so many pushes failed in a row that a person should know.
        error: What the last one met.
    """

    run_key: str
    behind: tuple[Behind, ...]
    alert: bool
    error: str | None


def streams_behind(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime | None = None,
    max_hold: timedelta | None = None,
) -> tuple[Behind, ...]:
    """Return the streams a push may have something for.

    A stream is behind when a packet of it has no answer, or when the lake changed after its cursor
    since it was last looked at. Streams that wait for a person are not.

    Args:
        lake: The day files; footers are read.
        ledger: The delivery ledger.
        portfolio: The streams.
        now: The present, for pauses Wattics asked for and holds that end; None: none end.
        max_hold: How long a missing day is waited for.
    """
    return tuple(_behind(lake, ledger, portfolio, now=now, max_hold=max_hold)[0])


def push_wanted(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime,
    max_hold: timedelta | None = None,
) -> Wanted | None:
    """Return the push to ask for now, None when there is nothing to do or it is too early.

    Streams whose newest attempt failed wait for the growing pause; new data for others does not.
    """
    behind, mark = _behind(lake, ledger, portfolio, now=now, max_hold=max_hold)
    if not behind:
        return None
    attempt = next_attempt(ledger, now=now)
    if not attempt.is_due and all(one.is_retry for one in behind):
        return None
    started = "first" if attempt.started_at is None else f"{attempt.started_at.timestamp():.6f}"
    return Wanted(
        run_key=f"push {mark} after {started}",
        behind=tuple(behind),
        alert=attempt.alert,
        error=attempt.error,
    )


def _behind(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime | None,
    max_hold: timedelta | None,
) -> tuple[list[Behind], str]:
    plans = {
        stream_id: plan
        for stream_id, plan in plan_streams(portfolio).items()
        if plan.problem is None
    }
    if not plans:
        return [], ""
    states = ledger.states()
    cursors = [
        state.planned_until_us
        for stream_id in plans
        if (state := states.get(stream_id)) is not None and state.stopped is None
    ]
    is_new = len(cursors) < len(plans) or None in cursors
    known_us = [cursor for cursor in cursors if cursor is not None]
    since = None if is_new or not known_us else day_of(instant(min(known_us)))
    late = late_since(lake) if any(plan.sends_late for plan in plans.values()) else None
    if since is not None and late is not None:
        since = min(since, late)
    vendors = {vendor for plan in plans.values() for vendor in plan.vendors}
    knowledge = Knowledge(lake, vendors=vendors, since=since)
    pending_since = ledger.pending_since()
    pending = ledger.pending_counts()
    found = []
    for stream_id, plan in plans.items():
        state = states.get(stream_id) or StreamState()
        if state.stopped is not None:
            continue
        if now is not None and state.resume_us is not None and instant(state.resume_us) > now:
            continue
        held_out = (
            now is not None
            and max_hold is not None
            and plan.may_jump
            and state.held_since_us is not None
            and now - instant(state.held_since_us) >= max_hold
        )
        reason = _reason(
            plan,
            state,
            knowledge=knowledge,
            pending=pending.get(stream_id, 0),
            held_out=held_out,
        )
        if reason:
            since_us = pending_since.get(stream_id) or next_instant_us(plan, state)
            found.append(
                Behind(
                    stream_id=stream_id,
                    since=None if since_us is None else instant(since_us),
                    pending=pending.get(stream_id, 0),
                    is_retry=state.failure is not None,
                    reason=reason,
                )
            )
    newest = knowledge.mark(vendors, since=since or "")
    return found, newest


def _reason(
    plan: StreamPlan, state: StreamState, *, knowledge: Knowledge, pending: int, held_out: bool
) -> str:
    if pending:
        return f"{pending} packets without an answer"
    if held_out:
        return f"the hold for {state.held_day} is over"
    if state.planned_until_us is None:
        first = knowledge.first_day(plan.vendors)
        if first is None or state.looked_mark == knowledge.mark(plan.vendors, since=first):
            return ""
        return "nothing sent yet"
    if plan.sends_late and state.late_mark != knowledge.late_mark(plan.vendors):
        return "late values may be sent behind the cursor"
    since = day_of(instant(state.planned_until_us))
    if state.looked_mark == knowledge.mark(plan.vendors, since=since):
        return ""
    frontier = knowledge.frontier(
        plan.vendors, from_us=state.planned_until_us, passed_day=state.passed_day
    )
    next_us = next_instant_us(plan, state)
    if next_us is None or next_us > frontier.until_us:
        return ""
    return "the lake has newer data"


def next_instant_us(plan: StreamPlan, state: StreamState) -> int | None:
    """Return the first grid instant that is not decided; None before the first packet."""
    after_us = state.planned_until_us
    if after_us is None:
        return None
    # The end of a UTC day belongs to its own grid, so the next instant lies here or tomorrow.
    for at_us in (after_us, after_us + 86_400 * 1_000_000):
        for one in grid(day_of(instant(at_us)), zone=plan.zone, interval_s=plan.interval_s):
            if one.at_us > after_us:
                return one.at_us
    return None
