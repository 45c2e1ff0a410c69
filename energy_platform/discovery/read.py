"""The inventories of the vendors that have credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from energy_platform.discovery.belimo import found_at_belimo
from energy_platform.discovery.cadence import steps_seen, with_cadences
from energy_platform.discovery.skycentrics import found_at_skycentrics
from energy_platform.discovery.socomec import found_at_socomec
from energy_platform.ingest.run import is_configured
from energy_platform.portfolio import Portfolio
from energy_platform.schemas import Vendor
from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from energy_platform.discovery.found import VendorInventory
    from energy_platform.lake.lake import Lake
    from energy_platform.sources.http.logins import RefusedLogins

READERS: Final[Mapping[Vendor, Callable[[Mapping[str, pl.DataFrame]], VendorInventory]]] = {
    "socomec": found_at_socomec,
    "belimo": found_at_belimo,
    "skycentrics": found_at_skycentrics,
}
"""How each vendor's inventory frames are understood."""

VENDORS: Final[tuple[Vendor, ...]] = get_args(Vendor)
"""All vendors, in the order they are read."""


class ReadInventories(NamedTuple):
    """What the vendors answered.

    Attributes:
        found: Inventories by vendor.
        failed: Why a vendor could not be read.
        skipped: Vendors without credentials.
    """

    found: dict[Vendor, VendorInventory]
    failed: dict[Vendor, SettingsError | VendorError]
    skipped: tuple[Vendor, ...]


def read_inventories(
    *,
    landing: Path,
    logins: RefusedLogins | None,
    vendors: Sequence[Vendor] = VENDORS,
    lake: Lake | None = None,
) -> ReadInventories:
    """Read the inventories of some vendors; one that fails stops no other.

    Args:
        landing: Folder of the SkyCentrics polls.
        logins: What the installation knows of refused logins.
        vendors: Which ones; those without any credential are skipped.
        lake: Holds the inventories of before, by which devices keep their names, and readings,
            which show how often their points are sampled.
    """
    found: dict[Vendor, VendorInventory] = {}
    failed: dict[Vendor, SettingsError | VendorError] = {}
    seen = steps_seen(lake)
    skipped = tuple(vendor for vendor in vendors if not is_configured(vendor))
    for vendor in vendors:
        if vendor in skipped:
            continue
        try:
            opened = open_source(
                vendor, portfolio=Portfolio(), landing=landing, logins=logins, lake=lake
            )
            with opened as source:
                inventory = READERS[vendor](source.inventory())
            found[vendor] = with_cadences(inventory, seen)
        except (SettingsError, VendorError) as error:
            failed[vendor] = error
    return ReadInventories(found, failed, skipped)
