"""The inventory snapshots that the published file shows next to the portfolio.

Only what the portfolio cannot say: whose a site is, and what a variable showed last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.lake.digests import digest_of
from energy_platform.sources.registry import sources

if TYPE_CHECKING:
    import polars as pl

    from energy_platform.lake.lake import Lake


def inventory_frames(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return the snapshots by table name; zero rows where none was read yet."""
    return {
        table.name: lake.read(table)
        for source in sources().values()
        for table in source.mart_tables
    }


def inventory_digest(lake: Lake) -> str:
    """Return a digest of what makes a published file stale by itself.

    What changes with every inventory goes along with the next build.
    """
    steady = [
        table
        for source in sources().values()
        for table in source.mart_tables
        if table not in source.drifting_tables
    ]
    files = lake.day_files(*steady)
    return digest_of(
        repr([(one.table, one.footer.content_id if one.footer else one.damage) for one in files])
    )
