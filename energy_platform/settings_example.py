"""The text of ``.env.example``, made from the settings so that it never misses a variable."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticUndefined

from energy_platform.settings import (
    AlertSettings,
    BelimoSettings,
    PlatformSettings,
    SkycentricsSettings,
    SocomecSettings,
    WatticsSettings,
    variable,
)

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

READERS: Final[dict[type[BaseSettings], str]] = {
    PlatformSettings: "the platform itself",
    SocomecSettings: "the Socomec SoData client (energy_platform/sources/socomec)",
    BelimoSettings: "the Belimo Cloud client (energy_platform/sources/belimo)",
    SkycentricsSettings: "the SkyCentrics client (energy_platform/sources/skycentrics)",
    AlertSettings: "alerts (energy_platform/alerts)",
    WatticsSettings: "the delivery to Wattics (energy_platform/delivery)",
}
"""Each section and who reads it."""

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
    for section, reader in READERS.items():
        parts.append(f"\n# --- read by {reader}\n")
        for name, field in section.model_fields.items():
            if field.validation_alias is not None:
                # Read by several sections; shown with the platform's own.
                continue
            what = "\n".join(
                textwrap.wrap(
                    field.description or name, 98, initial_indent="# ", subsequent_indent="# "
                )
            )
            parts.append(f"{what}\n#{variable(section, name)}={_default(name, field)}\n")
    return "".join(parts)


def _default(name: str, field: FieldInfo) -> str:
    if name in {"data_dir", "portfolio", "dbt_project_dir"}:
        return {"data_dir": "data", "portfolio": "portfolio.yaml"}.get(name, "dbt_models")
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, (dict, tuple)):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
