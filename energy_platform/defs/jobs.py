"""The jobs: one per vendor and its days, one for what follows, one for the push."""

from typing import Final

import dagster as dg

from energy_platform.defs.assets.delivery import RECONCILED
from energy_platform.defs.groups import CORE, DELIVERY, MARTS, REPORTS
from energy_platform.destinations.base import destinations, titles
from energy_platform.ingest.run import is_configured
from energy_platform.schemas import Vendor
from energy_platform.settings import SettingsError
from energy_platform.sources.registry import day_tables, inventory_tables, sources

MAX_RUNTIME: Final = "dagster/max_runtime"
"""Run tag: seconds after which Dagster ends a run. Each kind of run ends by itself long before."""

DERIVING_LIMIT: Final = {MAX_RUNTIME: "7200"}
"""Two hours: a refresh or a push takes seconds to minutes, and one that was ended goes on where it
was, so that the limit costs no work."""

SOURCE: Final = "source"
"""Run tag, shown in the list of runs: the source that a run reads."""

INGEST: Final[dict[Vendor, str]] = {vendor: f"ingest_{vendor}" for vendor in day_tables()}
"""Name of the job that reads a vendor's days."""

ingest_jobs: Final = [
    dg.define_asset_job(
        INGEST[vendor],
        selection=dg.AssetSelection.assets(table.name),
        description=f"Read whole UTC days of {vendor} into the lake.",
        tags={SOURCE: vendor},
    )
    for vendor, table in day_tables().items()
]

inventories: Final = dg.define_asset_job(
    "inventories",
    selection=dg.AssetSelection.assets(
        *(table.name for tables in inventory_tables().values() for table in tables)
    ),
    description="Read the newest snapshot of every vendor's sites, devices and variables.",
)

refresh: Final = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.groups(CORE, MARTS),
    description="Make stale days fresh, rebuild what they touch in the marts, publish.",
    tags=DERIVING_LIMIT,
)

_RECONCILED: Final = dg.AssetSelection.checks(
    *(
        dg.AssetCheckKey(asset_key=dg.AssetKey(one.packets), name=RECONCILED)
        for one in destinations().values()
    )
)
"""Asks each destination about every stream, so it runs once a day and not with each push."""

push: Final = dg.define_asset_job(
    "push",
    selection=dg.AssetSelection.groups(DELIVERY) - _RECONCILED,
    description=f"Send every stream at {titles()} what it does not hold yet.",
    tags=DERIVING_LIMIT,
)

reports: Final = dg.define_asset_job(
    "reports",
    selection=dg.AssetSelection.groups(REPORTS),
    description="Make the pages of sites whose figures changed; queue the mail that is due.",
    tags=DERIVING_LIMIT,
)
"""A job of its own: what fails here keeps nothing from being published or pushed."""

reconcile: Final = dg.define_asset_job(
    "reconcile",
    selection=_RECONCILED,
    description=f"Compare the lake, the ledger and what {titles()} stored, stream by stream.",
    tags=DERIVING_LIMIT,
)


def _unused() -> dg.AssetSelection:
    """Return the raw tables of sources that are left alone, when this process is of some others.

    Where none has credentials, as in a clone, all are part of the job, and say what is missing.
    """
    try:
        used = {name for name in sources() if is_configured(name)}
    except SettingsError:
        # Said by all that starts; the job is then as it is in a clone.
        used = set()
    unused = [spec for name, spec in sources().items() if used and name not in used]
    return dg.AssetSelection.assets(
        *(table.name for spec in unused for table in (spec.day_table, *spec.inventory_tables))
    )


everything: Final = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all() - _RECONCILED - _unused(),
    description=f"From the vendors to {titles()} in one run, for a range of days.",
)

JOBS: Final = [*ingest_jobs, inventories, refresh, push, reports, reconcile, everything]
"""Every job of the code location."""
