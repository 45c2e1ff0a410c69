"""A ledger that was put back from a backup knows it: streams read back before they send again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a restored stream remembers."""
    # Columns that may be null or have a default are added in place by both databases.
    op.add_column(
        "streams",
        sa.Column("is_restored", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.add_column("streams", sa.Column("lake_from_us", sa.BigInteger))
    op.create_table(
        "unrecorded",
        sa.Column("stream_id", sa.Text, nullable=False),
        sa.Column("after_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "after_us", name="unrecorded_pk"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("unrecorded")
    op.drop_column("streams", "lake_from_us")
    op.drop_column("streams", "is_restored")
