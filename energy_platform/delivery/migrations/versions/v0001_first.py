"""The first ledger: streams, registers, packets, dead letters, events, credentials, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "streams",
        sa.Column("stream_id", sa.Text, nullable=False),
        sa.Column("planned_until_us", sa.BigInteger),
        sa.Column("last_packet_us", sa.BigInteger),
        sa.Column("last_acknowledged_us", sa.BigInteger),
        sa.Column("acknowledged", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("refused", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("refused_streak", sa.Integer, nullable=False, server_default="0"),
        sa.Column("undelivered_wh", sa.Float, nullable=False, server_default="0"),
        sa.Column("unclear", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("stopped", sa.Text),
        sa.Column("resume_us", sa.BigInteger),
        sa.Column("failing_since_us", sa.BigInteger),
        sa.Column("failure", sa.Text),
        sa.Column("held_day", sa.Text),
        sa.Column("held_since_us", sa.BigInteger),
        sa.Column("passed_day", sa.Text),
        sa.Column("looked_mark", sa.Text),
        sa.Column("late_mark", sa.Text),
        sa.PrimaryKeyConstraint("stream_id", name="streams_pk"),
    )
    op.create_table(
        "registers",
        sa.Column("stream_id", sa.Text, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("point_id", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("anchor_wh", sa.Float, nullable=False),
        sa.Column("anchor_us", sa.BigInteger, nullable=False),
        sa.Column("offset_wh", sa.Float, nullable=False),
        sa.Column("sum_wh", sa.Float, nullable=False),
        sa.Column("sum_day", sa.Text, nullable=False),
        sa.Column("sum_mark", sa.Text, nullable=False),
        sa.Column("target_wh", sa.Float, nullable=False),
        sa.Column("sent_thousandths", sa.BigInteger, nullable=False),
        sa.Column("sent_us", sa.BigInteger, nullable=False),
        sa.Column("debt_wh", sa.Float, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("stream_id", "field", name="registers_pk"),
    )
    op.create_table(
        "packets",
        sa.Column("stream_id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("intent_us", sa.BigInteger, nullable=False),
        sa.Column("settled_us", sa.BigInteger),
        sa.Column("answer", sa.Integer),
        sa.PrimaryKeyConstraint("stream_id", "at_us", name="packets_pk"),
        sqlite_with_rowid=False,
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "packets_pending_ix",
        "packets",
        ["stream_id", "at_us"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", _LONG, autoincrement=True, nullable=False),
        sa.Column("stream_id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("refused_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.PrimaryKeyConstraint("id", name="dead_letters_pk"),
    )
    op.create_index("dead_letters_stream_id_ix", "dead_letters", ["stream_id"])
    op.create_table(
        "events",
        sa.Column("id", _LONG, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("stream_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="events_pk"),
    )
    op.create_index("events_stream_id_ix", "events", ["stream_id"])
    op.create_table(
        "credentials",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("stopped_us", sa.BigInteger, nullable=False),
        sa.Column("probe_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="credentials_pk"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="runs_pk"),
    )


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "runs",
        "credentials",
        "events",
        "dead_letters",
        "packets",
        "registers",
        "streams",
    ):
        op.drop_table(table)
