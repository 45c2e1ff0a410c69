"""From the work file to the file everybody reads: copy, audit, rename.

The file holds tables, and views over them for clients without time zones: any DuckDB 1.x client
reads it without an extension, wherever it lies. A reader keeps the file it opened; whoever opens it
next gets the new one.
"""

from __future__ import annotations

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
from energy_platform.warehouse.sql_text import as_literal, quoted, utc_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from energy_platform.warehouse.export import Exported
    from energy_platform.warehouse.mart_tables import MartTable

_NEW: Final = "published"
"""What the new file is called while it is written."""

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
        restated: Figures that were final and are others now.
    """

    path: Path
    written: bool
    rows: Mapping[str, int]
    newest_day: str | None
    bytes: int
    next_copy_at: datetime | None
    exported: Exported
    views: tuple[str, ...]
    restated: int = 0


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


def publish_file(db: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write the tables of a finished build into a new file, audit it, rename it over the target.

    The rows are written again rather than the file copied byte by byte: clients before DuckDB 1.4
    cannot read a file that 1.5 has changed in place, whatever storage version it was made for
    (measured with 1.0.0 to 1.5.5), and the new file is half as large.

    Args:
        db: The work file of a finished build.
        target: The file to publish.

    Raises:
        WarehouseError: The copy does not hold what the work file holds; the target stays.
    """
    expected = count_rows(db)
    tables = tables_of(db)
    with staged(target) as path:
        wal = path.with_name(f"{path.name}.wal")
        try:
            db.execute(f"attach {as_literal(str(path))} as {_NEW} (storage_version 'v1.0.0')")
            try:
                # Texts lie as dictionaries. To try FSST too took a tenth of the copy's time.
                db.execute("set disabled_compression_methods = 'fsst'")
                for table in tables:
                    _copy(db, table)
                _describe(db)
            finally:
                db.execute("reset disabled_compression_methods")
                db.execute(f"detach {_NEW}")
            with duckdb.connect(str(path), read_only=True) as copy:
                found = count_rows(copy)
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


def _copy(db: duckdb.DuckDBPyConnection, table: MartTable) -> None:
    name = f"{_NEW}.main.{quoted(table.name)}"
    db.execute(f"create table {name} as from {quoted(table.name)}")
    if table.description:
        db.execute(f"comment on table {name} is {as_literal(table.description)}")
    for column in table.columns:
        if column.description:
            text = as_literal(column.description)
            db.execute(f"comment on column {name}.{quoted(column.name)} is {text}")


def _describe(db: duckdb.DuckDBPyConnection) -> None:
    """Write what the file rests on, and the views for clients without time zones."""
    for name, query, text in (
        ("about", ABOUT_QUERY, ABOUT_TEXT),
        ("about_inputs", INPUTS_QUERY, INPUTS_TEXT),
    ):
        db.execute(f"create table {_NEW}.main.{name} as {query}")
        db.execute(f"comment on table {_NEW}.main.{name} is {as_literal(text)}")
    row = db.execute("select current_database()").fetchone()
    work = row[0] if row else ""
    # Views name their tables by schema only, so that they hold in whatever file they lie.
    db.execute(f"use {_NEW}")
    try:
        db.execute("create schema utc")
        for table in tables_of(db):
            db.execute(utc_view(table.name, instants=table.instants))
        db.execute("checkpoint")
    finally:
        db.execute(f"use {quoted(work)}")


def count_rows(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the rows of every table that people read."""
    names = db.execute(
        "select table_name from duckdb_tables() where schema_name = 'main' "
        "and database_name = current_database() order by table_name"
    ).fetchall()
    counts: dict[str, int] = {}
    for (name,) in names:
        row = db.execute(f'select count(*) from "{name}"').fetchone()  # noqa: S608 (own names)
        counts[name] = int(row[0]) if row else 0
    return counts
