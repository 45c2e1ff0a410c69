"""What a build rests on, as the texts of ``about``: days, reach, and digests of all it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.lake.digests import digest_of
from energy_platform.warehouse.affected import data_until
from energy_platform.warehouse.dims import (
    delivery_digest,
    delivery_rows,
    dims,
    frame_digest,
    project_digest,
    site_fingerprints,
)
from energy_platform.warehouse.inputs import Input, coverage
from energy_platform.warehouse.inventories import inventory_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.schemas import Vendor

SCHEMA_VERSION: Final = "2"
"""Version of the published tables, in ``about``."""


def build_info(
    lake: Lake,
    portfolio: Portfolio,
    *,
    inputs: Mapping[tuple[str, str], Input],
    delivery: pl.DataFrame | None,
    late_days: Mapping[Vendor, int],
    dbt_project_dir: Path,
) -> dict[str, str]:
    """Return all that a build rests on, by key of ``about``.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        inputs: The day files the marts are made from.
        delivery: The ledger's frame with the columns ``DELIVERY``; None: no stream.
        late_days: Days that each vendor's daily run reads again.
        dbt_project_dir: The dbt project, whose models are part of the rules.
    """
    coverages = {vendor: coverage(lake, vendor) for vendor in late_days}
    info = {
        "schema_version": SCHEMA_VERSION,
        "newest_day": max((one.day for one in inputs.values()), default=""),
        "horizon_at": data_until(coverages, inputs=inputs).isoformat(),
    }
    for vendor, found in coverages.items():
        final = found.final_before(late_days[vendor])
        info[f"newest_closed_day_{vendor}"] = found.newest_closed_day or ""
        info[f"final_before_{vendor}"] = final.isoformat() if final else ""
    return {
        **info,
        "inputs_digest": digest_of(repr(sorted(inputs.values()))),
        "portfolio_digest": digest_of(
            repr([frame_digest(frame) for frame in dims(portfolio).values()])
            + repr(site_fingerprints(portfolio))
        ),
        "reach_digest": digest_of(repr(sorted(info.items()))),
        "rules_digest": digest_of(SCHEMA_VERSION + project_digest(dbt_project_dir)),
        "inventory_digest": inventory_digest(lake),
        "delivery_digest": delivery_digest(delivery_rows(delivery)),
    }
