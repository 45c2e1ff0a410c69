"""Schedules: which days are due at each vendor, and when the inventories are read."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from energy_platform.assets.partitions import range_tags
from energy_platform.automation.housekeeping import housekeeping
from energy_platform.automation.jobs import INGEST, RUN_KIND, inventories
from energy_platform.ingest import ingest_settings, is_configured
from energy_platform.partitions import day_of, due_days
from energy_platform.schemas import INVENTORY_TABLES, RAW_DAY_TABLES, Vendor
from energy_platform.settings import PlatformSettings

DAILY_MINUTE: Final[dict[Vendor, int]] = {"socomec": 20, "belimo": 25, "skycentrics": 30}
"""Minute after midnight UTC at which a vendor's day is read; apart, so that they do not queue."""


def _now(context: dg.ScheduleEvaluationContext) -> datetime:
    return context.scheduled_execution_time.astimezone(UTC)


def _without_credentials(vendor: Vendor) -> dg.SkipReason:
    return dg.SkipReason(
        f"no credentials for {vendor}: see .env.example, then `energy-platform doctor`"
    )


def _daily(vendor: Vendor, *, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{INGEST[vendor]}_daily",
        job_name=INGEST[vendor],
        cron_schedule=f"{DAILY_MINUTE[vendor]} 0 * * *",
        execution_timezone="UTC",
        default_status=status,
        description=f"Close yesterday at {vendor} and read its late days again, as one run.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not is_configured(vendor):
            return _without_credentials(vendor)
        settings = ingest_settings(vendor)
        now = _now(context)
        days = due_days(now, late_days=settings.late_days, start=settings.start_day)
        if not days:
            return dg.SkipReason(f"{vendor} starts on {settings.start_day}: no day is due yet")
        return dg.RunRequest(run_key=now.isoformat(), tags={**range_tags(days), RUN_KIND: "daily"})

    return daily


def _intraday(
    vendor: Vendor, *, minutes: int, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{INGEST[vendor]}_intraday",
        job_name=INGEST[vendor],
        cron_schedule=_every(minutes),
        execution_timezone="UTC",
        default_status=status,
        description=f"Refresh today's open day of {vendor}.",
    )
    def intraday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not is_configured(vendor):
            return _without_credentials(vendor)
        now = _now(context)
        if now.hour == 0 and now.minute == 0:
            return dg.SkipReason("the day has only begun; the daily run closes the one before")
        return dg.RunRequest(
            run_key=now.isoformat(),
            tags={**range_tags([day_of(now)]), RUN_KIND: "intraday"},
        )

    return intraday


def _every(minutes: int) -> str:
    """Return the cron text for every so many minutes, up to twelve hours."""
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"*/{minutes} * * * *"
    return f"0 */{minutes // 60} * * *"


def build_schedules(settings: PlatformSettings) -> list[dg.ScheduleDefinition]:
    """Return every schedule; they start by themselves unless the settings say otherwise."""
    status = (
        dg.DefaultScheduleStatus.RUNNING if settings.autostart else dg.DefaultScheduleStatus.STOPPED
    )

    @dg.schedule(
        name="inventories_daily",
        job=inventories,
        cron_schedule="5 0 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Read the inventories of the vendors that have credentials.",
    )
    def inventories_daily(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        keys = [
            dg.AssetKey(table.name)
            for vendor, tables in INVENTORY_TABLES.items()
            if is_configured(vendor)
            for table in tables
        ]
        if not keys:
            return dg.SkipReason("no vendor has credentials")
        return dg.RunRequest(
            run_key=_now(context).isoformat(),
            asset_selection=keys,
            tags={RUN_KIND: "inventory"},
        )

    tidy_daily = dg.ScheduleDefinition(
        name="housekeeping_daily",
        job=housekeeping,
        cron_schedule="40 3 * * *",
        execution_timezone="UTC",
        default_status=status,
    )
    return [
        inventories_daily,
        tidy_daily,
        *(_daily(vendor, status=status) for vendor in RAW_DAY_TABLES),
        *(
            _intraday(vendor, minutes=settings.intraday_minutes, status=status)
            for vendor in RAW_DAY_TABLES
        ),
    ]
