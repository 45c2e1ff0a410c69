"""Where delivered packets go: one folder for each destination.

Belongs here: what a destination is and which there are (``base``), and a folder for each. Does not
belong here: what is due, in which order, and what was sent before (``delivery``). No code elsewhere
names a destination.

This file holds only the names of the destinations, so that help need not load any of them.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

BUILT_IN: Final = ("wattics",)
"""The built-in destinations, each a package in this folder with a ``DESTINATION``."""

DEFAULT_DESTINATION: Final = BUILT_IN[0]
"""Where a stream goes whose portfolio entry names no destination; all of 0.1.0 went there."""

GROUP: Final = "energy_platform.destinations"
"""The entry points by which other packages register destinations, each named like its own."""


@cache
def other_destinations() -> tuple[EntryPoint, ...]:
    """Return the entry points of destinations from other packages, by name."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)))


def destination_names() -> tuple[str, ...]:
    """Return the names of all destinations, none of which is loaded.

    >>> destination_names()[:1]
    ('wattics',)
    """
    return (*BUILT_IN, *(point.name for point in other_destinations()))
