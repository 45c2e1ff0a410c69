"""What senders work on, and what may stand in their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections import deque

    from energy_platform.delivery.ledger import Intent
    from energy_platform.delivery.plans import StreamPlan
    from energy_platform.destinations.wattics import LastPacket

JobEnd = Literal["drained", "left", "interrupted"]
"""All packets answered; given up for this run; stopped from outside."""


@dataclass(slots=True, kw_only=True)
class Job:
    """Packets of one stream, in order.

    Attributes:
        plan: The stream.
        intents: What is to be sent.
        doubt: Whether the first packet may have arrived already.
        asks_back: Whether to ask what Wattics holds before anything is sent again.
        adopt: Whether to ask what Wattics holds, because the ledger knows nothing of the stream.
        refused_streak: Packets refused in a row before this job.
        strays: Answers in a row that proved nothing, with nothing stored.
        attempts: Faults in a row.
        failing_since: When they began, on the monotonic clock.
        failing_since_us: When they began.
        stored: What Wattics said it holds.
        sent: Requests with a packet.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
    """

    plan: StreamPlan
    intents: deque[Intent]
    doubt: bool = False
    asks_back: bool = False
    adopt: bool = False
    refused_streak: int = 0
    strays: int = 0
    attempts: int = 0
    failing_since: float | None = None
    failing_since_us: int = 0
    stored: LastPacket | None = None
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


class Finished(NamedTuple):
    """A job that no sender works on any more.

    Attributes:
        job: The job, with what is left of its packets.
        end: How it ended.
        reason: Why it was left.
        is_stopped: Whether a person has to look before the stream goes on.
    """

    job: Job
    end: JobEnd
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


class Pacing(NamedTuple):
    """How patient senders are.

    Attributes:
        max_backoff_s: Longest pause between two attempts.
        give_up_s: How long a stream is tried before it is left for this run.
        first_pause_s: Pause after the first fault.
        reads_back: Whether unclear outcomes may be settled by reading back.
    """

    max_backoff_s: float
    give_up_s: float
    first_pause_s: float
    reads_back: bool
