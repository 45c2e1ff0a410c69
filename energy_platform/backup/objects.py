"""Contents of files, each once, under its SHA-256: ``objects/ab/ab…``.

An object is written aside and renamed, and never changed; ``sha256sum`` of the file is its name.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.backup.errors import BackupError
from energy_platform.lake.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

FOLDER: Final = "objects"
_CHUNK: Final = 1 << 20
_STAGED: Final = ".new-"
_PRIVATE: Final = 0o600
"""Rights of what is written: only its owner reads it."""


class Put(NamedTuple):
    """What became of a content.

    Attributes:
        digest: Its name.
        size: Bytes.
        is_new: Whether it was not there before.
    """

    digest: str
    size: int
    is_new: bool


class Objects:
    """The objects of a backup folder.

    Args:
        root: The backup folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def path(self, digest: str) -> Path:
        """Return where an object lies."""
        return self._folder / digest[:2] / digest

    def has(self, digest: str, *, size: int) -> bool:
        """Say whether an object is there, as long as it has to be."""
        try:
            return self.path(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def put(self, file: BinaryIO) -> Put:
        """Keep what an open file holds, durably; a content that is there is not written again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        staged = self._folder / f"{_STAGED}{os.getpid()}-{secrets.token_hex(4)}"
        digest = hashlib.sha256()
        size = 0
        try:
            descriptor = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
            with os.fdopen(descriptor, "wb") as copy:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
                    size += len(chunk)
                name = digest.hexdigest()
                if self.has(name, size=size):
                    return Put(name, size, is_new=False)
                copy.flush()
                os.fsync(copy.fileno())
            target = self.path(name)
            target.parent.mkdir(exist_ok=True)
            staged.replace(target)
            sync_folder(target.parent)
        finally:
            staged.unlink(missing_ok=True)
        return Put(name, size, is_new=True)

    def copy(self, digest: str, target: Path | None, *, size: int) -> None:
        """Copy an object to a new file, verified while it is read.

        Args:
            digest: Its name.
            target: The file; None: it is only verified.
            size: How long it has to be.

        Raises:
            BackupError: It is missing or damaged.
        """
        path = self.path(digest)
        found = hashlib.sha256()
        length = 0
        try:
            with path.open("rb") as file:
                copy = None if target is None else target.open("xb")
                try:
                    while chunk := file.read(_CHUNK):
                        found.update(chunk)
                        length += len(chunk)
                        if copy is not None:
                            copy.write(chunk)
                    if copy is not None:
                        copy.flush()
                        os.fsync(copy.fileno())
                finally:
                    if copy is not None:
                        copy.close()
        except FileNotFoundError:
            raise BackupError(f"{path}: the object is missing") from None
        if length != size or found.hexdigest() != digest:
            raise BackupError(
                f"{path}: the object is damaged (expected {size} bytes with the SHA-256 of its "
                f"name, found {length} bytes with {found.hexdigest()})"
            )

    def names(self) -> Iterator[str]:
        """Yield the name of every object."""
        for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                yield path.name

    def remove(self, digest: str) -> int:
        """Remove an object that nothing names; return its bytes."""
        path = self.path(digest)
        size = path.stat().st_size
        path.unlink()
        return size

    def remove_staged(self) -> None:
        """Remove what backups that were killed left; nothing else may be writing."""
        for path in self._folder.glob(f"{_STAGED}*"):
            path.unlink(missing_ok=True)
