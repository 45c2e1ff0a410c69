"""One push: everything that is ready, to one destination, in order, resumable at any moment.

Belongs here: how a push begins, ends and is tried again, and what came of it. Does not: the sending
itself (``run``), whether and when a push is asked for (``backlog``).

A run counts as failed from its beginning until it ended well, so a killed one is counted too.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from filelock import BaseFileLock

from energy_platform.days import MICROSECONDS, instant, microseconds
from energy_platform.delivery.backlog import push_decision
from energy_platform.delivery.ledger import Run
from energy_platform.delivery.ledger.lease import place_of
from energy_platform.delivery.preparation import prepare
from energy_platform.delivery.run import PushRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from energy_platform.delivery.backlog import PushDecision
    from energy_platform.delivery.ledger import Ledger, StreamState
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.run import Progress
    from energy_platform.delivery.streams import StreamEnd, StreamPlan
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings

KEPT_DAYS: Final = 92
"""Days of settled packets the ledger keeps, with their bytes."""

FIRST_PAUSE_S: Final = 60
"""Pause after the first failed push; it doubles with each further one."""

LONGEST_PAUSE_S: Final = 3600
"""The pause grows no further than this."""

_SECOND_US: Final = 1_000_000


class StreamOutcome(NamedTuple):
    """What came of one stream.

    Attributes:
        stream_id: The stream.
        status: How it stands.
        reason: Why it is not simply delivered; empty when it is.
        sent: Requests with a packet.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
        pending: Packets planned and not yet answered.
        until: Newest acknowledged instant.
    """

    stream_id: str
    status: StreamEnd
    reason: str
    sent: int
    acknowledged: int
    refused: int
    pending: int
    until: datetime | None


class PushOutcome(NamedTuple):
    """What came of a push.

    Attributes:
        streams: Stream by stream, by id.
        interrupted: Whether it was stopped from outside.
        then: Whether anything is left to be sent, and when; None when the push did not begin.
    """

    streams: dict[str, StreamOutcome]
    interrupted: bool
    then: PushDecision | None = None

    @property
    def sent(self) -> int:
        """Requests with a packet."""
        return sum(one.sent for one in self.streams.values())

    @property
    def acknowledged(self) -> int:
        """Packets acknowledged."""
        return sum(one.acknowledged for one in self.streams.values())

    @property
    def refused(self) -> int:
        """Packets refused."""
        return sum(one.refused for one in self.streams.values())

    @property
    def problems(self) -> list[str]:
        """One sentence per stream that needs another attempt or an operator."""
        return [
            f"{one.stream_id}: {one.reason}"
            for one in self.streams.values()
            if one.status in {"gave_up", "stopped"}
        ]

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong; waiting for data is not wrong."""
        return not self.problems and not self.interrupted


def push(
    lake: Lake,
    *,
    ledger: Ledger,
    portfolio: Portfolio,
    settings: DestinationSettings,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> PushOutcome:
    """Send every packet that is ready, and settle what an earlier push left open.

    Waits for a push that is under way. Stopped or killed at any moment, the next one goes on
    where this one ended.

    Args:
        lake: The day files.
        ledger: What was sent and acknowledged.
        portfolio: The streams as agreed; those of the settings' destination are sent.
        settings: Of the destination: address, credentials, patience.
        clock: The present; packets are never stamped later.
        stop: Ends the push within ten seconds when it is set.
        on_progress: Called now and then with the progress.

    Returns:
        What came of each stream; faults of the destination are outcomes, not exceptions.

    Raises:
        SettingsError: No base URL is set although there are streams.
        TakenOverError: Another host took over, because this one was not heard of for too long.
        LedgerError: The ledger's database stayed away.
    """
    name = settings.destination
    if all(stream.destination != name for stream in portfolio.streams.values()):
        return PushOutcome({}, interrupted=False)
    settings.required_url()
    stop = stop or threading.Event()
    with (
        lake.lock(f"{name}_push") as held,
        ledger.exclusive(
            stop=stop,
            place=place_of(held.lock_file) if isinstance(held, BaseFileLock) else "",
            under_way_s=settings.read_timeout_s,
        ) as lease,
    ):
        if lease is None:
            return PushOutcome({}, interrupted=True)
        now_us = microseconds(clock())
        if begin_run(ledger, destination=name, now_us=now_us):
            ledger.mark_in_doubt(name)
        state = prepare(lake, ledger=ledger, portfolio=portfolio, settings=settings, now_us=now_us)
        run = PushRun(
            state,
            ledger=ledger,
            settings=settings,
            clock=clock,
            lease=lease,
            stop=stop,
            on_progress=on_progress,
        )
        with _no_garbage_sought_before():
            run.run()
        outcome = PushOutcome(_outcomes(state, ledger=ledger), interrupted=stop.is_set())
        ledger.prune(state.works, before_us=now_us - KEPT_DAYS * 86_400 * MICROSECONDS)
        now = clock()
        end_run(ledger, destination=name, outcome=outcome, now_us=microseconds(now))
        then = push_decision(
            lake,
            ledger,
            portfolio,
            now=now,
            max_hold=timedelta(hours=settings.max_hold_h),
            credentials=settings.all_credentials(),
            destination=name,
        )
        return outcome._replace(then=then)


@contextmanager
def _no_garbage_sought_before() -> Iterator[None]:
    """Have the garbage collector look only at what is made from here on.

    Whole collections walk every module and the portfolio, 0.1 s each in which no sender moves: a
    twelfth of the processor time of a push of 28,500 packets (``benchmarks.push``).
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


# --- how it began and ended --------------------------------------------------------------------


def begin_run(ledger: Ledger, *, destination: str, now_us: int) -> bool:
    """Note that a push begins; return whether the one before ended in a crash."""
    before = ledger.run(destination)
    failures = 0 if before is None else before.failures
    error = "the push was killed" if before is None else before.error or "the push was killed"
    ledger.set_run(
        Run(
            is_open=True,
            failures=failures + 1,
            started_us=now_us,
            next_us=now_us + _pause_us(failures + 1),
            error=error,
        ),
        destination=destination,
    )
    return before is not None and before.is_open


def end_run(ledger: Ledger, *, destination: str, outcome: PushOutcome, now_us: int) -> None:
    """Note how a push ended.

    A push stopped from outside is not a failure; nor is a stream that waits for an operator, since
    asking again would not help it.
    """
    run = ledger.run(destination)
    failures = 0 if run is None else run.failures
    started_us = now_us if run is None else run.started_us
    left = [one for one in outcome.streams.values() if one.status == "gave_up"]
    if not left:
        ledger.set_run(
            Run(is_open=False, failures=0, started_us=started_us, next_us=None, error=None),
            destination=destination,
        )
        return
    problems = [f"{one.stream_id}: {one.reason}" for one in left]
    error = problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
    next_us = now_us + _pause_us(failures)
    probes = [stop.probe_us for stop in ledger.stopped_credentials(destination).values()]
    if probes:
        # The probe of a refused credential is the attempt that can change something.
        next_us = max(now_us + FIRST_PAUSE_S * _SECOND_US, min([*probes, next_us]))
    ledger.set_run(
        Run(is_open=False, failures=failures, started_us=started_us, next_us=next_us, error=error),
        destination=destination,
    )


def _pause_us(failures: int) -> int:
    seconds = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    return int(seconds * _SECOND_US)


def _outcomes(push: PushState, *, ledger: Ledger) -> dict[str, StreamOutcome]:
    """Return what came of every stream of a push, and where the ledger has it now."""
    states = ledger.states()
    pending = ledger.pending_counts()
    found = {}
    for stream_id, work in sorted(push.works.items()):
        state = states[stream_id]
        status, reason = work.end or _standing(
            work.plan, state, now_us=push.now_us, max_hold_us=push.max_hold_us
        )
        last_us = state.last_acknowledged_us
        found[stream_id] = StreamOutcome(
            stream_id=stream_id,
            status=status,
            reason=reason,
            sent=work.sent,
            acknowledged=work.acknowledged,
            refused=work.refused,
            pending=pending.get(stream_id, 0),
            until=None if last_us is None else instant(last_us),
        )
    return found


def _standing(
    plan: StreamPlan, state: StreamState, *, now_us: int, max_hold_us: int
) -> tuple[StreamEnd, str]:
    if state.blocked_day is None:
        if state.last_acknowledged_us is None:
            return "waiting", "there is no settled data yet"
        return "delivered", ""
    reason = f"waits for the missing day {state.blocked_day}"
    is_overdue = now_us - (state.blocked_since_us or now_us) >= max_hold_us
    if is_overdue and not plan.may_jump:
        return "stopped", f"{reason}: values per interval never pass one; run that day again"
    return "blocked", reason
