"""What the ledger remembers, as typed rows, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from energy_platform.days import day_of, instant


class LedgerError(RuntimeError):
    """The ledger cannot be used; the message says what to do."""


class TakenOverError(LedgerError):
    """Another push took the ledger's lease, because this one was not heard of for too long.

    Args:
        owner: Who took it; None when it has ended since.
        taken_us: When, by the database's clock.
    """

    def __init__(self, owner: str | None, taken_us: int | None) -> None:
        who = owner or "another host"
        when = "" if taken_us is None else f" at {instant(taken_us):%F %T} UTC"
        super().__init__(
            f"{who} took over the ledger's lock{when}, since this push was not heard of for too "
            "long; this push stopped; nothing is lost: that one goes on"
        )


PacketStatus = Literal["pending", "acknowledged", "refused", "skipped"]
"""Planned, to be sent; stored there; refused and set aside; set aside by an operator."""

EventKind = Literal[
    "resumed_from_readback",
    "baseline_set",
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
"""What happened to a stream or a credential, for display and for the reconcile."""


@dataclass(slots=True, kw_only=True)
class Register:
    """How one cumulative field continues: ``pC(T) = max(sent, baseline + offset + energy to T)``.

    Attributes:
        point_id: The point whose energy feeds the field.
        config_fingerprint: Digest of the policy, corrections and rules behind the energy.
        baseline_wh: What the register showed at the baseline.
        baseline_us: Instant of the baseline, a settled reading.
        offset_wh: Sum of all rebases.
        sum_wh: Energy since the baseline in the day files before ``sum_day``.
        sum_day: First day whose file is not in ``sum_wh``.
        summed_version: Version of the lake whose days stand behind ``sum_wh``.
        target_wh: The register by the lake at ``sent_us``, before rounding and holding.
        sent_thousandths: Last value given to a packet, in thousandths of the field's unit.
        sent_us: Instant of that packet.
        held_back_wh: By how much the value sent is ahead of the lake; it is held flat meanwhile.
    """

    point_id: str
    config_fingerprint: str
    baseline_wh: float
    baseline_us: int
    offset_wh: float = 0.0
    sum_wh: float = 0.0
    sum_day: str = ""
    summed_version: str = ""
    target_wh: float = 0.0
    sent_thousandths: int = 0
    sent_us: int = 0
    held_back_wh: float = 0.0

    @property
    def baseline_day(self) -> str:
        """The day whose file is the first to hold energy after the baseline."""
        return day_of(instant(self.baseline_us))


@dataclass(slots=True, kw_only=True)
class StreamState:
    """Where one stream stands; instants are microseconds since the epoch.

    Attributes:
        destination: Where its packets go; empty before it is registered.
        planned_until_us: Every grid instant up to here is decided; None before the first.
        last_packet_us: Newest instant with a packet.
        last_acknowledged_us: Newest acknowledged instant.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
        refused_streak: Packets refused since the last acknowledged one.
        undelivered_wh: Energy of per-interval streams that fell into long gaps.
        in_doubt: Whether the oldest pending packet may have arrived already.
        stopped: Why an operator has to look; None while the stream runs.
        resume_us: The destination asked to wait until then.
        failing_since_us: Since when nothing gets through.
        failure: What the newest attempt met; None after success.
        blocked_day: Missing day the stream waits for.
        blocked_since_us: When that was first seen.
        passed_day: Newest missing day that was passed.
        seen_version: Version of the lake that had nothing to send for the stream.
        late_seen_version: Version of the lake whose late packets were sent, where that is agreed.
        registers: Cumulative fields by name.
    """

    destination: str = ""
    planned_until_us: int | None = None
    last_packet_us: int | None = None
    last_acknowledged_us: int | None = None
    acknowledged: int = 0
    refused: int = 0
    refused_streak: int = 0
    undelivered_wh: float = 0.0
    in_doubt: bool = False
    stopped: str | None = None
    resume_us: int | None = None
    failing_since_us: int | None = None
    failure: str | None = None
    blocked_day: str | None = None
    blocked_since_us: int | None = None
    passed_day: str | None = None
    seen_version: str | None = None
    late_seen_version: str | None = None
    registers: dict[str, Register] = field(default_factory=dict)


class OutboxEntry(NamedTuple):
    """One packet that is to be sent, with its exact bytes.

    Attributes:
        thousandths: The value per interval in it, which the ledger does not keep.
    """

    destination: str
    stream_id: str
    at_us: int
    body: bytes
    thousandths: int = 0


class PacketResult(NamedTuple):
    """What became of one packet.

    Attributes:
        status: ``acknowledged``, ``refused`` or ``skipped``.
        answer: HTTP status, None when settled by read-back or by an operator.
        reason: Why it was refused.
        settled_us: When.
    """

    stream_id: str
    at_us: int
    status: PacketStatus
    settled_us: int
    answer: int | None = None
    reason: str = ""


class StreamFailure(NamedTuple):
    """Why a stream was left with packets pending.

    Attributes:
        reason: What was met.
        in_doubt: Whether the oldest pending packet may have arrived all the same.
        resume_us: When the destination wants to be asked again.
        stopped: Whether an operator has to look before anything more is sent.
    """

    stream_id: str
    at_us: int
    reason: str
    in_doubt: bool = False
    resume_us: int | None = None
    stopped: bool = False


class Event(NamedTuple):
    """Something that happened, with its details as JSON-ready values."""

    at_us: int
    stream_id: str | None
    kind: EventKind
    detail: dict[str, str | int | float | None]


class DeadLetter(NamedTuple):
    """A packet its destination refused, kept whole."""

    id: int
    destination: str
    stream_id: str
    at_us: int
    body: bytes
    answer: int | None
    reason: str
    refused_us: int
    state: str


class CredentialStop(NamedTuple):
    """A credential that was refused: nothing is sent with it before the probe."""

    destination: str
    name: str
    stopped_us: int
    probe_us: int
    reason: str


class Run(NamedTuple):
    """The newest push to a destination: whether it ended, and how many failed in a row."""

    is_open: bool
    failures: int
    started_us: int
    next_us: int | None
    error: str | None
