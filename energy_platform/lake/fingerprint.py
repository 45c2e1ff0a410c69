"""Whether anything below some folders changed: a cheap first question before reading any of it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fingerprint(*paths: Path) -> str:
    """Return a digest of names, sizes and times of files, and of the Parquet files below folders.

    No file is opened; a missing one is noted as missing. Hidden folders (locks, notes) are left
    out.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path).encode())
        for line in _lines(path):
            digest.update(line.encode())
    return digest.hexdigest()


def _lines(path: Path) -> Iterator[str]:
    try:
        stat = path.stat()
    except OSError:
        return
    if path.is_dir():
        yield from sorted(_below(str(path)))
    else:
        yield f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\n"


def _below(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        # Removed since it was listed.
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.name.endswith(".parquet"):
                stat = entry.stat()
                yield f"{entry.path} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\n"
        except OSError:
            continue
