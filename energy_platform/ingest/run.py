"""Whole days from a vendor into the lake: the same path for Dagster, the CLI and the tests.

A day lands with all that came and says what is missing, or is reported with its error; one bad day
stops no other, and one vendor that fails stops no other vendor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.days import EPOCH_DAY, day_of
from energy_platform.ingest.landing_days import DayLanding, DayOutcome, DiskFullError
from energy_platform.lake.days_before import DaysBefore
from energy_platform.lake.raw_days import RawDayResult, land_snapshot
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import get_source, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import polars as pl

    from energy_platform.lake.catalogue import Catalogue
    from energy_platform.lake.lake import Lake
    from energy_platform.lake.restamped import Increments
    from energy_platform.schemas import Vendor
    from energy_platform.settings import SourceSettings
    from energy_platform.sources.base import OpenSource, PulledDay

__all__ = [
    "DayOutcome",
    "DiskFullError",
    "first_day",
    "has_inventory",
    "ingest_days",
    "ingest_inventory",
    "ingest_settings",
    "is_configured",
    "read_inventory",
]


def ingest_settings(vendor: Vendor) -> SourceSettings:
    """Read a source's settings from the environment."""
    section: type[SourceSettings] = get_source(vendor).settings
    return section()


def first_day(settings: SourceSettings) -> str:
    """Return the first UTC day a vendor may be asked for."""
    return max(settings.start_day or EPOCH_DAY, EPOCH_DAY).isoformat()


def is_configured(vendor: Vendor) -> bool:
    """Say whether a vendor has any credentials; incomplete ones fail where they are used."""
    return get_source(vendor).is_configured(ingest_settings(vendor))


def ingest_days(
    opened: OpenSource,
    *,
    vendor: Vendor,
    lake: Lake,
    days: Sequence[str],
    now: datetime,
    closes: bool = True,
    catalogue: Catalogue | None = None,
    increments: Increments | None = None,
) -> Iterator[DayOutcome]:
    """Pull days and land each as it comes.

    A day that is over at ``now`` is closed by this when it is shown to be whole, or when the vendor
    has given the same answer for its late days; today's stays open. Days before the vendor's start
    day, or after today, are left out with a warning and without a request.

    Args:
        opened: The source, opened.
        vendor: Whose raw table is written.
        lake: Where the days land.
        days: Partition keys.
        now: The present, taken once before the first request.
        closes: Whether days that are over are closed; an intraday run leaves that to the daily one.
        catalogue: Where the state of each day that is over is noted.
        increments: Which rows are increments, of which the newer answer counts.

    Yields:
        Each day's outcome in order.

    Raises:
        AuthenticationError: The vendor refuses the credentials; no further day is asked for.
    """
    settings = ingest_settings(vendor)
    start, today = first_day(settings), day_of(now)
    asked = [day for day in sorted(set(days)) if start <= day <= today]
    for day in sorted(set(days) - set(asked)):
        yield DayOutcome(
            day=day,
            landed=None,
            counts={},
            warnings=(f"{day}: before {vendor}'s start day {start} or after today; not asked for",),
        )
    if not asked:
        return
    landing = DayLanding(
        lake=lake,
        vendor=vendor,
        now=now,
        closes=closes,
        late_days=settings.late_days,
        catalogue=catalogue,
        increments=increments,
    )
    inventory = read_inventory(lake, vendor=vendor)
    earlier = DaysBefore(lake, get_source(vendor).day_table)
    done = 0
    try:
        # Inside: a source may look before it yields its first day.
        pulls = opened.days(asked, until=now, inventory=inventory, earlier=earlier)
        for pulled in _named(pulls, days=asked):
            outcome = landing.land(pulled)
            done += 1
            yield outcome
            if isinstance(outcome.error, DiskFullError):
                break
    except VendorError as error:
        error.about(day=asked[min(done, len(asked) - 1)])
        landing.failed(error.day or asked[0], error)
        raise
    for day in asked[done:]:
        full = DiskFullError(f"{day}: not asked for, because the disk of {lake.root} is full")
        landing.failed(day, full)
        yield DayOutcome(day=day, landed=None, error=full, counts={})


def _named(pulls: Iterator[PulledDay], *, days: Sequence[str]) -> Iterator[PulledDay]:
    """Pass the days on; an error that ends them names the day it kept from coming.

    Raises:
        VendorError: As the source does.
    """
    done = 0
    try:
        for pulled in pulls:
            yield pulled
            done += 1
    except VendorError as error:
        error.about(day=days[min(done, len(days) - 1)])
        raise


def ingest_inventory(opened: OpenSource, *, vendor: Vendor, lake: Lake) -> dict[str, RawDayResult]:
    """Read a source's inventory and land its snapshots, by table name.

    What could not be read this time keeps what it had, where the source says so.
    """
    spec = get_source(vendor)
    frames = spec.keep(opened.inventory(), lake)
    # What days are read by comes last: has_inventory holds only when nothing was cut short.
    extra = {table.name for table in spec.not_for_days}
    ordered = sorted(frames, key=lambda name: name not in extra)
    return {name: land_snapshot(lake, tables()[name], frames[name]) for name in ordered}


def has_inventory(lake: Lake, *, vendor: Vendor) -> bool:
    """Say whether every inventory snapshot that days are read by was read once."""
    spec = get_source(vendor)
    needed = (table for table in spec.inventory_tables if table not in spec.not_for_days)
    return all(lake.path(table).exists() for table in needed)


def read_inventory(lake: Lake, *, vendor: Vendor) -> dict[str, pl.DataFrame]:
    """Return a vendor's inventory snapshots by table name."""
    return {table.name: lake.read(table) for table in get_source(vendor).inventory_tables}
