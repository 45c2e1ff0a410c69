"""Files out of the inbox: read, kept in the archive, or refused with a reason. Never lost.

The order is what makes a crash harmless: a file leaves the inbox last, when its bytes are in the
archive, what was read of it is on disk and the index says so. Whatever is repeated after a crash
ends in the same place.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.lake.digests import digest_of
from energy_platform.lake.files import staged, sync_folder
from energy_platform.sources.files.cells import SUFFIXES
from energy_platform.sources.files.errors import RefusedFileError
from energy_platform.sources.files.inbox import (
    REASON_SUFFIX,
    REFUSED,
    Dropped,
    Logger,
    dropped_files,
    is_being_written,
    read_loggers,
)
from energy_platform.sources.files.mapping import Mapping
from energy_platform.sources.files.reader import read_file
from energy_platform.sources.files.store import short_name

if TYPE_CHECKING:
    from energy_platform.sources.files.reader import FileContent
    from energy_platform.sources.files.settings import FilesSettings
    from energy_platform.sources.files.store import KnownFile, Store


READER_VERSION: Final = 1
"""Raised when the same bytes and mapping give other samples: every file is then read again."""

FUTURE: Final = timedelta(days=1)
"""A stamp further ahead than this is a typo: no zone and no clock is that far off."""


@dataclass
class Intake:
    """What one look into the inbox came to.

    Attributes:
        taken: Files that were read, or read again because their mapping changed.
        again: Names of files whose bytes had come before; they changed nothing.
        refused: Files that cannot be read, with the reason.
        waiting: Why a file stays in the inbox, by its path.
        troubles: What keeps a logger's files, or all of them, from being taken; by logger.
    """

    taken: list[KnownFile] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    refused: list[KnownFile] = field(default_factory=list)
    waiting: dict[Path, str] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)


def take_in(settings: FilesSettings, store: Store, *, now: datetime) -> Intake:
    """Take every file of the inbox that is whole.

    Args:
        settings: The folder, and how long a file must have been left alone.
        store: Where they are kept.
        now: The present.

    Raises:
        OSError: The inbox is not there or cannot be listed, or the disk refuses.
    """
    inbox = settings.folder
    result = Intake()
    if inbox is None or not inbox.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(inbox))
    with store.lock():
        loggers = read_loggers(inbox)
        result.troubles |= {one.id: one.error for one in loggers.values() if one.error}
        one_look = _Look(settings, store, inbox, loggers, now, result)
        for file in dropped_files(inbox, loggers):
            one_look.at(file)
        one_look.read_again()
    return result


@dataclass(frozen=True)
class _Look:
    settings: FilesSettings
    store: Store
    inbox: Path
    loggers: dict[str, Logger]
    now: datetime
    result: Intake

    def at(self, file: Dropped) -> None:
        """Take one file, or say why not."""
        path = file.path
        if (age := time.time() - file.changed) < self.settings.settle_s:
            self.result.waiting[path] = (
                f"changed {max(age, 0):.0f} s ago; left alone until it rests"
            )
            return
        if is_being_written(path):
            self.result.waiting[path] = "a program has it open to write to it"
            return
        logger = self.loggers.get(file.logger)
        if logger is not None and logger.error:
            self.result.waiting[path] = f"waits for its mapping: {logger.error}"
            return
        try:
            before = path.stat()
            if before.st_size > self.settings.largest_mb * 1_000_000:
                self.result.waiting[path] = (
                    f"is larger than FILES_LARGEST_MB ({self.settings.largest_mb}); raise it, or "
                    "split the file"
                )
                return
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except PermissionError as error:
            self.result.waiting[path] = f"cannot be read ({error.strerror}); check its rights"
            return
        if len(data) != before.st_size or _identity(path) != _of_stat(before):
            self.result.waiting[path] = "changed while it was read; left alone until it rests"
            return
        self._take(path, data, logger or Logger(file.logger, Mapping()), before)

    def _take(self, path: Path, data: bytes, logger: Logger, before: os.stat_result) -> None:
        content_id = digest_of(data)
        known = self.store.known(logger.id, content_id)
        if known is not None and known.state == "taken":
            # Its bytes may be missing after a crash, or because somebody cleaned up.
            self._archive(known, data, before)
            _remove(path, before)
            self.store.note_again(known)
            self.result.again.append(path.name)
            return
        reading = self._reading(logger)
        file = self.store.add(logger.id, path.name, content_id, reading=reading, now=self.now)
        try:
            content = self._read(path.name, data, logger)
        except RefusedFileError as error:
            self._refuse(path, file, str(error), before)
            return
        self._archive(file, data, before)
        taken = self.store.put(file, content, reading=reading, now=self.now)
        _remove(path, before)
        self.result.taken.append(taken)

    def _reading(self, logger: Logger) -> str:
        """Return a fingerprint of all that decides what is read of a file."""
        said = f"{READER_VERSION} {logger.mapping.fingerprint} {self.settings.timezone}"
        return digest_of(said, size=6)

    def _read(self, name: str, data: bytes, logger: Logger) -> FileContent:
        """Read a file.

        Raises:
            RefusedFileError: It cannot be read.
        """
        if not logger.id:
            raise RefusedFileError(
                "nothing says which logger it is of; put it into a folder named after the logger, "
                "or write <logger>.yaml with files: [patterns] in the inbox"
            )
        suffix = Path(name).suffix.lower()
        if suffix == ".xls":
            raise RefusedFileError("is a workbook of the old kind; save it as .xlsx or as CSV")
        if suffix not in SUFFIXES:
            raise RefusedFileError(
                f"{suffix or 'a file without an ending'} is none of {', '.join(sorted(SUFFIXES))}"
            )
        return read_file(
            data,
            suffix=suffix,
            mapping=logger.mapping,
            zone=self.settings.timezone,
            latest=self.now + FUTURE,
        )

    def _archive(self, file: KnownFile, data: bytes, before: os.stat_result) -> None:
        target = self.store.archived(file)
        if target.exists() and target.stat().st_size == len(data):
            return
        with staged(target) as path:
            path.write_bytes(data)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _refuse(self, path: Path, file: KnownFile, reason: str, before: os.stat_result) -> None:
        target = self._refused_path(file)
        # Not renamed: the two folders may lie on different disks.
        with staged(target) as copy:
            shutil.copyfile(path, copy)
            os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
        self._say_refused(file, reason, tried=file.tried)
        _remove(path, before)

    def _refused_path(self, file: KnownFile) -> Path:
        folder = self.inbox / REFUSED / (file.logger or "_no-logger")
        return folder / short_name(f"{file.content_id[:8]}_{file.name}")

    def _say_refused(self, file: KnownFile, reason: str, *, tried: str) -> None:
        path = self._refused_path(file)
        text = (
            f"{file.name} of {file.logger or 'no logger'}: {reason}.\n\n"
            "It is read by itself once the mapping changes so that it can be read. A mended file "
            "can simply be dropped into the inbox.\n"
        )
        with staged(path.with_name(path.name + REASON_SUFFIX)) as note:
            note.write_text(text, encoding="utf-8")
        self.store.note_refused(file, reason, tried=tried)
        self.result.refused.append(file._replace(state="refused", reason=reason))

    def read_again(self) -> None:
        """Read again what was read, or refused, with another mapping than there is now."""
        for file in self.store.files():
            logger = self.loggers.get(file.logger)
            if not file.logger and file.state == "refused":
                self._give_back(file)
            if logger is None or logger.error or file.state == "came":
                continue
            reading = self._reading(logger)
            is_refused = file.state == "refused"
            path = self._refused_path(file) if is_refused else self.store.archived(file)
            if is_refused and not path.exists():
                # Somebody has settled the matter by removing it.
                path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
                self.store.forget(file)
                continue
            if reading != file.tried:
                self._again(file, path, logger, reading)

    def _give_back(self, file: KnownFile) -> None:
        """Put a file that was nobody's back into the inbox once a mapping's pattern means it."""
        path = self._refused_path(file)
        patterns = [one for logger in self.loggers.values() for one in logger.mapping.files]
        target = self.inbox / file.name
        if (
            any(fnmatch(file.name, one) for one in patterns)
            and path.exists()
            and not target.exists()
        ):
            shutil.move(path, target)
            path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
            self.store.forget(file)

    def _again(self, file: KnownFile, path: Path, logger: Logger, reading: str) -> None:
        try:
            data, before = path.read_bytes(), path.stat()
            content = self._read(file.name, data, logger)
        except (RefusedFileError, FileNotFoundError) as error:
            gone = isinstance(error, FileNotFoundError)
            reason = "its archived bytes are gone" if gone else str(error)
            if file.state == "refused":
                self._say_refused(file, reason, tried=reading)
            else:
                self.store.note_refused(
                    file, f"the changed mapping cannot read it: {reason}", tried=reading
                )
                self.result.troubles[file.logger] = (
                    f"{file.name}, taken before, cannot be read with the changed mapping "
                    f"({reason}); what was read of it stays"
                )
            return
        if file.state == "refused":
            self._archive(file, data, before)
        taken = self.store.put(file, content, reading=reading, now=self.now)
        if file.state == "refused":
            path.unlink(missing_ok=True)
            path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
        self.result.taken.append(taken)


def _of_stat(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        return _of_stat(path.stat())
    except FileNotFoundError:
        return None


def _remove(path: Path, before: os.stat_result) -> None:
    """Remove a file whose bytes are kept elsewhere; one that has changed since stays."""
    if _identity(path) != _of_stat(before):
        return
    with suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)
