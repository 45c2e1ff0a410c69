"""One push: everything that is ready, to one destination, in order, resumable at any moment.

Belongs here: the loop of a push, from resuming what was left open to its outcome. Does not: what is
in a packet (``planner``, ``values``), how one is sent (``sender``), when a push is asked for
(``backlog``).
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import timedelta
from queue import Empty
from typing import TYPE_CHECKING, Final

from filelock import BaseFileLock

from energy_platform.days import MICROSECONDS, microseconds
from energy_platform.delivery.attempts import begin_run, end_run
from energy_platform.delivery.backlog import push_decision
from energy_platform.delivery.exchange import CircuitBreaker, Exchange
from energy_platform.delivery.ledger import Event, StreamFailure
from energy_platform.delivery.ledger.lease import place_of
from energy_platform.delivery.outcome import (
    ProgressCounter,
    PushOutcome,
    push_outcome,
)
from energy_platform.delivery.planner import Planner, late_entries
from energy_platform.delivery.preparation import prepare, resume_from_readback
from energy_platform.delivery.sender import AnswerWriter, Senders, SendTask
from energy_platform.delivery.values import StreamWork
from energy_platform.delivery.watermarks import version_seen
from energy_platform.destinations.base import destination

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from energy_platform.delivery.ledger import Lease, Ledger, OutboxEntry, StreamState
    from energy_platform.delivery.outcome import OutcomeStatus, Progress
    from energy_platform.delivery.preparation import PushState
    from energy_platform.destinations.base import Connection
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.settings import DestinationSettings


CHUNK_STREAMS: Final = 256
"""Streams in hand at a time."""

CHUNK_PACKETS: Final = 20_000
"""Packets in hand at a time, so that memory does not grow with what is due."""

_DAY_S: Final = 86_400
_LOOK_S: Final = 0.5
"""How often a waiting push looks up: for a stop, and to tell how far it is."""

_INTERRUPTED: Final = "stopped while it was unclear whether a packet had arrived"


class PushRun:
    """One push from what was prepared to its outcome; this thread plans, the senders send.

    Args:
        prepared: The streams, where they stand and how far they may go.
        ledger: Packets go there before anything is sent, answers after.
        settings: Address, credentials, patience.
        clock: The present.
        lease: The right to send; when it is lost, nothing more is.
        stop: Ends it soon when it is set.
        on_progress: Called now and then with the progress.
    """

    def __init__(
        self,
        prepared: PushState,
        *,
        ledger: Ledger,
        settings: DestinationSettings,
        clock: Callable[[], datetime],
        lease: Lease,
        stop: threading.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._prepared = prepared
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._lease = lease
        self._stop = stop
        self._credentials = settings.all_credentials()
        self._destination = destination(settings.destination)
        self._reads_back = self._destination.reads_back and settings.readback
        self._now_us = self._clock_us()
        self._planner = Planner(
            prepared.completeness,
            frames=prepared.frames,
            now_us=self._now_us,
            max_hold_us=prepared.max_hold_us,
        )
        self._in_hand: dict[str, SendTask] = {}
        self._progress = ProgressCounter(of_streams=len(prepared.plans), on_progress=on_progress)
        self._to_resume: list[str] = []
        self._to_read_back: list[str] = []
        self._to_plan: dict[str, str] = {}
        self._resting: set[str] = set()

    def run(self) -> PushOutcome:
        """Send everything that is ready."""
        self._sort()
        self._writer = AnswerWriter(self._ledger)
        self._breaker = CircuitBreaker(
            self._ledger,
            destination=self._destination.name,
            names=self._credentials,
            now_us=self._clock_us,
        )
        exchange = Exchange(
            breaker=self._breaker,
            writer=self._writer,
            reads_back=self._reads_back,
            now_us=self._clock_us,
            may_send=self._lease.may_send,
        )
        self._senders = Senders(
            self._settings,
            open_connection=self._open_connection,
            exchange=exchange,
            writer=self._writer,
            now_us=self._clock_us,
            stop=self._stop,
        )
        self._lease.on_end(self._break_off)
        try:
            self._send_all()
            self._send_late()
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._wind_up()
        if self._senders.error is not None:
            raise self._senders.error
        self._lease.check()
        return push_outcome(
            self._prepared,
            ledger=self._ledger,
            counter=self._progress,
            now_us=self._now_us,
            interrupted=self._stop.is_set(),
        )

    def _break_off(self) -> None:
        """Stop at once: another host sends now."""
        self._stop.set()
        self._senders.abort()

    def _clock_us(self) -> int:
        return microseconds(self._clock())

    def _open_connection(self, credential: str) -> Connection:
        return self._destination.connect(self._settings, credential, self._lease.may_send)

    def _sort(self) -> None:
        """Put each stream where it has to begin."""
        prepared = self._prepared
        for stream_id in prepared.todo:
            if prepared.pending.get(stream_id):
                self._to_resume.append(stream_id)
            elif stream_id in prepared.new and self._reads_back:
                has_data = prepared.states[stream_id].planned_until_us is not None
                (self._to_read_back.append if has_data else self._resting.add)(stream_id)
            else:
                self._go_on(stream_id)

    def _go_on(self, stream_id: str) -> None:
        """Plan the next day of a stream, or let it rest."""
        day = self._prepared.next_day(stream_id, now_us=self._now_us)
        if day is not None:
            self._to_plan[stream_id] = day
        else:
            self._rest(stream_id)

    # --- the loop ------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while not self._stop.is_set():
            self._skip_blocked()
            busy = sum(len(task.entries) for task in self._in_hand.values())
            has_room = busy < CHUNK_PACKETS and len(self._in_hand) < CHUNK_STREAMS
            if has_room and self._to_resume:
                self._resume()
            elif has_room and self._to_read_back:
                self._ask()
            elif has_room and self._to_plan:
                self._plan()
            elif not self._in_hand:
                return
            else:
                self._take_back(wait=True)
            self._take_back(wait=False)

    def _send_late(self) -> None:
        """Send values that came too late, for streams where that was agreed."""
        prepared = self._prepared
        completeness = prepared.completeness
        late_streams = [
            stream_id
            for stream_id, plan in prepared.todo.items()
            if plan.sends_late
            and not completeness.is_late_seen(
                self._state(stream_id).late_seen_version, plan.vendors
            )
        ]
        if self._stop.is_set() or not late_streams:
            return
        found = late_entries(
            prepared, stream_ids=late_streams, ledger=self._ledger, planner=self._planner
        )
        events = []
        for stream_id in late_streams:
            state = self._state(stream_id)
            state.late_seen_version = completeness.seen
            entries = found.get(stream_id, [])
            register = state.registers.get("value")
            if entries:
                detail: dict[str, str | int | float | None] = {"packets": len(entries)}
                events.append(Event(self._clock_us(), stream_id, "late_sent", detail))
            if entries and register is not None:
                (field,) = prepared.plans[stream_id].fields
                amount = sum(entry.thousandths for entry in entries)
                register.sent_thousandths += amount
                state.undelivered_wh -= field.wh_of(amount)
        self._ledger.commit_plan(
            {stream_id: self._state(stream_id) for stream_id in late_streams},
            entries=[entry for entries in found.values() for entry in entries],
            events=events,
            now_us=self._clock_us(),
        )
        for stream_id, entries in found.items():
            self._submit(stream_id, entries, in_doubt=False)
        self._send_all()

    def _state(self, stream_id: str) -> StreamState:
        return self._prepared.states[stream_id]

    def _resume(self) -> None:
        """Send packets that were planned and never answered, with their very bytes."""
        room = CHUNK_STREAMS - len(self._in_hand)
        chosen, self._to_resume = self._to_resume[:room], self._to_resume[room:]
        for stream_id, entries in self._ledger.pending(chosen).items():
            in_doubt = self._prepared.states[stream_id].in_doubt
            self._submit(stream_id, entries, in_doubt=in_doubt)

    def _ask(self) -> None:
        """Ask what the destination holds of streams the ledger knows nothing of."""
        room = CHUNK_STREAMS - len(self._in_hand)
        chosen, self._to_read_back = self._to_read_back[:room], self._to_read_back[room:]
        for stream_id in chosen:
            task = SendTask(
                plan=self._prepared.plans[stream_id], entries=deque(), resume_from_readback=True
            )
            self._in_hand[stream_id] = task
            self._senders.submit(task)

    def _plan(self) -> None:
        """Plan the earliest day that streams wait for."""
        prepared = self._prepared
        day = min(self._to_plan.values())
        chosen: list[str] = []
        packets = 0
        for stream_id, its_day in self._to_plan.items():
            if its_day == day:
                packets += max(1, _DAY_S // prepared.plans[stream_id].interval_s)
                chosen.append(stream_id)
                if packets >= CHUNK_PACKETS or len(chosen) >= CHUNK_STREAMS:
                    break
        states = {stream_id: prepared.states[stream_id] for stream_id in chosen}
        before = {stream_id: state.planned_until_us for stream_id, state in states.items()}
        planned, events = self._planner.plan(
            day,
            [
                StreamWork(prepared.plans[stream_id], state, prepared.watermarks[stream_id])
                for stream_id, state in states.items()
            ],
        )
        by_stream: dict[str, list[OutboxEntry]] = {}
        for entry in planned:
            by_stream.setdefault(entry.stream_id, []).append(entry)
        self._ledger.commit_plan(states, entries=planned, events=events, now_us=self._clock_us())
        for stream_id, state in states.items():
            del self._to_plan[stream_id]
            entries = by_stream.get(stream_id)
            if entries:
                self._submit(stream_id, entries, in_doubt=False)
            elif state.planned_until_us != before[stream_id]:
                self._go_on(stream_id)
            else:
                self._rest(stream_id)

    def _rest(self, stream_id: str) -> None:
        """Mark the stream as caught up with this version of the lake."""
        prepared = self._prepared
        state = prepared.states[stream_id]
        if state.planned_until_us is not None:
            state.seen_version = version_seen(
                completeness=prepared.completeness,
                watermark=prepared.watermarks.get(stream_id),
                now_us=self._now_us,
            )
        self._resting.add(stream_id)

    def _submit(self, stream_id: str, entries: Sequence[OutboxEntry], *, in_doubt: bool) -> None:
        task = SendTask(
            plan=self._prepared.plans[stream_id],
            entries=deque(entries),
            in_doubt=in_doubt,
            verify_first=in_doubt,
            refused_streak=self._prepared.states[stream_id].refused_streak,
        )
        self._in_hand[stream_id] = task
        self._progress.planned += len(entries)
        self._senders.submit(task)

    # --- what comes back -----------------------------------------------------------------------

    def _take_back(self, *, wait: bool) -> None:
        """Take finished tasks back: those that are there, or at least look once a moment."""
        try:
            while True:
                task = self._senders.finished.get(timeout=_LOOK_S if wait else 0.0)
                wait = False
                self._finish(task)
        except Empty:
            self._tell()
        if self._writer.error is not None:
            self._stop.set()

    def _finish(self, task: SendTask) -> None:
        prepared = self._prepared
        stream_id = task.plan.stream.id
        self._in_hand.pop(stream_id, None)
        self._progress.add(task)
        prepared.states[stream_id].refused_streak = task.refused_streak
        if task.end == "drained":
            self._resumed_from_readback(stream_id, task)
            self._go_on(stream_id)
        elif task.end == "gave_up":
            status: OutcomeStatus = "stopped" if task.is_stopped else "gave_up"
            prepared.end(stream_id, status, task.reason)
            self._notice_outage(task)
        elif task.in_doubt:
            self._writer.fail(
                StreamFailure(stream_id, self._clock_us(), _INTERRUPTED, in_doubt=True)
            )

    def _resumed_from_readback(self, stream_id: str, task: SendTask) -> None:
        """Go on from what the destination holds of a stream that is new to the ledger."""
        prepared = self._prepared
        if stream_id not in prepared.new:
            return
        prepared.new.discard(stream_id)
        if task.stored is None:
            return
        events = resume_from_readback(
            task.plan,
            prepared.states[stream_id],
            stored=task.stored,
            completeness=prepared.completeness,
            now_us=self._clock_us(),
        )
        events += prepared.look_ahead([stream_id], now_us=self._now_us)
        self._ledger.commit_plan(
            {stream_id: prepared.states[stream_id]}, events=events, now_us=self._clock_us()
        )

    def _skip_blocked(self) -> None:
        """Plan nothing for streams whose credential is refused."""
        refused = self._breaker.refusals()
        for stream_id in [*self._to_plan] if refused else []:
            reason = refused.get(self._prepared.plans[stream_id].stream.credential)
            if reason is not None:
                del self._to_plan[stream_id]
                self._prepared.end(stream_id, "gave_up", reason)

    def _notice_outage(self, task: SendTask) -> None:
        """Give up the streams not yet tried when nothing has got through for long."""
        since = task.failing_since
        if since is None or self._progress.heard_since(since):
            return
        for stream_id in (*self._to_resume, *self._to_read_back, *self._to_plan):
            reason = f"not tried: {task.reason}"
            self._prepared.end(stream_id, "gave_up", reason)
            # Remembered, so that asking for it again waits as well.
            in_doubt = self._state(stream_id).in_doubt
            self._writer.fail(StreamFailure(stream_id, self._clock_us(), reason, in_doubt=in_doubt))
        self._to_resume.clear()
        self._to_read_back.clear()
        self._to_plan.clear()

    def _tell(self, *, at_last: bool = False) -> None:
        waiting = len(self._to_resume) + len(self._to_read_back) + len(self._to_plan)
        self._progress.tell([*self._in_hand.values()], waiting=waiting, at_last=at_last)

    # --- the end -------------------------------------------------------------------------------

    def _wind_up(self) -> None:
        """Stop the senders and write every answer down."""
        hanging = {task.plan.stream.id for task in self._senders.close()}
        while not self._senders.finished.empty():
            self._finish(self._senders.finished.get())
        for stream_id, task in self._in_hand.items():
            if task.in_doubt or stream_id in hanging:
                self._writer.fail(
                    StreamFailure(stream_id, self._clock_us(), _INTERRUPTED, in_doubt=True)
                )
        self._writer.close()
        states = self._prepared.states
        self._ledger.commit_plan(
            {stream_id: states[stream_id] for stream_id in self._resting}, now_us=self._clock_us()
        )
        self._tell(at_last=True)


KEPT_DAYS: Final = 92
"""Days of settled packets the ledger keeps, with their bytes."""


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
        outcome = PushRun(
            state,
            ledger=ledger,
            settings=settings,
            clock=clock,
            lease=lease,
            stop=stop,
            on_progress=on_progress,
        ).run()
        ledger.prune(state.plans, before_us=now_us - KEPT_DAYS * 86_400 * MICROSECONDS)
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
