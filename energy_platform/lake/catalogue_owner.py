"""Whose catalogue a database by URL is: one lake's, and no other's.

Two lakes that write to one catalogue would take each other's files for gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.lake.database_owner import DatabaseOwner, Foreign

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

LAKE_ID_FILE: Final = "lake.id"
"""Name of the file in the data folder; there only where the catalogue is elsewhere."""

_OWNER: Final = DatabaseOwner("catalogue_owner", column="lake_id", file=LAKE_ID_FILE)


def claim(connection: sa.Connection, data_dir: Path, *, setting: str) -> str:
    """Make the catalogue this lake's unless it is another's; return why not, empty when it is.

    A new catalogue, or one that was dropped, is made again from the lake's files.

    Args:
        connection: In a transaction that no other writing one overlaps.
        data_dir: The data folder of the lake.
        setting: Variable that names the catalogue, for the message.
    """
    return _why(_OWNER.claim(connection, data_dir), data_dir, setting=setting)


def why_foreign(connection: sa.Connection, data_dir: Path, *, setting: str) -> str:
    """Return why a catalogue is not this lake's, with what to do; empty when it is or may be.

    Args:
        connection: To the catalogue; nothing is written.
        data_dir: The data folder of the lake.
        setting: Variable that names the catalogue, for the message.
    """
    return _why(_OWNER.foreign(connection, data_dir), data_dir, setting=setting)


def _why(found: Foreign | None, data_dir: Path, *, setting: str) -> str:
    if found is None:
        return ""
    folder = data_dir.resolve()
    advice = (
        f"Give this one a database of its own by {setting}, or remove the setting: the catalogue "
        "is then kept in the data folder"
    )
    if found.is_copy:
        return (
            f"{folder} is a copy of {found.owner}, whose catalogue {setting} names. {advice}. "
            f"Remove {folder / LAKE_ID_FILE} in any case"
        )
    restored = (
        f". If this is that lake, restored without its {LAKE_ID_FILE}, write {found.identifier} "
        f"into {folder / LAKE_ID_FILE}"
    )
    return (
        f"the catalogue that {setting} names belongs to the lake of {found.owner}, not to that of "
        f"{folder}. {advice}{restored if found.has_none else ''}"
    )
