"""Rows name the destination they belong to: credentials and runs are told apart by it."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from energy_platform.destinations import DEFAULT_DESTINATION

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STREAMS_AND_PACKETS: Final = ("streams", "packets", "dead_letters")


def upgrade() -> None:
    """Give every row the one destination there was."""
    for table in _STREAMS_AND_PACKETS:
        # A column with a default is added in place by both databases, whatever there is.
        op.add_column(
            table,
            sa.Column("destination", sa.Text, nullable=False, server_default=DEFAULT_DESTINATION),
        )
    given: dict[str, object] = {"destination": DEFAULT_DESTINATION}
    _remake("credentials", [_of(), *_credential()], key=("destination", "name"), given=given)
    _remake("runs", [_of(), *_run()], key=("destination",), given=given)


def downgrade() -> None:
    """Take the names away; what belongs to another destination is lost."""
    only = f"destination = '{DEFAULT_DESTINATION}'"
    number = sa.Column("id", sa.Integer, nullable=False)
    _remake("runs", [number, *_run()], key=("id",), given={"id": 1}, only=only)
    _remake("credentials", _credential(), key=("name",), given={}, only=only)
    for table in _STREAMS_AND_PACKETS:
        op.drop_column(table, "destination")


def _of() -> sa.Column[Any]:
    return sa.Column("destination", sa.Text, nullable=False)


def _credential() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("stopped_us", sa.BigInteger, nullable=False),
        sa.Column("probe_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    ]


def _run() -> list[sa.Column[Any]]:
    return [
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger),
        sa.Column("error", sa.Text),
    ]


def _remake(
    table: str,
    columns: list[sa.Column[Any]],
    *,
    key: tuple[str, ...],
    given: dict[str, object],
    only: str = "1 = 1",
) -> None:
    """Make a small table again with another key, and fill it with its rows."""
    kept = [column.name for column in columns if column.name not in given]
    rows = op.get_bind().execute(
        sa.text(f"SELECT {', '.join(kept)} FROM {table} WHERE {only}")  # noqa: S608
    )
    values = [dict(row) | given for row in rows.mappings()]
    op.drop_table(table)
    made = op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"{table}_pk"),
    )
    if values:
        op.bulk_insert(made, values)
