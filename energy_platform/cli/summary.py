"""What is shown after the demo: days, energy per site, deliveries, SQL to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb

from energy_platform.cli.console import add_row, program, table
from energy_platform.cli.data_quality_summary import data_quality_summary
from energy_platform.cli.site_tree import print_trees
from energy_platform.destinations.base import titles
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import load_portfolio
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from energy_platform.portfolio import Portfolio

QUERIES: Final = {
    "Energy of each site and local day": """\
select site_id, local_day, round(site_use_kwh, 1) as kwh, status
from mart_site_energy order by site_id, local_day""",
    "The highest quarter hour of each site and month": """\
select site_id, local_month, peak_at, round(peak_w / 1000, 1) as kw
from mart_peak_demand where scope = 'site' order by site_id, local_month""",
    "What stands behind each meter, and what none of them shows, hour by hour": """\
select site_id, local_start, member, point_id, round(energy_kwh, 2) as kwh
from mart_submetering where grain = 'hour' order by site_id, local_start, member""",
    "Points with the most missing samples": """\
select point_id, local_day, expected_samples, received_samples
from fct_quality_daily order by expected_samples - received_samples desc nulls last limit 10""",
}
"""Ready to paste."""


def print_summary(
    console: Console,
    *,
    data_dir: Path,
    portfolio: Path,
    delivery_report: dict[str, Any],
    seconds: float,
) -> None:
    """Print the summary.

    Args:
        console: Where to.
        data_dir: The data folder.
        portfolio: The demo's portfolio.
        delivery_report: What the simulated destination holds.
        seconds: How long it all took.
    """
    path, lake = data_dir / "energy.duckdb", Lake(data_dir / "lake")
    _print(console, "Raw rows per vendor and UTC day", _rows(lake))
    with duckdb.connect(
        str(path), read_only=True, config={"autoinstall_known_extensions": "false"}
    ) as connection:
        _print(
            console,
            "Electricity per site and local day, kWh (~ not whole)",
            _energy(connection),
        )
        console.print("What stands behind each main meter", style="italic")
        print_trees(console, connection)
        _print(console, "Packets per stream", _deliveries(connection, delivery_report))
    verdict = "; ".join(delivery_report["complaints"]) or "every stream in order, nothing twice"
    console.print(
        f"{titles()} holds {delivery_report['packets']} packets: {verdict}\n", markup=False
    )
    _quality_events(console, lake, load_portfolio(portfolio))
    console.print(f"The file: {path}\n", markup=False, soft_wrap=True)
    for title, query in QUERIES.items():
        console.print(f"-- {title}", style="dim")
        console.print(query + ";\n", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f'Ask with any DuckDB 1.x client, or: {program()} sql "select …"\n'
        f"As a spreadsheet: {program()} export mart_site_energy -o energy.xlsx\n"
        f"See it run: {program()} ui",
        markup=False,
    )
    console.print(f"{seconds:.0f} s", style="dim")


def _print(console: Console, title: str, shown: Table) -> None:
    # A table's own title would be broken where the table is narrower.
    console.print(title, style="italic", markup=False, highlight=False)
    console.print(shown)


def _quality_events(console: Console, lake: Lake, portfolio: Portfolio) -> None:
    found = data_quality_summary(lake, portfolio)
    if not found:
        return
    console.print(
        f"Data quality events: {', '.join(one.description for one in found)}. To see each, try"
    )
    for one in found:
        console.print(f"  {one.command}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def _rows(lake: Lake) -> Table:
    footers = {vendor: lake.footers(table) for vendor, table in day_tables().items()}
    days = sorted({day for found in footers.values() for day in found})
    shown = table("day", *footers)
    for column in shown.columns[1:]:
        column.justify = "right"
    for day in days:
        add_row(
            shown,
            day,
            *(f"{found[day].rows:,}" if day in found else "-" for found in footers.values()),
        )
    return shown


def _energy(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = connection.sql(
        "select site_id, local_day, site_use_kwh, is_closed and least_covered_share > 0.99 "
        "from mart_site_energy"
    ).fetchall()
    found = {(site, str(day)): (kwh, is_whole) for site, day, kwh, is_whole in rows}
    sites = sorted({site for site, _ in found})
    shown = table("local day", *sites)
    for column in shown.columns[1:]:
        column.justify = "right"
    for day in sorted({day for _, day in found}):
        add_row(shown, day, *(_kwh(found.get((site, day))) for site in sites))
    return shown


def _kwh(cell: tuple[float | None, bool] | None) -> str:
    if cell is None or cell[0] is None:
        return "-"
    return f"{cell[0]:,.1f}" + ("  " if cell[1] else " ~")


def _deliveries(connection: duckdb.DuckDBPyConnection, delivery_report: dict[str, Any]) -> Table:
    rows = connection.sql(
        "select stream_id, packets_acknowledged, last_acknowledged_at, reason "
        "from mart_delivery order by stream_id"
    ).fetchall()
    shown = table("stream", "delivered", f"at {titles()}", "last interval (UTC)", "waits for")
    for column in shown.columns[1:3]:
        column.justify = "right"
    for stream, delivered, last, reason in rows:
        holds = delivery_report["streams"].get(stream, {}).get("packets", 0)
        add_row(
            shown, stream, delivered, holds, f"{last:%m-%d %H:%M}" if last else "-", reason or ""
        )
    return shown
