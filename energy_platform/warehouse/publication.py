"""From the work file to the file everybody reads: copy, strip, audit, rename.

The file holds tables, and views over them for clients without time zones: any DuckDB 1.x client
reads it without an extension, wherever it lies. A reader keeps the file it opened; whoever opens it
next gets the new one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from energy_platform.lake.files import staged
from energy_platform.warehouse.errors import WarehouseError
from energy_platform.warehouse.export import (
    ABOUT_QUERY,
    ABOUT_TEXT,
    BUILT_AT,
    INPUTS_QUERY,
    INPUTS_TEXT,
)
from energy_platform.warehouse.mart_tables import tables_of
from energy_platform.warehouse.sql_text import as_literal, utc_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from energy_platform.warehouse.export import Exported

_STRIP: Final = ("state", "staging")
"""Schemas that serve the build alone."""

SANDBOX: Final = {
    "enable_external_access": "false",
    "lock_configuration": "true",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
"""Settings under which a stranger's query reaches its database alone (DuckDB, Securing DuckDB)."""

_NOT_OF_THE_INPUTS: Final = ("python", BUILT_AT)
"""Keys of ``about`` that say nothing of what the build rests on."""

_ABOUT: Final = f"""
create or replace table about as {ABOUT_QUERY};
comment on table about is {as_literal(ABOUT_TEXT)};
create or replace table about_inputs as {INPUTS_QUERY};
comment on table about_inputs is {as_literal(INPUTS_TEXT)};
"""


@dataclass(frozen=True, kw_only=True)
class Published:
    """The file everybody reads.

    Attributes:
        path: Where it lies.
        written: Whether it was replaced; False when it already was this build, or is not due.
        rows: Rows per table.
        newest_day: Newest UTC day it rests on, None for an empty lake.
        bytes: Its size.
        next_copy_at: When it is copied again, where it lags behind the marts; else None.
        exported: What was written of the marts as Parquet.
        views: The views of ``live.duckdb``.
    """

    path: Path
    written: bool
    rows: Mapping[str, int]
    newest_day: str | None
    bytes: int
    next_copy_at: datetime | None
    exported: Exported
    views: tuple[str, ...]


def without_hints(about: Mapping[str, str]) -> dict[str, str]:
    """Return what a build rests on, of all that its ``about`` says."""
    return {key: text for key, text in about.items() if key not in _NOT_OF_THE_INPUTS}


def published_about(path: Path) -> dict[str, str]:
    """Return what a published file says of itself; nothing when there is none.

    A file that cannot be read counts as none: the next publication replaces it.
    """
    if not path.exists():
        return {}
    try:
        with duckdb.connect(str(path), read_only=True) as db:
            return dict(db.execute("select key, value from about").fetchall())
    except duckdb.Error:
        return {}


def published_info(path: Path) -> dict[str, str]:
    """Return what a published file was built from; nothing when there is none."""
    return without_hints(published_about(path))


def publish_file(work: Path, target: Path) -> None:
    """Copy the closed work file, strip it, audit it and rename it over the target.

    Args:
        work: The work file of a finished build; nobody has it open.
        target: The file to publish.

    Raises:
        WarehouseError: The copy does not hold what the work file holds; the target stays.
    """
    with duckdb.connect(str(work)) as db:
        db.execute("checkpoint")
    if work.with_name(f"{work.name}.wal").exists():
        raise WarehouseError(f"{work}: still has a write-ahead log; another process has it open")
    with staged(target, locked=True) as path:
        wal = path.with_name(f"{path.name}.wal")
        try:
            shutil.copyfile(work, path)
            with duckdb.connect(str(path)) as db:
                expected = count_rows(db)
                db.execute(_ABOUT)
                db.execute("create schema utc")
                for table in tables_of(db):
                    db.execute(utc_view(table.name, instants=table.instants))
                for schema in _STRIP:
                    db.execute(f"drop schema if exists {schema} cascade")
                db.execute("checkpoint")
            with duckdb.connect(str(path), read_only=True) as db:
                found = count_rows(db)
            if {name: found.get(name) for name in expected} != expected:
                raise WarehouseError(
                    f"{target.name}: the copy holds {found}, expected {expected}; "
                    "the published file stays as it was"
                )
            path.chmod(0o444)
        finally:
            wal.unlink(missing_ok=True)
        # A client's leftover log would be replayed into the new file.
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)


def count_rows(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the rows of every table that people read."""
    names = db.execute(
        "select table_name from duckdb_tables() where schema_name = 'main' order by table_name"
    ).fetchall()
    counts: dict[str, int] = {}
    for (name,) in names:
        row = db.execute(f'select count(*) from "{name}"').fetchone()  # noqa: S608 (own names)
        counts[name] = int(row[0]) if row else 0
    return counts
