"""Whole days from a vendor into the lake: the same path for Dagster, the CLI and the tests.

A day either lands whole or is reported with its error; one bad day stops no other, and one vendor
that fails stops no other vendor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from energy_platform.partitions import EPOCH_DAY, day_bounds, day_of
from energy_platform.schemas import INVENTORY_TABLES, RAW_DAY_TABLES, TABLES
from energy_platform.settings import BelimoSettings, SkycentricsSettings, SocomecSettings
from energy_platform.storage.days_before import DaysBefore
from energy_platform.storage.raw_days import Landed, land_day, land_snapshot
from energy_platform.vendors.errors import AuthenticationError, VendorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from energy_platform.schemas import Vendor
    from energy_platform.storage.lake import Lake
    from energy_platform.vendors.coverage import DeviceDay, Earlier, Reject

IngestSettings = SocomecSettings | BelimoSettings | SkycentricsSettings
"""What the vendors' settings have in common: credentials, start_day, late_days."""

_SETTINGS: Final[dict[Vendor, type[IngestSettings]]] = {
    "socomec": SocomecSettings,
    "belimo": BelimoSettings,
    "skycentrics": SkycentricsSettings,
}


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


class Pulled(Protocol):
    """What the vendors' pulls say of a day: rows or an error, and what was odd.

    Rows may come in parts that are read while they are landed; the rest is known afterwards.
    """

    @property
    def day(self) -> str:
        """The UTC day."""

    @property
    def frame(self) -> pl.DataFrame | Iterator[pl.DataFrame] | None:
        """Its rows, or parts of them in the order of the table's key; None when it failed."""

    @property
    def error(self) -> VendorError | None:
        """Why it failed."""

    @property
    def duplicates(self) -> int:
        """Rows that came twice."""

    @property
    def conflicts(self) -> int:
        """Rows that contradicted another."""

    @property
    def nulls(self) -> int:
        """Rows without a value."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd, for display."""

    @property
    def devices(self) -> tuple[DeviceDay, ...]:
        """What each device gave, and why it is not whole where it is not."""

    @property
    def rejects(self) -> Sequence[Reject]:
        """Odd rows that were set aside."""


@dataclass(frozen=True, kw_only=True)
class DayOutcome:
    """What became of one day.

    Attributes:
        day: The UTC day.
        landed: What the lake made of it; None when the day failed.
        error: Why the day failed.
        counts: Oddities of the pull by name, such as duplicates.
        warnings: What somebody should look at, one sentence each.
    """

    day: str
    landed: Landed | None
    error: VendorError | None = None
    counts: Mapping[str, int]
    warnings: tuple[str, ...] = ()


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
) -> Iterator[DayOutcome]:
    """Pull days and land each as it comes.

    A day that is over at ``now`` is closed by this; today's stays open. Days before the vendor's
    start day, or after today, are left out with a warning and without a request.

    Args:
        source: The vendor, opened.
        vendor: Whose raw table is written.
        lake: Where the days land.
        days: Partition keys.
        now: The present, taken once before the first request.
        closes: Whether days that are over are closed; an intraday run leaves that to the daily one.

    Yields:
        Each day's outcome in order.
    """
    table = RAW_DAY_TABLES[vendor]
    start = first_day(ingest_settings(vendor))
    today = day_of(now)
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
    inventory = read_inventory(lake, vendor=vendor)
    earlier = DaysBefore(lake, table)
    for pulled in _named(
        source.days(asked, until=now, inventory=inventory, earlier=earlier), days=asked
    ):
        landed: Landed | None = None
        error = pulled.error
        if pulled.frame is not None:
            try:
                landed = land_day(
                    lake,
                    table,
                    day=pulled.day,
                    frame=pulled.frame,
                    complete_until=now,
                    closed=closes and day_bounds(pulled.day)[1] <= now,
                )
            except AuthenticationError as refused:
                refused.about(day=pulled.day)
                raise
            except VendorError as failed:
                error = failed.about(day=pulled.day)
        yield DayOutcome(
            day=pulled.day,
            landed=landed,
            error=error,
            counts={
                name: count
                for name in ("duplicates", "conflicts", "nulls")
                if (count := getattr(pulled, name))
            },
            warnings=pulled.warnings,
        )


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
    """Read a vendor's inventory and land its snapshots, by table name."""
    return {
        name: land_snapshot(lake, TABLES[name], frame) for name, frame in source.inventory().items()
    }


def has_inventory(lake: Lake, *, vendor: Vendor) -> bool:
    """Say whether every inventory snapshot of a vendor was read once."""
    return all(lake.path(table).exists() for table in INVENTORY_TABLES[vendor])


def read_inventory(lake: Lake, *, vendor: Vendor) -> dict[str, pl.DataFrame]:
    """Return a vendor's inventory snapshots by table name."""
    return {table.name: lake.read(table) for table in INVENTORY_TABLES[vendor]}
