"""The lease of the ledger: who may push, with a generation that every transaction checks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the lease, which nobody holds."""
    lease = op.create_table(
        "lease",
        sa.Column("generation", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("token", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("place", sa.Text),
        sa.Column("beats", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("hold_us", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("taken_us", sa.BigInteger),
        sa.Column("beat_us", sa.BigInteger),
        sa.PrimaryKeyConstraint("generation", name="lease_pk"),
    )
    op.bulk_insert(lease, [{"generation": 0}])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("lease")
