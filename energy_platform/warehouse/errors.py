"""What can go wrong between the lake and the published file."""

from __future__ import annotations

import re
from typing import Final

from energy_platform.memory import MEMORY, show_memory


class WarehouseError(RuntimeError):
    """A build or a publication failed; the message says what to do. What was published stays."""


class ExtractError(ValueError):
    """What is wanted of the published file is not there; the message says what is."""


class OutOfMemoryError(WarehouseError):
    """What was to be rebuilt at once does not fit into the memory of a build."""


_OUT_OF_MEMORY: Final = re.compile(
    r"(?:Out of Memory Error|OutOfMemoryException|not enough memory|could not allocate)[^\n]*",
    re.IGNORECASE,
)
_DISK_IS_FULL: Final = re.compile(
    r"[^\n]*(?:max_temp_directory_size|No space left on device)[^\n]*", re.IGNORECASE
)
_ADVICE: Final = re.compile(
    r"[ \t]*(?:Possible solutions:|Launch the database[^\n]*|See also https?://[^\n]*"
    r"|\* (?:Reduc|Disabl|Increas|Set)[^\n]*|[^\n]*(?:SET |PRAGMA )[^\n]*)\n?"
)
"""What DuckDB advises its own users: settings that ours do not have."""


def explained(text: str, *, memory: int) -> WarehouseError:
    r"""Return a failure of dbt or DuckDB as an error that names our settings, not theirs.

    Args:
        text: What dbt or DuckDB said.
        memory: Memory of the build, bytes.

    >>> said = "Out of Memory Error: no more (1.0 GiB used)\n* Increase it (SET memory_limit='2GB')"
    >>> print(str(explained(said, memory=2_000_000_000)).replace(": ", ":\n", 1))
    a build may use 2 GB, and what it rebuilds at once does not fit:
    set ENERGY_PLATFORM_MEMORY to more, such as 4GB, and run the build again; finished days stay so
    Out of Memory Error: no more (1.0 GiB used)
    """
    if _DISK_IS_FULL.search(text):
        return WarehouseError(
            "the disk of the data folder is full, or nearly so: a build puts aside on it what does "
            f"not fit into memory. Free space, or set {MEMORY} to more than {show_memory(memory)}; "
            f"then run the build again\n{_without_advice(text)}"
        )
    if _OUT_OF_MEMORY.search(text):
        return OutOfMemoryError(
            f"a build may use {show_memory(memory)}, and what it rebuilds at once does not fit: "
            f"set {MEMORY} to more, such as {2 * memory / 10**9:.0f}GB, and run the build again; "
            f"finished days stay so\n{_without_advice(text)}"
        )
    return WarehouseError(text)


def _without_advice(text: str) -> str:
    return _ADVICE.sub("", text).strip()
