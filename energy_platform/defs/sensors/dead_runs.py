"""The sensor that fails runs whose process is gone; how they are found lies in ``instance``."""

from typing import Final

import dagster as dg

from energy_platform.defs.instance.dead_runs import fail_dead_runs
from energy_platform.defs.instance.living_runs import home_of
from energy_platform.installation.upgrade import note_restart

WATCH_S: Final = 60
"""Seconds between two looks of the sensor."""


def build_watch_sensor() -> dg.SensorDefinition:
    """Return the sensor that fails dead runs; it asks for no run and is always on."""

    @dg.sensor(
        name="fail_dead_runs",
        job_name="refresh",
        minimum_interval_seconds=WATCH_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fail runs whose process is gone and free their pool slots; asks for no run.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        failed = fail_dead_runs(context.instance, daemon=True)
        for one in failed:
            context.log.error("%s (%s): %s", one.job, one.run_id, one.why)
        if why := note_restart(home_of(context.instance)):
            context.log.error(why)
        if failed:
            return dg.SkipReason("; ".join(f"{one.job} {one.run_id[:8]} died" for one in failed))
        return dg.SkipReason("every run under way has a living process")

    return watch
