"""What schedules and sensors share when they ask for days of a source."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from energy_platform.defs.instance.living_runs import living_runs
from energy_platform.defs.jobs import INGEST, MAX_RUNTIME, everything
from energy_platform.defs.partitions import RUN_KIND, range_tags
from energy_platform.ingest.due import SourceDays, read_source_days
from energy_platform.ingest.run import ingest_settings, is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.defs.resources import Platform
    from energy_platform.schemas import Vendor

RUN_LIMIT_MARGIN: Final = timedelta(minutes=15)
"""Beyond the source's own time limit: what a run may take to start, to land its last day and to
end by itself before Dagster ends it."""


def hindrance(vendor: Vendor, *, instance: dg.DagsterInstance | None) -> str:
    """Return why nothing may be asked of a source now, empty when it may.

    A source has at most one run that waits or works: a second one would only stand in line.
    """
    # First: settings that changed into ones that cannot be read are a change, not a trace-back.
    if reason := restart_needed():
        return reason
    if not is_configured(vendor):
        return f"no credentials for {vendor}: see .env.example, then `energy-platform doctor`"
    runs = [] if instance is None else living_runs(instance)
    run = run_of_source(runs, vendor=vendor)
    if run is not None:
        return f"{vendor} is being read by run {run.run_id[:8]} ({run.status.value.lower()})"
    return ""


def run_of_source(runs: Iterable[dg.DagsterRun], *, vendor: Vendor) -> dg.DagsterRun | None:
    """Return the first run that reads days of a source, whoever asked for it."""
    key = dg.AssetKey(day_tables()[vendor].name)
    for run in runs:
        jobs = {INGEST[vendor], everything.name}
        if run.job_name in jobs or key in (run.asset_selection or ()):
            return run
    return None


def known_days(vendor: Vendor, *, platform: Platform) -> SourceDays:
    """Read what lake and catalogue know of a source's days.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """
    return read_source_days(platform.lake, data_dir=platform.data, source=vendor)


def ingest_tags(vendor: Vendor, days: list[str], *, kind: str) -> dict[str, str]:
    """Return the tags of a run for a contiguous range of days.

    The source's own limit, one for each day, ends a run in order; Dagster's is there for a process
    that hangs.
    """
    own = timedelta(seconds=ingest_settings(vendor).run_limit_s) * len(days)
    limit = own + RUN_LIMIT_MARGIN
    return range_tags(days) | {RUN_KIND: kind, MAX_RUNTIME: str(int(limit.total_seconds()))}
