"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGED_SUFFIX = ".staged"
"""Ending of a file that is not yet in place; one left behind by a crash may be removed."""


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
