"""Whether anything is to be sent, told cheaply from footers and cursors, and when to ask for it.

One function says it (``push_decision``): to the sensor, to ``status`` and ``delivery status``, and
at the end of a push. It follows the steps of a push (``preparation``, ``watermarks``) with the same
functions, so that what it asks for is what a push would do.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.day_reader import EVER_US
from energy_platform.delivery.ledger import StreamState
from energy_platform.delivery.registers import awaits_refresh, is_rebased
from energy_platform.delivery.streams import StreamWork, plan_streams
from energy_platform.delivery.watermarks import Completeness, late_since, look_ahead, was_looked_at
from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.transforms.sampling import grid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from energy_platform.delivery.ledger import CredentialStop, Ledger, Run
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings

ALERT_AFTER: Final = 3
"""Failed pushes in a row after which an operator should know."""


class Backlog(NamedTuple):
    """A stream that a push has something for.

    Attributes:
        stream_id: The stream.
        since: Oldest instant not yet acknowledged; None for a stream never planned.
        pending: Packets planned and not yet answered.
        is_retry: Whether the newest attempt failed: asking again may wait.
        reason: One sentence for display.
    """

    stream_id: str
    since: datetime | None
    pending: int
    is_retry: bool
    reason: str


class PushDecision(NamedTuple):
    """Whether a push is to be asked for now, and why.

    Attributes:
        is_wanted: Whether to ask for one now.
        behind: The streams a push has something for, pauses aside.
        alert: Whether so many pushes failed in a row that an operator should know.
        error: What the last one met; None when it went well.
        next_attempt_at: When streams that failed are tried again; None when nothing waits for that.
        last_started_at: When the last push began by the ledger; one that died before is not there.
        reason: Why, or why not, in one sentence; never empty.
    """

    is_wanted: bool
    behind: tuple[Backlog, ...]
    alert: bool
    error: str | None
    next_attempt_at: datetime | None
    last_started_at: datetime | None
    reason: str


def push_decision(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime,
    max_hold: timedelta | None = None,
    credentials: Collection[str] | None = None,
    destination: str = DEFAULT_DESTINATION,
) -> PushDecision:
    """Say whether a push run now would send or settle anything, and is due.

    Streams whose newest attempt failed wait for the growing pause; new data for others does not.
    After a push that was killed all wait.

    Args:
        lake: The day files; footers are read.
        ledger: The delivery ledger.
        portfolio: The streams.
        now: The present.
        max_hold: How long a missing day is waited for; None: for ever.
        credentials: Names of those that are set; None: all are.
        destination: Where to, by its name.
    """
    run = ledger.run(destination)
    plans = plan_streams(portfolio, to=destination)
    if not plans:
        where = f" that goes to {destination}" if portfolio.streams else ""
        return _decide(run, (), now=now, reason=f"the portfolio has no stream{where or 's'}")
    behind, resting = _look(
        lake, ledger, portfolio, plans, now=now, max_hold=max_hold, credentials=credentials
    )
    if not behind:
        titles = {plan.destination.title for plan in plans.values()}
        reason = f"{' and '.join(titles)} holds all that is ready"
        if resting:
            reason = f"nothing can be sent: {_summary(resting)}"
        return _decide(run, behind, now=now, reason=reason)
    was_killed = run is not None and run.is_open
    waits = all(one.is_retry for one in behind) or was_killed
    if run is not None and run.not_before is not None and waits and now < run.not_before:
        what = "was killed or is under way" if was_killed else "did not get all through"
        reason = f"the last push {what} ({run.error}); next attempt at {run.not_before:%F %R} UTC"
        return _decide(run, behind, now=now, reason=reason)
    reason = _summary([f"{one.stream_id}: {one.reason}" for one in behind])
    return _decide(run, behind, now=now, reason=reason, is_wanted=True)


def push_decisions(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime,
    settings: Iterable[DestinationSettings],
) -> dict[str, PushDecision]:
    """Return the decision for each of some destinations, by its name (see ``push_decision``).

    Args:
        lake: The day files; footers are read.
        ledger: The delivery ledger.
        portfolio: The streams.
        now: The present.
        settings: Those of the destinations.
    """
    return {
        one.destination: push_decision(
            lake,
            ledger,
            portfolio,
            now=now,
            max_hold=timedelta(hours=one.max_hold_h),
            credentials=one.all_credentials(),
            destination=one.destination,
        )
        for one in settings
    }


def stream_backlog(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    *,
    now: datetime | None = None,
    max_hold: timedelta | None = None,
    destination: str | None = None,
) -> tuple[Backlog, ...]:
    """Return the streams a push has something for; without ``now`` no clock is looked at.

    A stream is behind when a packet of it has no answer, or when the lake changed after its cursor
    since it was last looked at. Streams that wait for an operator are not.

    Args:
        lake: The day files; footers are read.
        ledger: The delivery ledger.
        portfolio: The streams.
        now: The present, for pauses that were asked for and holds that end; None: none end.
        max_hold: How long a missing day is waited for.
        destination: Where to, by its name; None: the streams of all.
    """
    plans = plan_streams(portfolio, to=destination)
    behind, _ = _look(lake, ledger, portfolio, plans, now=now, max_hold=max_hold, credentials=None)
    return behind


def _decide(
    run: Run | None,
    behind: tuple[Backlog, ...],
    *,
    now: datetime,
    reason: str,
    is_wanted: bool = False,
) -> PushDecision:
    not_before = None if run is None else run.not_before
    is_due = not_before is None or now >= not_before
    return PushDecision(
        is_wanted=is_wanted,
        behind=behind,
        alert=run is not None and run.failures >= ALERT_AFTER,
        error=None if run is None else run.error,
        next_attempt_at=not_before if behind and not is_due else None,
        last_started_at=None if run is None else instant(run.started_us),
        reason=reason,
    )


def _summary(sentences: list[str]) -> str:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return f"{sentences[0]}{more}"


def _look(
    lake: Lake,
    ledger: Ledger,
    portfolio: Portfolio,
    plans: Mapping[str, StreamPlan],
    *,
    now: datetime | None,
    max_hold: timedelta | None,
    credentials: Collection[str] | None,
) -> tuple[tuple[Backlog, ...], list[str]]:
    """Return what each stream has, and those that rest though they may have something."""
    now_us = None if now is None else microseconds(now)
    states = ledger.states()
    works = [
        StreamWork(plan=plan, state=states.get(stream_id) or StreamState())
        for stream_id, plan in plans.items()
    ]
    names = {plan.destination.name for plan in plans.values()}
    stops = {name: ledger.stopped_credentials(name) for name in names} if now_us else {}
    resting: list[str] = []
    awake: list[StreamWork] = []
    for work in works:
        if why := _why_resting(work, now_us=now_us, stops=stops, credentials=credentials):
            resting.append(f"{work.id}: {why}")
        else:
            awake.append(work)
    # A frame for the marts looks at no clock and at nothing but the lake and the ledger.
    rebased = [] if now_us is None else [work for work in awake if is_rebased(work)]
    if awaits_refresh(rebased, lake=lake, portfolio=portfolio):
        waiting = sorted(work.id for work in rebased)
        resting += [f"{stream_id}: waits for the lake's refresh" for stream_id in waiting]
        awake = [work for work in awake if work.id not in waiting]
        rebased = []
    behind: list[Backlog] = []
    if not awake:
        return (), resting
    completeness = _completeness(lake, awake)
    pending_since = ledger.pending_since()
    pending = ledger.pending_counts()
    holds = {} if now_us is None else _holds(awake, completeness, now_us, max_hold)
    will_rebase = {work.id for work in rebased}
    for work in awake:
        reason = holds.get(work.id, "")
        if work.state.is_restored and work.state.planned_until_us is not None:
            title = work.plan.destination.title
            reason = f"restored from a backup: what {title} holds of it is not read back yet"
        elif pending.get(work.id):
            reason = f"{pending[work.id]} packets without an answer"
        elif work.id in will_rebase:
            reason = "the portfolio reads its registers otherwise now"
        reason = reason or _reason(work, completeness=completeness, now_us=now_us)
        if reason:
            since_us = pending_since.get(work.id) or _next_instant_us(
                work.plan, work.state.planned_until_us
            )
            behind.append(
                Backlog(
                    stream_id=work.id,
                    since=None if since_us is None else instant(since_us),
                    pending=pending.get(work.id, 0),
                    is_retry=work.state.failure is not None,
                    reason=reason,
                )
            )
    return tuple(behind), resting


def _why_resting(
    work: StreamWork,
    *,
    now_us: int | None,
    stops: Mapping[str, Mapping[str, CredentialStop]],
    credentials: Collection[str] | None,
) -> str:
    """Say why a push would turn a stream away at once; empty when it would not."""
    plan, state = work.plan, work.state
    if problem := work.why_unfit():
        return problem
    if credentials is not None and plan.stream.credential not in credentials:
        return f"credential {plan.stream.credential!r} is not set"
    if state.stopped is not None:
        return f"waits for an operator: {state.stopped}"
    if now_us is None:
        return ""
    stop = stops[plan.destination.name].get(plan.stream.credential)
    if stop is not None and now_us < stop.probe_us:
        return f"{stop.reason}; next probe at {instant(stop.probe_us):%F %R} UTC"
    if plan.start_us is not None and plan.start_us > now_us:
        return f"begins at {instant(plan.start_us):%F %R} UTC"
    if state.resume_us is not None and state.resume_us > now_us:
        return f"{plan.destination.title} asked to wait until {instant(state.resume_us):%F %R} UTC"
    return ""


def _completeness(lake: Lake, works: Sequence[StreamWork]) -> Completeness:
    """Read the footers from the first day that a cursor still needs."""
    cursors = [work.state.needs_lake_from_us for work in works]
    known_us = [cursor for cursor in cursors if cursor is not None]
    since = None if None in cursors else day_of(instant(min(known_us)))
    late = late_since(lake) if any(work.plan.sends_late for work in works) else None
    if since is not None and late is not None:
        since = min(since, late)
    vendors = {vendor for work in works for vendor in work.plan.vendors}
    return Completeness(lake, vendors=vendors, since=since)


def _holds(
    works: Iterable[StreamWork],
    completeness: Completeness,
    now_us: int,
    max_hold: timedelta | None,
) -> dict[str, str]:
    """Return the streams whose waiting for a missing day a push would begin or end."""
    max_hold_us = EVER_US if max_hold is None else int(max_hold.total_seconds() * 1_000_000)
    events = look_ahead(
        [replace(work, state=replace(work.state)) for work in works],
        completeness=completeness,
        now_us=now_us,
        max_hold_us=max_hold_us,
    )
    return {
        event.stream_id: (
            f"{event.detail['day']} is missing and has to be waited for"
            if event.kind == "hold"
            else f"the hold for {event.detail['day']} is over"
        )
        for event in events
        if event.stream_id is not None
    }


def _reason(work: StreamWork, *, completeness: Completeness, now_us: int | None) -> str:
    plan, state = work.plan, work.state
    if state.planned_until_us is None:
        first = completeness.first_day(plan.vendors)
        if first is None or completeness.is_seen(state.seen_version, plan.vendors, since=first):
            return ""
        return "nothing sent yet"
    if plan.sends_late and not completeness.is_late_seen(state.late_seen_version, plan.vendors):
        return "late values may be sent behind the cursor"
    looked_until_us = was_looked_at(work, completeness=completeness)
    if looked_until_us >= EVER_US:
        return ""
    watermark = completeness.low_watermark(
        plan.vendors,
        from_us=state.needs_lake_from_us or state.planned_until_us,
        passed_day=state.passed_day,
    )
    next_us = _next_instant_us(plan, max(state.planned_until_us, looked_until_us))
    if next_us is None or next_us > min(watermark.until_us, now_us or EVER_US):
        return ""
    return "the lake has newer data"


def _next_instant_us(plan: StreamPlan, after_us: int | None) -> int | None:
    """Return the first grid instant after another; None before the first packet."""
    if after_us is None:
        return None
    # The end of a UTC day belongs to its own grid, so the next instant lies here or tomorrow.
    for at_us in (after_us, after_us + 86_400 * 1_000_000):
        for one in grid(day_of(instant(at_us)), zone=plan.zone, interval_s=plan.interval_s):
            if one.at_us > after_us:
                return one.at_us
    return None
