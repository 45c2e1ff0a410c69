"""Sends packets: one request in flight per stream, in order, as many streams at once as allowed.

Each sender is a thread with connections of its own. A stream belongs to one sender at a time; a
fault that can heal puts it aside for a while and the sender takes another stream.
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
from typing import TYPE_CHECKING, Final, Literal

from energy_platform.delivery.connections import CircuitBreaker, Connections
from energy_platform.delivery.ledger import PacketResult, StreamFailure
from energy_platform.delivery.outcome import Obstacle
from energy_platform.destinations.base import RedirectedError
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.delivery.ledger.writer import AnswerWriter
    from energy_platform.delivery.outcome import SendTask, TaskEnd
    from energy_platform.destinations.base import Answer, Connection, LastPacket
    from energy_platform.settings import DestinationSettings

_LOG: Final = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
"""Pause after a stream's first fault; it doubles up to the setting ``max_backoff_s``."""

LONGEST_RETRY_AFTER_S: Final = 3600.0
"""A ``Retry-After`` beyond this is a mistake."""

REFUSALS_IN_A_ROW: Final = 5
"""After so many packets refused one after the other, the next ones would be refused as well."""

STOP_GRACE_S: Final = 8.0
"""How long a stop waits for requests under way."""

ABORT_GRACE_S: Final = 1.0
"""How long a stop waits after it cut the requests that had not ended."""

UNEXPECTED_PAGES_IN_A_ROW: Final = 5
"""Answers that prove nothing, with nothing stored, that one packet may meet before its stream is
left."""

PROOFS: Final = 3
"""Read-backs that must have found the packet stored, and none that did not, before an answer of
the same shape is taken to mean stored for the rest of the push."""

_PROOF_WAIT_S: Final = 0.02
"""How soon a stream asks again whether its credential has been proven in this run."""


class Senders:
    """A set of senders and the queue of tasks before them.

    Args:
        settings: How many streams are sent at once, and how long a fault is retried.
        open_connection: Opens a connection for a credential by name.
        breaker: Who may send.
        writer: Where answers go.
        reads_back: Whether what is in doubt may be settled by reading back.
        now_us: The present.
        may_send: Whether a request may begin; those that may not yet wait.
        stop: Ends all sending soon.
    """

    def __init__(
        self,
        settings: DestinationSettings,
        *,
        open_connection: Callable[[str], Connection],
        breaker: CircuitBreaker,
        writer: AnswerWriter,
        reads_back: bool,
        now_us: Callable[[], int],
        may_send: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        self._breaker = breaker
        self._writer = writer
        self._settings = settings
        self._reads_back = reads_back
        self._now_us = now_us
        self._may_send = may_send
        self._stop = stop
        self._condition = threading.Condition()
        self._ready: deque[SendTask] = deque()
        self._paused: list[tuple[float, int, SendTask]] = []
        self._tickets = itertools.count()
        self._closed = False
        self._working: dict[int, SendTask] = {}
        self._connections = [Connections(open_connection) for _ in range(settings.parallel_streams)]
        self._random = random.Random()  # noqa: S311 - jitter
        self._proofs: Counter[str] = Counter()
        self._disproven: set[str] = set()
        self.finished: queue.SimpleQueue[SendTask] = queue.SimpleQueue()
        """Tasks no sender works on any more."""
        self.error: BaseException | None = None
        """A fault of the platform itself that ended a sender."""
        self._threads = [
            threading.Thread(target=self._work, args=(n,), name=f"sender-{n}", daemon=True)
            for n in range(settings.parallel_streams)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: SendTask) -> None:
        """Queue a task."""
        with self._condition:
            self._ready.append(task)
            self._condition.notify()

    def abort(self) -> None:
        """End every request under way and let no other begin."""
        for connections in self._connections:
            connections.abort()

    def close(self) -> list[SendTask]:
        """Stop the senders; requests under way may still end, those that do not are cut.

        A sender that cannot be woken, because it waits for a connection, sends nothing any more.

        Returns:
            Tasks whose request did not end in time: their packet is in doubt.
        """
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        deadline = time.monotonic() + STOP_GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        for thread, connections in zip(self._threads, self._connections, strict=True):
            if thread.is_alive():
                connections.abort()
        deadline = time.monotonic() + ABORT_GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        return list(self._working.values())

    # --- the queue ------------------------------------------------------------------------------

    def _take(self) -> SendTask | None:
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

    def _requeue(self, task: SendTask, *, seconds: float) -> None:
        with self._condition:
            entry = (time.monotonic() + seconds, next(self._tickets), task)
            heapq.heappush(self._paused, entry)
            self._condition.notify()

    # --- one sender ----------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        connections = self._connections[number]
        try:
            while (task := self._take()) is not None:
                self._working[number] = task
                self._serve(task, connections)
                self._working.pop(number, None)
        except Exception as error:  # noqa: BLE001 - handed to the push, which raises it
            self.error = error
            self._stop.set()
            failed = self._working.pop(number, None)
            if failed is not None:
                self._end(failed, "interrupted", type(error).__name__)
        finally:
            connections.close()

    def _serve(self, task: SendTask, connections: Connections) -> None:
        """Send a stream's packets until they are gone or something stands in the way."""
        while task.entries or task.resume_from_readback:
            if self._stop.is_set():
                self._end(task, "interrupted")
                return
            obstacle = self._step(task, connections)
            if obstacle is None:
                task.attempts = 0
                task.failing_since = None
                continue
            if obstacle.kind == "await_probe":
                self._requeue(task, seconds=_PROOF_WAIT_S)
            elif obstacle.kind == "give_up":
                self._leave(task, obstacle)
            else:
                self._pause(task, obstacle)
            return
        self._end(task, "drained")

    def _end(self, task: SendTask, end: TaskEnd, reason: str = "") -> None:
        """Hand a task back; no sender works on it any more."""
        task.end, task.reason = end, reason
        self.finished.put(task)

    def _pause(self, task: SendTask, obstacle: Obstacle) -> None:
        """Put a stream aside for a while, or give it up for this run."""
        now = time.monotonic()
        if task.failing_since is None:
            task.failing_since = now
            task.failing_since_us = self._now_us()
        longest_s = self._settings.max_backoff_s
        seconds = min(min(FIRST_PAUSE_S, longest_s) * 2.0**task.attempts, longest_s)
        seconds *= self._random.uniform(0.5, 1.0)
        task.attempts += 1
        asked = min(obstacle.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)
        seconds = max(seconds, asked)
        if now + seconds - task.failing_since > self._settings.give_up_s:
            resume_us = self._now_us() + int(asked * 1e6) if asked else None
            self._leave(task, Obstacle("give_up", obstacle.reason, resume_us=resume_us))
        else:
            self._requeue(task, seconds=seconds)

    def _leave(self, task: SendTask, obstacle: Obstacle) -> None:
        stream_id = task.plan.stream.id
        self._writer.fail(
            StreamFailure(
                stream_id=stream_id,
                at_us=task.failing_since_us or self._now_us(),
                reason=obstacle.reason,
                in_doubt=task.in_doubt,
                resume_us=obstacle.resume_us,
                stopped=obstacle.is_stopped,
            )
        )
        _LOG.warning("%s stream %s: %s", task.plan.destination.name, stream_id, obstacle.reason)
        task.is_stopped = obstacle.is_stopped
        self._end(task, "gave_up", obstacle.reason)

    def _step(self, task: SendTask, connections: Connections) -> Obstacle | None:
        """Get one packet (or one question) answered; None when that went well."""
        if not self._may_send():
            return Obstacle("await_probe")
        credential = task.plan.stream.credential
        allowed = self._breaker.ask(credential)
        if not allowed.is_open:
            return (
                Obstacle("give_up", allowed.reason) if allowed.reason else Obstacle("await_probe")
            )
        connection = connections.of(credential)
        try:
            if task.resume_from_readback or (task.verify_first and self._reads_back):
                obstacle = self._ask_stored(task, connection)
            else:
                obstacle = self._send(task, connection)
        except AuthenticationError as error:
            if connections.renew(credential):
                return self._step(task, connections)
            reason = f"credential {credential!r} is refused: {error.reason}"
            self._breaker.refused(credential, reason=reason)
            return Obstacle("give_up", reason)
        if obstacle is not None and obstacle.kind == "session_lost":
            is_renewed = connections.renew(credential)
            if is_renewed and not obstacle.may_heal:
                return self._step(task, connections)
            obstacle = obstacle._replace(kind="retry_later" if obstacle.may_heal else "give_up")
        if obstacle is None:
            connections.served(credential)
            self._breaker.worked(credential)
        elif allowed.is_probe:
            self._breaker.undecided(credential)
        return obstacle

    def _ask_stored(self, task: SendTask, connection: Connection) -> Obstacle | None:
        """Ask what is stored, and settle what is there already."""
        stream_id = task.plan.stream.id
        try:
            stored = connection.last_packet(stream_id)
        except TransientError as error:
            return Obstacle("retry_later", str(error), error.retry_after_s)
        except AuthenticationError:
            raise
        except RedirectedError as error:
            return self._unexpected_page(task, str(error), is_page=error.is_page)
        except PermanentError as error:
            if task.resume_from_readback or task.plan.is_repeatable:
                task.resume_from_readback = task.verify_first = False
                return None
            variable = task.plan.destination.settings.variable("readback")
            return Obstacle(
                "give_up",
                f"whether {stream_id} got its last packet is unclear and cannot be read back: "
                f"{error}; {variable}=false sends it again",
            )
        task.stored = stored
        task.resume_from_readback = task.verify_first = task.in_doubt = False
        self._settle_stored(task, stored)
        return None

    def _settle_stored(self, task: SendTask, stored: LastPacket | None) -> bool:
        """Take packets that are stored already off the task; say whether there were any."""
        if stored is None:
            return False
        stored_ms = round(stored.at.timestamp() * 1000)
        found = False
        while task.entries and (
            (at_ms := task.entries[0].at_us // 1000) == stored_ms
            # Where packets are sent behind newer ones, a newer one proves nothing.
            or (at_ms < stored_ms and not task.plan.sends_late)
        ):
            self._record(task, "acknowledged", None)
            found = True
        return found

    def _send(self, task: SendTask, connection: Connection) -> Obstacle | None:
        entry = task.entries[0]
        task.sent += 1
        answer = connection.push(entry.body)
        if answer.kind == "stored" or self._is_learned(answer):
            task.in_doubt = False
            self._record(task, "acknowledged", answer.status)
            return None
        if answer.kind == "transient":
            if answer.in_doubt:
                task.in_doubt = True
                task.verify_first = not task.plan.is_repeatable
            return Obstacle("retry_later", answer.reason, answer.retry_after_s)
        if answer.kind == "authentication":
            raise AuthenticationError(
                answer.reason,
                vendor=task.plan.destination.name,
                endpoint="push",
                status=answer.status,
            )
        if answer.kind == "redirect":
            return Obstacle("session_lost", answer.reason)
        if answer.kind == "in_doubt":
            return self._find_out(task, connection, answer)
        return self._refused(task, connection, answer)

    def _find_out(self, task: SendTask, connection: Connection, answer: Answer) -> Obstacle | None:
        """Find out what an answer with a good status meant that does not say stored."""
        task.in_doubt = True
        words = f"{answer.reason}: {answer.excerpt}" if answer.excerpt else answer.reason
        stray = self._unexpected_page(task, words, is_page=True)
        if not self._reads_back:
            return stray
        task.verify_first = True
        left = len(task.entries)
        obstacle = self._ask_stored(task, connection)
        if obstacle is not None:
            return obstacle
        if len(task.entries) < left:
            self._learn(answer, was_stored=True)
            return None
        self._learn(answer, was_stored=False)
        return stray

    def _unexpected_page(self, task: SendTask, reason: str, *, is_page: bool) -> Obstacle:
        """Begin a new session after an answer that was none; not for ever."""
        task.unexpected_pages += 1
        if task.unexpected_pages > UNEXPECTED_PAGES_IN_A_ROW:
            return Obstacle("give_up", reason)
        return Obstacle("session_lost", reason, may_heal=is_page)

    def _is_learned(self, answer: Answer) -> bool:
        """Whether an answer in doubt looks like those that were proven to mean stored.

        Without read-back nothing can be proven; then an answer that is neither a page nor an error
        has to be believed, or no packet would ever get through.
        """
        if not answer.shape or answer.shape in self._disproven:
            return False
        return not self._reads_back or self._proofs[answer.shape] >= PROOFS

    def _learn(self, answer: Answer, *, was_stored: bool) -> None:
        if not was_stored:
            self._disproven.add(answer.shape)
        elif answer.shape:
            self._proofs[answer.shape] += 1

    def _refused(self, task: SendTask, connection: Connection, answer: Answer) -> Obstacle | None:
        """Set a refused packet aside, unless it turns out to be stored already."""
        if self._reads_back and (task.in_doubt or answer.in_doubt):
            try:
                stored = connection.last_packet(task.plan.stream.id)
            except TransientError as error:
                task.in_doubt = True
                return Obstacle("retry_later", str(error), error.retry_after_s)
            except AuthenticationError:
                raise
            except RedirectedError as error:
                task.in_doubt = True
                return self._unexpected_page(task, str(error), is_page=error.is_page)
            except PermanentError as error:
                _LOG.warning(
                    "%s stream %s: %s", task.plan.destination.name, task.plan.stream.id, error
                )
                stored = None
            if self._settle_stored(task, stored):
                task.in_doubt = False
                return None
        task.in_doubt = False
        said = f": {answer.excerpt}" if answer.excerpt else ""
        reason = f"{answer.reason}{said}"
        self._record(task, "refused", answer.status, reason=reason)
        task.refused_streak += 1
        if not task.plan.skips_refused:
            return Obstacle(
                "give_up",
                f"{reason}. The stream waits: send the packet again or skip it with "
                f"`energy-platform delivery`",
                is_stopped=True,
            )
        if task.refused_streak >= REFUSALS_IN_A_ROW:
            return Obstacle(
                "give_up", f"{task.refused_streak} packets refused in a row, last: {reason}"
            )
        return None

    def _record(
        self,
        task: SendTask,
        status: Literal["acknowledged", "refused"],
        answer: int | None,
        *,
        reason: str = "",
    ) -> None:
        entry = task.entries.popleft()
        task.unexpected_pages = 0
        if status == "acknowledged":
            task.acknowledged += 1
            task.refused_streak = 0
        else:
            task.refused += 1
        self._writer.add(
            PacketResult(entry.stream_id, entry.at_us, status, self._now_us(), answer, reason)
        )
