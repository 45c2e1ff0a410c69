"""What happened, one struct per line of the record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from energy_platform.simulators.wattics.packets import numbers

Outcome = Literal["stored", "dropped", "conflict"]
"""What became of a well-formed packet."""

IncidentName = Literal["session", "without_cookie", "foreign_cookie", "unauthorized"]


class ReceivedPacket(msgspec.Struct, frozen=True, tag="packet", gc=False):
    """One well-formed packet as it arrived.

    Attributes:
        number: Place in the order of arrival over all streams, from 1.
        stream: Stream id.
        at_ms: Sampling instant, milliseconds since the epoch.
        offset_s: Offset the stamp carried, seconds.
        body: The packet's exact text.
        received_at: Time of arrival, seconds since the epoch.
        route: Last path segment it was sent to.
        outcome: Stored, dropped or refused as a conflict.
        overlapping: Whether another request of the stream was unanswered.
    """

    number: int
    stream: str
    at_ms: int
    offset_s: int
    body: str
    received_at: float
    route: str
    outcome: Outcome
    overlapping: bool

    @property
    def at(self) -> datetime:
        """Sampling instant, UTC."""
        return utc(self.at_ms)

    @property
    def values(self) -> dict[str, float]:
        """Numbers by field, read from the body."""
        return numbers(msgspec.json.decode(self.body))


class Refusal(msgspec.Struct, frozen=True, tag="refusal", gc=False):
    """One request refused for its content; ``stream`` is empty when it could not be told."""

    number: int
    stream: str
    status: int
    reason: str
    body: str
    received_at: float


class Unanswered(msgspec.Struct, frozen=True, tag="unanswered", gc=False):
    """The client cannot know that packet ``number`` was stored."""

    number: int
    stream: str


class Incident(msgspec.Struct, frozen=True, tag="incident", gc=False):
    """Something about sessions or credentials that is counted."""

    name: IncidentName
    credential: str


Event = ReceivedPacket | Refusal | Unanswered | Incident
read_event: Final = msgspec.json.Decoder(Event).decode
"""Reads one line of the record."""


def utc(at_ms: int) -> datetime:
    """The instant of epoch milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
