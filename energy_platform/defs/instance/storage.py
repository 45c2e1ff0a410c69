"""Dagster's records in PostgreSQL, with the URL out of the settings.

Dagster's own form of it names a variable of the environment, which each process would have to be
given, as it is written. This one asks the settings, which read ``.env`` as well, and puts driver
and time zone right; the password is in no file of the instance. Configured in ``dagster.yaml``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster_postgres import DagsterPostgresStorage

from energy_platform.installation.dagster_database import SETTING, storage_url
from energy_platform.settings import PlatformSettings, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes.config_class import ConfigurableClassData


class SettingsPostgresStorage(DagsterPostgresStorage):
    """Runs, events, schedules and ticks in the database that the settings name."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the options in ``dagster.yaml``: none."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster's signature
    ) -> SettingsPostgresStorage:
        """Build the storage as ``dagster.yaml`` asks for it.

        Raises:
            SettingsError: The settings name no database.
        """
        url = required(
            PlatformSettings().dagster_url,
            variable=SETTING,
            why="the Dagster instance was made for PostgreSQL; start `energy-platform ui` again if "
            "its records shall lie in SQLite",
        )
        return cls(storage_url(url), inst_data=inst_data)
