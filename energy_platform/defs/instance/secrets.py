"""The secrets of the settings as Dagster asks for them: by ``dg.EnvVar``, out of the environment.

Dagster resolves the variables that a resource names in the process that uses it. Its own loader
writes the lines of a ``.env`` over the environment of code servers and runs
(``DagsterInstance.inject_env_vars``), so that a stale file would win over the environment, and a
real account's file over a simulated installation's. The one here asks the settings, which are the
one reader of both, and gives the secrets only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from dagster import Field
from dagster._core.secrets import SecretsLoader
from dagster._serdes import ConfigurableClass
from pydantic import BaseModel, SecretStr

from energy_platform.settings import SettingsError, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes.config_class import ConfigurableClassData
    from pydantic_settings import BaseSettings


def secrets_of(section: type[BaseSettings]) -> dict[str, str]:
    """Return the variable of each secret of a section of the settings, by field."""
    prefix = section.model_config.get("env_prefix", "")
    return {
        name: f"{prefix}{name}".upper()
        for name, field in section.model_fields.items()
        if _holds_secret(field.annotation)
    }


def set_variables(section: type[BaseSettings]) -> dict[str, str]:
    """Return those secrets of a section that are set, by field.

    Raises:
        SettingsError: The env file cannot be read.
    """
    known = variables()
    return {
        name: variable
        for name, variable in secrets_of(section).items()
        if variable.lower() in known
    }


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_holds_secret(field.annotation) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def secret_values() -> dict[str, str]:
    """Return every secret that is set, by variable; none where the settings cannot be read.

    The code location says then what is wrong with them.
    """
    # Dagster imports this module in processes that never ask for a secret.
    from energy_platform.destinations.base import destinations  # noqa: PLC0415
    from energy_platform.settings import PlatformSettings  # noqa: PLC0415
    from energy_platform.sources.registry import sources  # noqa: PLC0415

    try:
        sections: list[type[BaseSettings]] = [
            PlatformSettings,
            *(one.settings for one in destinations().values()),
            *(one.settings for one in sources().values()),
        ]
        known = variables()
        named = [one for section in sections for one in set_variables(section).values()]
    except SettingsError:
        return {}
    return {variable: known[variable.lower()] for variable in named}


class SettingsSecrets(SecretsLoader[Any], ConfigurableClass):
    """Gives Dagster's processes the secrets that the settings have."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What ``dagster.yaml`` says of this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Field]:
        """Return the options of this class: none."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - Dagster's signature
    ) -> SettingsSecrets:
        """Build it from ``dagster.yaml``."""
        return cls(inst_data)

    def get_secrets_for_environment(
        self,
        location_name: str | None,  # noqa: ARG002 - Dagster's signature
    ) -> Mapping[str, str]:
        """Return the secrets by variable."""
        return secret_values()
