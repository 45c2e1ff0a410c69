"""What the ledger remembers: its tables, and each one's row as a record.

Belongs here: columns and what they mean. Does not: the queries (``ledger``) and what is written to
them (``writes``).

Instants are whole microseconds since the epoch (UTC), so that SQLite and PostgreSQL keep exactly
the same and order them alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import sqlalchemy as sa

from energy_platform.days import day_of, instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

metadata: Final = sa.MetaData(
    naming_convention={"pk": "%(table_name)s_pk", "ix": "%(column_0_label)s_ix"}
)
"""Every table of the ledger; the migrations create exactly these."""

LongInteger: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""64 bits in both databases; SQLite numbers rows by itself only for its own INTEGER."""

streams: Final = sa.Table(
    "streams",
    metadata,
    sa.Column("stream_id", sa.Text, primary_key=True),
    sa.Column("destination", sa.Text, nullable=False, comment="Name of where it goes."),
    sa.Column("planned_until_us", sa.BigInteger, comment="All up to here is decided."),
    sa.Column("last_packet_us", sa.BigInteger, comment="Newest instant with a packet."),
    sa.Column("last_acknowledged_us", sa.BigInteger, comment="Newest acknowledged instant."),
    sa.Column("acknowledged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("refused", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("refused_streak", sa.Integer, nullable=False, server_default="0"),
    sa.Column("undelivered_wh", sa.Float, nullable=False, server_default="0"),
    sa.Column("in_doubt", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("stopped", sa.Text, comment="Why an operator has to look; null while it runs."),
    sa.Column("resume_us", sa.BigInteger, comment="The destination asked to wait until then."),
    sa.Column("failing_since_us", sa.BigInteger),
    sa.Column("failure", sa.Text, comment="What the newest attempt met; null after success."),
    sa.Column("blocked_day", sa.Text, comment="The missing day the stream waits for."),
    sa.Column("blocked_since_us", sa.BigInteger),
    sa.Column("passed_day", sa.Text, comment="Newest missing day that was passed."),
    sa.Column("seen_version", sa.Text, comment="Version of the lake that had nothing to send."),
    sa.Column(
        "late_seen_version", sa.Text, comment="Version of the lake whose late packets were sent."
    ),
    sa.Column(
        "is_restored",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Put back from a backup; what was sent since is not read back yet.",
    ),
    sa.Column(
        "lake_from_us",
        sa.BigInteger,
        comment="After a restore: from here on days have to be there again before it goes on.",
    ),
)

registers: Final = sa.Table(
    "registers",
    metadata,
    sa.Column("stream_id", sa.Text, primary_key=True),
    sa.Column("field", sa.Text, primary_key=True),
    sa.Column("point_id", sa.Text, nullable=False),
    sa.Column(
        "config_fingerprint",
        sa.Text,
        nullable=False,
        comment="Digest of policy, corrections and rules.",
    ),
    sa.Column("baseline_wh", sa.Float, nullable=False),
    sa.Column("baseline_us", sa.BigInteger, nullable=False),
    sa.Column("offset_wh", sa.Float, nullable=False),
    sa.Column("sum_wh", sa.Float, nullable=False, comment="Energy before sum_day."),
    sa.Column("sum_day", sa.Text, nullable=False),
    sa.Column("summed_version", sa.Text, nullable=False, comment="Version of the lake summed."),
    sa.Column("target_wh", sa.Float, nullable=False, comment="Register by the lake at sent_us."),
    sa.Column("sent_thousandths", sa.BigInteger, nullable=False),
    sa.Column("sent_us", sa.BigInteger, nullable=False),
    sa.Column("held_back_wh", sa.Float, nullable=False, server_default="0"),
)

packets: Final = sa.Table(
    "packets",
    metadata,
    sa.Column("stream_id", sa.Text, primary_key=True),
    sa.Column("at_us", sa.BigInteger, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="The exact bytes sent."),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("planned_us", sa.BigInteger, nullable=False),
    sa.Column("settled_us", sa.BigInteger),
    sa.Column("answer", sa.Integer, comment="HTTP status; null when settled by read-back."),
    sa.Column("destination", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

packets_pending: Final = sa.Index(
    "packets_pending_ix",
    packets.c.stream_id,
    packets.c.at_us,
    sqlite_where=packets.c.status == "pending",
    postgresql_where=packets.c.status == "pending",
)

unrecorded: Final = sa.Table(
    "unrecorded",
    metadata,
    sa.Column("stream_id", sa.Text, primary_key=True),
    sa.Column("after_us", sa.BigInteger, primary_key=True),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)
"""Spans whose packets were sent and are not listed: the rows were lost with a ledger."""

dead_letters: Final = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", LongInteger, primary_key=True, autoincrement=True),
    sa.Column("stream_id", sa.Text, nullable=False, index=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("answer", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refused_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("destination", sa.Text, nullable=False),
)

events: Final = sa.Table(
    "events",
    metadata,
    sa.Column("id", LongInteger, primary_key=True, autoincrement=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("stream_id", sa.Text, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="JSON object."),
)

credentials: Final = sa.Table(
    "credentials",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("stopped_us", sa.BigInteger, nullable=False),
    sa.Column("probe_us", sa.BigInteger, nullable=False, comment="No request before then."),
    sa.Column("reason", sa.Text, nullable=False),
)

runs: Final = sa.Table(
    "runs",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("is_open", sa.Boolean, nullable=False, comment="True after a crash, too."),
    sa.Column("failures", sa.Integer, nullable=False, comment="Failed runs in a row."),
    sa.Column("started_us", sa.BigInteger, nullable=False),
    sa.Column("next_us", sa.BigInteger, comment="No further attempt before then."),
    sa.Column("error", sa.Text),
)

lease: Final = sa.Table(
    "lease",
    metadata,
    # The key: a change of it waits for transactions that hold it shared, a heartbeat does not.
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("token", sa.Text, comment="Of the push that holds it; null when it is free."),
    sa.Column("owner", sa.Text, comment="Host and process, for display."),
    sa.Column("place", sa.Text, comment="The lock file that its host holds meanwhile."),
    sa.Column("beats", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column(
        "hold_us",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Unchanged for so long, it is over and none of its packets is under way.",
    ),
    sa.Column("taken_us", sa.BigInteger, comment="By the server's clock, for display."),
    sa.Column("beat_us", sa.BigInteger, comment="By the server's clock, for display."),
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
    "restored",
    "read_back",
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
        is_restored: Whether it was put back from a backup and not read back since.
        lake_from_us: After a restore, from where on the lake's days have to be there again.
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
    is_restored: bool = False
    lake_from_us: int | None = None
    registers: dict[str, Register] = field(default_factory=dict)

    @property
    def needs_lake_from_us(self) -> int | None:
        """From where on the lake has to be known: the cursor, or earlier after a restore."""
        if self.planned_until_us is None or self.lake_from_us is None:
            return self.planned_until_us
        return min(self.planned_until_us, self.lake_from_us)

    def leave_lost_days(self, *, until_us: int) -> None:
        """Wait no more for days that were lost once the lake is known beyond the cursor.

        Before the read-back the cursor is not the one that it goes on from.

        Args:
            until_us: Up to where the lake is known.
        """
        if not self.is_restored and until_us > (self.planned_until_us or 0):
            self.lake_from_us = None


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
    detail: Mapping[str, str | int | float | None]


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

    @property
    def not_before(self) -> datetime | None:
        """When to ask for the next one, after one that failed; None for at once."""
        return None if self.next_us is None else instant(self.next_us)
