"""Copies of what an installation cannot make again, and putting them back.

A backup is a folder: ``objects`` holds each content once, by its digest, and ``backups`` a manifest
for each backup, which says which file had which content. So a second backup copies what is new, and
a backup without its manifest, such as one that was killed, is none.

1. ``selection``: which files belong to it.
2. ``databases``: SQLite files as they are at one moment; databases that a backup does not hold.
3. ``objects``: contents by digest. ``manifest``: what one backup holds.
4. ``taking``: one backup is made; ``pruning``: old ones go.
5. ``restoring``: one is verified and put back; ``ages``: how old the newest is.
"""

from __future__ import annotations

from energy_platform.backup.ages import BackupAge, newest_backup
from energy_platform.backup.errors import BackupError
from energy_platform.backup.manifest import Manifest, ManifestFile, find_manifest, manifests
from energy_platform.backup.restoring import Restored, Verified, restore, verify
from energy_platform.backup.taking import Taken, take_backup

__all__ = [
    "BackupAge",
    "BackupError",
    "Manifest",
    "ManifestFile",
    "Restored",
    "Taken",
    "Verified",
    "find_manifest",
    "manifests",
    "newest_backup",
    "restore",
    "take_backup",
    "verify",
]
