"""``energy-platform sql``: ask the published file without installing a client."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import duckdb
from rich.table import Table

from energy_platform.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS: Final = 200
"""Rows shown in a table; CSV has no limit."""

TABLES: Final = """
    select table_name as "table", estimated_size as rows, comment as description
    from duckdb_tables() order by table_name
"""

VIEWS: Final = """
    select view_name as "view", comment as description
    from duckdb_views() where not internal order by view_name
"""


def run_sql(console: Console, *, query: str | None, as_csv: bool, lake: bool) -> int:
    """Run one query read-only and print its rows."""
    path = Settings.load().platform.data_dir / ("lake.duckdb" if lake else "energy.duckdb")
    if not path.exists():
        console.print(f"{path} does not exist yet: run `make demo`, or a refresh in `make ui`")
        return 2
    with duckdb.connect(
        str(path), read_only=True, config={"autoinstall_known_extensions": "false"}
    ) as connection:
        try:
            result = connection.execute(query or (VIEWS if lake else TABLES))
        except duckdb.Error as error:
            console.print(str(error), markup=False)
            return 1
        if as_csv:
            result.pl().write_csv(sys.stdout.buffer)
            return 0
        rows = result.fetchmany(MOST_ROWS + 1)
        table = Table(*(column[0] for column in result.description or ()), header_style="bold")
        for row in rows[:MOST_ROWS]:
            table.add_row(*("" if value is None else str(value) for value in row))
        console.print(table)
        if len(rows) > MOST_ROWS:
            console.print(f"the first {MOST_ROWS} rows; --csv prints all")
    return 0
