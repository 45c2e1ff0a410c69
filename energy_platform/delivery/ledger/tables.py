"""The tables of the delivery ledger.

Instants are whole microseconds since the epoch (UTC), so that SQLite and PostgreSQL keep exactly
the same and order them alike.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

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
