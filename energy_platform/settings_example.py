"""The text of ``.env.example``, made from the settings so that it never misses a variable.

``python -m energy_platform.settings_example`` prints it.
"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticUndefined

from energy_platform.destinations.base import destination
from energy_platform.settings import DestinationSettings, SourceSettings, sections, variable
from energy_platform.sources.registry import get_source

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

HEAD: Final = """\
# Every variable of the platform. Copy to .env and fill in what you have; what stays commented
# keeps the default shown. A vendor without credentials is left alone. Never commit .env, and let
# nobody else read it: chmod 600 .env. Afterwards: energy-platform doctor
#
# A value is taken as written, without expansion of $ or ${}. Put it in single quotes when it holds
# " #" or begins with a quote. The environment comes before this file, in every process.
"""


def env_example() -> str:
    """Return the text of ``.env.example``."""
    parts = [HEAD]
    for name, section in sections().items():
        parts.append(f"\n# --- read by {reader(name, section)}\n")
        for field_name in fields_in_order(name, section):
            field = section.model_fields[field_name]
            if field.validation_alias is not None:
                # Read by several sections; shown with the platform's own.
                continue
            what = "\n".join(
                textwrap.wrap(
                    field.description or field_name, 98, initial_indent="# ", subsequent_indent="# "
                )
            )
            parts.append(
                f"{what}\n#{variable(section, field_name)}={default_text(field_name, field)}\n"
            )
    return "".join(parts)


def reader(name: str, section: type[BaseSettings]) -> str:
    """Say who reads a section.

    Args:
        name: Of the section.
        section: Its class.
    """
    if issubclass(section, SourceSettings):
        return f"the source {get_source(name).title} ({section.__module__.rpartition('.')[0]})"
    if issubclass(section, DestinationSettings):
        return f"the delivery to {destination(name).title} (energy_platform/delivery)"
    return {
        "platform": "the platform itself",
        "alerts": "alerts (energy_platform/alerts)",
        "reports": "the reports (energy_platform/report)",
    }[name]


def fields_in_order(name: str, section: type[BaseSettings]) -> list[str]:
    """Return a section's fields; of a source the login first, last what all sources have.

    Args:
        name: Of the section.
        section: Its class.
    """
    if not issubclass(section, SourceSettings):
        return list(section.model_fields)
    own = [field for field in section.model_fields if field in section.__annotations__]
    return list(dict.fromkeys((*get_source(name).login, *own, *section.model_fields)))


def default_text(name: str, field: FieldInfo) -> str:
    """Return the default of a field as it is written in ``.env``; empty where there is none.

    Args:
        name: Of the field.
        field: Its definition.
    """
    if name in {"data_dir", "portfolio", "dbt_project_dir"}:
        return {"data_dir": "data", "portfolio": "portfolio.yaml"}.get(name, "dbt_models")
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, (dict, tuple)):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(env_example())
