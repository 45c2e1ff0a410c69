"""Every environment variable of the platform: type, default and reader.

Nothing else reads the environment. The environment comes before the env file, in every process
alike; a simulated installation reads one file of its own and neither of the two. Each vendor's
section can also be built directly, so a client never looks at the environment itself. A missing
credential raises where it is used and names the variable; a clone without any secret loads, tests
and runs the demo.
"""

from __future__ import annotations

from energy_platform.settings.destinations import BasicCredential, DestinationSettings
from energy_platform.settings.environment import (
    SIMULATION,
    SettingsError,
    settings_from,
    simulation_file,
    variables,
)
from energy_platform.settings.load import Settings, sections
from energy_platform.settings.messages import AlertSettings, ReportSettings
from energy_platform.settings.platform import PlatformSettings, beside_or_in_package
from energy_platform.settings.section import CA_FILE, required, variable
from energy_platform.settings.sources import RUN_LIMIT_IS, ApiSettings, SourceSettings
from energy_platform.settings.values import LOOPBACK, MOST, YEAR_S, Url

__all__ = [
    "CA_FILE",
    "LOOPBACK",
    "MOST",
    "RUN_LIMIT_IS",
    "SIMULATION",
    "YEAR_S",
    "AlertSettings",
    "ApiSettings",
    "BasicCredential",
    "DestinationSettings",
    "PlatformSettings",
    "ReportSettings",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "Url",
    "beside_or_in_package",
    "required",
    "sections",
    "settings_from",
    "simulation_file",
    "variable",
    "variables",
]
