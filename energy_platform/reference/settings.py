"""The settings reference: every variable, from the settings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.reference.markdown import cell, code, table
from energy_platform.settings import sections, variable
from energy_platform.settings_example import default_text, fields_in_order, reader

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings


def settings_reference() -> str:
    """Return every variable with its default and meaning, section by section, as Markdown."""
    parts = []
    for name, section in sections().items():
        who = reader(name, section)
        parts.append(f"## {who[0].upper()}{who[1:]}\n\n")
        parts.append(table(["variable", "default", "meaning"], _rows(name, section)) + "\n")
    return "".join(parts)


def _rows(name: str, section: type[BaseSettings]) -> list[list[str]]:
    return [
        [
            code(variable(section, field)),
            code(default_text(field, section.model_fields[field])),
            cell(section.model_fields[field].description or field),
        ]
        for field in fields_in_order(name, section)
        if section.model_fields[field].validation_alias is None
    ]
