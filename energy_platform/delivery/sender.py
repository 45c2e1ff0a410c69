"""The threads of a push: senders, the queue of streams before them, the one that writes answers.

Belongs here: one request in flight per stream, in order, as many streams at once as allowed; when a
stream that met a fault is tried again. Does not: what an answer means (``exchange``).

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
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from energy_platform.delivery.exchange import Obstacle
from energy_platform.delivery.ledger import StreamFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.delivery.exchange import Exchange
    from energy_platform.delivery.ledger import Ledger, OutboxEntry, PacketResult
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.destinations.base import Connection, LastPacket
    from energy_platform.settings import DestinationSettings

_LOG: Final = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
"""Pause after a stream's first fault; it doubles up to the setting ``max_backoff_s``."""

LONGEST_RETRY_AFTER_S: Final = 3600.0
"""A ``Retry-After`` beyond this is a mistake."""

STOP_GRACE_S: Final = 8.0
"""How long a stop waits for requests under way."""

ABORT_GRACE_S: Final = 1.0
"""How long a stop waits after it cut the requests that had not ended."""

_PROOF_WAIT_S: Final = 0.02
"""How soon a stream asks again whether its credential has been proven in this run."""

FLUSH_EVERY_S: Final = 0.2
"""Answers of at most this long are unwritten; a crash may repeat their packets."""

FLUSH_AT: Final = 1000
"""Answers that are written without waiting further."""


TaskEnd = Literal["drained", "gave_up", "interrupted"]
"""All packets answered; given up for this run; stopped from outside."""


@dataclass(slots=True, kw_only=True)
class SendTask:
    """Packets of one stream, in order.

    Attributes:
        plan: The stream.
        entries: What is to be sent.
        in_doubt: Whether the first packet may have arrived already.
        verify_first: Whether to ask what is stored before anything is sent again.
        resume_from_readback: Whether to ask what is stored: the stream is new to the ledger, or
            was put back from a backup.
        must_answer: Whether nothing may be sent before that was answered.
        refused_streak: Packets refused in a row before this task.
        unexpected_pages: Answers in a row that proved nothing, with nothing stored.
        attempts: Faults in a row.
        failing_since: When they began, on the monotonic clock.
        failing_since_us: When they began.
        stored: What the destination said it stored last.
        sent: Requests with a packet.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
        end: How it ended; None while a sender works on it.
        reason: Why it was left.
        is_stopped: Whether an operator has to look before the stream goes on.
    """

    plan: StreamPlan
    entries: deque[OutboxEntry]
    in_doubt: bool = False
    verify_first: bool = False
    resume_from_readback: bool = False
    must_answer: bool = False
    refused_streak: int = 0
    unexpected_pages: int = 0
    attempts: int = 0
    failing_since: float | None = None
    failing_since_us: int = 0
    stored: LastPacket | None = None
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    end: TaskEnd | None = None
    reason: str = ""
    is_stopped: bool = False


class Connections:
    """The connections of one sender: one per credential, opened when first needed.

    Used by one thread; only ``abort`` may come from another.

    Args:
        open_connection: Opens a connection for a credential by name.
    """

    def __init__(self, open_connection: Callable[[str], Connection]) -> None:
        self._open = open_connection
        self._connections: dict[str, Connection] = {}
        self._served: set[str] = set()
        self._lock = threading.Lock()
        self._is_aborted = False

    def of(self, credential: str) -> Connection:
        """Return the connection of a credential."""
        connection = self._connections.get(credential)
        if connection is None:
            opened = self._open(credential)
            with self._lock:
                if self._is_aborted:
                    opened.abort()
                connection = self._connections[credential] = opened
        return connection

    def served(self, credential: str) -> None:
        """Mark the session as authenticated, so that it is worth renewing."""
        self._served.add(credential)

    def renew(self, credential: str) -> bool:
        """Begin a new session in place of one that worked before and may have ended.

        Returns:
            Whether another attempt makes sense.
        """
        if credential not in self._served:
            return False
        self._served.discard(credential)
        with self._lock:
            connection = self._connections.pop(credential)
        connection.close()
        return True

    def abort(self) -> None:
        """End the request under way; nothing is sent any more."""
        with self._lock:
            self._is_aborted = True
            for connection in self._connections.values():
                connection.abort()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            connections = [*self._connections.values()]
            self._connections.clear()
        for connection in connections:
            connection.close()


class Senders:
    """A set of senders and the queue of tasks before them.

    Args:
        settings: How many streams are sent at once, and how long a fault is retried.
        open_connection: Opens a connection for a credential by name.
        exchange: Gets a packet answered.
        writer: Is given why a stream was left.
        now_us: The present.
        stop: Ends all sending soon.
    """

    def __init__(
        self,
        settings: DestinationSettings,
        *,
        open_connection: Callable[[str], Connection],
        exchange: Exchange,
        writer: AnswerWriter,
        now_us: Callable[[], int],
        stop: threading.Event,
    ) -> None:
        self._exchange = exchange
        self._writer = writer
        self._settings = settings
        self._now_us = now_us
        self._stop = stop
        self._condition = threading.Condition()
        self._ready: deque[SendTask] = deque()
        self._paused: list[tuple[float, int, SendTask]] = []
        self._tickets = itertools.count()
        self._closed = False
        self._working: dict[int, SendTask] = {}
        self._connections = [Connections(open_connection) for _ in range(settings.parallel_streams)]
        self._random = random.Random()  # noqa: S311 - jitter
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
            obstacle = self._exchange.step(task, connections)
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


class AnswerWriter:
    """Collects answers from all senders and writes them, in order, from one thread.

    Args:
        ledger: Where to.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._condition = threading.Condition()
        self._results: list[PacketResult] = []
        self._failures: list[StreamFailure] = []
        self._closed = False
        self.error: BaseException | None = None
        """What broke the ledger; nothing more may be sent then."""
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def add(self, result: PacketResult) -> None:
        """Hand over one answer."""
        with self._condition:
            self._results.append(result)
            if len(self._results) >= FLUSH_AT:
                self._condition.notify()

    def fail(self, failure: StreamFailure) -> None:
        """Hand over why a stream was left."""
        with self._condition:
            self._failures.append(failure)

    def close(self) -> None:
        """Write what is left and stop.

        Raises:
            Exception: Whatever broke the ledger.
        """
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        closed = False
        while not closed:
            with self._condition:
                if not self._closed and len(self._results) < FLUSH_AT:
                    self._condition.wait(timeout=FLUSH_EVERY_S)
                closed = self._closed
                results, self._results = self._results, []
                failures, self._failures = self._failures, []
            try:
                self._ledger.record_results(results, failures=failures)
            except Exception as error:  # noqa: BLE001 - handed to the push, which raises it
                self.error = error
                return
