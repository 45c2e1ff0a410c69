"""Whole days from a vendor into the lake: the same path for Dagster, the CLI and the tests.

A day lands with all that came and says what is missing, or is reported with its error; one bad day
stops no other, and one vendor that fails stops no other vendor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from energy_platform.days import EPOCH_DAY, day_of
from energy_platform.ingest.landing_days import DayLanding, DayOutcome, DiskFullError, Pulled
from energy_platform.lake.days_before import DaysBefore
from energy_platform.lake.raw_days import Landed, land_snapshot
from energy_platform.schemas import (
    INVENTORY_TABLES,
    RAW_DAY_TABLES,
    RAW_SOCOMEC_CUSTOMERS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_LAST_VALUES,
    RAW_SOCOMEC_VARIABLES,
    TABLES,
)
from energy_platform.settings import BelimoSettings, SkycentricsSettings, SocomecSettings
from energy_platform.sources.http.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from energy_platform.lake.catalogue import Catalogue
    from energy_platform.lake.lake import Lake
    from energy_platform.lake.restamped import Increments
    from energy_platform.schemas import Vendor
    from energy_platform.sources.coverage import Earlier

__all__ = [
    "DayOutcome",
    "DiskFullError",
    "IngestSettings",
    "Pulled",
    "Source",
    "first_day",
    "has_inventory",
    "ingest_days",
    "ingest_inventory",
    "ingest_settings",
    "is_configured",
    "read_inventory",
]

IngestSettings = SocomecSettings | BelimoSettings | SkycentricsSettings
"""What the vendors' settings have in common: credentials, start_day, late_days."""

_SETTINGS: Final[dict[Vendor, type[IngestSettings]]] = {
    "socomec": SocomecSettings,
    "belimo": BelimoSettings,
    "skycentrics": SkycentricsSettings,
}


_NOT_FOR_DAYS: Final = frozenset({RAW_SOCOMEC_CUSTOMERS.name, RAW_SOCOMEC_LAST_VALUES.name})
"""Snapshots that no day is read by; a lake of version 0.1.0 has none of them."""


def ingest_settings(vendor: Vendor) -> IngestSettings:
    """Read a vendor's settings from the environment."""
    return _SETTINGS[vendor]()


def first_day(settings: IngestSettings) -> str:
    """Return the first UTC day a vendor may be asked for."""
    return max(settings.start_day or EPOCH_DAY, EPOCH_DAY).isoformat()


def is_configured(vendor: Vendor) -> bool:
    """Say whether a vendor has any credentials; incomplete ones fail where they are used."""
    settings = ingest_settings(vendor)
    return settings.client_id is not None or settings.client_secret is not None


class Source(Protocol):
    """One vendor's client, opened."""

    def inventory(self) -> dict[str, pl.DataFrame]:
        """Return the inventory frames by table name."""

    def days(
        self,
        days: Sequence[str],
        *,
        until: datetime,
        inventory: Mapping[str, pl.DataFrame],
        earlier: Earlier,
    ) -> Iterator[Pulled]:
        """Yield every day once, in order: its rows or its error.

        ``earlier`` says what the lake holds for the day before a day, when it is asked.
        """


def ingest_days(
    source: Source,
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
        source: The vendor, opened.
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
    earlier = DaysBefore(lake, RAW_DAY_TABLES[vendor])
    done = 0
    pulls = source.days(asked, until=now, inventory=inventory, earlier=earlier)
    try:
        for pulled in _named(pulls, days=asked):
            outcome = landing.land(pulled)
            done += 1
            yield outcome
            if isinstance(outcome.error, DiskFullError):
                break
    except VendorError as error:
        landing.failed(error.day or asked[min(done, len(asked) - 1)], error)
        raise
    for day in asked[done:]:
        full = DiskFullError(f"{day}: not asked for, because the disk of {lake.root} is full")
        landing.failed(day, full)
        yield DayOutcome(day=day, landed=None, error=full, counts={})


def _named(pulls: Iterator[Pulled], *, days: Sequence[str]) -> Iterator[Pulled]:
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


def ingest_inventory(source: Source, *, lake: Lake) -> dict[str, Landed]:
    """Read a vendor's inventory and land its snapshots, by table name.

    What could not be read this time keeps what it had: the customers of an account; the variables
    and last values of a Socomec device that is listed but gave none, which may have been refused,
    and whose days must not become silently empty.
    """
    frames = source.inventory()
    if (listed := frames.get(RAW_SOCOMEC_DEVICES.name)) is not None:
        for table in (RAW_SOCOMEC_VARIABLES, RAW_SOCOMEC_LAST_VALUES):
            fresh = frames.get(table.name, table.empty())
            kept = lake.read(table).filter(
                pl.col("device_uuid").is_in(listed["uuid"].implode()),
                ~pl.col("device_uuid").is_in(fresh["device_uuid"].implode()),
            )
            frames = frames | {table.name: pl.concat([fresh, kept])}
        if RAW_SOCOMEC_CUSTOMERS.name not in frames:
            frames = frames | {RAW_SOCOMEC_CUSTOMERS.name: lake.read(RAW_SOCOMEC_CUSTOMERS)}
    # What days are read by comes last: has_inventory holds only when nothing was cut short.
    ordered = sorted(frames, key=lambda name: name not in _NOT_FOR_DAYS)
    return {name: land_snapshot(lake, TABLES[name], frames[name]) for name in ordered}


def has_inventory(lake: Lake, *, vendor: Vendor) -> bool:
    """Say whether every inventory snapshot that days are read by was read once."""
    needed = (table for table in INVENTORY_TABLES[vendor] if table.name not in _NOT_FOR_DAYS)
    return all(lake.path(table).exists() for table in needed)


def read_inventory(lake: Lake, *, vendor: Vendor) -> dict[str, pl.DataFrame]:
    """Return a vendor's inventory snapshots by table name."""
    return {table.name: lake.read(table) for table in INVENTORY_TABLES[vendor]}
