"""``live.duckdb``: views over the Parquet files of the marts and of the lake.

A program that keeps the file open sees each publication with its next query, since the files below
it are replaced one by one. The views name those files by absolute paths, which DuckDB needs. In a
copied or moved folder they would go on showing the old one, so each of them fails where the file is
not the one that was written; the platform writes it again when it finds it moved.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl

from energy_platform.lake.digests import digest_of
from energy_platform.lake.files import staged
from energy_platform.lake.footers import LakeError
from energy_platform.sources.registry import reject_tables, tables
from energy_platform.warehouse.mart_tables import read_catalogue
from energy_platform.warehouse.publication import SANDBOX
from energy_platform.warehouse.sql_text import as_literal, quoted, utc_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Table

LIVE_FILE: Final = "live.duckdb"
"""Name of the file, in the data folder."""

_BEFORE_0_2: Final = "lake.duckdb"
"""The file of live views of versions before 0.2.0: of the lake alone."""

_ABOUT: Final = (
    "Live views over the Parquet files of the marts and the lake: a query shows what is published "
    "when it begins. A query that meets a file being replaced may fail; ask again. energy.duckdb "
    "holds the same marts in one file that travels."
)


@dataclass(frozen=True, kw_only=True)
class _View:
    name: str
    query: str
    description: str
    columns: tuple[tuple[str, str], ...]
    instants: tuple[str, ...]


def write_live_views(lake: Lake, target: Path, *, marts: Path) -> tuple[str, ...]:
    """Write a DuckDB file of one view per table that has files, unless it lies there already.

    Args:
        lake: The day files.
        target: The file to write; replaced by rename, and only when its views are other ones.
        marts: The folder of the exported marts.

    Returns:
        The names of the views.
    """
    views = _views(lake, marts=marts)
    statements = [*_statements(views, only_in=target), *_about_file(lake, target=target)]
    digest = digest_of("\n".join(statements))
    if _about_of(target).get("digest") != digest:
        with staged(target) as path:
            with duckdb.connect(
                str(path), config={"storage_compatibility_version": "v1.0.0"}
            ) as db:
                # One transaction: each by itself would be synced to the disk.
                db.execute("begin")
                for statement in statements:
                    db.execute(statement)
                db.execute("insert into about_live values ('digest', ?)", [digest])
                db.execute("commit")
            path.chmod(0o444)
            target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
    for name in (_BEFORE_0_2, f"{_BEFORE_0_2}.wal"):
        target.with_name(name).unlink(missing_ok=True)
    return tuple(one.name for one in views)


def folder_of(target: Path) -> str | None:
    """Return the folder whose rows the views of a file show; None when there is no such file."""
    return _about_of(target).get("folder")


def is_out_of_place(target: Path) -> bool:
    """Say whether the file was moved or copied here together with its data folder."""
    folder = folder_of(target)
    return folder is not None and folder != str(target.absolute().parent)


def follow_folder(lake: Lake, target: Path, *, marts: Path) -> bool:
    """Write the views again where their folder was moved or copied; say whether it was."""
    if not is_out_of_place(target):
        return False
    write_live_views(lake, target, marts=marts)
    return True


def open_live_views(lake: Lake, *, marts: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to live views which reads the two folders and nothing else.

    Args:
        lake: The day files.
        marts: The folder of the exported marts.

    Raises:
        FileNotFoundError: There are no files yet.
    """
    views = _views(lake, marts=marts)
    if not views:
        raise FileNotFoundError(errno.ENOENT, "no such lake", str(lake.root))
    db = duckdb.connect(":memory:")
    for statement in _statements(views, only_in=None):
        db.execute(statement)
    folders = ", ".join(as_literal(str(one.absolute())) for one in (lake.root, marts))
    db.execute(f"set allowed_directories = [{folders}]")
    for name, value in SANDBOX.items():
        if name != "lock_configuration":
            db.execute(f"set {name} = {value}")
    db.execute("set lock_configuration = true")
    return db


def _views(lake: Lake, *, marts: Path) -> list[_View]:
    return [*_mart_views(marts.absolute()), *_lake_views(lake)]


def _mart_views(marts: Path) -> list[_View]:
    return [
        _View(
            name=table.name,
            query=f"select {', '.join(quoted(one.name) for one in table.columns)} "  # noqa: S608
            f"from read_parquet({as_literal(table.pattern(marts))}, hive_partitioning=false)",
            description=table.description,
            columns=tuple((one.name, one.description) for one in table.columns),
            instants=table.instants,
        )
        for table in read_catalogue(marts)
    ]


def _lake_views(lake: Lake) -> list[_View]:
    views = []
    for table in (*tables().values(), *reject_tables().values()):
        has_files = bool(lake.days(table)) if table.partitioned else lake.path(table).exists()
        if not has_files:
            continue
        hive = "hive_partitioning=true, hive_types={'day': date}"
        options = hive if table.partitioned else "hive_partitioning=false"
        of_all, of_any = _columns_there(lake, table)
        if table.schema.keys() - of_all:
            options = f"{options}, union_by_name=true"
        instants = (
            one.name
            for one in table.columns
            if isinstance(one.dtype, pl.Datetime) and one.dtype.time_zone
        )
        views.append(
            _View(
                name=table.name,
                query=f"select *{_missing(table, there=of_any)} "  # noqa: S608 (names of the registry)
                f"from read_parquet({as_literal(lake.pattern(table))}, {options})",
                description=table.description,
                columns=tuple((one.name, one.description) for one in table.columns),
                instants=tuple(instants),
            )
        )
    return views


def _columns_there(lake: Lake, table: Table) -> tuple[set[str], set[str]]:
    """Return the columns that the oldest and the newest file of a table both have, and either.

    An older version of the platform may have written the first ones, without a column that was
    added since.

    Raises:
        LakeError: One of the files is damaged.
    """
    days: list[str | None] = [*lake.days(table)] if table.partitioned else [None]
    found: list[set[str]] = []
    for day in (days[0], days[-1]):
        path = lake.path(table, day=day)
        try:
            found.append({*pl.read_parquet_schema(path)})
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LakeError(
                f"{path}: damaged ({error}); remove it and run its day again"
            ) from error
    return found[0] & found[1], found[0] | found[1]


def _missing(table: Table, *, there: set[str]) -> str:
    """Return the columns that no file has, as null, for a list of columns in SQL."""
    missing = [one for one in table.schema if one not in there]
    if not missing:
        return ""
    typed = duckdb.from_arrow(table.empty().select(missing).to_arrow())
    return "".join(
        f", null::{dtype} as {quoted(name)}"
        for name, dtype in zip(typed.columns, typed.types, strict=True)
    )


def _statements(views: Sequence[_View], *, only_in: Path | None) -> list[str]:
    guard = "" if only_in is None else f" where {_is_in_place(only_in)}"
    made = ["create schema utc"]
    for view in views:
        name = quoted(view.name)
        made.append(f"create view {name} as {view.query}{guard}")
        made.append(utc_view(view.name, instants=view.instants))
        if not view.description:
            continue
        for place in (name, f"utc.{name}"):
            made.append(f"comment on view {place} is {as_literal(view.description)}")
            made += [
                f"comment on column {place}.{quoted(column)} is {as_literal(text)}"
                for column, text in view.columns
                if text
            ]
    return made


def _about_file(lake: Lake, *, target: Path) -> list[str]:
    folder = str(target.absolute().parent)
    moved = (
        f'A query that finds no files of "{folder}" says that this folder was moved: run '
        "energy-platform status with it as data folder, or a refresh"
    )
    rows = {"what": _ABOUT, "folder": folder, "lake": str(lake.root), "moved": moved}
    values = ", ".join(f"({as_literal(key)}, {as_literal(text)})" for key, text in rows.items())
    return [
        "create table about_live (key text, value text)",
        f"insert into about_live values {values}",  # noqa: S608 (literals)
        f"comment on table about_live is {as_literal(_ABOUT)}",
    ]


def _about_of(target: Path) -> dict[str, str]:
    """Return what a file of live views says of itself; nothing when there is none to be read."""
    if not target.exists():
        return {}
    try:
        with duckdb.connect(str(target), read_only=True) as db:
            return dict(db.execute("select key, value from about_live").fetchall())
    except duckdb.Error:
        return {}


def _is_in_place(target: Path) -> str:
    """Return a condition that fails unless the open database is the file at ``target``.

    A client that reports the path as it was typed must have been given the whole path; and while a
    copy is open next to the file itself, nobody can say which of the two is asked.
    """
    places = ", ".join(
        as_literal(str(one)) for one in sorted({target.absolute(), target.resolve()})
    )
    message = (
        f"these views show {target.absolute().parent}, and this file was copied or moved from "
        "there, or opened by a relative path: open it by its whole path; in a copied folder run "
        "energy-platform status first, or a refresh, which writes it again"
    )
    opened = (
        "(select replace(path, '/./', '/') as place from duckdb_databases() where not internal)"
    )
    # A scalar subquery, so that it is answered once and keeps no filter from the files.
    return (
        f"(select case when count(*) filter (place in ({places})) > 0 and count(*) filter "  # noqa: S608
        f"(place like {as_literal('%' + LIVE_FILE)} and place not in ({places})) = 0 "
        f"then true else error({as_literal(message)}) end from {opened})"
    )
