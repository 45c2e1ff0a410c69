"""The portfolio reference: every key that may stand in the portfolio, from its JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from energy_platform.reference.markdown import cell, code, table

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADS: Final = ["key", "what may stand there", "meaning"]


def portfolio_reference(schema: Mapping[str, Any]) -> str:
    """Return the sections of a portfolio and the keys of their entries, as Markdown.

    Args:
        schema: As ``portfolio_schema`` returns it.
    """
    parts = ["## The file\n\n", _keys(schema)]
    for name, entry in sorted(schema["$defs"].items()):
        parts.append(f"## {name}\n\n{cell(entry.get('description', ''))}\n\n{_keys(entry)}")
    return "".join(parts)


def _keys(entry: Mapping[str, Any]) -> str:
    required = set(entry.get("required", ()))
    rows = [
        [
            code(name) + (" (needed)" if name in required else ""),
            _type(value),
            cell(value.get("description", "")),
        ]
        for name, value in entry.get("properties", {}).items()
    ]
    return table(_HEADS, rows) + "\n"


def _type(value: Mapping[str, Any]) -> str:
    """Return in words what a schema allows; that a number may be written as a text goes unsaid."""
    if "$ref" in value:
        name = str(value["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(code(one) for one in value["enum"])
    if "const" in value:
        return code(value["const"])
    several = value.get("anyOf") or value.get("oneOf")
    if several is not None:
        found = [_type(one) for one in several]
        if "number" in found or "whole number" in found:
            found = [one for one in found if one != "text"]
        return " or ".join(dict.fromkeys(one for one in found if one))
    types = value.get("type", [])
    names = [types] if isinstance(types, str) else list(types)
    words = [_word(one, value) for one in names]
    if "whole number" in words and "text" in words:
        words.remove("whole number")
    return " or ".join(one for one in words if one)


def _word(name: str, value: Mapping[str, Any]) -> str:
    if name == "array":
        below = _type(value.get("items", {}))
        return f"list of {below}" if below else "list"
    if name == "object":
        entries = value.get("additionalProperties")
        inner = _type(entries) if isinstance(entries, dict) else ""
        return f"keys, each {inner}" if inner else "keys"
    return {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true` or `false`",
        "null": "",
    }[name]
