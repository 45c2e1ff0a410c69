"""One packet, or one question, and what the answer means for it, its stream and its credential.

Belongs here: refused credentials, sessions that ended, answers in doubt, refusals. Does not: whose
turn it is and when a stream is tried again (``sender``), how an answer of a destination is read
(``destinations``).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.delivery.ledger import CredentialStop, PacketResult
from energy_platform.destinations.base import RedirectedError
from energy_platform.sources.http.errors import AuthenticationError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.sender import AnswerWriter, Connections, SendTask
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.destinations.base import Answer, Connection, LastPacket

_LOG: Final = logging.getLogger(__name__)

PROBE_US: Final = 300 * 1_000_000
"""A refused credential is tried again once in five minutes."""

REFUSALS_IN_A_ROW: Final = 5
"""After so many packets refused one after the other, the next ones would be refused as well."""

UNEXPECTED_PAGES_IN_A_ROW: Final = 5
"""Answers that prove nothing, with nothing stored, that one packet may meet before its stream is
left."""

PROOFS: Final = 3
"""Read-backs that must have found the packet stored, and none that did not, before an answer of
the same shape is taken to mean stored for the rest of the push."""


StepKind = Literal["retry_later", "give_up", "await_probe", "session_lost"]
"""The stream waits for a while; is left for this run; waits for another sender's probe of the
credential, or for the lease; needs a new session, or has a wrong address."""


class Obstacle(NamedTuple):
    """Why a packet (or a question) did not get through.

    Attributes:
        kind: What follows.
        reason: What was met; empty while a probe is waited for.
        retry_after_s: Seconds the destination asked to wait.
        is_stopped: Whether an operator has to look before the stream goes on.
        resume_us: When the destination wants to be asked again.
        may_heal: Of a lost session: whether to try again after a pause, with a new one.
    """

    kind: StepKind
    reason: str = ""
    retry_after_s: float | None = None
    is_stopped: bool = False
    resume_us: int | None = None
    may_heal: bool = False


class CircuitBreaker:
    """Stops every stream of a refused credential, and lets one probe through when it is time.

    The first request of each credential in a run goes alone as well, so that a wrong password is
    heard of once and not by every sender.

    Args:
        ledger: Keeps the stops, so that the next run does not ask again too early.
        destination: Whose credentials they are, by name.
        names: Credentials that exist.
        now_us: The present.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        destination: str,
        names: Iterable[str],
        now_us: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._destination = destination
        self._now_us = now_us
        self._lock = threading.Lock()
        self._stops = {
            name: stop
            for name, stop in ledger.stopped_credentials(destination).items()
            if name in set(names)
        }
        self._probing: dict[str, int] = {}  # the thread of the sender that finds out
        self._proven: set[str] = set()

    def obstacle(self, credential: str) -> Obstacle | None:
        """Return why a sender may not send one packet now; None when it may.

        The first that may finds out for all others, which wait for what it meets.
        """
        if credential in self._proven:  # the usual case, without the lock
            return None
        with self._lock:
            stop = self._stops.get(credential)
            if stop is not None and self._now_us() < stop.probe_us:
                return Obstacle("give_up", stop.reason)
            # The sender that finds out may ask again, such as with a new session.
            own = threading.get_ident()
            if self._probing.setdefault(credential, own) != own:
                return Obstacle("await_probe")
            return None

    def refusals(self) -> dict[str, str]:
        """Return the credentials that nothing may be sent with now, with the reason."""
        if not self._stops:
            return {}
        now_us = self._now_us()
        with self._lock:
            return {
                name: stop.reason for name, stop in self._stops.items() if now_us < stop.probe_us
            }

    def refused(self, credential: str, *, reason: str) -> None:
        """Stop sending with a credential that was refused."""
        now_us = self._now_us()
        with self._lock:
            self._probing.pop(credential, None)
            self._proven.discard(credential)
            before = self._stops.get(credential)
            stop = CredentialStop(
                destination=self._destination,
                name=credential,
                stopped_us=now_us if before is None else before.stopped_us,
                probe_us=now_us + PROBE_US,
                reason=reason,
            )
            self._stops[credential] = stop
            self._ledger.stop_credential(stop)

    def undecided(self, credential: str) -> None:
        """Let another sender try, when the caller was to find out and met something else."""
        with self._lock:
            if self._probing.get(credential) == threading.get_ident():
                del self._probing[credential]

    def worked(self, credential: str) -> None:
        """Let all senders use a credential that was accepted."""
        if credential in self._proven:
            return
        with self._lock:
            self._probing.pop(credential, None)
            self._proven.add(credential)
            if self._stops.pop(credential, None) is not None:
                self._ledger.free_credential(
                    credential, destination=self._destination, now_us=self._now_us()
                )


def not_read_back(plan: StreamPlan, *, why: str) -> str:
    """Say that a stream that was put back from a backup waits, why, and what ends it."""
    stream_id = plan.stream.id
    return (
        f"restored from a backup, and what {plan.destination.title} holds of {stream_id} is not "
        f"known: {why}; `energy-platform delivery continue-from {stream_id} INSTANT` says it"
    )


class Exchange:
    """Gets packets answered, one at a time per stream, for all senders of a push.

    Args:
        breaker: Who may send.
        writer: Where answers go.
        reads_back: Whether what is in doubt may be settled by reading back.
        now_us: The present.
        may_send: Whether a request may begin; those that may not yet wait.
    """

    def __init__(
        self,
        *,
        breaker: CircuitBreaker,
        writer: AnswerWriter,
        reads_back: bool,
        now_us: Callable[[], int],
        may_send: Callable[[], bool],
    ) -> None:
        self._breaker = breaker
        self._writer = writer
        self._reads_back = reads_back
        self._now_us = now_us
        self._may_send = may_send
        self._proofs: Counter[str] = Counter()
        self._disproven: set[str] = set()

    def step(self, task: SendTask, connections: Connections) -> Obstacle | None:
        """Get one packet (or one question) answered; None when that went well.

        Args:
            task: Its first packet is sent, and taken off it when that is settled.
            connections: Of the sender that works on it.
        """
        if not self._may_send():
            return Obstacle("await_probe")
        credential = task.plan.stream.credential
        if (closed := self._breaker.obstacle(credential)) is not None:
            return closed
        connection = connections.of(credential)
        try:
            if task.resume_from_readback or (task.verify_first and self._reads_back):
                obstacle = self._ask_stored(task, connection)
            else:
                obstacle = self._send(task, connection)
        except AuthenticationError as error:
            if connections.renew(credential):
                return self.step(task, connections)
            reason = f"credential {credential!r} is refused: {error.reason}"
            self._breaker.refused(credential, reason=reason)
            return Obstacle("give_up", reason)
        if obstacle is not None and obstacle.kind == "session_lost":
            is_renewed = connections.renew(credential)
            if is_renewed and not obstacle.may_heal:
                return self.step(task, connections)
            obstacle = obstacle._replace(kind="retry_later" if obstacle.may_heal else "give_up")
        if obstacle is None:
            connections.served(credential)
            self._breaker.worked(credential)
        else:
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
            if task.must_answer:
                return Obstacle("give_up", not_read_back(task.plan, why=str(error)))
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
