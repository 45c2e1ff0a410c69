"""The JSON schema of a portfolio, for editors: what may stand where, and what it means.

It follows from ``model``. What only all entries together can show wrong (an unknown site, a point
that is there twice) is left to ``load``.
"""

from __future__ import annotations

import json
from typing import Any, Final

from energy_platform.destinations import DEFAULT_DESTINATION
from energy_platform.destinations.base import destinations
from energy_platform.portfolio.model import PortfolioFile
from energy_platform.schemas import VIRTUAL
from energy_platform.sources.registry import sources

SCHEMA_FILE: Final = "portfolio.schema.json"
"""Name of the schema next to the portfolio, which ``discover`` writes."""

MODELINE: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}"
"""Line of a portfolio that tells editors where its schema lies (VS Code, Neovim, JetBrains)."""

_REF: Final = "#/$defs/{model}"


def portfolio_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a portfolio's main file and of its parts.

    A part has any of the sections; that the main file has ``version`` and ``sites`` is left to the
    loading, so that one schema fits every file.
    """
    schema = PortfolioFile.model_json_schema(by_alias=True, ref_template=_REF)
    definitions: dict[str, Any] = schema["$defs"]
    definitions.pop("Stream", None)
    definitions["Device"]["properties"]["vendor"] |= {"enum": [*sources(), VIRTUAL]}
    streams: list[dict[str, Any]] = []
    for name, target in destinations().items():
        model = target.stream_model.model_json_schema(by_alias=True, ref_template=_REF)
        definitions |= model.pop("$defs", {})
        model["properties"]["destination"] |= {"const": name}
        if name != DEFAULT_DESTINATION:
            model["required"] = [*model["required"], "destination"]
        definitions[model["title"]] = model
        streams.append({"$ref": _REF.format(model=model["title"])})
    properties: dict[str, Any] = schema["properties"]
    properties["streams"]["items"] = {"anyOf": streams} if len(streams) > 1 else streams[0]
    for name, section in properties.items():
        if name != "version":
            # A section whose entries are all commented out is empty.
            section["type"] = [section["type"], "null"]
    del schema["required"]
    _no_empty_default(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Portfolio of energy_platform",
        "description": "Sites, devices, points, corrections and streams.",
    }


def schema_text() -> str:
    """Return the schema as a file holds it."""
    return json.dumps(portfolio_schema(), indent=2, ensure_ascii=False) + "\n"


def _no_empty_default(schema: Any) -> None:
    """Remove defaults that say nothing, and titles that repeat the key, so that hints are short."""
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            if value.get("default", 0) in (None, [], {}):
                value.pop("default", None)
            if value.get("title", "").replace(" ", "_").lower() == name:
                del value["title"]
        for value in schema.values():
            _no_empty_default(value)
    elif isinstance(schema, list):
        for value in schema:
            _no_empty_default(value)
