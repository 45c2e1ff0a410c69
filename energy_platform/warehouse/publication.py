"""From the work file to the file everybody reads: copy, strip, audit, rename.

Only tables are published, no views: any DuckDB 1.x client reads them without an extension. A
reader keeps the file it opened; whoever opens it next gets the new one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from energy_platform.lake.files import staged
from energy_platform.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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

_HINT: Final = "python"
"""Key of the one row of ``about`` that says nothing of the build."""

ABOUT: Final = """
create or replace table about as
    from state.build_info
    union all by name
    select 'python' as key,
        'pip install duckdb pytz: without pytz, Python cannot fetch TIMESTAMPTZ columns' as value
    order by key;
comment on table about is
    'What the file was built from: newest day, reach of each vendor, versions, digests.';
create or replace table about_inputs as
    select table_name, cast(day as date) as day, content_id, rows
    from state.input_files
    order by table_name, day;
comment on table about_inputs is 'The day files of the lake that every figure rests on.';
"""


@dataclass(frozen=True, kw_only=True)
class Published:
    """The file everybody reads.

    Attributes:
        path: Where it lies.
        written: Whether it was replaced; False when it already was this build.
        rows: Rows per table.
        newest_day: Newest UTC day it rests on, None for an empty lake.
        bytes: Its size.
    """

    path: Path
    written: bool
    rows: Mapping[str, int]
    newest_day: str | None
    bytes: int


def published_info(path: Path) -> dict[str, str]:
    """Return what a published file says of itself; nothing when there is none.

    A file that cannot be read counts as none: the next publication replaces it.
    """
    if not path.exists():
        return {}
    try:
        with duckdb.connect(str(path), read_only=True) as db:
            info = dict(db.execute("select key, value from about").fetchall())
    except duckdb.Error:
        return {}
    info.pop(_HINT, None)
    return info


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
                db.execute(ABOUT)
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
