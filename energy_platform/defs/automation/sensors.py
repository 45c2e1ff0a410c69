"""Level-triggered sensors: they look at the lake and the ledger, and ask for one run.

Each tick asks again what is stale or behind, so a lost event, a failed run or a restart loses
nothing, and thirty new days are one refresh and one push. Nobody waits for a source: what has
landed is refreshed and sent. A failed run is asked for again with a growing pause.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.assets.partitions import RANGE_END, RANGE_START, RUN_KIND
from energy_platform.defs.automation.ingest_sensors import build_ingest_sensors
from energy_platform.defs.automation.jobs import push, refresh
from energy_platform.defs.automation.last_look import LastLook
from energy_platform.defs.automation.under_way import attempts, jobs_of, living_runs
from energy_platform.defs.resources import Platform
from energy_platform.delivery import LEDGER_FILE, LedgerError, next_attempt, push_decision
from energy_platform.installation.upgrade import restart_needed
from energy_platform.lake.files import file_states
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.refresh import stale
from energy_platform.settings import PlatformSettings, WatticsSettings

EVERY_S: Final = 10
"""Seconds between two looks; while nothing changes, a look compares file times."""

REFRESH_LOOKS_AT_LEAST_EVERY: Final = timedelta(minutes=10)
"""A ledger in PostgreSQL can change without a file or a run."""

PUSH_LOOKS_AT_LEAST_EVERY: Final = timedelta(minutes=1)
"""Pauses and holds of streams end by the clock alone."""

ALARM_AFTER: Final = 5
"""Failures in a row after which a tick logs an error beside asking again."""


def _refresh_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="refresh_when_stale",
        job=refresh,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="Ask for one refresh when derived days or marts are stale.",
    )
    def refresh_when_stale(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        now = platform.now()
        before = attempts(context.instance, job=refresh.name)
        look = LastLook(context, now=now, at_least_every=REFRESH_LOOKS_AT_LEAST_EVERY)
        seen = _seen(platform, runs=_newest_run(context.instance, push.name) + before.last_run_id)
        if look.is_still(seen):
            return dg.SkipReason(f"nothing changed since {look.at:%H:%M} UTC: all is fresh")
        if refresh.name in jobs_of(living_runs(context.instance)):
            return dg.SkipReason("a refresh is under way")
        try:
            portfolio = platform.portfolio()
            days = stale(platform.lake, portfolio)
            if (
                not days
                and not platform.warehouse.plan(
                    portfolio, delivery=platform.delivered(portfolio)
                ).stale
            ):
                look.note(seen)
                return dg.SkipReason("every derived day and every mart is fresh")
        except (PortfolioError, LakeError, LedgerError) as error:
            return dg.SkipReason(str(error))
        if before.failed >= ALARM_AFTER:
            context.log.error("refresh failed %d times in a row; see its newest run", before.failed)
        if before.next_at is not None and now < before.next_at:
            return dg.SkipReason(_resting("refresh", before.failed, before.next_at))
        newest = max((day.day for day in days), default=day_of(now))
        return dg.RunRequest(
            run_key=f"after {before.last_run_id}",
            # One day stands for all: the run reports every day it rewrites.
            tags={RANGE_START: newest, RANGE_END: newest, RUN_KIND: "refresh"},
        )

    return refresh_when_stale


def _push_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="push_when_behind",
        job=push,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="Ask for one push when the lake holds what Wattics has not acknowledged.",
    )
    def push_when_behind(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        settings = WatticsSettings()
        if settings.base_url is None:
            return dg.SkipReason("WATTICS_BASE_URL is not set: nothing is sent")
        now = platform.now()
        before = attempts(context.instance, job=push.name)
        look = LastLook(context, now=now, at_least_every=PUSH_LOOKS_AT_LEAST_EVERY)
        seen = _seen(platform, runs=before.last_run_id)
        if look.is_still(seen):
            return dg.SkipReason(f"nothing changed since {look.at:%H:%M} UTC: nothing to send")
        if push.name in jobs_of(living_runs(context.instance)):
            return dg.SkipReason("a push is under way")
        try:
            portfolio = platform.portfolio()
            with platform.ledger() as ledger:
                decision = push_decision(
                    platform.lake,
                    ledger,
                    portfolio,
                    now=now,
                    max_hold=timedelta(hours=settings.max_hold_h),
                    credentials=settings.all_credentials(),
                )
                began_at = next_attempt(ledger, now=now).started_at
        except (PortfolioError, LakeError, LedgerError) as error:
            return dg.SkipReason(str(error))
        if not decision.is_wanted:
            look.note(seen)
            return dg.SkipReason(decision.reason)
        if decision.alert:
            context.log.error("pushes keep failing: %s", decision.error)
        if (
            before.next_at is not None
            and now < before.next_at
            and not _reached_the_ledger(
                context.instance, run_id=before.last_run_id, began_at=began_at
            )
        ):
            return dg.SkipReason(_resting("push", before.failed, before.next_at))
        return dg.RunRequest(run_key=f"after {before.last_run_id}", tags={RUN_KIND: "push"})

    return push_when_behind


def _reached_the_ledger(
    instance: dg.DagsterInstance, *, run_id: str, began_at: datetime | None
) -> bool:
    """Say whether a push noted that it began.

    Then the ledger knows when to try again, and what need not wait for that.
    """
    record = instance.get_run_record_by_id(run_id)
    return record is not None and began_at is not None and record.create_timestamp <= began_at


def _resting(job: str, failed: int, next_at: datetime) -> str:
    return f"{job} failed {failed} times in a row; next attempt at {next_at:%H:%M} UTC"


def _newest_run(instance: dg.DagsterInstance, job: str) -> str:
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=job), limit=1)
    return "".join(f"{run.run_id} {run.status.value}" for run in runs)


def _seen(platform: Platform, *, runs: str) -> str:
    """Return a digest of all that a sensor's answer depends on, cheaply."""
    return f"{runs} {platform.lake.version()} " + file_states(
        *(platform.data / name for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal", "energy.duckdb")),
        Path(platform.portfolio_path),
    )


def build_sensors(settings: PlatformSettings) -> list[dg.SensorDefinition]:
    """Return every sensor; they start by themselves unless the settings say otherwise."""
    status = (
        dg.DefaultSensorStatus.RUNNING if settings.autostart else dg.DefaultSensorStatus.STOPPED
    )
    return [
        *build_ingest_sensors(settings, status=status),
        _refresh_sensor(status),
        _push_sensor(status),
    ]
