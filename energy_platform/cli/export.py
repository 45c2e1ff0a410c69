"""``energy-platform export``: a table or a point as a file for somebody else's program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from energy_platform.cli.console import error_console
from energy_platform.cli.days import day_by_word, typed_day
from energy_platform.cli.near import meant
from energy_platform.cli.progress import working
from energy_platform.cli.published import not_yet, open_published
from energy_platform.lake.files import staged
from energy_platform.portfolio import load_portfolio
from energy_platform.portfolio.find import find_point
from energy_platform.settings import Settings, SettingsError
from energy_platform.warehouse.errors import ExtractError
from energy_platform.warehouse.extract import (
    Wanted,
    extract,
    similar_table,
    table_of_point,
    tables_of,
)
from energy_platform.warehouse.spreadsheet import check_fits, write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any, BinaryIO

    import duckdb

    from energy_platform.settings import PlatformSettings
    from energy_platform.warehouse.extract import Clock, Extract, Instants, Period

Format = Literal["csv", "xlsx", "parquet"]

FORMATS: Final[tuple[Format, ...]] = ("csv", "xlsx", "parquet")

_INSTANTS: Final[Mapping[Format, Instants]] = {
    "csv": "text",
    "xlsx": "timestamp",
    "parquet": "instant",
}
"""What each format can say of an instant: a cell of a workbook knows no offset."""

_BATCH: Final = 10_000
"""Rows that are held at once on their way into a file."""

_CSV: Final = pyarrow.csv.WriteOptions(quoting_style="needed")


def run_export(
    name: str,
    *,
    out: Path | None,
    wanted: Wanted,
    period: Period | None,
    clock: Clock,
    live: bool,
) -> int:
    """Write the rows of a table or a point.

    Args:
        name: A table of the published file, or a point: its id or words.
        out: File to write, whose ending says the format; None: CSV to standard output.
        wanted: Which rows.
        period: Length of a point's periods; by default the shortest that it has.
        clock: Whose clock instants are written by.
        live: Read the Parquet files as of now in place of the published file.

    Returns:
        0 when the rows are written, 2 when there is nothing to read yet.

    Raises:
        ExtractError: What is wanted is not there.
        PointNotFoundError: The name is not a table and fits no point, or several.
        SettingsError: A variable, a day or the file's ending is wrong.
    """
    kind = _format_of(out)
    platform = Settings.load().platform
    say = error_console()
    try:
        connection = open_published(platform, live=live)
    except FileNotFoundError as error:
        say.print(not_yet(error), markup=False)
        return 2
    with connection:
        rows = _extract(connection, platform, name, wanted, period=period, clock=clock, kind=kind)
        if out is None:
            _write_csv(sys.stdout.buffer, connection.execute(rows.query).to_arrow_reader(_BATCH))
            return 0
        with working(f"writing {rows.table} to {out.name}"):
            count = _write(connection, rows, out, kind=kind)
    say.print(f"{count:,} rows of {rows.table} in {out}", markup=False, highlight=False)
    if not count:
        say.print("no row fits: look at --from, --to and --site", markup=False)
    return 0


def _format_of(out: Path | None) -> Format:
    if out is None:
        return "csv"
    found = next((one for one in FORMATS if out.suffix.casefold() == f".{one}"), None)
    if found is None:
        raise SettingsError(f"{out}: expected a name that ends in .csv, .xlsx or .parquet")
    return found


def _extract(
    connection: duckdb.DuckDBPyConnection,
    platform: PlatformSettings,
    name: str,
    wanted: Wanted,
    *,
    period: Period | None,
    clock: Clock,
    kind: Format,
) -> Extract:
    table, timezone = name, "UTC"
    if wanted.site is not None:
        timezone = _zone_of_site(connection, wanted.site)
    if name not in tables_of(connection) and similar_table(connection, name) is None:
        portfolio = load_portfolio(platform.portfolio)
        point = find_point(portfolio, name)
        timezone = portfolio.sites[point.site_id].timezone
        table = table_of_point(connection, point.point_id, period=period)
        wanted = wanted._replace(point=point.point_id)
    elif period is not None:
        raise ExtractError(f"--by is for points; {name} is a table, whose rows have their period")
    days = {
        side: typed_day(day_by_word(day, timezone=timezone)).isoformat()
        for side, day in (("first", wanted.first), ("last", wanted.last))
        if day is not None
    }
    return extract(
        connection,
        table,
        wanted._replace(**days),
        clock=clock,
        instants=_INSTANTS[kind],
    )


def _zone_of_site(connection: duckdb.DuckDBPyConnection, site: str) -> str:
    sites = dict(connection.execute("select site_id, timezone from dim_site").fetchall())
    if site not in sites:
        raise ExtractError(f"there is no site {site!r}; {meant(site, sites)}")
    return str(sites[site])


def _write(connection: duckdb.DuckDBPyConnection, rows: Extract, out: Path, *, kind: Format) -> int:
    if not out.absolute().parent.is_dir():
        raise SettingsError(f"{out}: there is no folder {out.absolute().parent}")
    if kind == "xlsx":
        query = f"select count(*) from ({rows.query})"  # noqa: S608 - a query of ours
        (count,) = connection.execute(query).fetchone() or (0,)
        check_fits(rows, rows=count)
    with staged(out) as file:
        if kind == "xlsx":
            about = connection.execute("select key, value from about order by key").fetchall()
            return write_workbook(file, rows, _batched(connection, rows), about=about)
        reader = connection.execute(rows.query).to_arrow_reader(_BATCH)
        if kind == "parquet":
            return _write_parquet(file, reader)
        with file.open("wb") as target:
            return _write_csv(target, reader)


def _batched(connection: duckdb.DuckDBPyConnection, rows: Extract) -> Iterator[tuple[Any, ...]]:
    found = connection.execute(rows.query)
    while batch := found.fetchmany(_BATCH):
        yield from batch


def _write_csv(target: BinaryIO, reader: pa.RecordBatchReader) -> int:
    """Write CSV a batch at a time, and return how many rows that was."""
    count = 0
    with pyarrow.csv.CSVWriter(target, reader.schema, write_options=_CSV) as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_parquet(target: Path, reader: pa.RecordBatchReader) -> int:
    # DuckDB names the zone of the machine, which says nothing of the instants.
    schema = pa.schema([_in_utc(one) for one in reader.schema])
    count = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.cast(schema))
            count += batch.num_rows
    return count


def _in_utc(field: pa.Field[Any]) -> pa.Field[Any]:
    is_instant = pa.types.is_timestamp(field.type) and field.type.tz is not None
    return field.with_type(pa.timestamp("us", "UTC")) if is_instant else field
