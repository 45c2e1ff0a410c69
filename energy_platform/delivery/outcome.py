"""What came of a push, stream by stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.delivery.backlog import PushDecision

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
