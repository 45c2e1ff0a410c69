"""Schedules: which days are due at each vendor, and when the inventories are read."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from energy_platform.assets.partitions import INTRADAY, RUN_KIND, range_tags
from energy_platform.automation.housekeeping import housekeeping
from energy_platform.automation.jobs import INGEST, inventories, reconcile
from energy_platform.ingest import first_day, ingest_settings, is_configured
from energy_platform.partitions import day_before, day_of, due_days
from energy_platform.resources import Platform
from energy_platform.schemas import INVENTORY_TABLES, RAW_DAY_TABLES, Vendor
from energy_platform.settings import PlatformSettings, WatticsSettings
from energy_platform.storage.lake import Lake, LakeError
from energy_platform.storage.raw_days import is_closed

DAILY_MINUTE: Final[dict[Vendor, int]] = {"socomec": 20, "belimo": 25, "skycentrics": 30}
"""Minute after midnight UTC at which a vendor's day is read; apart, so that they do not queue."""

RECONCILE_CRON: Final = "40 2 * * *"
"""After the daily runs, their refresh and their push."""


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
        days = due_days(now, late_days=settings.late_days, start=first_day(settings))
        if not days:
            return dg.SkipReason(f"{vendor} starts on {first_day(settings)}: no day is due yet")
        return dg.RunRequest(run_key=now.isoformat(), tags={**range_tags(days), RUN_KIND: "daily"})

    return daily


def _intraday(
    vendor: Vendor, *, minutes: int, lake: Lake, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{INGEST[vendor]}_intraday",
        job_name=INGEST[vendor],
        cron_schedule=_every(minutes),
        execution_timezone="UTC",
        default_status=status,
        description=(
            f"Refresh today's open day of {vendor}, and the end of yesterday until the daily run "
            "has closed it."
        ),
    )
    def intraday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not is_configured(vendor):
            return _without_credentials(vendor)
        now = _now(context)
        today = day_of(now)
        days = [day_before(today)] if _is_open(lake, vendor=vendor, day=day_before(today)) else []
        if not (now.hour == 0 and now.minute == 0):
            days.append(today)
        if not days:
            return dg.SkipReason("the day has only begun; the daily run closes the one before")
        return dg.RunRequest(run_key=now.isoformat(), tags={**range_tags(days), RUN_KIND: INTRADAY})

    return intraday


def _is_open(lake: Lake, *, vendor: Vendor, day: str) -> bool:
    """Say whether a day was read while it lasted and has not been closed since."""
    try:
        footer = lake.footer(RAW_DAY_TABLES[vendor], day=day)
    except LakeError:
        # Damaged: the daily run reads it again, whole.
        return False
    return footer is not None and not is_closed(footer)


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

    lake = Platform.of(settings).lake

    @dg.schedule(
        name="reconcile_daily",
        job=reconcile,
        cron_schedule=RECONCILE_CRON,
        execution_timezone="UTC",
        default_status=status,
        description="Compare lake, ledger and what Wattics stored.",
    )
    def reconcile_daily(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        if WatticsSettings().base_url is None:
            return dg.SkipReason("WATTICS_BASE_URL is not set: nothing is sent")
        return dg.RunRequest(run_key=_now(context).isoformat(), tags={RUN_KIND: "reconcile"})

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
        reconcile_daily,
        *(_daily(vendor, status=status) for vendor in RAW_DAY_TABLES),
        *(
            _intraday(vendor, minutes=settings.intraday_minutes, lake=lake, status=status)
            for vendor in RAW_DAY_TABLES
        ),
    ]
