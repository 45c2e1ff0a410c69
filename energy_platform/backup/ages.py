"""How old the newest backup is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.backup.manifest import manifests, taken_at

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

OLD_AFTER: Final = timedelta(days=2)
"""A newest backup that is older needs somebody."""


class BackupAge(NamedTuple):
    """The newest backup of a folder.

    Attributes:
        taken_at: When; None where there is none, or the folder cannot be read.
        age: How long ago; None likewise.
        is_old: Whether somebody should look.
        sentence: For display.
    """

    taken_at: datetime | None
    age: timedelta | None
    is_old: bool
    sentence: str


def newest_backup(folder: Path, *, now: datetime) -> BackupAge:
    """Say how old the newest backup of a folder is; only names are read.

    Args:
        folder: The backup folder.
        now: The present.
    """
    found = manifests(folder)
    if not found:
        where = "holds no backup" if folder.is_dir() else "is not there (is it mounted?)"
        return BackupAge(None, None, is_old=True, sentence=f"{folder} {where}")
    newest = taken_at(found[-1])
    age = now - newest
    hours = age.total_seconds() / 3600
    ago = f"{hours:.0f} hours" if age < OLD_AFTER else f"{age.days} days"
    return BackupAge(
        newest,
        age,
        is_old=age > OLD_AFTER,
        sentence=f"the newest backup in {folder} is of {newest:%F %R} UTC, {ago} ago",
    )
