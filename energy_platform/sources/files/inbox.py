"""The folder that files are dropped into: whose they are, and which of them are whole.

Layout of the inbox::

    <inbox>/<logger>/mapping.yaml     how the logger's files are read; may be left out
    <inbox>/<logger>/…/export.csv     its files, at any depth
    <inbox>/<logger>.yaml             or a mapping here, whose `files` names patterns …
    <inbox>/meter7_2025.csv           … of files that lie in the inbox itself
    <inbox>/_refused/<logger>/…       what could not be read, each with the reason beside it
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.sources.files.errors import MappingError
from energy_platform.sources.files.mapping import MAPPING_FILE, Mapping, load_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFUSED: Final = "_refused"
"""Folder in the inbox of files that could not be read."""

REASON_SUFFIX: Final = ".reason.txt"
"""Ending of the text beside a refused file that says why."""

UNFINISHED: Final = frozenset(
    {
        ".tmp",
        ".part",
        ".partial",
        ".filepart",
        ".crdownload",
        ".download",
        ".swp",
        ".lock",
        ".staged",
    }
)
"""Endings that programs give to files they are still writing."""


@dataclass(frozen=True)
class Logger:
    """A logger of the inbox.

    Attributes:
        id: Its name: that of its folder, or of its mapping.
        mapping: How its files are read.
        error: Why the mapping cannot be used; its files wait until it can.
    """

    id: str
    mapping: Mapping
    error: str = ""


class Dropped(NamedTuple):
    """A file in the inbox.

    Attributes:
        path: Where it lies.
        logger: Whose it is; empty when nothing says.
        changed: When it was last changed, in seconds since 1970.
        modified: When its content was, as whoever wrote it says.
    """

    path: Path
    logger: str
    changed: float
    modified: float


def read_loggers(inbox: Path) -> dict[str, Logger]:
    """Return the loggers of an inbox by name.

    Raises:
        OSError: The inbox cannot be listed.
    """
    found: dict[str, Logger] = {}
    for entry in sorted(inbox.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            found.setdefault(entry.name, _logger(entry.name, entry / MAPPING_FILE))
        elif entry.suffix in {".yaml", ".yml"}:
            found[entry.stem] = _logger(entry.stem, entry, beside=inbox / entry.stem / MAPPING_FILE)
    return found


def _logger(name: str, path: Path, *, beside: Path | None = None) -> Logger:
    if beside is not None and beside.exists():
        return Logger(name, Mapping(), f"{path} and {beside} are both mappings of {name}; keep one")
    try:
        return Logger(name, load_mapping(path) if path.exists() else Mapping())
    except MappingError as error:
        return Logger(name, Mapping(), str(error))


def dropped_files(inbox: Path, loggers: dict[str, Logger]) -> list[Dropped]:
    """Return the files of an inbox that wait, the oldest first.

    Raises:
        OSError: The inbox cannot be listed.
    """
    found = []
    for path, logger in _paths(inbox, loggers):
        if path.name.startswith((".", "~$")) or path.suffix.lower() in UNFINISHED:
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found.append(Dropped(path, logger, max(stat.st_mtime, stat.st_ctime), stat.st_mtime))
    return sorted(found, key=lambda one: (one.modified, str(one.path)))


def _paths(inbox: Path, loggers: dict[str, Logger]) -> Iterator[tuple[Path, str]]:
    patterns = [(one.id, pattern) for one in loggers.values() for pattern in one.mapping.files]
    for entry in sorted(inbox.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            for path in sorted(entry.rglob("*")):
                hidden = any(part.startswith(("_", ".")) for part in path.relative_to(entry).parts)
                if path.is_file() and path.name != MAPPING_FILE and not hidden:
                    yield path, entry.name
        elif entry.suffix not in {".yaml", ".yml"}:
            whose = [logger for logger, pattern in patterns if fnmatch(entry.name, pattern)]
            yield entry, whose[0] if len(whose) == 1 else ""


def is_being_written(path: Path) -> bool:
    """Say whether a process of this machine has a file open to write to it.

    A lease for reading is refused while anybody writes. Where the system, the folder or the rights
    know no leases, nothing is known: what tells then is that the file does not change.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return False
    finally:
        os.close(descriptor)
    return False
