"""Where the readings come from: one folder for each source.

Belongs here: what a source is (``base``), which there are (``registry``), the transport of those
behind HTTP (``http``), and what several of them share: mixed values as columns (``columns``), when
a day is whole (``coverage``), devices named apart (``inventory``). Does not belong here: when a
source is asked and what becomes of its days (``ingest``). No code elsewhere names a source.

This file holds only the names of the sources, so that help need not load any of them.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

BUILT_IN: Final = ("socomec", "belimo", "skycentrics", "files")
"""The built-in sources, each a package in this folder with a ``SOURCE``. Their order is that of the
daily runs, so that a new one comes last and moves none."""

GROUP: Final = "energy_platform.sources"
"""The entry points by which other packages register sources; each is named like its source."""


@cache
def other_sources() -> tuple[EntryPoint, ...]:
    """Return the entry points of sources from other packages, by name."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)))


def source_names() -> tuple[str, ...]:
    """Return the names of all sources, none of which is loaded.

    >>> "files" in source_names()
    True
    """
    return (*BUILT_IN, *(point.name for point in other_sources()))
