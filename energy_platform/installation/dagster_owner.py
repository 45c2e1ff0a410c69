"""Whose records a PostgreSQL database holds: one installation's, and no other's.

Whether a run lives is known by locks of one machine. A second installation on the same records
would take the first one's runs for dead and fail them, and take what is queued there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from energy_platform.lake.database_owner import DatabaseOwner, Foreign

if TYPE_CHECKING:
    from pathlib import Path

INSTANCE_ID_FILE: Final = "instance.id"
"""Name of the file in the instance's folder; there only where the records are in PostgreSQL."""

_OWNER: Final = DatabaseOwner("energy_platform_owner", column="instance_id", file=INSTANCE_ID_FILE)

_ADVISORY_KEY: Final = 0x656E5F646167
"""Key of PostgreSQL's advisory lock around a claim."""


def claim(connection: sa.Connection, home: Path) -> str:
    """Make the database this installation's unless it is another's; return why not, else empty.

    Args:
        connection: In a transaction.
        home: Folder of the instance.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_KEY)))
    return _why(_OWNER.claim(connection, home), home)


def why_foreign(connection: sa.Connection, home: Path) -> str:
    """Return whose the database is if it is another installation's; empty when it may be used.

    Args:
        connection: To the database; nothing is written.
        home: Folder of the instance.
    """
    return _why(_OWNER.foreign(connection, home), home)


def _why(found: Foreign | None, home: Path) -> str:
    if found is None:
        return ""
    folder = home.resolve()
    if found.is_copy:
        return (
            f"belongs to the installation of {found.owner}, of which {folder} is a copy; remove "
            f"{folder / INSTANCE_ID_FILE} in any case"
        )
    restored = (
        f". If this is that installation, restored, write {found.identifier} into "
        f"{folder / INSTANCE_ID_FILE}"
    )
    return f"belongs to the installation of {found.owner}{restored if found.has_none else ''}"
