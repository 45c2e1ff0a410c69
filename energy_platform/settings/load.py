"""All sections together, read at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, SerializeAsAny
from pydantic_settings import BaseSettings

from energy_platform.settings.destinations import DestinationSettings
from energy_platform.settings.environment import SettingsError, settings_from
from energy_platform.settings.messages import AlertSettings, ReportSettings
from energy_platform.settings.platform import PlatformSettings
from energy_platform.settings.section import Section, variable
from energy_platform.settings.sources import SourceSettings


class Settings(BaseModel, frozen=True):
    """All sections together."""

    platform: PlatformSettings
    alerts: AlertSettings
    reports: ReportSettings
    sources: dict[str, SerializeAsAny[SourceSettings]]
    destinations: dict[str, SerializeAsAny[DestinationSettings]]

    def variables(self) -> list[str]:
        """Return the names of the variables that are set, without their values, sorted."""
        names = {
            variable(type(section), field)
            for section in self.all_sections()
            for field in section.model_fields_set
            if field in type(section).model_fields
        }
        return sorted(names)

    def all_sections(self) -> tuple[BaseSettings, ...]:
        """Return every section, those of the sources and the destinations among them."""
        return (
            self.platform,
            self.alerts,
            self.reports,
            *self.sources.values(),
            *self.destinations.values(),
        )

    @classmethod
    def load(cls, given: Mapping[str, str] | None = None) -> Self:
        """Read the variables of this process, or those that are given and no others.

        Raises:
            SettingsError: Names every wrong variable, what came and what is expected.
        """
        built: dict[str, Section] = {}
        problems: dict[str, None] = {}
        with settings_from(given):
            for name, section in sections().items():
                try:
                    built[name] = section()
                except SettingsError as error:
                    # An unreadable env file is said once, not by every section.
                    problems |= dict.fromkeys(str(error).splitlines())
        if problems:
            # A variable that several sections read is named once.
            raise SettingsError("\n".join(dict.fromkeys(problems)))
        own: dict[str, Any] = {name: built.pop(name) for name in ("platform", "alerts", "reports")}
        for group, kind in (("sources", SourceSettings), ("destinations", DestinationSettings)):
            own[group] = {name: one for name, one in built.items() if isinstance(one, kind)}
        return cls.model_validate(own)


def sections() -> dict[str, type[Section]]:
    """Return every section by name, in the order of ``.env.example``; others by their own name.

    Raises:
        SettingsError: The registration of a source or a destination is not complete.
    """
    # Here, because the settings of both are made of what this module has.
    from energy_platform.destinations.base import destinations  # noqa: PLC0415
    from energy_platform.sources.registry import sources  # noqa: PLC0415

    return {
        "platform": PlatformSettings,
        **{name: source.settings for name, source in sources().items()},
        "alerts": AlertSettings,
        "reports": ReportSettings,
        **{name: target.settings for name, target in destinations().items()},
    }
