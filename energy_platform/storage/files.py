"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGED_SUFFIX = ".staged"
"""Ending of a file that is not yet in place; one left behind by a crash may be removed."""

DAMAGED_INFIX = ".damaged-"
"""Stands in the name of a file that was damaged and set aside."""


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


def staged_path(target: Path) -> Path:
    """Return a new path beside ``target``, whose folder is created."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{STAGED_SUFFIX}")


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one can take its place; it is never deleted.

    Returns:
        Where it lies now: beside its old place, named after a digest of its content.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    aside = path.with_name(f"{path.name}{DAMAGED_INFIX}{digest}")
    path.replace(aside)
    sync_folder(path.parent)
    return aside


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; put it in place on success, else remove it.

    A writer that finds the target good as it is removes the staged file: nothing is put in place.

    Args:
        target: The file that shall exist; its folder is created.
    """
    path = staged_path(target)
    try:
        yield path
        if path.exists():
            put_in_place(path, target)
    finally:
        path.unlink(missing_ok=True)
