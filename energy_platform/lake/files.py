"""Files that appear whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAGED_SUFFIX: Final = ".staged"
"""Ending of a file that is not yet in place; one left behind by a crash may be removed."""

DAMAGED_INFIX = ".damaged-"
"""Stands in the name of a file that was damaged and set aside."""
_STAGED: Final = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.[0-9a-f]{8}" + re.escape(STAGED_SUFFIX))

_YOUNG_S: Final = 60.0
"""Seconds after its last change in which a staged file is left alone in any case."""

_BOOT_ERROR_S: Final = 2.0
"""How far the system's time of boot, in whole seconds, may be off."""


def file_states(*paths: Path) -> str:
    """Return a text that is another one when a file changed, came or went; none is opened.

    >>> file_states(Path("no") / "such.file")
    '-'
    """
    states = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            states.append("-")
        else:
            states.append(f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}")
    return ", ".join(states)


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of a closed file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(staged: Path, target: Path) -> None:
    """Rename a durable staged file over ``target``; readers see the old or the new, never half."""
    sync_file(staged)
    staged.replace(target)
    sync_folder(target.parent)


@contextmanager
def staging(target: Path, *, locked: bool = True) -> Iterator[Path]:
    """Yield a new path next to ``target``; the file is removed afterwards unless put in place.

    What dead processes left next to the same target is removed first, so that a process that dies
    again and again fills no disk.

    Args:
        target: What it shall become; its folder is created.
        locked: Make the file and hold a lock on it, which the kernel frees when the process dies.
            For what may take longer than a minute: others then know it is being written, also in
            another container, where process numbers say nothing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(_staged_next_to(target))
    path = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{STAGED_SUFFIX}")
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666) if locked else None
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        path.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one can take its place; it is never deleted.

    Returns:
        Where it lies now: next to its old place, named after a digest of its content.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = (Path(folder) / "part.parquet").write_bytes(b"not Parquet")
    ...     set_aside(Path(folder) / "part.parquet").name
    'part.parquet.damaged-...'
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    aside = path.with_name(f"{path.name}{DAMAGED_INFIX}{digest}")
    path.replace(aside)
    sync_folder(path.parent)
    return aside


@contextmanager
def staged(target: Path, *, locked: bool = False) -> Iterator[Path]:
    """Yield a path next to ``target`` to write to; put it in place on success, else remove it.

    A writer that finds the target good as it is removes the staged file: nothing is put in place.

    Args:
        target: The file that shall exist; its folder is created.
        locked: As :func:`staging`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "day.txt")
    ...     with staged(target) as path:
    ...         written = path.write_text("whole")
    ...         before = target.exists()
    ...     print(before, target.read_text())
    False whole
    """
    with staging(target, locked=locked) as path:
        yield path
        if path.exists():
            put_in_place(path, target)


def remove_abandoned(folder: Path, *, recursive: bool = True) -> list[Path]:
    """Remove staged files whose process is gone, and return them; those in work stay.

    Args:
        folder: Where to look.
        recursive: Whether to look in the folders below, too.
    """
    names = f".*{STAGED_SUFFIX}"
    return _remove(folder.rglob(names) if recursive else folder.glob(names))


def _staged_next_to(target: Path) -> list[Path]:
    with os.scandir(target.parent) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(f".{target.name}.") and entry.name.endswith(STAGED_SUFFIX)
        ]


def _remove(paths: Iterable[Path]) -> list[Path]:
    removed = []
    for path in sorted(paths):
        if not is_abandoned(path):
            continue
        for one in (path, path.with_name(f"{path.name}.wal")):
            with suppress(FileNotFoundError):
                one.unlink()
                removed.append(one)
    return removed


def is_abandoned(path: Path) -> bool:
    """Say whether the process that wrote a staged file is gone."""
    match = _STAGED.fullmatch(path.name)
    try:
        changed_at = path.stat().st_mtime
        # One that was made a moment ago may not be locked yet.
        if match is None or time.time() - changed_at < _YOUNG_S or _is_locked(path):
            return False
    except OSError:
        return False
    # Without a lock it is left behind, or small and written this minute. A process that began after
    # the file was written has only got the number of the one that did.
    began = _began(int(match["pid"]))
    return began is None or began > changed_at + _BOOT_ERROR_S


def _is_locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _began(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970; None when there is none."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    try:
        # Field 22, in ticks since boot (proc(5)); the name before it may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        booted = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()
            if line.startswith("btime ")
        )
    except OSError:
        # No such folder on this system: it may be the one.
        return 0.0
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
