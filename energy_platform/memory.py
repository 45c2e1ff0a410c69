"""How much memory a refresh or a build may use, and how its processes share it.

Here belongs the size of the machine and the division of ``ENERGY_PLATFORM_MEMORY``; what to do in
so much memory is decided where the work is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY: Final = "ENERGY_PLATFORM_MEMORY"
"""Variable of the setting, for messages."""

LEAST: Final = 1_000_000_000
"""Below 1 GB the interpreters of a build alone take half of it (issue 12)."""

_UNITS: Final = {
    "b": 1,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}

_PROCESS: Final = 250_000_000
"""What a build's own process holds, and dbt besides DuckDB, each; measured."""

_UNCOUNTED: Final = 100_000_000
"""What DuckDB takes and does not count: on a year of 10,000 registers all of a build held 0.8 GB
more than DuckDB's limit (docs/performance.md)."""

_ROW: Final = 1_000
"""Bytes that a refresh needs for each row of a share, at its peak: 740 measured for registers at
one reading a minute, 940 where samples come twice and a seventh are texts (docs/performance.md)."""

_CGROUPS: Final = Path("/sys/fs/cgroup")


def parse_memory(text: str) -> int:
    """Return an amount of memory in bytes.

    Raises:
        ValueError: It is not a number with a unit, or below the least that a build can do with.

    >>> parse_memory("2.5 GB")
    2500000000
    """
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError("expected a number with MB, GB, MiB or GiB, such as 2.5GB")
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < LEAST:
        raise ValueError(f"expected at least {show_memory(LEAST)}")
    return size


def show_memory(size: int) -> str:
    """Return an amount of memory for display.

    >>> show_memory(2_700_000_000)
    '2.7 GB'
    """
    return f"{size / 10**9:.3g} GB"


def default_memory() -> int:
    """Return a third of what this process may use of the machine, at least 1 GB."""
    return max(machine_memory() // 3, LEAST)


def machine_memory(*, cgroups: Path = _CGROUPS, of: Path = Path("/proc/self/cgroup")) -> int:
    """Return the machine's memory, or what the tightest control group leaves of it, in bytes.

    Args:
        cgroups: Where the control groups are mounted.
        of: File that names those of this process.
    """
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([whole, *_limits(cgroups, of)])


def duckdb_memory(memory: int, *, held: int = _PROCESS) -> int:
    """Return the part of a build's memory that DuckDB may use: what its processes leave.

    Args:
        memory: What the processes may hold together, bytes.
        held: What the build's own process holds besides DuckDB, bytes; after a refresh in the same
            process that is more than it takes by itself.

    >>> duckdb_memory(2_700_000_000, held=1_000_000_000)
    1350000000
    """
    return max(memory - held - _PROCESS - _UNCOUNTED, memory // 2)


def held_memory(*, of: Path = Path("/proc/self/statm")) -> int:
    """Return what this process holds of the machine's memory now, in bytes.

    Args:
        of: File that says the pages of this process; the second figure is those in memory.
    """
    try:
        return int(of.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _PROCESS  # another system than Linux


def rows_at_once(memory: int, *, held: int) -> int:
    """Return how many rows a refresh may work on at once in so much memory.

    Args:
        memory: What the process may hold, bytes.
        held: What it holds before it begins, bytes. However much that is, a quarter is worked in:
            a refresh that hardly moves helps nobody.

    >>> rows_at_once(1_000_000_000, held=250_000_000)
    750000
    """
    return max(memory - held, memory // 4) // _ROW


def memory_for_rows(rows: int, *, held: int) -> int:
    """Return the memory in which a refresh may work on so many rows at once, in bytes.

    >>> rows_at_once(memory_for_rows(10_000_000, held=250_000_000), held=250_000_000)
    10000000
    """
    return rows * _ROW + held


def duckdb_limit(memory: int, *, held: int = _PROCESS) -> str:
    """Return DuckDB's ``memory_limit`` for a build in so much memory; see :func:`duckdb_memory`.

    >>> duckdb_limit(2_700_000_000)
    '2100MB'
    """
    return f"{duckdb_memory(memory, held=held) // 10**6}MB"


def _limits(cgroups: Path, of: Path) -> Iterator[int]:
    try:
        lines = of.read_text().splitlines()
    except OSError:
        return  # no control groups on this system
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be the host's, of which only the root is mounted here.
        folder = root / path.strip("/")
        for one in (folder, *folder.parents):
            if one.is_relative_to(root):
                try:
                    text = (one / name).read_text().strip()
                except OSError:
                    continue
                if text.isdecimal() and int(text) > 0:
                    yield int(text)
