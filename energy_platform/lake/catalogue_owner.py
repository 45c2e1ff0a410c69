"""Whose catalogue a database by URL is: one lake's, and no other's.

Two lakes that write to one catalogue would take each other's files for gone. Here belongs how a
lake and its catalogue know each other: both hold the same identifier, the lake in a file of the
data folder, which moves with it.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import sqlalchemy as sa

LAKE_ID_FILE: Final = "lake.id"
"""Name of the file in the data folder; there only where the catalogue is elsewhere."""

_METADATA: Final = sa.MetaData()

_OWNER: Final = sa.Table(
    "catalogue_owner",
    _METADATA,
    sa.Column("lake_id", sa.Text, primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
)


def claim(connection: sa.Connection, data_dir: Path, *, setting: str) -> str:
    """Make the catalogue this lake's unless it is another's; return why not, empty when it is.

    Args:
        connection: In a transaction that no other writing one overlaps.
        data_dir: The data folder of the lake.
        setting: Variable that names the catalogue, for the message.
    """
    _METADATA.create_all(connection)
    folder = data_dir.resolve()
    row = connection.execute(sa.select(_OWNER)).one_or_none()
    if row is None:
        # A new catalogue, or one that was dropped: it is made again from the lake's files.
        lake_id = _read(folder) or _write(folder)
        connection.execute(sa.insert(_OWNER).values(lake_id=lake_id, folder=str(folder)))
        return ""
    why = _why_foreign(row.lake_id, Path(row.folder), folder=folder, setting=setting)
    if not why and row.folder != str(folder):
        connection.execute(sa.update(_OWNER).values(folder=str(folder)))
    return why


def why_foreign(connection: sa.Connection, data_dir: Path, *, setting: str) -> str:
    """Return why a catalogue is not this lake's, with what to do; empty when it is or may be.

    Args:
        connection: To the catalogue; nothing is written.
        data_dir: The data folder of the lake.
        setting: Variable that names the catalogue, for the message.
    """
    if not sa.inspect(connection).has_table(_OWNER.name):
        return ""
    row = connection.execute(sa.select(_OWNER)).one_or_none()
    if row is None:
        return ""
    return _why_foreign(row.lake_id, Path(row.folder), folder=data_dir.resolve(), setting=setting)


def _why_foreign(lake_id: str, owner: Path, *, folder: Path, setting: str) -> str:
    own = _read(folder)
    advice = (
        f"Give this one a database of its own by {setting}, or remove the setting: the catalogue "
        "is then kept in the data folder"
    )
    if own == lake_id:
        is_copy = owner != folder and _read(owner) == own and not owner.samefile(folder)
        if not is_copy:
            return ""
        return (
            f"{folder} is a copy of {owner}, whose catalogue {setting} names. {advice}. Remove "
            f"{folder / LAKE_ID_FILE} in any case"
        )
    restored = (
        f". If this is that lake, restored without its {LAKE_ID_FILE}, write {lake_id} into "
        f"{folder / LAKE_ID_FILE}"
    )
    return (
        f"the catalogue that {setting} names belongs to the lake of {owner}, not to that of "
        f"{folder}. {advice}{restored if own is None else ''}"
    )


def _read(folder: Path) -> str | None:
    try:
        return (folder / LAKE_ID_FILE).read_text(encoding="utf-8").strip() or None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _write(folder: Path) -> str:
    lake_id = str(uuid.uuid4())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LAKE_ID_FILE).write_text(f"{lake_id}\n", encoding="utf-8")
    return lake_id
