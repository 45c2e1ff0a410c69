"""The code location: assets, checks, jobs, schedules, sensors and the resource they share."""

import dagster as dg

from energy_platform.defs.assets.core import core
from energy_platform.defs.assets.days import DAYS_CHECKS
from energy_platform.defs.assets.marts import build_mart_assets
from energy_platform.defs.assets.raw import RAW_ASSETS
from energy_platform.defs.assets.wattics import wattics_packets, wattics_reconciled
from energy_platform.defs.automation.alerts import build_alert_sensor
from energy_platform.defs.automation.alive import build_watch_sensor
from energy_platform.defs.automation.housekeeping import housekeeping
from energy_platform.defs.automation.jobs import JOBS
from energy_platform.defs.automation.schedules import build_schedules
from energy_platform.defs.automation.sensors import build_sensors
from energy_platform.defs.resources import Platform
from energy_platform.installation.instance import require_own_instance
from energy_platform.settings import Settings


@dg.definitions
def definitions() -> dg.Definitions:
    """Return what Dagster loads, on the platform's own instance only.

    Raises:
        SettingsError: A setting is wrong; the message names the variable.
        ForeignInstanceError: Somebody else's instance; the message says how to start instead.
    """
    require_own_instance(Settings.load().platform.data_dir)
    return build_definitions()


def build_definitions() -> dg.Definitions:
    """Assemble the one Definitions object from the settings.

    Raises:
        SettingsError: A setting is wrong; the message names the variable.
    """
    settings = Settings.load().platform
    platform = Platform.of(settings)
    return dg.Definitions(
        assets=[*RAW_ASSETS, core, *build_mart_assets(settings), wattics_packets],
        asset_checks=[wattics_reconciled, *DAYS_CHECKS],
        jobs=[*JOBS, housekeeping],
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings), build_watch_sensor(), build_alert_sensor()],
        resources={"platform": platform},
        executor=dg.in_process_executor,
    )
