"""Level-triggered sensors: they look at the lake and the ledger, and ask for one run.

Each tick asks anew what is stale or behind, so a lost event, a failed run or a restart loses
nothing, and thirty new days are one refresh and one push. A failed run is asked for again with a
growing pause.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from energy_platform.assets.partitions import RANGE_END, RANGE_START, RUN_KIND
from energy_platform.automation.jobs import INGEST, push, reconcile, refresh
from energy_platform.automation.under_way import (
    attempts,
    backfill_under_way,
    jobs_of,
    unfinished_runs,
)
from energy_platform.delivery import push_wanted
from energy_platform.ingest import first_day, ingest_settings, is_configured
from energy_platform.partitions import day_of
from energy_platform.portfolio import PortfolioError
from energy_platform.refresh import stale
from energy_platform.resources import Platform
from energy_platform.settings import PlatformSettings, SettingsError, WatticsSettings
from energy_platform.sources import poll_skycentrics
from energy_platform.vendors.errors import VendorError

EVERY_S: Final = 30
"""Seconds between two looks at the lake."""

PATIENCE: Final = timedelta(minutes=15)
"""How long a refresh waits for days that are being read, so that it comes once, after them."""

ALARM_AFTER: Final = 5
"""Failures in a row after which a tick logs an error beside asking again."""

_DERIVING: Final = {refresh.name, push.name, reconcile.name, "inventories"}
"""Jobs that a refresh does not wait for as readers of days."""


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
        now = platform.now()
        busy = jobs_of(unfinished_runs(context.instance, now=now))
        if busy & {refresh.name, "everything"}:
            return dg.SkipReason("a refresh is under way")
        reading = jobs_of(unfinished_runs(context.instance, now=now, younger_than=PATIENCE))
        if reading - _DERIVING or backfill_under_way(
            context.instance, now=now, younger_than=PATIENCE
        ):
            return dg.SkipReason("days are being read; refresh follows when they are in")
        try:
            portfolio = platform.portfolio()
        except PortfolioError as error:
            return dg.SkipReason(str(error))
        days = stale(platform.lake, portfolio)
        if (
            not days
            and not platform.warehouse.plan(portfolio, delivery=platform.delivered(portfolio)).stale
        ):
            return dg.SkipReason("every derived day and every mart is fresh")
        before = attempts(context.instance, job=refresh.name)
        if before.failed >= ALARM_AFTER:
            context.log.error("refresh failed %d times in a row; see its newest run", before.failed)
        if before.next_at is not None and now < before.next_at:
            return dg.SkipReason(
                f"refresh failed {before.failed} times in a row; "
                f"next attempt at {before.next_at:%H:%M} UTC"
            )
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
        settings = WatticsSettings()
        if settings.base_url is None:
            return dg.SkipReason("WATTICS_BASE_URL is not set: nothing is sent")
        now = platform.now()
        busy = jobs_of(unfinished_runs(context.instance, now=now))
        if busy & {push.name, refresh.name, "everything"}:
            return dg.SkipReason("a push or a refresh is under way")
        try:
            portfolio = platform.portfolio()
        except PortfolioError as error:
            return dg.SkipReason(str(error))
        with platform.ledger() as ledger:
            wanted = push_wanted(
                platform.lake,
                ledger,
                portfolio,
                now=now,
                max_hold=timedelta(hours=settings.max_hold_h),
            )
        if wanted is None:
            return dg.SkipReason("Wattics holds all that is ready, or the next attempt is not due")
        if wanted.alert:
            context.log.error("pushes keep failing: %s", wanted.error)
        return dg.RunRequest(run_key=wanted.run_key, tags={RUN_KIND: "push"})

    return push_when_behind


def _poll_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name="poll_skycentrics",
        job_name=INGEST["skycentrics"],
        minimum_interval_seconds=60,
        default_status=status,
        description=(
            "Poll the newest values into the landing folder; ask for earlier days that got late "
            "samples. Today's day is folded by the intraday schedule."
        ),
    )
    def poll_skycentrics_sensor(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> list[dg.RunRequest] | dg.SkipReason:
        if not is_configured("skycentrics"):
            return dg.SkipReason("no credentials for skycentrics: see .env.example")
        now = platform.now()
        start_day = first_day(ingest_settings("skycentrics"))
        try:
            report = poll_skycentrics(
                platform.lake, landing=platform.landing, now=platform.now, logins=platform.logins
            )
        except (VendorError, SettingsError) as error:
            # The next tick polls again; the tick keeps what happened.
            return dg.SkipReason(str(error))
        for failure in report.failed.values():
            context.log.error(str(failure))
        today = day_of(now)
        late = sorted(day for day in report.late_days if start_day <= day < today)
        if not late:
            samples = sum(landed.samples for landed in report.landed.values())
            return dg.SkipReason(f"{samples} new samples from {len(report.landed)} gateways")
        return [
            dg.RunRequest(
                run_key=f"late {day} {now.isoformat()}",
                tags={RANGE_START: day, RANGE_END: day, RUN_KIND: "poll"},
            )
            for day in late
        ]

    return poll_skycentrics_sensor


def build_sensors(settings: PlatformSettings) -> list[dg.SensorDefinition]:
    """Return every sensor; they start by themselves unless the settings say otherwise."""
    status = (
        dg.DefaultSensorStatus.RUNNING if settings.autostart else dg.DefaultSensorStatus.STOPPED
    )
    return [_poll_sensor(status), _refresh_sensor(status), _push_sensor(status)]
