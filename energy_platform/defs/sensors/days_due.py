"""The sensor of each source that asks for days that are due, newest first, one block at a time.

Which days are due is decided in ``ingest.due``; here a run is asked for, or the reason
given why none is.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from energy_platform.days import day_bounds, day_of
from energy_platform.defs.checks.missing_days import days_result
from energy_platform.defs.ingest_requests import (
    hindrance,
    ingest_tags,
    known_days,
)
from energy_platform.defs.instance.living_runs import newest_run
from energy_platform.defs.jobs import INGEST
from energy_platform.defs.partitions import (
    INTRADAY,
    RANGE_END,
    RANGE_START,
    RUN_KIND,
)
from energy_platform.defs.resources import Platform
from energy_platform.defs.schedules import open_days
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.ingest.due import (
    REPORTED_FROM,
    SELF_HEALING_FROM,
    Due,
    SourceDays,
    due,
    missing_days,
    newest_chunk,
    start_of,
)
from energy_platform.ingest.intraday import newest_tick
from energy_platform.ingest.run import ingest_settings, is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.lake.catalogue import CatalogueError, DayRecord, pause_after
from energy_platform.schemas import Vendor
from energy_platform.settings import SettingsError
from energy_platform.sources.registry import day_tables

DUE: Final = "due"
"""The kind of run that fills missing days."""

CLOSING_KINDS: Final = [DUE, "daily", "poll"]
"""Kinds of runs that close days, and note what came of each."""

MOST_RUNS_COUNTED: Final = 12
"""Newest of those runs that are looked at."""

EVERY_S: Final = 60
"""Seconds between two looks for days that are due; the shortest pause of a day is ten minutes."""


TICKS_OWN_TIME: Final = timedelta(minutes=2)
"""How long the schedule has to ask for its own tick."""


def build_due_sensor(
    vendor: Vendor, *, minutes: int, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """Return the sensor that asks for days of a source that are over and not whole."""

    @dg.sensor(
        name=f"{vendor}_days_due",
        job_name=INGEST[vendor],
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description=(
            f"Ask for days of {vendor} that are over and not whole, newest first, one block at a "
            "time, and report them in the check of the raw days."
        ),
    )
    @asks_the_catalogue
    def days_due(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        try:
            settings = ingest_settings(vendor) if is_configured(vendor) else None
        except SettingsError as error:
            return dg.SensorResult(skip_reason=restart_needed() or str(error))
        if settings is None:
            return dg.SensorResult(skip_reason=f"no credentials for {vendor}: see .env.example")
        now = platform.now()
        try:
            known = known_days(vendor, platform=platform)
        except CatalogueError as error:
            return dg.SensorResult(skip_reason=str(error))
        start, late_days = start_of(settings), settings.late_days
        wanted = due(known, start=start, late_days=late_days, now=now, after=SELF_HEALING_FROM)
        asked = _ask(vendor, context.instance, wanted=wanted, known=known, minutes=minutes, now=now)
        checked = days_result(
            vendor,
            missing_days(known, start=start, late_days=late_days, now=now, after=REPORTED_FROM),
        )
        cursor = hashlib.sha256(repr(checked).encode()).hexdigest()
        return dg.SensorResult(
            run_requests=[asked] if isinstance(asked, dg.RunRequest) else None,
            skip_reason=asked if isinstance(asked, str) else None,
            asset_events=[] if cursor == context.cursor else [_evaluation(vendor, checked)],
            cursor=cursor,
        )

    return days_due


def _evaluation(vendor: Vendor, checked: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """Return a check's result as an event of its own: no run is needed to say it."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(day_tables()[vendor].name),
        check_name=str(checked.check_name),
        passed=checked.passed,
        severity=checked.severity,
        metadata=checked.metadata,
    )


def _ask(
    vendor: Vendor,
    instance: dg.DagsterInstance,
    *,
    wanted: Due,
    known: SourceDays,
    minutes: int,
    now: datetime,
) -> dg.RunRequest | str:
    """Return the run to ask for, or why there is none."""
    if reason := hindrance(vendor, instance=instance):
        return reason
    days = newest_chunk(wanted.days)
    last = newest_run(instance, job=INGEST[vendor])
    key = "" if last is None else last.dagster_run.run_id
    if _kept_today_waiting(last, minutes=minutes, now=now):
        today = open_days(vendor, known, now=now)
        if isinstance(today, list):
            tags = ingest_tags(vendor, today, kind=INTRADAY)
            return dg.RunRequest(run_key=f"today after {key}", tags=tags)
    if days:
        rests_until = _rests_until(instance, vendor, days=days, records=known.records)
        if rests_until is not None and now < rests_until:
            return (
                f"the newest run for {days[0]} to {days[-1]} ended without a word on them; next "
                f"attempt at {rests_until:%H:%M} UTC"
            )
        return dg.RunRequest(
            run_key=f"{days[0]} to {days[-1]} after {key}",
            tags=ingest_tags(vendor, days, kind=DUE),
        )
    if _today_was_missed(last, known, minutes=minutes, now=now):
        today = open_days(vendor, known, now=now)
        if isinstance(today, list):
            tags = ingest_tags(vendor, today, kind=INTRADAY)
            return dg.RunRequest(run_key=f"today after {key}", tags=tags)
    if wanted.next_at is not None:
        newest = wanted.waiting[0]
        return (
            f"{len(wanted.waiting)} days are not whole and rest after failed attempts; next "
            f"attempt at {wanted.next_at:%Y-%m-%d %H:%M} UTC; newest {newest.day}: {newest.reason}"
        )
    return "every day that is over is whole, and the late days were read again"


def _kept_today_waiting(last: dg.RunRecord | None, *, minutes: int, now: datetime) -> bool:
    """Say whether an intraday tick was skipped for the newest run: then today comes first."""
    if last is None or last.dagster_run.tags.get(RUN_KIND) == INTRADAY:
        return False
    tick = newest_tick(now, minutes=minutes)
    is_over = last.end_time is not None and last.end_time < tick.timestamp()
    return last.create_timestamp < tick and not is_over


def _today_was_missed(
    last: dg.RunRecord | None, known: SourceDays, *, minutes: int, now: datetime
) -> bool:
    """Say whether today has no file though its tick is over: nobody was there to serve it.

    So after a start nobody looks at a day that seems to be missing until the next tick.
    """
    today = day_of(now)
    tick = newest_tick(now, minutes=minutes)
    if today in known.files or tick <= day_bounds(today)[0] or now < tick + TICKS_OWN_TIME:
        return False
    return last is None or last.create_timestamp < tick


def _rests_until(
    instance: dg.DagsterInstance,
    vendor: Vendor,
    *,
    days: list[str],
    records: Mapping[str, DayRecord],
) -> datetime | None:
    """Return until when a block rests because runs for it ended without a record of its days.

    A run that dies (out of memory, a setting that keeps the code from loading) notes nothing in
    the catalogue, so that the pauses kept there cannot hold the next one back.
    """
    runs = instance.get_run_records(
        filters=dg.RunsFilter(job_name=INGEST[vendor], tags={RUN_KIND: CLOSING_KINDS}),
        limit=MOST_RUNS_COUNTED,
    )
    newest: datetime | None = None
    count = 0
    for run in runs:
        tags = run.dagster_run.tags
        if not tags.get(RANGE_START, "~") <= days[-1] <= tags.get(RANGE_END, ""):
            continue
        record = records.get(days[-1])
        if record is not None and record.attempted_at >= run.create_timestamp:
            break
        newest = newest or run.create_timestamp
        count += 1
    return None if newest is None else newest + pause_after(count)
