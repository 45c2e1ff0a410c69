"""What the ledger remembers, as typed rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PacketStatus = Literal["pending", "acknowledged", "refused", "skipped"]
"""Intent written; stored at Wattics; refused and set aside; set aside by a person."""

EventKind = Literal[
    "adopted",
    "anchored",
    "rebase",
    "hold",
    "hold_released",
    "undelivered",
    "refused",
    "stopped",
    "resumed",
    "auth_stopped",
    "auth_recovered",
    "resent",
    "skipped",
    "late_sent",
]
"""What happened to a stream or a credential, for people and for the reconcile."""


@dataclass(slots=True, kw_only=True)
class Register:
    """How one cumulative field continues: ``pC(T) = max(sent, anchor + offset + energy to T)``.

    Attributes:
        point_id: The point whose energy feeds the field.
        basis: Digest of the policy, corrections and rules behind the energy.
        anchor_wh: What the register showed at the anchor.
        anchor_us: Instant of the anchor, a settled reading.
        offset_wh: Sum of all rebases.
        sum_wh: Energy since the anchor in the day files before ``sum_day``.
        sum_day: First day whose file is not in ``sum_wh``.
        sum_mark: Digest of the day files behind ``sum_wh``.
        target_wh: The register by the lake at ``sent_us``, before rounding and holding.
        sent_thousandths: Last value given to a packet, in thousandths of the field's unit.
        sent_us: Instant of that packet.
        debt_wh: By how much the value sent is ahead of the lake; it is held flat meanwhile.
    """

    point_id: str
    basis: str
    anchor_wh: float
    anchor_us: int
    offset_wh: float = 0.0
    sum_wh: float = 0.0
    sum_day: str = ""
    sum_mark: str = ""
    target_wh: float = 0.0
    sent_thousandths: int = 0
    sent_us: int = 0
    debt_wh: float = 0.0


@dataclass(slots=True, kw_only=True)
class StreamState:
    """Where one stream stands; instants are microseconds since the epoch.

    Attributes:
        planned_until_us: Every grid instant up to here is decided; None before the first.
        last_packet_us: Newest instant with an intent.
        last_acknowledged_us: Newest instant Wattics acknowledged.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
        refused_streak: Packets refused since the last acknowledged one.
        undelivered_wh: Energy of per-interval streams that fell into long gaps.
        unclear: Whether the oldest pending packet may have arrived already.
        stopped: Why a person has to look; None while the stream runs.
        resume_us: Wattics asked to wait until then.
        failing_since_us: Since when nothing gets through.
        failure: What the newest attempt met; None after success.
        held_day: Missing day the stream waits for.
        held_since_us: When that was first seen.
        passed_day: Newest missing day that was passed.
        looked_mark: State of the lake that had nothing to send for the stream.
        late_mark: State of the lake whose late packets were sent, where that is agreed.
        registers: Cumulative fields by name.
    """

    planned_until_us: int | None = None
    last_packet_us: int | None = None
    last_acknowledged_us: int | None = None
    acknowledged: int = 0
    refused: int = 0
    refused_streak: int = 0
    undelivered_wh: float = 0.0
    unclear: bool = False
    stopped: str | None = None
    resume_us: int | None = None
    failing_since_us: int | None = None
    failure: str | None = None
    held_day: str | None = None
    held_since_us: int | None = None
    passed_day: str | None = None
    looked_mark: str | None = None
    late_mark: str | None = None
    registers: dict[str, Register] = field(default_factory=dict)


class Intent(NamedTuple):
    """One packet that is to be sent, with its exact bytes."""

    stream_id: str
    at_us: int
    body: bytes


class Settled(NamedTuple):
    """What became of one packet.

    Attributes:
        status: ``acknowledged``, ``refused`` or ``skipped``.
        answer: HTTP status, None when settled by read-back or by a person.
        reason: Why it was refused.
        settled_us: When.
    """

    stream_id: str
    at_us: int
    status: PacketStatus
    settled_us: int
    answer: int | None = None
    reason: str = ""


class Failure(NamedTuple):
    """Why a stream was left with packets pending.

    Attributes:
        reason: What was met.
        unclear: Whether the oldest pending packet may have arrived all the same.
        resume_us: When Wattics wants to be asked again.
        stopped: Whether a person has to look before anything more is sent.
    """

    stream_id: str
    at_us: int
    reason: str
    unclear: bool = False
    resume_us: int | None = None
    stopped: bool = False


class Event(NamedTuple):
    """Something that happened, with its details as JSON-ready values."""

    at_us: int
    stream_id: str | None
    kind: EventKind
    detail: dict[str, str | int | float | None]


class DeadLetter(NamedTuple):
    """A packet Wattics refused, kept whole."""

    id: int
    stream_id: str
    at_us: int
    body: bytes
    answer: int | None
    reason: str
    refused_us: int
    state: str


class CredentialStop(NamedTuple):
    """A credential that was refused: nothing is sent with it before the probe."""

    name: str
    stopped_us: int
    probe_us: int
    reason: str


class Run(NamedTuple):
    """The newest push: whether it ended, and how many failed in a row."""

    is_open: bool
    failures: int
    started_us: int
    next_us: int | None
    error: str | None
