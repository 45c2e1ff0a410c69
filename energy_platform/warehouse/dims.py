"""What the portfolio hands to dbt, and digests that say when it changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.lake.digests import digest_of
from energy_platform.portfolio.occupancy import holidays_version, public_holidays
from energy_platform.schemas import INSTANT, ONCE_PER_SITE
from energy_platform.transforms.consumption import counts_consumption
from energy_platform.transforms.readings import CORRECTED, DROPPED
from energy_platform.transforms.units import canonical_unit, conversion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor

_SITE: Final = "site "
"""What the fingerprint of a site begins with, in front of its id; no device id has a blank."""

DELIVERY: Final = pl.Schema(
    {
        "stream_id": pl.String(),
        "site_id": pl.String(),
        "kind": pl.String(),
        "interval_s": pl.Float64(),
        "last_sent_at": INSTANT,
        "last_acknowledged_at": INSTANT,
        "packets_acknowledged": pl.Int64(),
        "packets_refused": pl.Int64(),
        "behind_since": INSTANT,
        "lag_s": pl.Float64(),
        "held_back_wh": pl.Float64(),
        "blocked": pl.Boolean(),
        "reason": pl.String(),
    }
)
"""One row per stream: what ``mart_delivery`` shows."""

_FACT_ATTRIBUTES: Final = (
    "point_id",
    "quantity",
    "kind",
    "phase",
    "role",
    "carrier",
    "every_s",
    "energy_from_power",
    "rated_capacity_wh",
    "until",
    "is_read",
    "is_confirmed",
    "parent",
    "same_as",
    "accuracy_percent",
    "resolution_wh",
)
"""Attributes of a point that enter facts, not only dimensions."""

_RATINGS: Final = ("peak_power_w", "rated_capacity_wh", "design_delta_t_k")
"""What stands on a device's plate and enters the figures of its kind."""


def devices_frame(portfolio: Portfolio) -> pl.DataFrame:
    """Return one row per device of the portfolio."""
    rows = [
        {
            "device_id": device_id,
            "vendor": device.vendor,
            "serial": device.serial,
            "device_name": device.name,
            "device_type": device.type,
            "site_id": device.site,
            "carrier": device.carrier,
            "role": device.role,
            **{name: getattr(device, name) for name in _RATINGS},
        }
        for device_id, device in portfolio.devices.items()
    ]
    names = (
        "device_id",
        "vendor",
        "serial",
        "device_name",
        "device_type",
        "site_id",
        "carrier",
        "role",
    )
    schema = dict.fromkeys(names, pl.String()) | dict.fromkeys(_RATINGS, pl.Float64())
    return pl.DataFrame(rows, schema=schema)


def dims(portfolio: Portfolio) -> dict[str, pl.DataFrame]:
    """Return the frames dbt makes the dimensions from, by name, sorted."""
    return {
        "sites": portfolio.sites_frame().sort("site_id"),
        "occupancy": portfolio.occupancy_frame(),
        "devices": devices_frame(portfolio).sort("device_id"),
        "points": _with_canonical_units(portfolio.points_frame())
        .with_columns(
            family=pl.when(counts_consumption())
            .then(pl.lit("consumption"))
            .otherwise(pl.lit("energy")),
            read_from=_read_from(portfolio),
        )
        .sort("point_id"),
    }


def read_from_name(vendors: Sequence[Vendor]) -> str:
    """Return how the table of vendors calls what is read from several of them together."""
    return "+".join(vendors)


def _read_from(portfolio: Portfolio) -> pl.Series:
    """Return, per point, what its figures are read from: its vendor, or those of its parts."""
    names = [read_from_name(portfolio.vendors_of(point)) for point in portfolio.points.values()]
    return pl.Series(names, dtype=pl.String())


def holidays_frame(portfolio: Portfolio, *, years: Collection[int]) -> pl.DataFrame:
    """Return the public holidays of sites with an occupancy: site_id, local_day, name.

    Args:
        portfolio: The portfolio.
        years: Calendar years.
    """
    regions = {
        site.id: site.holiday_region
        for site in portfolio.sites.values()
        if site.holiday_region is not None
    }
    known = {region: public_holidays(region, years=years) for region in sorted({*regions.values()})}
    rows = [
        (site_id, day, name)
        for site_id, region in sorted(regions.items())
        for day, name in known[region].items()
    ]
    schema = {"site_id": pl.String(), "local_day": pl.Date(), "name": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def site_fingerprints(portfolio: Portfolio) -> dict[str, str]:
    """Return, per site, a digest of what enters its figures next to its points: area, occupancy.

    The names begin with ``site``, so that they lie among the devices' without being one.
    """
    found = {}
    for site in portfolio.sites.values():
        region = site.holiday_region
        calendar = (region, holidays_version()) if region is not None else None
        said = (site.floor_area_m2, site.occupancy, calendar)
        found[f"{_SITE}{site.id}"] = digest_of(repr(said))
    return found


def changed_sites(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Return the sites whose fingerprints differ, of those that are in both."""
    return {
        key.removeprefix(_SITE)
        for key, digest in new.items()
        if key.startswith(_SITE) and old.get(key, digest) != digest
    }


def rules_frame() -> pl.DataFrame:
    """Return, in one row, what dbt needs to know of the rules of the day files."""
    return pl.DataFrame({"corrected_prefix": [CORRECTED], "dropped_reason": [DROPPED]})


def _with_canonical_units(points: pl.DataFrame) -> pl.DataFrame:
    """Add the unit of a point's published figures; null where only its readings say it."""

    def of(quantity: str, unit: str | None) -> str | None:
        found = None if unit is None else conversion(unit, quantity=quantity)
        return canonical_unit(quantity) or (None if found is None else found.unit)

    units = [of(*row) for row in points.select("quantity", "unit").iter_rows()]
    return points.with_columns(pl.Series("canonical_unit", units, dtype=pl.String()))


def delivery_rows(frame: pl.DataFrame | None) -> pl.DataFrame:
    """Return the ledger's frame in the columns of ``DELIVERY``; zero rows when there is none.

    Raises:
        ValueError: A column is missing or has another type that does not fit.
    """
    if frame is None:
        return pl.DataFrame(schema=DELIVERY)
    if missing := [name for name in DELIVERY if name not in frame.columns]:
        raise ValueError(f"delivery frame without {', '.join(missing)}")
    return frame.select(pl.col(name).cast(dtype) for name, dtype in DELIVERY.items()).sort(
        "stream_id"
    )


def delivery_digest(rows: pl.DataFrame) -> str:
    """Return a digest of the ledger's rows, without what moves with the clock alone."""
    return frame_digest(rows.drop("lag_s"))


def device_fingerprints(portfolio: Portfolio) -> dict[str, str]:
    """Return, per device, a digest of all that enters facts: its site, zone and points.

    Points of one device affect each other (a total makes the phases count no longer), so the
    device is what is compared; with it goes what stands behind its points.
    """
    found: dict[str, list[tuple[object, ...]]] = {
        device_id: [
            (
                device.site,
                portfolio.sites[device.site].timezone,
                # Left out where there are none, so that portfolios without stay as they were.
                *((name, getattr(device, name)) for name in _RATINGS if getattr(device, name)),
            )
        ]
        for device_id, device in portfolio.devices.items()
    }
    for row in portfolio.points_frame().sort("point_id").iter_rows(named=True):
        found[row["device_id"]].append(tuple(row[name] for name in _FACT_ATTRIBUTES))
    # A meter that never brought anything has no days that a build could find by its change: what is
    # said of its absence stands at the meter that it points to.
    points = portfolio.points
    for point_id, point in sorted(points.items()):
        for name in ("parent", "same_as"):
            if target := getattr(point, name):
                found[points[target].device_id].append((name, point_id))
    return {device_id: digest_of(repr(attributes)) for device_id, attributes in found.items()}


def site_devices(portfolio: Portfolio, *, known: Collection[str]) -> set[str]:
    """Return the devices that may count for a site with data, whether they have any themselves.

    Args:
        portfolio: The portfolio.
        known: Points that have data.
    """
    points = portfolio.points
    sites = {points[point_id].site_id for point_id in known if point_id in points}
    return {
        point.device_id
        for point in points.values()
        if point.site_id in sites
        and (
            point.role in ONCE_PER_SITE
            or point.parent is not None
            or point.same_as is not None
            or point.quantity in {"heating_energy", "cooling_energy"}
        )
    }


def frame_digest(frame: pl.DataFrame) -> str:
    """Return a digest of a small frame's rows."""
    return digest_of(repr((frame.schema, frame.rows())))


def project_files(project: Path) -> list[Path]:
    """Return the files of the dbt project that figures, texts and lineage follow from, sorted."""
    files = [project / "dbt_project.yml"]
    for folder in ("models", "macros"):
        files += [
            path for path in (project / folder).rglob("*") if path.suffix in {".sql", ".yml", ".md"}
        ]
    return sorted(files)


def project_digest(project: Path) -> str:
    """Return a digest of the models, their texts and macros: another one means other rules."""
    digest = hashlib.blake2b(digest_size=16)
    for path in project_files(project):
        digest.update(f"{path.relative_to(project)}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()
