"""Sends packets: one request in flight per stream, in order, as many streams at once as allowed.

Each sender is a thread with connections of its own. A stream belongs to one sender at a time; a
fault that can heal puts it aside for a while and the sender takes another stream
(Wattics data collection API, sections 4 to 8).
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import random
import threading
import time
from collections import Counter, deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from energy_platform.delivery.jobs import Finished, Leave, Pause, Redirected, Wait
from energy_platform.delivery.ledger import Failure, Settled
from energy_platform.delivery.wires import Gate, Wires
from energy_platform.destinations.wattics import RedirectedError
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.delivery.jobs import Job, Pacing
    from energy_platform.delivery.wires import Wire
    from energy_platform.delivery.writer import AnswerWriter
    from energy_platform.destinations.wattics import Answer, LastPacket

_LOG: Final = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
"""Pause after the first fault of a stream; it doubles with each further one."""

LONGEST_RETRY_AFTER_S: Final = 3600.0
"""A ``Retry-After`` beyond this is a mistake."""

REFUSALS_IN_A_ROW: Final = 5
"""After so many packets refused one after the other, the next ones would be refused as well."""

STOP_GRACE_S: Final = 8.0
"""How long a stop waits for requests under way."""

ABORT_GRACE_S: Final = 1.0
"""How long a stop waits after it cut the requests that had not ended."""

STRAYS_IN_A_ROW: Final = 5
"""Answers that prove nothing, with nothing stored, that one packet may meet before its stream is
left."""

PROOFS: Final = 3
"""Read-backs that must have found the packet stored, and none that did not, before an answer of
the same shape is taken to mean stored for the rest of the push."""

_PROOF_WAIT_S: Final = 0.02
"""How soon a stream asks again whether its credential has been proven in this run."""


class Senders:
    """A set of senders and the line of jobs before them.

    Args:
        count: How many streams are sent at once.
        open_wire: Opens a connection for a credential by name.
        gate: Who may send.
        writer: Where answers go.
        pacing: How patient they are.
        now_us: The present.
        may_send: Whether a request may begin; those that may not yet wait.
        stop: Ends all sending soon.
    """

    def __init__(
        self,
        count: int,
        *,
        open_wire: Callable[[str], Wire],
        gate: Gate,
        writer: AnswerWriter,
        pacing: Pacing,
        now_us: Callable[[], int],
        may_send: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        self._gate = gate
        self._writer = writer
        self._pacing = pacing
        self._now_us = now_us
        self._may_send = may_send
        self._stop = stop
        self._condition = threading.Condition()
        self._ready: deque[Job] = deque()
        self._paused: list[tuple[float, int, Job]] = []
        self._tickets = itertools.count()
        self._closed = False
        self._working: dict[int, Job] = {}
        self._wires = [Wires(open_wire) for _ in range(count)]
        self._random = random.Random()  # noqa: S311 - jitter
        self._proofs: Counter[str] = Counter()
        self._disproven: set[str] = set()
        self.finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        """Jobs no sender works on any more."""
        self.error: BaseException | None = None
        """A fault of the platform itself that ended a sender."""
        self._threads = [
            threading.Thread(target=self._work, args=(n,), name=f"sender-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Put a job in the line."""
        with self._condition:
            self._ready.append(job)
            self._condition.notify()

    def abort(self) -> None:
        """End every request under way and let no other begin."""
        for wires in self._wires:
            wires.abort()

    def close(self) -> list[Job]:
        """Stop the senders; requests under way may still end, those that do not are cut.

        A sender that cannot be woken, because it waits for a connection, sends nothing any more.

        Returns:
            Jobs whose request did not end in time: whether their packet arrived is unclear.
        """
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        deadline = time.monotonic() + STOP_GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        for thread, wires in zip(self._threads, self._wires, strict=True):
            if thread.is_alive():
                wires.abort()
        deadline = time.monotonic() + ABORT_GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        return list(self._working.values())

    # --- the line ------------------------------------------------------------------------------

    def _take(self) -> Job | None:
        with self._condition:
            while True:
                if self._closed:
                    return None
                now = time.monotonic()
                while self._paused and self._paused[0][0] <= now:
                    self._ready.append(heapq.heappop(self._paused)[2])
                if self._ready:
                    if len(self._ready) > 1:
                        self._condition.notify()
                    return self._ready.popleft()
                wait = self._paused[0][0] - now if self._paused else None
                self._condition.wait(timeout=wait)

    def _put_aside(self, job: Job, *, seconds: float) -> None:
        with self._condition:
            entry = (time.monotonic() + seconds, next(self._tickets), job)
            heapq.heappush(self._paused, entry)
            self._condition.notify()

    # --- one sender ----------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        wires = self._wires[number]
        try:
            while (job := self._take()) is not None:
                self._working[number] = job
                self._serve(job, wires)
                self._working.pop(number, None)
        except Exception as error:  # noqa: BLE001 - handed to the push, which raises it
            self.error = error
            self._stop.set()
            failed = self._working.pop(number, None)
            if failed is not None:
                self.finished.put(Finished(failed, "interrupted", f"{type(error).__name__}"))
        finally:
            wires.close()

    def _serve(self, job: Job, wires: Wires) -> None:
        """Send a stream's packets until they are gone or something stands in the way."""
        while job.intents or job.adopt:
            if self._stop.is_set():
                self.finished.put(Finished(job, "interrupted"))
                return
            met = self._step(job, wires)
            if met is None:
                job.attempts = 0
                job.failing_since = None
                continue
            if isinstance(met, Wait):
                self._put_aside(job, seconds=_PROOF_WAIT_S)
            elif isinstance(met, Leave):
                self._leave(job, met)
            else:
                self._pause(job, met)
            return
        self.finished.put(Finished(job, "drained"))

    def _pause(self, job: Job, pause: Pause) -> None:
        """Put a stream aside for a while, or give it up for this run."""
        now = time.monotonic()
        if job.failing_since is None:
            job.failing_since = now
            job.failing_since_us = self._now_us()
        pacing = self._pacing
        seconds = min(pacing.first_pause_s * 2.0**job.attempts, pacing.max_backoff_s)
        seconds *= self._random.uniform(0.5, 1.0)
        job.attempts += 1
        asked = min(pause.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)
        seconds = max(seconds, asked)
        if now + seconds - job.failing_since > pacing.give_up_s:
            resume_us = self._now_us() + int(asked * 1e6) if asked else None
            self._leave(job, Leave(pause.reason, resume_us=resume_us))
        else:
            self._put_aside(job, seconds=seconds)

    def _leave(self, job: Job, leave: Leave) -> None:
        stream_id = job.plan.stream.id
        self._writer.fail(
            Failure(
                stream_id=stream_id,
                at_us=job.failing_since_us or self._now_us(),
                reason=leave.reason,
                unclear=job.doubt,
                resume_us=leave.resume_us,
                stopped=leave.is_stopped,
            )
        )
        _LOG.warning("wattics stream %s: %s", stream_id, leave.reason)
        self.finished.put(Finished(job, "left", leave.reason, leave.is_stopped))

    def _step(self, job: Job, wires: Wires) -> Pause | Leave | Wait | None:
        """Get one packet (or one question) answered; None when that went well."""
        if not self._may_send():
            return Wait()
        credential = job.plan.stream.credential
        allowed = self._gate.ask(credential)
        if not allowed.is_open:
            return Leave(allowed.reason) if allowed.reason else Wait()
        wire = wires.of(credential)
        try:
            if job.adopt or (job.asks_back and self._pacing.reads_back):
                met = self._read_back(job, wire)
            else:
                met = self._send(job, wire)
        except AuthenticationError as error:
            if wires.renew(credential):
                return self._step(job, wires)
            reason = f"credential {credential!r} is refused: {error.reason}"
            self._gate.refused(credential, reason=reason)
            return Leave(reason)
        if isinstance(met, Redirected):
            is_renewed = wires.renew(credential)
            if is_renewed and not met.may_heal:
                return self._step(job, wires)
            met = Pause(met.reason) if met.may_heal else Leave(met.reason)
        if met is None:
            wires.served(credential)
            self._gate.worked(credential)
        elif allowed.is_probe:
            self._gate.undecided(credential)
        return met

    def _read_back(self, job: Job, wire: Wire) -> Pause | Leave | Redirected | None:
        """Ask what Wattics holds, and settle what it already has."""
        stream_id = job.plan.stream.id
        try:
            stored = wire.last_packet(stream_id)
        except TransientError as error:
            return Pause(str(error), error.retry_after_s)
        except AuthenticationError:
            raise
        except RedirectedError as error:
            return self._stray(job, str(error), is_page=error.status == HTTPStatus.OK)
        except PermanentError as error:
            if job.adopt or job.plan.is_repeatable:
                job.adopt = job.asks_back = False
                return None
            return Leave(
                f"whether {stream_id} got its last packet is unclear and cannot be read back: "
                f"{error}; WATTICS_READBACK=false sends it again"
            )
        job.stored = stored
        job.adopt = job.asks_back = job.doubt = False
        self._settle_stored(job, stored)
        return None

    def _settle_stored(self, job: Job, stored: LastPacket | None) -> bool:
        """Take packets that Wattics already holds off the job; say whether there were any."""
        if stored is None:
            return False
        stored_ms = round(stored.at.timestamp() * 1000)
        found = False
        while job.intents and (
            (at_ms := job.intents[0].at_us // 1000) == stored_ms
            # Where packets are sent behind newer ones, a newer one proves nothing.
            or (at_ms < stored_ms and not job.plan.sends_late)
        ):
            self._settled(job, "acknowledged", None)
            found = True
        return found

    def _send(self, job: Job, wire: Wire) -> Pause | Leave | Redirected | None:
        intent = job.intents[0]
        job.sent += 1
        answer = wire.push(intent.body)
        if answer.kind == "stored" or self._is_learned(answer):
            job.doubt = False
            self._settled(job, "acknowledged", answer.status)
            return None
        if answer.kind == "transient":
            # A 5xx may come after storing, too.
            if answer.unclear or (answer.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                job.doubt = True
                job.asks_back = not job.plan.is_repeatable
            return Pause(answer.reason, answer.retry_after_s)
        if answer.kind == "authentication":
            raise AuthenticationError(
                answer.reason, vendor="wattics", endpoint="push", status=answer.status
            )
        if answer.kind == "redirect":
            return Redirected(answer.reason)
        if answer.kind == "unclear":
            return self._find_out(job, wire, answer)
        return self._refused(job, wire, answer)

    def _find_out(self, job: Job, wire: Wire, answer: Answer) -> Pause | Leave | Redirected | None:
        """Find out what an answer with a good status meant that does not say stored."""
        job.doubt = True
        words = f"{answer.reason}: {answer.excerpt}" if answer.excerpt else answer.reason
        stray = self._stray(job, words, is_page=True)
        if not self._pacing.reads_back:
            return stray
        job.asks_back = True
        left = len(job.intents)
        met = self._read_back(job, wire)
        if met is not None:
            return met
        if len(job.intents) < left:
            self._learn(answer, was_stored=True)
            return None
        self._learn(answer, was_stored=False)
        return stray

    def _stray(self, job: Job, reason: str, *, is_page: bool) -> Leave | Redirected:
        """Begin a new session after an answer that was none; not for ever."""
        job.strays += 1
        if job.strays > STRAYS_IN_A_ROW:
            return Leave(reason)
        return Redirected(reason, may_heal=is_page)

    def _is_learned(self, answer: Answer) -> bool:
        """Whether an unclear answer looks like those that were proven to mean stored.

        Without read-back nothing can be proven; then an answer that is no page and says no error
        has to be believed, or no packet would ever get through.
        """
        if not answer.shape or answer.shape in self._disproven:
            return False
        return not self._pacing.reads_back or self._proofs[answer.shape] >= PROOFS

    def _learn(self, answer: Answer, *, was_stored: bool) -> None:
        if not was_stored:
            self._disproven.add(answer.shape)
        elif answer.shape:
            self._proofs[answer.shape] += 1

    def _refused(self, job: Job, wire: Wire, answer: Answer) -> Pause | Leave | Redirected | None:
        """Set a refused packet aside, unless it turns out to be stored already."""
        if self._pacing.reads_back and (job.doubt or answer.status == HTTPStatus.CONFLICT):
            try:
                stored = wire.last_packet(job.plan.stream.id)
            except TransientError as error:
                job.doubt = True
                return Pause(str(error), error.retry_after_s)
            except AuthenticationError:
                raise
            except RedirectedError as error:
                job.doubt = True
                return self._stray(job, str(error), is_page=error.status == HTTPStatus.OK)
            except PermanentError as error:
                _LOG.warning("wattics stream %s: %s", job.plan.stream.id, error)
                stored = None
            if self._settle_stored(job, stored):
                job.doubt = False
                return None
        job.doubt = False
        said = f": {answer.excerpt}" if answer.excerpt else ""
        reason = f"{answer.reason}{said}"
        self._settled(job, "refused", answer.status, reason=reason)
        job.refused_streak += 1
        if not job.plan.skips_refused:
            return Leave(
                f"{reason}. The stream waits: send the packet again or skip it with "
                f"`energy-platform delivery`",
                is_stopped=True,
            )
        if job.refused_streak >= REFUSALS_IN_A_ROW:
            return Leave(f"{job.refused_streak} packets refused in a row, last: {reason}")
        return None

    def _settled(
        self,
        job: Job,
        status: Literal["acknowledged", "refused"],
        answer: int | None,
        *,
        reason: str = "",
    ) -> None:
        intent = job.intents.popleft()
        job.strays = 0
        if status == "acknowledged":
            job.acknowledged += 1
            job.refused_streak = 0
        else:
            job.refused += 1
        self._writer.settle(
            Settled(intent.stream_id, intent.at_us, status, self._now_us(), answer, reason)
        )
