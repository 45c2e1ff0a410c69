"""The sensor that asks for a refresh; ``refresh`` and ``warehouse`` know what is stale.

Nobody waits for a source: what has landed is refreshed. A failed run is asked for again with a
growing pause.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.instance.living_runs import attempts, jobs_of, living_runs
from energy_platform.defs.jobs import push, refresh
from energy_platform.defs.partitions import RANGE_END, RANGE_START, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.last_look import EVERY_S, LastLook, resting, seen_by
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.delivery import LedgerError
from energy_platform.installation.upgrade import restart_needed
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.refresh import stale

LOOKS_AT_LEAST_EVERY: Final = timedelta(minutes=10)
"""A ledger in PostgreSQL can change without a file or a run."""

ALARM_AFTER: Final = 5
"""Failures in a row after which a tick logs an error besides asking again."""


def build_refresh_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that asks for one refresh when something is stale."""

    @dg.sensor(
        name="refresh_when_stale",
        job=refresh,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="Ask for one refresh when derived days or marts are stale.",
    )
    @asks_the_catalogue
    def refresh_when_stale(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        now = platform.now()
        before = attempts(context.instance, job=refresh.name)
        look = LastLook(context, now=now, at_least_every=LOOKS_AT_LEAST_EVERY)
        seen = seen_by(platform, runs=_newest_run(context.instance, push.name) + before.last_run_id)
        if look.is_still(seen):
            return dg.SkipReason(f"nothing changed since {look.at:%H:%M} UTC: all is fresh")
        living = jobs_of(living_runs(context.instance))
        if refresh.name in living:
            return dg.SkipReason("a refresh is under way")
        try:
            portfolio = platform.portfolio()
            days = stale(platform.lake, portfolio)
            # A push publishes what it delivered by itself, at its end.
            delivery = None if push.name in living else platform.delivered(portfolio)
            if not days and not platform.warehouse.plan(portfolio, delivery=delivery).stale:
                look.note(seen)
                return dg.SkipReason("every derived day and every mart is fresh")
        except (PortfolioError, LakeError, LedgerError) as error:
            return dg.SkipReason(str(error))
        if before.failed >= ALARM_AFTER:
            context.log.error("refresh failed %d times in a row; see its newest run", before.failed)
        if before.next_at is not None and now < before.next_at:
            return dg.SkipReason(resting("refresh", before.failed, before.next_at))
        newest = max((day.day for day in days), default=day_of(now))
        return dg.RunRequest(
            run_key=f"after {before.last_run_id}",
            # One day stands for all: the run reports every day it rewrites.
            tags={RANGE_START: newest, RANGE_END: newest, RUN_KIND: "refresh"},
        )

    return refresh_when_stale


def _newest_run(instance: dg.DagsterInstance, job: str) -> str:
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=job), limit=1)
    return "".join(f"{run.run_id} {run.status.value}" for run in runs)
