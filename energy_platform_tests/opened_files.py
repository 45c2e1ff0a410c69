"""Which files are opened, by whatever library: the kernel's own word (inotify)."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IN_OPEN: Final = 0x20
_IN_NONBLOCK: Final = os.O_NONBLOCK
_EVENT: Final = struct.Struct("iIII")
"""Watch, mask, cookie and length of the name that follows (inotify(7))."""


@contextmanager
def opened_parquet(root: Path) -> Iterator[list[Path]]:
    """Yield a list that holds, after the block, each opening of a Parquet file below a folder.

    Polars, pyarrow and DuckDB open files without Python's audit hooks hearing of it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    notify = libc.inotify_init1(_IN_NONBLOCK)
    assert notify >= 0, os.strerror(ctypes.get_errno())
    found: list[Path] = []
    watched: dict[int, Path] = {}
    try:
        for path in sorted(root.rglob("*.parquet")):
            watch = libc.inotify_add_watch(notify, os.fsencode(path), _IN_OPEN)
            assert watch >= 0, os.strerror(ctypes.get_errno())
            watched[watch] = path
        yield found
        while True:
            try:
                events = os.read(notify, 65_536)
            except BlockingIOError:
                break
            at = 0
            while at < len(events):
                watch, _, _, length = _EVENT.unpack_from(events, at)
                found.append(watched[watch])
                at += _EVENT.size + length
    finally:
        os.close(notify)
