"""The variables ``FILES_*``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from energy_platform.installation.env_file import home_folder
from energy_platform.settings import MOST, SourceSettings
from energy_platform.sources.files.mapping import Clock  # noqa: TC001 - pydantic reads it


class FilesSettings(SourceSettings):
    """Files dropped into a folder (variables ``FILES_*``)."""

    model_config = SettingsConfigDict(env_prefix="FILES_")

    folder: Path | None = Field(
        None,
        description="Inbox, with a folder per logger, such as data/inbox/files; empty: no files.",
    )
    timezone: Clock | None = Field(
        None,
        description="Clock of loggers whose mapping states none: Europe/Paris, or +01:00.",
    )
    late_days: int = Field(
        7, ge=0, le=60, description="Days a file may bring what a day lacks; then it is closed."
    )
    settle_s: float = Field(
        30, ge=0, le=86_400, description="Seconds a file is left alone after its last change."
    )
    largest_mb: int = Field(200, ge=1, le=MOST, description="Largest file that is read, megabytes.")

    @field_validator("folder")
    @classmethod
    def _under_home(cls, folder: Path | None) -> Path | None:
        return None if folder is None else home_folder() / folder.expanduser()
