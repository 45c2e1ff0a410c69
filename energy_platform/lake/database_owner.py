"""Whose database on a server is: one installation's, and no other's.

The owner and the database hold the same identifier, the owner in a file of its folder, which moves
with it. What a second owner would destroy, and what to do about it, the callers say.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa


class Foreign(NamedTuple):
    """Why a database is not a folder's.

    Attributes:
        owner: Folder of the owner.
        identifier: What the database holds.
        is_copy: Whether the folder asked for is a copy of the owner's.
        has_none: Whether the folder asked for has no identifier, such as one that was restored.
    """

    owner: Path
    identifier: str
    is_copy: bool
    has_none: bool


class DatabaseOwner:
    """The table of one row that names a database's owner, and the file that the owner has.

    Args:
        table: Name of the table.
        column: Name of its column of the identifier.
        file: Name of the file in the owner's folder.
    """

    def __init__(self, table: str, *, column: str, file: str) -> None:
        self._metadata = sa.MetaData()
        self._table = sa.Table(
            table,
            self._metadata,
            sa.Column(column, sa.Text, primary_key=True),
            sa.Column("folder", sa.Text, nullable=False),
        )
        self._column = column
        self._file = file

    def claim(self, connection: sa.Connection, folder: Path) -> Foreign | None:
        """Make the database the folder's unless it is another's; return whose, None when it is.

        Args:
            connection: In a transaction that no other writing one overlaps.
            folder: Of the one that asks.
        """
        self._metadata.create_all(connection)
        folder = folder.resolve()
        row = connection.execute(sa.select(self._table)).one_or_none()
        if row is None:
            own = self._read(folder) or self._write(folder)
            new = {self._column: own, "folder": str(folder)}
            connection.execute(sa.insert(self._table).values(new))
            return None
        found = self._foreign(row, folder)
        if found is None and row.folder != str(folder):
            connection.execute(sa.update(self._table).values(folder=str(folder)))
        return found

    def foreign(self, connection: sa.Connection, folder: Path) -> Foreign | None:
        """Return whose the database is; None when it is the folder's or nobody's yet.

        Args:
            connection: To the database; nothing is written.
            folder: Of the one that asks.
        """
        if not sa.inspect(connection).has_table(self._table.name):
            return None
        row = connection.execute(sa.select(self._table)).one_or_none()
        return None if row is None else self._foreign(row, folder.resolve())

    def _foreign(self, row: sa.Row[tuple[str, str]], folder: Path) -> Foreign | None:
        identifier, owner = row[0], Path(row[1])
        own = self._read(folder)
        if own != identifier:
            return Foreign(owner, identifier, is_copy=False, has_none=own is None)
        if owner != folder and self._read(owner) == own and not owner.samefile(folder):
            return Foreign(owner, identifier, is_copy=True, has_none=False)
        return None

    def _read(self, folder: Path) -> str | None:
        try:
            return (folder / self._file).read_text(encoding="utf-8").strip() or None
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None

    def _write(self, folder: Path) -> str:
        own = str(uuid.uuid4())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self._file).write_text(f"{own}\n", encoding="utf-8")
        return own
