"""What senders work on, and what can keep a packet from being sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections import deque

    from energy_platform.delivery.ledger import OutboxEntry
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.destinations.base import LastPacket

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
        resume_from_readback: Whether to ask what is stored: the stream is new to the ledger.
        refused_streak: Packets refused in a row before this task.
        unexpected_pages: Answers in a row that proved nothing, with nothing stored.
        attempts: Faults in a row.
        failing_since: When they began, on the monotonic clock.
        failing_since_us: When they began.
        stored: What the destination said it stored last.
        sent: Requests with a packet.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
    """

    plan: StreamPlan
    entries: deque[OutboxEntry]
    in_doubt: bool = False
    verify_first: bool = False
    resume_from_readback: bool = False
    refused_streak: int = 0
    unexpected_pages: int = 0
    attempts: int = 0
    failing_since: float | None = None
    failing_since_us: int = 0
    stored: LastPacket | None = None
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


class TaskResult(NamedTuple):
    """A task that no sender works on any more.

    Attributes:
        task: The task, with what is left of its packets.
        end: How it ended.
        reason: Why it was left.
        is_stopped: Whether an operator has to look before the stream goes on.
    """

    task: SendTask
    end: TaskEnd
    reason: str = ""
    is_stopped: bool = False


class Pause(NamedTuple):
    """Put the stream aside."""

    reason: str
    retry_after_s: float | None = None


class Leave(NamedTuple):
    """Give the stream up for this run."""

    reason: str
    is_stopped: bool = False
    resume_us: int | None = None


class Redirected(NamedTuple):
    """Sent elsewhere, or shown a page: a lost session or a wrong address.

    Attributes:
        reason: What was met.
        may_heal: Whether to try again after a pause, once there is a new session.
    """

    reason: str
    may_heal: bool = False


class Wait(NamedTuple):
    """Another sender is finding out whether the credential works, or the lease is not sure."""


class RetryPolicy(NamedTuple):
    """How retried senders are.

    Attributes:
        max_backoff_s: Longest pause between two attempts.
        give_up_s: How long a stream is tried before it is left for this run.
        first_pause_s: Pause after the first fault.
        reads_back: Whether what is in doubt may be settled by reading back.
    """

    max_backoff_s: float
    give_up_s: float
    first_pause_s: float
    reads_back: bool
