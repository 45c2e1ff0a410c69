"""The code location, assembled from ``defs``; every definition is made there.

Assembled by name and not by ``dg.load_from_defs_folder``: that asks for a ``pyproject.toml`` above
the package, which an installed wheel does not have, and the definitions depend on the settings.
"""

import dagster as dg

from energy_platform.defs.assets.core import core
from energy_platform.defs.assets.delivery import PACKETS_ASSETS, RECONCILED_CHECKS
from energy_platform.defs.assets.home import SPEC as START_HERE
from energy_platform.defs.assets.marts import build_mart_assets
from energy_platform.defs.assets.raw import RAW_ASSETS
from energy_platform.defs.assets.reports import site_reports
from energy_platform.defs.backup import backup
from energy_platform.defs.checks.missing_days import DAYS_CHECKS
from energy_platform.defs.described import described
from energy_platform.defs.housekeeping import housekeeping
from energy_platform.defs.jobs import JOBS
from energy_platform.defs.resources import build_resources
from energy_platform.defs.schedules import build_schedules
from energy_platform.defs.sensors.build import build_sensors
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
    return dg.Definitions(
        assets=described(
            [
                START_HERE,
                *RAW_ASSETS,
                core,
                *build_mart_assets(settings),
                *PACKETS_ASSETS,
                site_reports,
            ],
            settings=settings,
        ),
        asset_checks=[*RECONCILED_CHECKS, *DAYS_CHECKS],
        jobs=[*JOBS, housekeeping, backup],
        schedules=build_schedules(settings),
        sensors=build_sensors(settings),
        resources=build_resources(settings),
        executor=dg.in_process_executor,
    )
