"""Whose records a PostgreSQL database holds: one installation's, and no other's.

Whether a run lives is known by locks of one machine. A second installation on the same records
would take the first one's runs for dead and fail them, and take what is queued there.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import sqlalchemy as sa

INSTANCE_ID_FILE: Final = "instance.id"
"""Name of the file in the instance's folder; there only where the records are in PostgreSQL."""

_METADATA: Final = sa.MetaData()

OWNER: Final = sa.Table(
    "energy_platform_owner",
    _METADATA,
    sa.Column("instance_id", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
)
"""One row: the installation, and where its instance's folder lies."""

_ADVISORY_KEY: Final = 0x656E5F646167
"""Key of PostgreSQL's advisory lock around a claim."""


def claim(connection: sa.Connection, home: Path) -> str:
    """Make the database this installation's unless it is another's; return why not, else empty.

    Args:
        connection: In a transaction.
        home: Folder of the instance.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_KEY)))
    _METADATA.create_all(connection)
    folder = home.resolve()
    row = connection.execute(sa.select(OWNER)).one_or_none()
    if row is None:
        own = _read(folder) or _write(folder)
        connection.execute(sa.insert(OWNER).values(instance_id=own, folder=str(folder)))
        return ""
    why = why_foreign(connection, home)
    if not why and row.folder != str(folder):
        connection.execute(sa.update(OWNER).values(folder=str(folder)))
    return why


def why_foreign(connection: sa.Connection, home: Path) -> str:
    """Return whose the database is if it is another installation's; empty when it may be used.

    Args:
        connection: To a database that has the owner's table; nothing is written.
        home: Folder of the instance.
    """
    row = connection.execute(sa.select(OWNER)).one_or_none()
    if row is None:
        return ""
    folder, owner = home.resolve(), Path(row.folder)
    own = _read(folder)
    if own != row.instance_id:
        restored = (
            f". If this is that installation, restored, write {row.instance_id} into "
            f"{folder / INSTANCE_ID_FILE}"
        )
        return f"belongs to the installation of {owner}{restored if own is None else ''}"
    if owner != folder and _read(owner) == own and not owner.samefile(folder):
        return (
            f"belongs to the installation of {owner}, of which {folder} is a copy; remove "
            f"{folder / INSTANCE_ID_FILE} in any case"
        )
    return ""


def _read(folder: Path) -> str | None:
    try:
        return (folder / INSTANCE_ID_FILE).read_text(encoding="utf-8").strip() or None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _write(folder: Path) -> str:
    own = str(uuid.uuid4())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INSTANCE_ID_FILE).write_text(f"{own}\n", encoding="utf-8")
    return own
