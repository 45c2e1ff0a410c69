"""The published file as the commands that ask it open it: read-only, with the memory of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from energy_platform.lake.lake import Lake
from energy_platform.memory import default_memory
from energy_platform.warehouse.live_views import open_live_views
from energy_platform.warehouse.publication import SANDBOX

if TYPE_CHECKING:
    from energy_platform.settings import PlatformSettings


def open_published(platform: PlatformSettings, *, live: bool) -> duckdb.DuckDBPyConnection:
    """Return a connection that reaches the published tables and nothing else.

    Args:
        platform: Says where they lie.
        live: The Parquet files of the marts as of now, and the lake, in place of the one file.

    Raises:
        FileNotFoundError: There is nothing yet; the message for people is `not_yet`.
    """
    if live:
        return open_live_views(Lake.of(platform), marts=platform.data_dir / "marts")
    path = platform.data_dir / "energy.duckdb"
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    limit = f"{build_memory(platform) // 10**6}MB"
    return duckdb.connect(str(path), read_only=True, config={**SANDBOX, "memory_limit": limit})


def build_memory(platform: PlatformSettings) -> int:
    """Return the memory that a query may use, in bytes: what a build may."""
    return platform.memory or default_memory()


def not_yet(error: FileNotFoundError) -> str:
    """Say that there is nothing to read yet, and what makes it."""
    return (
        f"{error.filename} does not exist yet: run `energy-platform demo`, or a refresh in "
        "`energy-platform ui`"
    )
