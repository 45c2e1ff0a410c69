"""One backup, made while everything runs.

Belongs here: copying what is selected and writing the manifest last. Does not: what is selected
(``selection``), what becomes of older backups (``pruning``).
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock, Timeout

from energy_platform import __version__
from energy_platform.backup.databases import copy_sqlite, file_of, is_sqlite, server_of
from energy_platform.backup.errors import BackupError
from energy_platform.backup.manifest import (
    FORMAT,
    Manifest,
    ManifestFile,
    manifests,
    read_manifest,
    write_manifest,
)
from energy_platform.backup.objects import Objects
from energy_platform.backup.pruning import Pruned, prune
from energy_platform.backup.selection import CATALOGUE, DATA, LEDGER, PORTFOLIO, selected
from energy_platform.delivery import LEDGER_FILE
from energy_platform.installation.origin import origin_of
from energy_platform.lake.catalogue_database import CATALOGUE_FILE
from energy_platform.lake.files import staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from energy_platform.backup.objects import Put
    from energy_platform.backup.selection import SourceFile
    from energy_platform.settings import PlatformSettings, Settings

_TRIES: Final = 10
"""How often a file that changes while it is read, or a folder in which files vanish, is read."""

_PAUSE_S: Final = 0.2

_RACY_NS: Final = 2_000_000_000
"""A file that changed so lately may change again within a tick of the file system's clock and look
the same (two seconds on FAT): the next backup reads it again."""


class Taken(NamedTuple):
    """What a backup came to.

    Attributes:
        path: Its manifest.
        manifest: What it holds.
        new_objects: Contents that were not in the folder before.
        new_bytes: Their bytes.
        unread: Files that had not changed since the backup before, and were not read.
        seconds: How long it took.
        pruned: What was removed of older backups; None when all are kept.
    """

    path: Path
    manifest: Manifest
    new_objects: int
    new_bytes: int
    unread: int
    seconds: float
    pruned: Pruned | None


def take_backup(
    settings: Settings,
    folder: Path,
    *,
    derived: bool = False,
    keep: int | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
    on_progress: Callable[[int, int], None] | None = None,
) -> Taken:
    """Copy what an installation cannot make again; it may be at work meanwhile.

    Killed at any moment it leaves contents that the next backup uses, and no backup.

    Args:
        settings: The installation: its data folder, portfolio and databases.
        folder: Where backups are kept; made where it is missing.
        derived: Whether the tables, marts and files that follow from the raw days are copied too.
        keep: How many backups are kept, this one included; None: all.
        now: The present.
        on_progress: Called with the files done and the files in all.

    Raises:
        BackupError: There is nothing to back up, another backup runs, or a file cannot be copied.
    """
    began = time.monotonic()
    platform = settings.platform
    data_dir = platform.data_dir
    if not data_dir.is_dir():
        raise BackupError(
            f"{data_dir}: there is no data folder to back up; check ENERGY_PLATFORM_DATA_DIR"
        )
    if folder.resolve().is_relative_to(data_dir.resolve()):
        raise BackupError(
            f"{folder}: lies in the data folder, and would be lost with it; name one elsewhere, "
            "best on another machine"
        )
    taken_at = now()
    databases = {
        LEDGER: file_of(platform.ledger_url, default=data_dir / LEDGER_FILE),
        CATALOGUE: file_of(platform.catalogue_url, default=data_dir / CATALOGUE_FILE),
    }
    with _alone(folder):
        objects = Objects(folder)
        objects.remove_staged()
        copier = _Copier(objects, known=_known(folder, data_dir=data_dir), on_progress=on_progress)
        copier.copy_all(
            lambda: selected(
                data_dir, portfolio=platform.portfolio, databases=databases, derived=derived
            )
        )
        path = write_manifest(
            folder,
            manifest := Manifest(
                format=FORMAT,
                taken_at=taken_at,
                platform_version=__version__,
                origin=origin_of(data_dir),
                data_dir=str(data_dir),
                portfolio=_name_of_portfolio(platform),
                ledger=_server(platform, LEDGER, databases[LEDGER]),
                catalogue=_server(platform, CATALOGUE, databases[CATALOGUE]),
                derived=derived,
                variables=tuple(settings.variables()),
                files=tuple(copier.files[name] for name in sorted(copier.files)),
            ),
        )
        pruned = None if keep is None else prune(folder, keep=keep)
    return Taken(
        path=path,
        manifest=manifest,
        new_objects=copier.new_objects,
        new_bytes=copier.new_bytes,
        unread=copier.unread,
        seconds=time.monotonic() - began,
        pruned=pruned,
    )


class _Copier:
    """Copies files into objects, and remembers what each one held.

    Args:
        objects: Where to.
        known: Files of the newest backup of the same folder, by name.
        on_progress: Called with the files done and the files in all.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        known: dict[str, ManifestFile],
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._objects = objects
        self._known = known
        self._on_progress = on_progress
        self.files: dict[str, ManifestFile] = {}
        self.new_objects = self.new_bytes = self.unread = 0

    def copy_all(self, listed: Callable[[], list[SourceFile]]) -> None:
        """Copy what is listed; where something vanished meanwhile, look again for what took over.

        Raises:
            BackupError: Files vanish as fast as they are listed, or one cannot be copied.
        """
        for _ in range(_TRIES):
            vanished = []
            wanted = listed()
            for number, one in enumerate(wanted):
                if one.name in self.files:
                    continue
                try:
                    self.files[one.name] = self._copied(one)
                except FileNotFoundError:
                    vanished.append(one.path)
                if self._on_progress is not None:
                    self._on_progress(number + 1, len(wanted))
            if not vanished:
                return
        raise BackupError(
            f"{vanished[0]}: is listed and gone each time it is read; look what removes it"
        )

    def _copied(self, one: SourceFile) -> ManifestFile:
        before = self._known.get(one.name)
        if (
            before is not None
            and before.state
            and before.state == _state_of(one.path.stat())
            and self._objects.has(before.digest, size=before.size)
        ):
            self.unread += 1
            return before
        put, state = self._read_database(one) if is_sqlite(one.path) else self._read(one)
        if put.is_new:
            self.new_objects += 1
            self.new_bytes += put.size
        return ManifestFile(one.name, put.digest, put.size, state)

    def _read(self, one: SourceFile) -> tuple[Put, str]:
        """Read a file as it was at one moment: again while it changes."""
        for _ in range(_TRIES):
            with one.path.open("rb") as file:
                before = os.fstat(file.fileno())
                put = self._objects.put(file)
                after = os.fstat(file.fileno())
            # A file that was replaced by a rename meanwhile was read as it had been.
            if _state_of(before) == _state_of(after):
                is_old = time.time_ns() - after.st_mtime_ns > _RACY_NS
                return put, _state_of(after) if is_old else ""
            time.sleep(_PAUSE_S)
        raise BackupError(f"{one.path}: changes each time it is read; look what writes to it")

    def _read_database(self, one: SourceFile) -> tuple[Put, str]:
        # Next to it: a folder of another machine, as that of a backup, often has no locks.
        with staging(one.path) as copy:
            copy_sqlite(one.path, copy)
            with copy.open("rb") as file:
                return self._objects.put(file), ""


def _state_of(stat: os.stat_result) -> str:
    return f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"


def _known(folder: Path, *, data_dir: Path) -> dict[str, ManifestFile]:
    """Return the files of the newest backup of the same folder, by name."""
    for path in reversed(manifests(folder)):
        try:
            manifest = read_manifest(path)
        except BackupError:  # said by `restore --verify-only`; every file is read again
            continue
        if manifest.data_dir == str(data_dir):
            return {one.name: one for one in manifest.files}
    return {}


def _name_of_portfolio(platform: PlatformSettings) -> str | None:
    path = platform.portfolio
    if not path.is_file():
        return None
    if path.is_relative_to(platform.data_dir):
        return f"{DATA}/{path.relative_to(platform.data_dir).as_posix()}"
    return f"{PORTFOLIO}/{path.name}"


def _server(platform: PlatformSettings, name: str, path: Path | None) -> str:
    url = platform.ledger_url if name == LEDGER else platform.catalogue_url
    return server_of(url) if path is None and url is not None else ""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the right to write to a backup folder, which is made where it is missing.

    Raises:
        BackupError: Another backup holds it, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(folder / ".lock", fallback_to_soft=False, preserve_lock_file=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise BackupError(
            f"{folder}: another backup is under way; wait until it has ended"
        ) from None
    except OSError as error:
        raise BackupError(
            f"{folder}: cannot be written ({error.strerror or error}); name a folder that this "
            "user may write"
        ) from error
    try:
        yield
    finally:
        lock.release()
