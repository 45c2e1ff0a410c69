"""Old backups go: their manifests, then the contents that no backup names any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.backup.manifest import manifests, read_manifest
from energy_platform.backup.objects import Objects

if TYPE_CHECKING:
    from pathlib import Path


class Pruned(NamedTuple):
    """What was removed.

    Attributes:
        backups: Manifests.
        objects: Contents.
        bytes: Theirs.
    """

    backups: int
    objects: int
    bytes: int


def prune(folder: Path, *, keep: int) -> Pruned:
    """Keep the newest backups only; nothing else may write to the folder meanwhile.

    Killed half way it leaves contents that nothing names, which the next one removes.

    Args:
        folder: The backup folder.
        keep: How many.

    Raises:
        BackupError: A manifest that is kept cannot be read: what it names is not known, so nothing
            was removed.
    """
    found = manifests(folder)
    kept, old = found[-keep:], found[:-keep]
    named = {one.digest for path in kept for one in read_manifest(path).files}
    for path in old:
        path.unlink()
    objects = Objects(folder)
    removed = size = 0
    for digest in [one for one in objects.names() if one not in named]:
        size += objects.remove(digest)
        removed += 1
    return Pruned(len(old), removed, size)
