"""Every sensor of the code location."""

import dagster as dg

from energy_platform.defs.sensors.alerts import build_alert_sensor
from energy_platform.defs.sensors.days_due import build_due_sensor
from energy_platform.defs.sensors.dead_runs import build_watch_sensor
from energy_platform.defs.sensors.inventories import build_inventories_sensor
from energy_platform.defs.sensors.polls import build_poll_sensor
from energy_platform.defs.sensors.push import build_push_sensor
from energy_platform.defs.sensors.refresh import build_refresh_sensor
from energy_platform.defs.sensors.reports import build_reports_sensor
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import sources


def build_sensors(settings: PlatformSettings) -> list[dg.SensorDefinition]:
    """Return every sensor.

    Those that ask for runs start by themselves unless the settings say otherwise; those that look
    after the installation always do.
    """
    status = (
        dg.DefaultSensorStatus.RUNNING if settings.autostart else dg.DefaultSensorStatus.STOPPED
    )
    return [
        *(
            build_poll_sensor(name, status=status)
            for name, source in sources().items()
            if source.poll is not None
        ),
        build_inventories_sensor(status),
        *(
            build_due_sensor(vendor, minutes=settings.intraday_minutes, status=status)
            for vendor in sources()
        ),
        build_refresh_sensor(status),
        build_push_sensor(status),
        build_reports_sensor(status),
        build_watch_sensor(),
        build_alert_sensor(),
    ]
