"""Final figures that became others lately, site by site, for the alert.

What counts as restated, and why, is decided at each publication (``warehouse.restatements``); here
its rows are summed up. Figures that were never final do not belong here: they may change.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

TOLD_FOR: Final = timedelta(days=1)
"""How long a restatement is told: long enough for the daily list to name it once."""

_FILE: Final = "mart_restatements/part.parquet"


class Restated(NamedTuple):
    """Figures of one site that were final and are others now.

    Attributes:
        site_id: The site.
        figures: How many, of its points and of itself, by day, week and month.
        first: First day of the oldest of their periods.
        last: First day of the newest.
        since: When the first of them was published.
        why: Reasons, each once, as ``mart_restatements`` has them.
    """

    site_id: str
    figures: int
    first: date
    last: date
    since: datetime
    why: tuple[str, ...]

    @property
    def description(self) -> str:
        """What happened, one sentence."""
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        said = (
            "figure that was final is another"
            if self.figures == 1
            else ("figures that were final are others")
        )
        return f"{self.site_id}: {self.figures} {said} now, of {days}: {', '.join(self.why)}"


def restated(marts: Path, *, since: datetime) -> list[Restated]:
    """Return what publications restated from an instant on, by site.

    Args:
        marts: Folder of the published marts.
        since: The instant.
    """
    file = marts / _FILE
    if not file.exists():
        return []
    frame = (
        pl.scan_parquet(file)
        .filter(pl.col("restated_at") >= since)
        .group_by("site_id")
        .agg(
            figures=pl.struct("scope", "scope_id", "figure", "grain", "period_start").n_unique(),
            first=pl.col("period_start").min(),
            last=pl.col("period_start").max(),
            since=pl.col("restated_at").min(),
            why=pl.col("why").str.split(", ").explode().unique().sort(),
        )
        .sort("site_id")
        .collect()
    )
    return [
        Restated(site_id, figures, first, last, at, tuple(why))
        for site_id, figures, first, last, at, why in frame.iter_rows()
    ]
