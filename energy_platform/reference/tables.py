"""The data dictionary: every table and column that can be asked, from its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from energy_platform.reference.markdown import cell, code, table
from energy_platform.schemas import INSTANT
from energy_platform.sources.registry import reject_tables, tables
from energy_platform.warehouse.extract import unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from energy_platform.schemas import Table

_FOLDERS: Final = {
    "marts": "Marts: answers",
    "facts": "Facts: every point, by period",
    "dimensions": "Dimensions: what there is",
}
"""Folders of the dbt project whose tables are published, and what a reader looks for there."""

_AS_ROW: Final = "\x00"
_TYPES: Final[dict[pl.DataType, str]] = {
    INSTANT: "timestamptz",
    pl.String(): "varchar",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    pl.Int64(): "bigint",
    pl.Int32(): "integer",
    pl.Date(): "date",
}


def data_dictionary(manifest: Mapping[str, Any]) -> str:
    """Return every table of the published file and of the lake, as Markdown.

    Args:
        manifest: dbt's, as ``dbt parse`` writes it.

    Raises:
        ValueError: A published table or one of its columns is not described, or has no type.
    """
    nodes = manifest["nodes"]
    never_null, keys = _never_null(nodes), _keys(nodes)
    parts = []
    for folder, title in _FOLDERS.items():
        models = sorted(
            (one for one in nodes.values() if _is_model(one, folder=folder)),
            key=lambda one: str(one["name"]),
        )
        parts.append(f"## {title}\n\n")
        parts += [
            _model(one, never_null=never_null[one["unique_id"]], key=keys.get(one["unique_id"], []))
            for one in models
        ]
    parts.append("## The lake\n\nAsked with `energy-platform sql --live`, or as Parquet.\n\n")
    lake = {one.name: one for one in (*tables().values(), *reject_tables().values())}
    parts += [_lake_table(lake[name]) for name in sorted(lake)]
    return "".join(parts)


def _is_model(node: Mapping[str, Any], *, folder: str) -> bool:
    return bool(node["resource_type"] == "model" and node["fqn"][1] == folder)


def _never_null(nodes: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the columns of each model that a test of the build holds to be there."""
    found: dict[str, set[str]] = {
        name: set() for name, one in nodes.items() if one["resource_type"] == "model"
    }
    for one in nodes.values():
        test = one.get("test_metadata")
        if test is None or one.get("attached_node") not in found:
            continue
        if test["name"] == "not_null":
            found[one["attached_node"]].add(one["column_name"])
        if test["name"] == "complete":
            found[one["attached_node"]].update(test["kwargs"].get("columns", ()))
    return found


def _keys(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns by which a test of the build tells the rows of each model apart."""
    found: dict[str, list[str]] = {}
    for one in nodes.values():
        test = one.get("test_metadata")
        if test is None:
            continue
        if test["name"] == "unique_rows":
            found[one["attached_node"]] = list(test["kwargs"]["columns"])
        elif test["name"] == "unique":
            found.setdefault(one["attached_node"], [one["column_name"]])
    return found


def _model(node: Mapping[str, Any], *, never_null: set[str], key: list[str]) -> str:
    def rows() -> Iterator[list[str]]:
        for name, column in node["columns"].items():
            if not column["description"] or not column["data_type"]:
                raise ValueError(f"{node['name']}.{name} has no description or no data_type in dbt")
            unit = unit_of(name, _AS_ROW)
            yield [
                code(name),
                cell(str(column["data_type"]).lower()),
                "as `unit`" if unit == _AS_ROW else cell(unit or ""),
                "never" if name in never_null else "key" if name in key else "may be",
                cell(column["description"]),
            ]

    if not node["description"]:
        raise ValueError(f"{node['name']} has no description in dbt")
    return _section(str(node["name"]), str(node["description"]), rows(), notes=_told_by(key))


def _lake_table(one: Table) -> str:
    rows = (
        [
            code(column.name),
            _TYPES.get(column.dtype, str(column.dtype).lower()),
            cell(column.unit or ""),
            "may be" if column.nullable else "never",
            cell(column.description),
        ]
        for column in one.columns
    )
    kept = "One file per UTC day." if one.partitioned else "One file, replaced by the next reading."
    notes = " ".join((kept, _told_by(one.sort_key)))
    return _section(one.name, one.description, rows, notes=notes)


def _told_by(key: Iterable[str]) -> str:
    names = ", ".join(map(code, key))
    return f"Rows are told apart by {names}." if names else ""


def _section(name: str, description: str, rows: Iterator[list[str]], *, notes: str) -> str:
    parts = (
        f"### {name}",
        cell(description),
        notes,
        table(["column", "type", "unit", "null", "meaning"], rows),
    )
    return "\n\n".join(part for part in parts if part) + "\n"
