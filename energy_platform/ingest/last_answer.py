"""Up to when a source was last asked and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.raw_days import COMPLETE_UNTIL, complete_until_of
from energy_platform.sources.registry import day_tables, get_source

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor

LATEST_DAYS: Final = 3
"""Newest raw days whose footers say up to where a source was heard."""


def last_answer_at(lake: Lake, *, landing: Path, source: Vendor) -> datetime | None:
    """Return up to when a source was last asked and answered; None where it never was.

    Args:
        lake: The day files.
        landing: Folder of the source's polls.
        source: Which source.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """
    poll = get_source(source).poll
    if poll is not None and (polled := poll.polled_at(landing)) is not None:
        # Its days are folded from polls, also when the source has long been silent.
        return polled
    table = day_tables()[source]
    found = _answered(lake, source)
    # A damaged file is named among the missing days, with what to do.
    found += [
        complete_until_of(one.footer)
        for one in lake.day_files(table)[-LATEST_DAYS:]
        if one.footer is not None and COMPLETE_UNTIL in one.footer.meta
    ]
    return max(found, default=None)


def _answered(lake: Lake, source: Vendor) -> list[datetime]:
    """Return when days that are over were read: their files end with the day."""
    if not Catalogue.exists(lake):
        return []
    with Catalogue.of(lake) as catalogue:
        records = catalogue.days(source).values()
    return [one.attempted_at for one in records if one.state != "failed"]
