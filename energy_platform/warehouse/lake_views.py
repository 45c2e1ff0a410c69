"""``lake.duckdb``: live views over the Parquet tables, for whoever asks about a single reading."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import duckdb

from energy_platform.lake.files import staged
from energy_platform.sources.registry import reject_tables, tables
from energy_platform.warehouse.publication import SANDBOX

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.lake.lake import Lake

_ABOUT = (
    "Live views over the Parquet files of the lake: what they show changes while you look, and a "
    "query fails when its files move. energy.duckdb holds the audited figures."
)


def write_lake_views(lake: Lake, target: Path) -> tuple[str, ...]:
    """Write a DuckDB file of one view per table of the lake that has files.

    The views name the lake's files by absolute paths, which DuckDB needs. In a copied or moved
    file they would go on showing the old folder, so each of them fails where the file is not the
    one that was written.

    Args:
        lake: The day files.
        target: The file to write; replaced by rename.

    Returns:
        The names of the views.
    """
    with staged(target) as path:
        with duckdb.connect(str(path), config={"storage_compatibility_version": "v1.0.0"}) as db:
            made = _create_views(db, lake, only_in=target)
        path.chmod(0o444)
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
    return made


def open_lake_views(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a connection to live views of a lake, which reads its folder and nothing else.

    Raises:
        FileNotFoundError: The lake has no files yet.
    """
    db = duckdb.connect(":memory:")
    if not _create_views(db, lake):
        db.close()
        raise FileNotFoundError(errno.ENOENT, "no such lake", str(lake.root))
    db.execute(f"set allowed_directories = [{_literal(str(lake.root))}]")
    for name, value in SANDBOX.items():
        if name != "lock_configuration":
            db.execute(f"set {name} = {value}")
    db.execute("set lock_configuration = true")
    return db


def _create_views(
    db: duckdb.DuckDBPyConnection, lake: Lake, *, only_in: Path | None = None
) -> tuple[str, ...]:
    db.execute("create table about (key text, value text)")
    db.execute("insert into about values ('what', ?), ('lake', ?)", [_ABOUT, str(lake.root)])
    db.execute(f"comment on table about is '{_ABOUT}'")
    guard = "" if only_in is None else f" where {_is_in_place(only_in)}"
    made: list[str] = []
    for table in (*tables().values(), *reject_tables().values()):
        has_files = bool(lake.days(table)) if table.partitioned else lake.path(table).exists()
        if not has_files:
            continue
        hive = "hive_partitioning=true, hive_types={'day': date}"
        options = hive if table.partitioned else "hive_partitioning=false"
        db.execute(
            f"create view {table.name} as select * "  # noqa: S608 (names of the registry)
            f"from read_parquet({_literal(lake.pattern(table))}, {options}){guard}"
        )
        text = f"{table.description} Live view; see about."
        db.execute(f"comment on view {table.name} is {_literal(text)}")
        made.append(table.name)
    return tuple(made)


def _is_in_place(target: Path) -> str:
    """Return a condition that fails unless the open database is the file at ``target``.

    Older clients report the path as it was typed; one that is not absolute says nothing.
    """
    places = ", ".join(_literal(str(one)) for one in sorted({target.absolute(), target.resolve()}))
    message = (
        f"these views show {target.absolute().parent}, and this file was copied or moved from "
        "there; ask energy-platform sql --lake, or run a refresh, which writes it again"
    )
    return (
        "case when exists (select 1 from duckdb_databases() where not internal and "  # noqa: S608
        f"(path in ({places}) or path like '%.duckdb' and not starts_with(path, '/'))) "
        f"then true else error({_literal(message)}) end"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
