"""Dagster's loader of secrets, replaced by one that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import Field
from dagster._core.secrets import SecretsLoader
from dagster._serdes import ConfigurableClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes.config_class import ConfigurableClassData


class NoSecrets(SecretsLoader[Any], ConfigurableClass):
    """Loads nothing: the settings are the one reader of the environment and of ``.env``.

    Dagster's default writes the lines of a ``.env`` over the environment of code servers and runs
    (`DagsterInstance.inject_env_vars`), so that a stale file would win over the environment, and a
    real account's file over a simulated installation's.
    """

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
    ) -> NoSecrets:
        """Build it from ``dagster.yaml``."""
        return cls(inst_data)

    def get_secrets_for_environment(
        self,
        location_name: str | None,  # noqa: ARG002 - Dagster's signature
    ) -> Mapping[str, str]:
        """Return no variables."""
        return {}
