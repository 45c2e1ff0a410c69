"""The ledger's columns and event kinds get their standard names; no row changes its meaning."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS: Final = (
    ("streams", "unclear", "in_doubt"),
    ("streams", "held_day", "blocked_day"),
    ("streams", "held_since_us", "blocked_since_us"),
    ("streams", "looked_mark", "seen_version"),
    ("streams", "late_mark", "late_seen_version"),
    ("registers", "basis", "config_fingerprint"),
    ("registers", "anchor_wh", "baseline_wh"),
    ("registers", "anchor_us", "baseline_us"),
    ("registers", "sum_mark", "summed_version"),
    ("registers", "debt_wh", "held_back_wh"),
    ("packets", "intent_us", "planned_us"),
)
"""Table, name up to 0002, name from here on."""

_EVENT_KINDS: Final = (("anchored", "baseline_set"), ("adopted", "resumed_from_readback"))
"""Kind up to 0002, kind from here on."""


def upgrade() -> None:
    """Rename."""
    # Plain SQL: SQLite and PostgreSQL both rename a column in place, alembic's own way copies the
    # table on SQLite, and packets may be millions.
    for table, old, new in _COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for old, new in _EVENT_KINDS:
        op.execute(f"UPDATE events SET kind = '{new}' WHERE kind = '{old}'")  # noqa: S608
    _rename_details("baseline_set", old="anchor", new="baseline")


def downgrade() -> None:
    """Take the old names back."""
    _rename_details("baseline_set", old="baseline", new="anchor")
    for old, new in _EVENT_KINDS:
        op.execute(f"UPDATE events SET kind = '{old}' WHERE kind = '{new}'")  # noqa: S608
    for table, old, new in _COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")


def _rename_details(kind: str, *, old: str, new: str) -> None:
    """Rename the keys ``old_wh`` and ``old_us`` in the details of a kind of event."""
    op.execute(
        f"""UPDATE events SET detail = replace(detail, '"{old}_', '"{new}_')
        WHERE kind = '{kind}'"""  # noqa: S608
    )
