"""``energy-platform sql``: ask the published file without installing a client."""

from __future__ import annotations

import json
import math
import re
import sys
import textwrap
from datetime import date, time
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

import duckdb

from energy_platform.cli.console import add_row, error_console, print_error, table, visible
from energy_platform.cli.progress import working
from energy_platform.cli.published import build_memory, not_yet, open_published
from energy_platform.cli.screen import COLUMNS
from energy_platform.memory import MEMORY, show_memory
from energy_platform.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from energy_platform.settings import PlatformSettings

Form = Literal["table", "csv", "json"]

MOST_ROWS: Final = 200
"""Rows shown in a table; CSV and JSON have no limit."""

_AT_ONCE: Final = 1_000
"""Rows that are held on their way to JSON."""

TABLES: Final = """
    select table_name as "table", estimated_size as rows, comment as description
    from duckdb_tables() order by table_name
"""

VIEWS: Final = """
    select view_name as "view", comment as description
    from duckdb_views() where not internal and schema_name = 'main' order by view_name
"""

_QUERIES: Final = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})

_HARMLESS: Final = _QUERIES | {duckdb.StatementType.CREATE}
"""CREATE is what DuckDB itself puts before a PIVOT; in a read-only database it reaches nothing."""

_EXECUTES: Final = re.compile(r"\banalyze\b", re.IGNORECASE)


def run_sql(
    console: Console, *, query: str | None, form: Form, live: bool, verbose: bool = False
) -> int:
    """Run one query and print its rows; without a query, name the tables.

    The query sees the one database and nothing else: no file, no network, no extension, no
    setting. Values of a CSV are the data's own, byte for byte, those that a spreadsheet would
    take for a formula too: changing them would change ids and negative numbers.

    Args:
        console: Where tables go.
        query: SQL; None for the tables that there are.
        form: What is printed.
        live: Ask the Parquet files as of now in place of the published file.
        verbose: Of the tables also what each holds.

    Returns:
        0 when the rows were printed, 1 when the query cannot be answered, 2 when there is nothing
        to ask yet.

    Raises:
        SettingsError: A variable is wrong.
        duckdb.IOException: The published file is damaged.
    """
    # A message must not become a line of what somebody's program reads.
    to = console if form == "table" else error_console()
    platform = Settings.load().platform
    try:
        connection = open_published(platform, live=live)
    except FileNotFoundError as error:
        to.print(not_yet(error), markup=False)
        return 2
    with connection:
        try:
            if refused := _refusal(connection, query or ""):
                print_error(to, refused)
                return 1
            if not query and form == "table" and not verbose:
                _print_names(console, connection, live=live)
                return 0
            return _answer(console, connection, query or (VIEWS if live else TABLES), form=form)
        except duckdb.OutOfMemoryException:
            print_error(to, _too_much(platform))
            return 1
        except duckdb.Error as error:
            print_error(to, _sentence(error))
            return 1


def _print_names(console: Console, connection: duckdb.DuckDBPyConnection, *, live: bool) -> None:
    """Print the tables' names on one screen, by what they begin with."""
    names = [str(row[0]) for row in connection.execute(VIEWS if live else TABLES).fetchall()]
    for kind, found in groupby(names, key=lambda name: name.split("_")[0]):
        line = textwrap.fill(", ".join(found), width=COLUMNS - 1, subsequent_indent="  ")
        console.print(line, markup=False, highlight=False, style="bold" if kind == "mart" else "")
    console.print(
        f"{len(names)} tables; what each holds: `energy-platform sql --verbose`; the columns of "
        'one: `energy-platform sql "describe mart_site_energy"`',
        markup=False,
        highlight=False,
    )


def _refusal(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """Say why a text is not a query, or None when it is one.

    The sandbox alone does not do: it lets the lake's folder be read, hence also be written.
    """
    kinds = [one.type for one in connection.extract_statements(query)]
    if not kinds:
        return None if not query.strip() else "there is no statement in the query"
    other = [one for one in kinds if one not in _HARMLESS] or (
        [kinds[-1]] if kinds[-1] not in _QUERIES else []
    )
    if other:
        return (
            f"energy-platform sql is read-only: it answers queries and refuses {other[0].name} "
            "statements; open the file with a DuckDB client of your own for anything else"
        )
    if (queries := sum(one in _QUERIES for one in kinds)) > 1:
        return f"energy-platform sql answers one query at a time; these are {queries}"
    if duckdb.StatementType.EXPLAIN in kinds and _EXECUTES.search(query):
        return "energy-platform sql is read-only: it refuses EXPLAIN ANALYZE, which executes"
    return None


def _answer(
    console: Console, connection: duckdb.DuckDBPyConnection, query: str, *, form: Form
) -> int:
    with working("asking"):
        result = connection.execute(query)
    if form == "csv":
        _write_csv(result)
        return 0
    if form == "json":
        _write_json(result)
        return 0
    rows = result.fetchmany(MOST_ROWS + 1)
    shown = table(*(column[0] for column in result.description or ()))
    for row in rows[:MOST_ROWS]:
        add_row(shown, *row)
    console.print(shown)
    if len(rows) > MOST_ROWS:
        console.print(f"the first {MOST_ROWS} rows; --csv prints all")
    return 0


def _write_csv(result: duckdb.DuckDBPyConnection) -> None:
    frame = result.pl()
    if sys.stdout.isatty():
        # A program gets the bytes, a terminal must not be steered by them.
        sys.stdout.write(visible(frame.write_csv(), keep="\n"))
    else:
        frame.write_csv(sys.stdout.buffer)


def _write_json(result: duckdb.DuckDBPyConnection) -> None:
    """Write an array with an object per line; what JSON does not know, such as times, is a text."""
    names = [column[0] for column in result.description or ()]
    before = "["
    while rows := result.fetchmany(_AT_ONCE):
        for row in rows:
            values = dict(zip(names, map(_finite, row), strict=True))
            print(before, json.dumps(values, default=_text, allow_nan=False), sep="\n", end="")  # noqa: T201
            before = ","
    print("[]" if before == "[" else "\n]")  # noqa: T201


def _finite(value: object) -> object:
    """Return a value as JSON knows it: not a number, and infinite, are null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _too_much(platform: PlatformSettings) -> str:
    return (
        f"the query needs more than {show_memory(build_memory(platform))}: ask for "
        f"fewer days or points at a time, or set {MEMORY} to more"
    )


def _sentence(error: duckdb.Error) -> str:
    """Return DuckDB's reason on one line, without the drawing of the place."""
    reason = str(error).split("\n\nLINE ")[0]
    if isinstance(error, duckdb.PermissionException):
        return (
            "energy-platform sql reads this database only, no other file, network or extension: "
            + " ".join(reason.split())
        )
    return " ".join(reason.split())
