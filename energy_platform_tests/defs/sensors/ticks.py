"""A process that ticks every sensor once and prints what each said and which Parquet it opened.

``python -m energy_platform_tests.defs.sensors.ticks``, with the variables of an installation.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import dagster as dg

from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.settings import PlatformSettings
from energy_platform_tests.opened_files import opened_parquet


class Tick(NamedTuple):
    """What a tick said, and each opening of a Parquet file of the lake meanwhile."""

    said: str
    opened: list[str]


def main() -> None:
    """Tick every sensor."""
    settings = PlatformSettings()
    platform = Platform.of(settings)
    told: dict[str, Tick] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for sensor in build_sensors(settings):
            resources = {"platform": platform}
            with (
                dg.build_sensor_context(instance=instance, resources=resources) as context,
                opened_parquet(settings.data_dir / "lake") as opened,
            ):
                data = sensor.evaluate_tick(context)
            runs = [str(one.job_name or sensor.job_name) for one in data.run_requests or []]
            said = ", ".join(runs) or str(data.skip_message)
            told[sensor.name] = Tick(said, [str(path) for path in opened])
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
