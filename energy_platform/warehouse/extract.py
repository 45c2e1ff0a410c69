"""A table or a point of the published file as rows for somebody else's program.

Here belongs which rows and columns that are, as one query; ``spreadsheet`` and the command write
what it answers. Figures are not computed here: an extract shows what every reader of the file sees.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.warehouse.errors import ExtractError
from energy_platform.warehouse.sql_text import as_literal, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

Period = Literal["15min", "hour", "day", "week", "month"]
"""How long the periods of a point's rows are."""

Clock = Literal["local", "utc"]
"""Whose clock instants are written by: each row's site's, or UTC."""

Instants = Literal["text", "timestamp", "instant"]
"""What instants are written as: texts of ISO 8601 with the clock's offset, which tells a repeated
hour apart; timestamps of the clock; or instants as DuckDB and Parquet know them, without a clock.
"""

_OF_POINTS: Final[Mapping[str, Mapping[Period, str]]] = {
    "energy": {
        "15min": "fct_energy_15min",
        "hour": "fct_energy_hourly",
        "day": "fct_energy_daily",
        "week": "fct_energy_weekly",
        "month": "fct_energy_monthly",
    },
    "consumption": {
        "15min": "fct_consumption_15min",
        "hour": "fct_consumption_hourly",
        "day": "fct_consumption_daily",
        "week": "fct_consumption_weekly",
        "month": "fct_consumption_monthly",
    },
    "measurement": {"hour": "fct_measurement_hourly", "day": "fct_measurement_daily"},
    "state": {"day": "fct_state_daily"},
}
"""Tables that hold points, by what they say of them and their period."""

_DAYS: Final[Mapping[str, str]] = {
    "local_day": "day",
    "local_week": "week",
    "local_month": "month",
}
"""Columns that say which local period a row is of, and that period."""

_UNITS: Final[Mapping[str, str]] = {
    "_wh": "Wh",
    "_kwh": "kWh",
    "_w": "W",
    "_kw": "kW",
    "_s": "s",
    "_c": "°C",
    "_m2": "m²",
    "_percent": "%",
}
"""Units by the ends of column names; the names of all tables follow them."""

_OF_ROW_UNIT: Final = re.compile(
    r"(estimated_)?consumption|refused|refused_consumption|(avg|min|max|sum|stdev|"
    r"time_weighted_avg)_value|value"
)
"""Columns whose unit stands in the column ``unit`` of the row."""


class Column(NamedTuple):
    """A column of an extract.

    Attributes:
        name: As in the table.
        unit: Of its values; None where there is none, or rows differ.
        description: What it says.
        type: DuckDB's name of its type.
    """

    name: str
    unit: str | None
    description: str
    type: str

    @property
    def header(self) -> str:
        """The name with its unit, such as ``energy_kwh [kWh]``."""
        return self.name if self.unit is None else f"{self.name} [{self.unit}]"


class Extract(NamedTuple):
    """Rows to be written.

    Attributes:
        table: Where they come from.
        query: The query that answers them, in the order of the table's key.
        columns: What it answers.
    """

    table: str
    query: str
    columns: tuple[Column, ...]


class Wanted(NamedTuple):
    """Which rows of a table.

    Attributes:
        first: First local day, ``YYYY-MM-DD``; None from the beginning.
        last: Last local day, included; None to the end.
        site: Id of a site; None for all.
        point: Id of a point; None for all.
    """

    first: str | None = None
    last: str | None = None
    site: str | None = None
    point: str | None = None


def tables_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the tables and views of a published file."""
    rows = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'main' union "
        "select view_name from duckdb_views() where schema_name = 'main' and not internal "
        "order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def similar_table(connection: duckdb.DuckDBPyConnection, typed: str) -> str | None:
    """Return the table that was probably meant; None when none is near."""
    near = difflib.get_close_matches(typed, tables_of(connection), n=1, cutoff=0.75)
    return near[0] if near else None


def table_of_point(
    connection: duckdb.DuckDBPyConnection, point_id: str, *, period: Period | None
) -> str:
    """Return the table with a point's figures by period.

    Args:
        connection: The published file.
        point_id: The point.
        period: What is wanted; by default the shortest that the point has.

    Raises:
        ExtractError: The point has no rows of that period.
    """
    there = set(tables_of(connection))
    found = [
        (one, table)
        for tables in _OF_POINTS.values()
        for one, table in tables.items()
        if table in there and _has(connection, table, point_id)
    ]
    if not found:
        raise ExtractError(f"{point_id} has no figures yet: nothing of it is published")
    for one, table in found:
        if period in {None, one}:
            return table
    known = ", ".join(dict.fromkeys(one for one, _ in found))
    raise ExtractError(f"{point_id} has no figures by {period}; there are: {known}")


def _has(connection: duckdb.DuckDBPyConnection, table: str, point_id: str) -> bool:
    query = f"select 1 from {quoted(table)} where point_id = ? limit 1"  # noqa: S608
    return connection.execute(query, [point_id]).fetchone() is not None


def extract(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    wanted: Wanted,
    *,
    clock: Clock,
    instants: Instants,
) -> Extract:
    """Return the query for the rows of a table that are wanted.

    Args:
        connection: The published file.
        table: Name of a table or view.
        wanted: Which rows.
        clock: Whose clock its instants are written by; those of rows without a site by UTC.
        instants: What they are written as.

    Raises:
        ExtractError: There is no such table, or it has no days, sites or points to choose by.
    """
    there = tables_of(connection)
    if table not in there:
        near = similar_table(connection, table)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(there)}"
        raise ExtractError(f"the file has no table {table!r}; {hint}")
    columns = _columns(connection, table)
    where = _conditions(table, set(columns), wanted)
    unit = _only_unit(connection, table, where) if "unit" in columns else None
    query = (
        f"select {', '.join(quoted(one) for one in columns)} from {quoted(table)}"  # noqa: S608
        f"{where}{_order(columns)}"
    )
    if instants != "instant":
        query = _by_clock(query, columns, clock=clock, as_text=instants == "text")
    return Extract(
        table=table,
        query=query,
        columns=tuple(
            Column(name, unit_of(name, unit), description, kind)
            for name, (kind, description) in columns.items()
        ),
    )


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, tuple[str, str]]:
    rows = connection.execute(
        "select column_name, data_type, coalesce(comment, '') from duckdb_columns() "
        "where schema_name = 'main' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    return {name: (kind, description) for name, kind, description in rows}


def _conditions(table: str, columns: set[str], wanted: Wanted) -> str:
    conditions = []
    day = next((one for one in _DAYS if one in columns), None)
    if (wanted.first or wanted.last) and day is None:
        raise ExtractError(f"{table} has no local days: leave --from and --to away")
    if wanted.first and day is not None:
        # The week or month that the first day lies in belongs to the span.
        first = f"date_trunc('{_DAYS[day]}', date {as_literal(wanted.first)})"
        conditions.append(f"{quoted(day)} >= {first}")
    if wanted.last and day is not None:
        conditions.append(f"{quoted(day)} <= date {as_literal(wanted.last)}")
    for column, value in (("site_id", wanted.site), ("point_id", wanted.point)):
        if value is not None and column not in columns:
            raise ExtractError(f"{table} has no column {column} to choose by")
        if value is not None:
            conditions.append(f"{column} = {as_literal(value)}")
    return f" where {' and '.join(conditions)}" if conditions else ""


def _order(columns: Mapping[str, object]) -> str:
    keys = [
        one
        for one in ("site_id", "point_id", "interval_start", "hour_start_at", *_DAYS)
        if one in columns
    ]
    # What has no such key is small and stays in the order it was written in.
    return f" order by {', '.join(keys)}" if keys else ""


def _by_clock(
    query: str, columns: Mapping[str, tuple[str, str]], *, clock: Clock, as_text: bool
) -> str:
    """Return the query with its instants by the clock of each row's site, or by UTC."""
    source, zone = f"({query}) rows", "'UTC'"
    if clock == "local" and "timezone" in columns:
        zone = "coalesce(rows.timezone, 'UTC')"
    elif clock == "local" and "site_id" in columns:
        source += " left join dim_site using (site_id)"
        zone = "coalesce(dim_site.timezone, 'UTC')"
    replaced = []
    for name, (kind, _) in columns.items():
        value = f"rows.{quoted(name)}"
        if kind == "TIMESTAMP WITH TIME ZONE":
            shown = _text(value, zone) if as_text else _timestamp(value, zone)
        elif kind == "TIMESTAMP" and as_text:
            shown = f"strftime({value}, '%Y-%m-%dT%H:%M:%S')"
        else:
            continue
        replaced.append(f"{shown} as {quoted(name)}")
    if not replaced:
        return query
    return f"select rows.* replace ({', '.join(replaced)}) from {source}"  # noqa: S608


def _timestamp(instant: str, zone: str) -> str:
    return f"timezone({zone}, {instant})"


def _text(instant: str, zone: str) -> str:
    """Return the SQL of an instant as a text such as ``2026-03-29T02:30:00+02:00``."""
    local = _timestamp(instant, zone)
    offset = f"(epoch({local}) - epoch({instant}))::bigint"
    return (
        f"strftime({local}, '%Y-%m-%dT%H:%M:%S') || if({offset} < 0, '-', '+') || "
        f"printf('%02d:%02d', abs({offset}) // 3600, abs({offset}) % 3600 // 60)"
    )


def _only_unit(connection: duckdb.DuckDBPyConnection, table: str, where: str) -> str | None:
    rows = connection.execute(
        f"select distinct unit from {quoted(table)}{where} limit 2"  # noqa: S608
    ).fetchall()
    return rows[0][0] if len(rows) == 1 else None


def unit_of(column: str, unit: str | None) -> str | None:
    """Return the unit that the name of a column tells, as those of all tables do.

    Args:
        column: Its name.
        unit: What the column ``unit`` of its rows says.

    Example:
        >>> unit_of("energy_kwh", None), unit_of("consumption", "m³"), unit_of("site_id", "m³")
        ('kWh', 'm³', None)
    """
    if _OF_ROW_UNIT.fullmatch(column):
        return unit
    if column.endswith("utc_offset_s"):
        return "s"
    return next((sign for end, sign in _UNITS.items() if column.endswith(end)), None)
