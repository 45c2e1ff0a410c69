"""Schedules: which days are due at each vendor, and when the inventories are read.

They give the ticks that people expect to see; what a missed tick, an outage or a run under way
kept them from asking for, the sensors ask for afterwards.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from energy_platform.days import day_before, day_bounds, day_of
from energy_platform.defs.backup import backup
from energy_platform.defs.housekeeping import housekeeping
from energy_platform.defs.ingest_requests import (
    hindrance,
    ingest_tags,
    known_days,
)
from energy_platform.defs.jobs import INGEST, inventories, reconcile
from energy_platform.defs.partitions import INTRADAY, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.destinations.base import addressed, titles, why_nothing_is_sent
from energy_platform.ingest.due import (
    SELF_HEALING_FROM,
    SourceDays,
    due,
    newest_chunk,
    start_of,
)
from energy_platform.ingest.intraday import cron, newest_tick, next_tick
from energy_platform.ingest.run import ingest_settings, is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.schemas import Vendor
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import day_tables, inventory_tables, sources

DAILY_MINUTE: Final[dict[Vendor, int]] = {
    name: 20 + 5 * (number % 5) for number, name in enumerate(sources())
}
"""Minute after midnight UTC at which a source's day is read: apart, so that they do not queue, and
all before ``SELF_HEALING_FROM``."""

RECONCILE_CRON: Final = "40 2 * * *"
"""After the daily runs, their refresh and their push."""


def _now(context: dg.ScheduleEvaluationContext) -> datetime:
    return context.scheduled_execution_time.astimezone(UTC)


def _instance(context: dg.ScheduleEvaluationContext) -> dg.DagsterInstance | None:
    """Return the instance; a tick tried by hand outside a deployment has none, hence no runs."""
    try:
        return context.instance
    except dg.DagsterInvariantViolationError:
        return None


def _daily(
    vendor: Vendor, *, platform: Platform, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{INGEST[vendor]}_daily",
        job_name=INGEST[vendor],
        cron_schedule=f"{DAILY_MINUTE[vendor]} 0 * * *",
        execution_timezone="UTC",
        default_status=status,
        description=(
            f"Close yesterday at {vendor} and read its late days again, with whatever before them "
            "is not whole, as one run."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if reason := hindrance(vendor, instance=_instance(context)):
            return dg.SkipReason(f"{reason}; {vendor}_days_due asks for the day afterwards")
        now = _now(context)
        settings = ingest_settings(vendor)
        start = start_of(settings)
        try:
            known = known_days(vendor, platform=platform)
        except CatalogueError as error:
            return dg.SkipReason(str(error))
        wanted = due(known, start=start, late_days=settings.late_days, now=now)
        if days := newest_chunk(wanted.days):
            return dg.RunRequest(
                run_key=now.isoformat(), tags=ingest_tags(vendor, days, kind="daily")
            )
        if wanted.next_at is not None:
            return dg.SkipReason(
                f"{vendor}: {len(wanted.waiting)} days rest after attempts that failed, the next "
                f"until {wanted.next_at:%Y-%m-%d %H:%M} UTC"
            )
        if start is not None and start >= day_of(now):
            return dg.SkipReason(f"{vendor} starts on {start}: no day is due yet")
        return dg.SkipReason(f"{vendor}: yesterday and its late days were read since midnight")

    return daily


def _intraday(
    vendor: Vendor, *, minutes: int, platform: Platform, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{INGEST[vendor]}_intraday",
        job_name=INGEST[vendor],
        cron_schedule=cron(minutes),
        execution_timezone="UTC",
        default_status=status,
        description=(
            f"Every {minutes} minutes: refresh today's open day of {vendor}, and the end of "
            "yesterday until the daily run has closed it."
        ),
    )
    def intraday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = _now(context)
        if newest_tick(now, minutes=minutes) != now:
            following = next_tick(now, minutes=minutes)
            return dg.SkipReason(f"every {minutes} minutes: the next is {following:%H:%M} UTC")
        if reason := hindrance(vendor, instance=_instance(context)):
            return dg.SkipReason(reason)
        if now - day_bounds(day_of(now))[0] == timedelta(minutes=DAILY_MINUTE[vendor]):
            return dg.SkipReason("the daily run reads at this minute; today follows")
        try:
            days = open_days(vendor, known_days(vendor, platform=platform), now=now)
        except CatalogueError as error:
            return dg.SkipReason(str(error))
        if isinstance(days, str):
            return dg.SkipReason(days)
        return dg.RunRequest(run_key=now.isoformat(), tags=ingest_tags(vendor, days, kind=INTRADAY))

    return intraday


def open_days(vendor: Vendor, known: SourceDays, *, now: datetime) -> list[str] | str:
    """Return the open days to read now: today, and yesterday until its daily run; or why none."""
    today = day_of(now)
    midnight = day_bounds(today)[0]
    yesterday = known.files.get(day_before(today))
    days = []
    # A damaged file is left to the daily run, which reads it again, whole.
    is_open = yesterday is not None and not yesterday.closed and not yesterday.fault
    if is_open and now < midnight + SELF_HEALING_FROM:
        days.append(day_before(today))
    start = start_of(ingest_settings(vendor))
    if start is not None and start > today:
        return f"{vendor} starts on {start}: no day is due yet"
    # A source that fails is asked again at each tick: that is how its return is noticed.
    if now > midnight:
        days.append(today)
    return days or "the day has only begun; the daily run closes the one before"


def inventory_keys() -> list[dg.AssetKey]:
    """Return the inventories of the vendors that have credentials."""
    return [
        dg.AssetKey(table.name)
        for vendor, tables in inventory_tables().items()
        if is_configured(vendor)
        for table in tables
    ]


def build_schedules(settings: PlatformSettings) -> list[dg.ScheduleDefinition]:
    """Return every schedule; they start by themselves unless the settings say otherwise."""
    status = (
        dg.DefaultScheduleStatus.RUNNING if settings.autostart else dg.DefaultScheduleStatus.STOPPED
    )

    platform = Platform.of(settings)

    @dg.schedule(
        name="reconcile_daily",
        job=reconcile,
        cron_schedule=RECONCILE_CRON,
        execution_timezone="UTC",
        default_status=status,
        description=f"Compare lake, ledger and what {titles()} stored.",
    )
    def reconcile_daily(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        if not addressed():
            return dg.SkipReason(why_nothing_is_sent())
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
        if reason := restart_needed():
            return dg.SkipReason(reason)
        keys = inventory_keys()
        if not keys:
            return dg.SkipReason("no vendor has credentials")
        return dg.RunRequest(
            run_key=_now(context).isoformat(),
            asset_selection=keys,
            tags={RUN_KIND: "inventory"},
        )

    @dg.schedule(
        name="housekeeping_daily",
        job=housekeeping,
        cron_schedule="40 3 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Forget old runs, compress old landings, remove what dead processes left.",
    )
    def housekeeping_daily(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        return dg.RunRequest(run_key=_now(context).isoformat(), tags={RUN_KIND: "housekeeping"})

    return [
        inventories_daily,
        housekeeping_daily,
        _backup_daily(settings, status=status),
        reconcile_daily,
        *(_daily(vendor, platform=platform, status=status) for vendor in day_tables()),
        *(
            _intraday(vendor, minutes=settings.intraday_minutes, platform=platform, status=status)
            for vendor in day_tables()
        ),
    ]


def _backup_daily(
    settings: PlatformSettings, *, status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="backup_daily",
        job=backup,
        cron_schedule="20 3 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Back up what cannot be made again into ENERGY_PLATFORM_BACKUP_FOLDER.",
    )
    def backup_daily(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        if settings.backup_folder is None:
            return dg.SkipReason("ENERGY_PLATFORM_BACKUP_FOLDER is not set")
        return dg.RunRequest(run_key=_now(context).isoformat(), tags={RUN_KIND: "backup"})

    return backup_daily
