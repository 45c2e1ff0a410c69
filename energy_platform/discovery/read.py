"""The inventories of the vendors that have credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.discovery.cadence import steps_seen, with_cadences
from energy_platform.ingest.run import is_configured
from energy_platform.portfolio import Portfolio
from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import get_source, landing_folder, open_source, sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from energy_platform.discovery.vendor_inventory import VendorInventory
    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor
    from energy_platform.sources.http.logins import RefusedLogins


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
    data_dir: Path,
    logins: RefusedLogins | None,
    vendors: Sequence[Vendor] | None = None,
    lake: Lake | None = None,
) -> ReadInventories:
    """Read the inventories of some vendors; one that fails stops no other.

    Args:
        data_dir: The data folder, with what sources keep in it.
        logins: What the installation knows of refused logins.
        vendors: Which ones, None for all; those without any credential are skipped.
        lake: Holds the inventories of before, by which devices keep their names, and readings,
            which show how often their points are sampled.
    """
    found: dict[Vendor, VendorInventory] = {}
    failed: dict[Vendor, SettingsError | VendorError] = {}
    seen = steps_seen(lake)
    asked = tuple(sources()) if vendors is None else tuple(vendors)
    skipped = tuple(vendor for vendor in asked if not is_configured(vendor))
    for vendor in asked:
        if vendor in skipped:
            continue
        try:
            opened = open_source(
                vendor,
                portfolio=Portfolio(),
                landing=landing_folder(data_dir, source=vendor),
                logins=logins,
                lake=lake,
            )
            with opened as source:
                inventory = get_source(vendor).discover(source.inventory())
            found[vendor] = with_cadences(inventory, seen)
        except (SettingsError, VendorError) as error:
            failed[vendor] = error
    return ReadInventories(found, failed, skipped)
