"""``lake.duckdb``: live views over the Parquet tables, for whoever asks about a single reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from energy_platform.schemas import RAW_REJECT_TABLES, TABLES
from energy_platform.storage.files import staged

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.storage.lake import Lake

_ABOUT = (
    "Live views over the Parquet files of the lake: what they show changes while you look, and a "
    "query fails when its files move. energy.duckdb holds the audited figures."
)


def write_lake_views(lake: Lake, target: Path) -> tuple[str, ...]:
    """Write a DuckDB file of one view per table of the lake that has files.

    Args:
        lake: The day files.
        target: The file to write; replaced by rename.

    Returns:
        The names of the views.
    """
    made: list[str] = []
    with staged(target) as path:
        with duckdb.connect(str(path), config={"storage_compatibility_version": "v1.0.0"}) as db:
            db.execute("create table about (key text, value text)")
            db.execute(
                "insert into about values ('what', ?), ('lake', ?)", [_ABOUT, str(lake.root)]
            )
            db.execute(f"comment on table about is '{_ABOUT}'")
            for table in (*TABLES.values(), *RAW_REJECT_TABLES.values()):
                has_files = (
                    bool(lake.days(table)) if table.partitioned else lake.path(table).exists()
                )
                if not has_files:
                    continue
                pattern = lake.pattern(table).replace("'", "''")
                hive = "hive_partitioning=true, hive_types={'day': date}"
                options = hive if table.partitioned else "hive_partitioning=false"
                db.execute(
                    f"create view {table.name} as "  # noqa: S608 (names of the registry)
                    f"select * from read_parquet('{pattern}', {options})"
                )
                text = f"{table.description} Live view; see about.".replace("'", "''")
                db.execute(f"comment on view {table.name} is '{text}'")
                made.append(table.name)
        path.chmod(0o444)
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
    return tuple(made)
