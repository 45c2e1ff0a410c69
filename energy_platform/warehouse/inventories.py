"""The inventory snapshots that the published file shows next to the portfolio.

Only what the portfolio cannot say: whose a site is, and what a variable showed last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.lake.digests import digest_of
from energy_platform.schemas import (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_SITES,
)

if TYPE_CHECKING:
    import polars as pl

    from energy_platform.lake.lake import Lake

_SHOWN: Final = (
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_SITES,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
)


def inventory_frames(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return the snapshots by table name; zero rows where none was read yet."""
    return {table.name: lake.read(table) for table in _SHOWN}


def inventory_digest(lake: Lake) -> str:
    """Return a digest of what makes a published file stale by itself.

    Last values change with every inventory; they go along with the next build.
    """
    watched = [table for table in _SHOWN if table is not RAW_SOCOMEC_LAST_VALUES]
    files = lake.day_files(*watched)
    return digest_of(
        repr([(one.table, one.footer.content_id if one.footer else one.damage) for one in files])
    )
