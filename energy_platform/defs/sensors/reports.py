"""The sensor that asks for the reports; ``report`` knows which pages are stale and what is due.

Most publications change no page: the month under way gets a new one when another day is over.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

from energy_platform.alerts import AlertStoreError
from energy_platform.defs.assets.marts import PUBLISHED
from energy_platform.defs.assets.reports import PAGES_WRITTEN, SITE_REPORTS
from energy_platform.defs.instance.living_runs import attempts, jobs_of, living_runs
from energy_platform.defs.jobs import reports
from energy_platform.defs.partitions import RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.last_look import LastLook, resting, seen_by
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.defs.versions import made_again_of, newest_materialization
from energy_platform.installation.upgrade import restart_needed
from energy_platform.portfolio import PortfolioError
from energy_platform.report import ReportError
from energy_platform.report.current import needs_a_run
from energy_platform.settings import Settings, SettingsError

EVERY_S: Final = 60
"""Seconds between two looks: a page may be a minute behind."""

LOOKS_AT_LEAST_EVERY: Final = timedelta(hours=1)
"""Mail becomes due by the clock alone."""

NOTHING_DUE: Final = "every page shows what is published"


def build_reports_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that asks for the pages of sites whose figures changed."""

    @dg.sensor(
        name="reports_when_published",
        job=reports,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description="Ask for the reports of sites whose figures changed, and for mail that is due.",
    )
    @asks_the_catalogue
    def reports_when_published(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason | dg.SensorResult:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        now = platform.now()
        before = attempts(context.instance, job=reports.name)
        look = LastLook(context, now=now, at_least_every=LOOKS_AT_LEAST_EVERY)
        published = newest_materialization(context.instance, dg.AssetKey(PUBLISHED))
        seen = seen_by(
            platform, runs=f"{before.last_run_id} {published.storage_id if published else None}"
        )
        if look.is_still(seen):
            return dg.SkipReason(f"nothing was published since {look.at:%H:%M} UTC")
        if reports.name in jobs_of(living_runs(context.instance)):
            return dg.SkipReason("reports are being made")
        if before.next_at is not None and now < before.next_at:
            return dg.SkipReason(resting("reports", before.failed, before.next_at))
        try:
            why = needs_a_run(
                platform.data, platform.portfolio(), settings=Settings.load().reports, now=now
            )
        except (AlertStoreError, PortfolioError, ReportError, SettingsError) as error:
            return dg.SkipReason(str(error))
        if not why:
            look.note(seen)
            return dg.SensorResult(
                skip_reason=NOTHING_DUE, asset_events=_still_in_sync(context.instance, published)
            )
        context.log.info(why)
        return dg.RunRequest(run_key=f"after {before.last_run_id}", tags={RUN_KIND: "reports"})

    return reports_when_published


def _still_in_sync(
    instance: dg.DagsterInstance, published: dg.EventLogRecord | None
) -> list[dg.AssetMaterialization]:
    """Return what tells Dagster that the pages follow from a publication that changed none."""
    made = newest_materialization(instance, dg.AssetKey(SITE_REPORTS))
    if made is None or published is None:
        return []
    again = made_again_of(
        made,
        dg.AssetKey(PUBLISHED),
        published,
        why=NOTHING_DUE,
        metadata={PAGES_WRITTEN: 0},
    )
    return [] if again is None else [again]
