"""What came of a push, and how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.days import instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from energy_platform.delivery.backlog import PushDecision
    from energy_platform.delivery.ledger import Ledger, StreamState
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.sender import SendTask
    from energy_platform.delivery.streams import StreamPlan


OutcomeStatus = Literal["delivered", "waiting", "blocked", "gave_up", "stopped"]
"""All that is ready was delivered; nothing is known yet; a day is missing; given up for this run;
an operator has to look."""


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
    status: OutcomeStatus
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


TELL_EVERY_S: Final = 1.0
"""How often a push tells how far it is."""


class ProgressCounter:
    """The counts of one push.

    Args:
        of_streams: Streams in all.
        on_progress: Told now and then.
    """

    def __init__(self, *, of_streams: int, on_progress: Callable[[Progress], None] | None) -> None:
        self._of_streams = of_streams
        self._on_progress = on_progress
        self._streams: dict[str, tuple[int, int, int]] = {}
        self._acknowledged = 0
        self._refused = 0
        self._heard_at: float | None = None
        self._told_at = float("-inf")
        self.planned = 0
        """Packets planned or found pending so far."""

    def add(self, task: SendTask) -> None:
        """Count a task that ended."""
        if task.acknowledged or task.refused:
            self._heard_at = time.monotonic()
        stream_id = task.plan.stream.id
        sent, acknowledged, refused = self.of(stream_id)
        self._streams[stream_id] = (
            sent + task.sent,
            acknowledged + task.acknowledged,
            refused + task.refused,
        )
        self._acknowledged += task.acknowledged
        self._refused += task.refused

    def of(self, stream_id: str) -> tuple[int, int, int]:
        """Return how many packets of a stream were sent, acknowledged and refused."""
        return self._streams.get(stream_id, (0, 0, 0))

    def heard_since(self, moment: float) -> bool:
        """Whether any stream got through after a moment of the monotonic clock."""
        return self._heard_at is not None and self._heard_at >= moment

    def tell(self, in_hand: Iterable[SendTask], *, waiting: int, at_last: bool = False) -> None:
        """Tell how far the push is, unless that was told a moment ago."""
        now = time.monotonic()
        if self._on_progress is None or (now - self._told_at < TELL_EVERY_S and not at_last):
            return
        self._told_at = now
        working = list(in_hand)
        self._on_progress(
            Progress(
                planned=self.planned,
                acknowledged=self._acknowledged + sum(task.acknowledged for task in working),
                refused=self._refused + sum(task.refused for task in working),
                streams=self._of_streams - len(working) - waiting,
                of_streams=self._of_streams,
            )
        )


def push_outcome(
    prepared: PushState,
    *,
    ledger: Ledger,
    counter: ProgressCounter,
    now_us: int,
    interrupted: bool,
) -> PushOutcome:
    """Return what came of every stream of a push.

    Args:
        prepared: The streams, and how those ended that were taken off the list.
        ledger: Where each stands now.
        counter: What was counted meanwhile.
        now_us: The present.
        interrupted: Whether the push was stopped from outside.
    """
    states = ledger.states()
    pending = ledger.pending_counts()
    found = {}
    for stream_id in sorted(prepared.plans):
        state = states[stream_id]
        status, reason = prepared.ends.get(stream_id) or _standing(
            prepared.plans[stream_id], state, now_us=now_us, max_hold_us=prepared.max_hold_us
        )
        sent, acknowledged, refused = counter.of(stream_id)
        last_us = state.last_acknowledged_us
        found[stream_id] = StreamOutcome(
            stream_id=stream_id,
            status=status,
            reason=reason,
            sent=sent,
            acknowledged=acknowledged,
            refused=refused,
            pending=pending.get(stream_id, 0),
            until=None if last_us is None else instant(last_us),
        )
    return PushOutcome(found, interrupted=interrupted)


def _standing(
    plan: StreamPlan, state: StreamState, *, now_us: int, max_hold_us: int
) -> tuple[OutcomeStatus, str]:
    if state.blocked_day is None:
        if state.last_acknowledged_us is None:
            return "waiting", "there is no settled data yet"
        return "delivered", ""
    reason = f"waits for the missing day {state.blocked_day}"
    is_overdue = now_us - (state.blocked_since_us or now_us) >= max_hold_us
    if is_overdue and not plan.may_jump:
        return "stopped", f"{reason}: values per interval never pass one; run that day again"
    return "blocked", reason
