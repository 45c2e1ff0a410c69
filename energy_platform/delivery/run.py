"""The sending of a push: what was prepared is planned, sent and taken back, until nothing is left.

Belongs here: the loop, and how far it is. Does not: what comes before and after it (``push``), what
is in a packet (``planner``, ``values``), how one is sent (``sender``, ``exchange``).
"""

from __future__ import annotations

import time
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import microseconds
from energy_platform.delivery.exchange import CircuitBreaker, Exchange, not_read_back
from energy_platform.delivery.ledger import Event, StreamFailure
from energy_platform.delivery.planner import late_entries, plan_day
from energy_platform.delivery.preparation import resume_from_readback
from energy_platform.delivery.registers import advance_registers
from energy_platform.delivery.restored import continue_restored, contradiction
from energy_platform.delivery.sender import AnswerWriter, Senders, SendTask
from energy_platform.delivery.watermarks import version_seen
from energy_platform.destinations.base import destination

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from energy_platform.delivery.ledger import Lease, Ledger, OutboxEntry
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.streams import StreamWork
    from energy_platform.destinations.base import Connection
    from energy_platform.settings import DestinationSettings


CHUNK_STREAMS: Final = 256
"""Streams in hand at a time."""

CHUNK_PACKETS: Final = 10_000
"""Packets in hand before more are planned, so that memory does not grow with what is due."""

PLAN_PACKETS: Final = 5_000
"""Packets planned at a time: the senders wait for the first ones, and fewer cost more each."""

_DAY_S: Final = 86_400
_LOOK_S: Final = 0.5
"""How often a waiting push looks up: for a stop, and to tell how far it is."""

_TELL_EVERY_S: Final = 1.0
"""How often a push tells how far it is."""

_INTERRUPTED: Final = "stopped while it was unclear whether a packet had arrived"


class Progress(NamedTuple):
    """How far a push is.

    Attributes:
        planned: Packets planned or found pending so far.
        acknowledged: Packets acknowledged so far.
        refused: Packets refused so far.
        streams: Streams that are done.
        of_streams: Streams in all.
    """

    planned: int
    acknowledged: int
    refused: int
    streams: int
    of_streams: int


class PushRun:
    """Sends what was prepared; this thread plans, the senders send.

    Args:
        push: The streams, where they stand and how far they may go; moved on.
        ledger: Packets go there before anything is sent, answers after.
        settings: Address, credentials, patience.
        clock: The present.
        lease: The right to send; when it is lost, nothing more is.
        stop: Ends it soon when it is set.
        on_progress: Called now and then with the progress.
    """

    def __init__(
        self,
        push: PushState,
        *,
        ledger: Ledger,
        settings: DestinationSettings,
        clock: Callable[[], datetime],
        lease: Lease,
        stop: threading.Event,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._push = push
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._lease = lease
        self._stop = stop
        self._credentials = settings.all_credentials()
        self._destination = destination(settings.destination)
        self._reads_back = self._destination.reads_back and settings.readback
        # Packets are stamped up to now: the preparation may have taken long.
        push.now_us = self._clock_us()
        self._on_progress = on_progress
        self._told_at = float("-inf")
        self._heard_at = float("-inf")
        self._planned = 0
        self._in_hand: dict[str, SendTask] = {}
        self._to_resume: list[str] = []
        self._to_read_back: list[str] = []
        self._to_plan: dict[str, str] = {}
        self._resting: set[str] = set()

    def run(self) -> None:
        """Send everything that is ready.

        Raises:
            TakenOverError: Another host took over, because this one was not heard of for too long.
            LedgerError: The ledger's database stayed away.
        """
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
            self._leave_unproven()
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

    def _leave_unproven(self) -> None:
        """Leave restored streams of which no read-back can say what was sent."""
        for work in [*self._push.todo]:
            has_begun = work.state.planned_until_us is not None
            if work.state.is_restored and has_begun and (why := self._why_unproven(work)):
                reason = not_read_back(work.plan, why=why)
                is_stopped = self._reads_back or not self._destination.reads_back
                work.end = ("stopped" if is_stopped else "gave_up", reason)
                self._to_read_back = [one for one in self._to_read_back if one != work.id]
                self._to_plan.pop(work.id, None)
                self._writer.fail(
                    StreamFailure(work.id, self._clock_us(), reason, stopped=is_stopped)
                )

    def _why_unproven(self, work: StreamWork) -> str:
        if not self._destination.reads_back:
            return "it cannot be asked"
        if not self._reads_back:
            return f"{self._settings.variable('readback')} is off"
        if work.plan.sends_late:
            # The newest instant need not be the one that was received last.
            return "it sends late values too, so that the packet received last proves nothing"
        return ""

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
        for work in self._push.todo:
            if work.state.is_restored and not work.is_new:
                self._to_read_back.append(work.id)
            elif work.pending:
                self._to_resume.append(work.id)
            elif work.is_new and self._reads_back:
                has_data = work.state.planned_until_us is not None
                (self._to_read_back.append if has_data else self._resting.add)(work.id)
            else:
                self._go_on(work)

    def _go_on(self, work: StreamWork) -> None:
        """Plan the next day of a stream, or let it rest."""
        day = work.next_day(now_us=self._push.now_us)
        if day is not None:
            self._to_plan[work.id] = day
        else:
            self._rest(work)

    # --- the loop ------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while not self._stop.is_set():
            self._skip_blocked()
            busy = sum(len(task.entries) for task in self._in_hand.values())
            in_hand = len(self._in_hand)
            # Streams with many packets a day must not leave senders without a stream.
            is_hungry = busy < CHUNK_PACKETS or in_hand < self._settings.parallel_streams
            has_room = is_hungry and in_hand < CHUNK_STREAMS
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
        completeness = self._push.completeness
        works = [
            work
            for work in self._push.todo
            if work.plan.sends_late
            and not completeness.is_late_seen(work.state.late_seen_version, work.plan.vendors)
        ]
        if self._stop.is_set() or not works:
            return
        found = late_entries(self._push, works, ledger=self._ledger)
        events = []
        for work in works:
            work.state.late_seen_version = completeness.seen
            entries = found.get(work.id, [])
            register = work.state.registers.get("value")
            if entries:
                detail = {"packets": len(entries)}
                events.append(Event(self._clock_us(), work.id, "late_sent", detail))
            if entries and register is not None:
                (field,) = work.plan.fields
                amount = sum(entry.thousandths for entry in entries)
                register.sent_thousandths += amount
                work.state.undelivered_wh -= field.wh_of(amount)
        self._ledger.commit_plan(
            {work.id: work.state for work in works},
            entries=[entry for entries in found.values() for entry in entries],
            events=events,
            now_us=self._clock_us(),
        )
        for stream_id, entries in found.items():
            self._submit(self._push.works[stream_id], entries, in_doubt=False)
        self._send_all()

    def _resume(self) -> None:
        """Send packets that were planned and never answered, with their very bytes."""
        room = CHUNK_STREAMS - len(self._in_hand)
        chosen, self._to_resume = self._to_resume[:room], self._to_resume[room:]
        for stream_id, entries in self._ledger.pending(chosen).items():
            work = self._push.works[stream_id]
            self._submit(work, entries, in_doubt=work.state.in_doubt)

    def _ask(self) -> None:
        """Ask what the destination holds of streams of which the ledger may know too little."""
        room = CHUNK_STREAMS - len(self._in_hand)
        chosen, self._to_read_back = self._to_read_back[:room], self._to_read_back[room:]
        for stream_id in chosen:
            work = self._push.works[stream_id]
            task = SendTask(
                plan=work.plan,
                entries=deque(),
                resume_from_readback=True,
                must_answer=work.state.is_restored,
            )
            self._in_hand[stream_id] = task
            self._senders.submit(task)

    def _plan(self) -> None:
        """Plan the earliest day that streams wait for."""
        day = min(self._to_plan.values())
        room = CHUNK_STREAMS - len(self._in_hand)
        chosen: list[StreamWork] = []
        packets = 0
        for stream_id, its_day in self._to_plan.items():
            if its_day == day:
                work = self._push.works[stream_id]
                packets += max(1, _DAY_S // work.plan.interval_s)
                chosen.append(work)
                if packets >= PLAN_PACKETS or len(chosen) >= room:
                    break
        before = [work.state.planned_until_us for work in chosen]
        planned, events = plan_day(self._push, day, chosen)
        by_stream: dict[str, list[OutboxEntry]] = {}
        for entry in planned:
            by_stream.setdefault(entry.stream_id, []).append(entry)
        self._ledger.commit_plan(
            {work.id: work.state for work in chosen},
            entries=planned,
            events=events,
            now_us=self._clock_us(),
        )
        for work, planned_until_us in zip(chosen, before, strict=True):
            del self._to_plan[work.id]
            entries = by_stream.get(work.id)
            if entries:
                self._submit(work, entries, in_doubt=False)
            elif work.state.planned_until_us != planned_until_us:
                self._go_on(work)
            else:
                self._rest(work)

    def _rest(self, work: StreamWork) -> None:
        """Mark the stream as caught up with this version of the lake."""
        if work.state.planned_until_us is not None:
            work.state.seen_version = version_seen(
                work, completeness=self._push.completeness, now_us=self._push.now_us
            )
        self._resting.add(work.id)

    def _submit(self, work: StreamWork, entries: Sequence[OutboxEntry], *, in_doubt: bool) -> None:
        task = SendTask(
            plan=work.plan,
            entries=deque(entries),
            in_doubt=in_doubt,
            verify_first=in_doubt,
            refused_streak=work.state.refused_streak,
        )
        self._in_hand[work.id] = task
        self._planned += len(entries)
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
        work = self._push.works[task.plan.stream.id]
        self._in_hand.pop(work.id, None)
        if task.acknowledged or task.refused:
            self._heard_at = time.monotonic()
        work.sent += task.sent
        work.acknowledged += task.acknowledged
        work.refused += task.refused
        work.state.refused_streak = task.refused_streak
        if task.end == "drained":
            if work.state.is_restored and not self._read_back(work, task):
                return
            if not task.must_answer:
                self._resumed_from_readback(work, task)
            if work.pending and task.must_answer:
                self._to_resume.append(work.id)
            else:
                self._go_on(work)
        elif task.end == "gave_up":
            work.end = ("stopped" if task.is_stopped else "gave_up", task.reason)
            self._notice_outage(task)
        elif task.in_doubt:
            self._fail(work, _INTERRUPTED, in_doubt=True)

    def _fail(self, work: StreamWork, reason: str, *, in_doubt: bool) -> None:
        """Remember why a stream was left, so that asking for it again waits."""
        self._writer.fail(StreamFailure(work.id, self._clock_us(), reason, in_doubt=in_doubt))

    def _resumed_from_readback(self, work: StreamWork, task: SendTask) -> None:
        """Go on from what the destination holds of a stream that is new to the ledger."""
        if not work.is_new:
            return
        work.is_new = False
        if task.stored is None:
            return
        events = resume_from_readback(self._push, work, stored=task.stored, now_us=self._clock_us())
        events += self._push.look_ahead([work])
        self._ledger.commit_plan({work.id: work.state}, events=events, now_us=self._clock_us())

    def _read_back(self, work: StreamWork, task: SendTask) -> bool:
        """Go on from what the destination holds of a stream that was put back from a backup.

        Returns:
            Whether it goes on.
        """
        now_us = self._clock_us()
        stored_us = None if task.stored is None else microseconds(task.stored.at)
        if why := contradiction(work.state, stored_us):
            reason = not_read_back(work.plan, why=why)
            work.end = ("gave_up", reason)
            self._fail(work, reason, in_doubt=work.state.in_doubt)
            return False
        found = continue_restored(
            work,
            stored_us=stored_us,
            values={} if task.stored is None else task.stored.fields,
            now_us=now_us,
        )
        work.is_new = False
        events = [*found.events, *advance_registers(self._push, [work])]
        events += self._push.look_ahead([work])
        self._ledger.record_read_back(
            work.id,
            work.state,
            stored_us=found.stored_us,
            unrecorded=found.unrecorded,
            events=events,
            now_us=now_us,
        )
        if work.pending:
            work.pending = len(self._ledger.pending([work.id]).get(work.id, ()))
        return True

    def _skip_blocked(self) -> None:
        """Plan nothing for streams whose credential is refused."""
        refused = self._breaker.refusals()
        for stream_id in [*self._to_plan] if refused else []:
            work = self._push.works[stream_id]
            reason = refused.get(work.plan.stream.credential)
            if reason is not None:
                del self._to_plan[stream_id]
                work.end = ("gave_up", reason)

    def _notice_outage(self, task: SendTask) -> None:
        """Give up the streams not yet tried when nothing has got through for long."""
        if task.failing_since is None or self._heard_at >= task.failing_since:
            return
        for stream_id in (*self._to_resume, *self._to_read_back, *self._to_plan):
            work = self._push.works[stream_id]
            reason = f"not tried: {task.reason}"
            work.end = ("gave_up", reason)
            self._fail(work, reason, in_doubt=work.state.in_doubt)
        self._to_resume.clear()
        self._to_read_back.clear()
        self._to_plan.clear()

    def _tell(self, *, at_last: bool = False) -> None:
        """Tell how far the push is, unless that was told a moment ago."""
        now = time.monotonic()
        if self._on_progress is None or (now - self._told_at < _TELL_EVERY_S and not at_last):
            return
        self._told_at = now
        works, tasks = self._push.works.values(), self._in_hand.values()
        every: list[StreamWork | SendTask] = [*works, *tasks]
        waiting = len(self._to_resume) + len(self._to_read_back) + len(self._to_plan)
        self._on_progress(
            Progress(
                planned=self._planned,
                acknowledged=sum(one.acknowledged for one in every),
                refused=sum(one.refused for one in every),
                streams=len(works) - len(tasks) - waiting,
                of_streams=len(works),
            )
        )

    # --- the end -------------------------------------------------------------------------------

    def _wind_up(self) -> None:
        """Stop the senders and write every answer down."""
        hanging = {task.plan.stream.id for task in self._senders.close()}
        while not self._senders.finished.empty():
            self._finish(self._senders.finished.get())
        works = self._push.works
        for stream_id, task in self._in_hand.items():
            if task.in_doubt or stream_id in hanging:
                self._fail(works[stream_id], _INTERRUPTED, in_doubt=True)
        self._writer.close()
        resting = {stream_id: works[stream_id].state for stream_id in self._resting}
        self._ledger.commit_plan(resting, now_us=self._clock_us())
        self._tell(at_last=True)
