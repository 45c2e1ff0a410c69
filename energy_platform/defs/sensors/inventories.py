"""The sensor that asks again for inventories which could not be read when their schedule asked."""

import dagster as dg

from energy_platform.defs.instance.living_runs import attempts, newest_run
from energy_platform.defs.jobs import inventories
from energy_platform.defs.partitions import INVENTORIES_AGAIN, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.schedules import inventory_keys
from energy_platform.defs.sensors.days_due import EVERY_S
from energy_platform.defs.sensors.ticking import asks_the_catalogue
from energy_platform.ingest.last_answer import last_answer_at
from energy_platform.ingest.run import is_configured
from energy_platform.installation.upgrade import restart_needed
from energy_platform.sources.registry import day_tables


def build_inventories_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Return the sensor that asks again for inventories that failed."""

    @dg.sensor(
        name="inventories_again",
        job=inventories,
        minimum_interval_seconds=EVERY_S,
        default_status=status,
        description=(
            "Ask again for the inventories when their newest run failed and every source has "
            "answered since: the schedule would do so only after the next midnight."
        ),
    )
    @asks_the_catalogue
    def inventories_again(
        context: dg.SensorEvaluationContext, platform: Platform
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := restart_needed():
            return dg.SkipReason(reason)
        record = newest_run(context.instance, job=inventories.name)
        if record is None or record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            return dg.SkipReason("the newest inventories are read, being read, or not due yet")
        sources = [vendor for vendor in day_tables() if is_configured(vendor)]
        for vendor in sources:
            heard = last_answer_at(platform.lake, landing=platform.landing(vendor), source=vendor)
            if heard is None or heard < record.create_timestamp:
                return dg.SkipReason(f"{vendor} has not answered since the inventories failed")
        before = attempts(context.instance, job=inventories.name)
        if before.next_at is not None and platform.now() < before.next_at:
            return dg.SkipReason(
                f"inventories failed {before.failed} times in a row; next attempt at "
                f"{before.next_at:%H:%M} UTC"
            )
        return dg.RunRequest(
            run_key=f"after {before.last_run_id}",
            asset_selection=inventory_keys(),
            tags={RUN_KIND: INVENTORIES_AGAIN},
        )

    return inventories_again
