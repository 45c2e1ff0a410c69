"""Letting a vendor's newer answer take the place of what a day has, on an operator's word.

A day read again keeps rows that the vendor no longer sends: nothing is lost by a vendor's mistake.
Where the vendor was wrong the first time, such as increments that it stamps again, both answers
would count. Then an operator says so once, with a reason, and the old file is kept aside.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds
from energy_platform.ingest.landing_days import DayLanding
from energy_platform.ingest.run import read_inventory
from energy_platform.lake.catalogue import Catalogue, Replacement
from energy_platform.lake.days_before import DaysBefore
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.schemas import Vendor
    from energy_platform.sources.base import OpenSource

REPLACED: Final = "replaced"
"""Folder in the data folder that keeps day files from before a replacement."""


def accept_answer(
    opened: OpenSource,
    *,
    vendor: Vendor,
    lake: Lake,
    day: str,
    device: str,
    reason: str,
    operator: str,
    now: datetime,
) -> Replacement:
    """Read a day again and let the newer answer replace the rows it has.

    Args:
        opened: The source, opened.
        vendor: Whose day it is.
        lake: The day files, in the data folder.
        day: The UTC day, over and in the lake.
        device: Only this device's rows are replaced; empty for all.
        reason: Why, in the operator's words.
        operator: Who says so.
        now: The present.

    Returns:
        The record, as it is kept in the catalogue.

    Raises:
        LakeError: The day is not over or not in the lake, the answer is not whole, or the file
            cannot be written; nothing was replaced.
        VendorError: The vendor did not answer; nothing was replaced.
        CatalogueError: The record cannot be kept.
    """
    data_dir, table = lake.root.parent, get_source(vendor).day_table
    if day_bounds(day)[1] > now:
        raise LakeError(f"{day} is not over; its file changes with every reading anyway")
    before = lake.footer(table, day=day)
    if before is None:
        raise LakeError(
            f"{vendor} has no file of {day} whose rows could be replaced; "
            f"read it with: energy-platform backfill {vendor} {day} {day}"
        )
    kept = data_dir / REPLACED / table.name / f"day={day}-{before.content_id[:16]}.parquet"
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Copied first: a crash in between must not lose what is about to be dropped.
    shutil.copyfile(lake.path(table, day=day), kept)
    with Catalogue.of(lake) as catalogue:
        landing = DayLanding(lake=lake, vendor=vendor, now=now, catalogue=catalogue, accepts=device)
        inventory = read_inventory(lake, vendor=vendor)
        earlier = DaysBefore(lake, table)
        (pulled,) = opened.days([day], until=now, inventory=inventory, earlier=earlier)
        outcome = landing.land(pulled)
        landed = outcome.landed
        if landed is None:
            kept.unlink()
            raise outcome.error or LakeError(f"{day}: nothing came")
        dropped = 0 if landed.dropped is None else landed.dropped.height
        if not dropped and not landed.changed:
            kept.unlink()
        replacement = Replacement(
            source=vendor,
            day=day,
            device=device,
            at=now,
            operator=operator,
            reason=reason,
            dropped=dropped,
            changed=landed.changed,
            before_id=landed.before_id,
            after_id=landed.after_id,
            kept_in=str(kept.relative_to(data_dir)) if kept.exists() else "",
        )
        catalogue.note_replacement(replacement)
    return replacement
