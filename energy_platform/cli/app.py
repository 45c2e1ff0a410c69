"""The commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from energy_platform import __version__
from energy_platform.alerts import AlertStoreError
from energy_platform.cli.alert import alert
from energy_platform.cli.delivery import delivery
from energy_platform.explain import ExplainError
from energy_platform.instance import InstanceInUseError
from energy_platform.origin import OriginError
from energy_platform.portfolio import PortfolioError
from energy_platform.settings import SettingsError
from energy_platform.storage.lake import LakeError
from energy_platform.vendors.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED: Final = (
    AlertStoreError,
    ExplainError,
    InstanceInUseError,
    LakeError,
    OriginError,
    PortfolioError,
    SettingsError,
    VendorError,
)
"""Errors that are for the person at the terminal: one message, no trace."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Building energy data from vendor clouds to Parquet, DuckDB and Wattics.",
)
app.add_typer(delivery, name="delivery")
app.add_typer(alert, name="alert")


@app.callback(invoke_without_command=True)
def _root(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, max=366, help="Closed UTC days to read.")] = 7,
) -> None:
    """Fill data/energy.duckdb from four simulated vendors and deliver to a simulated Wattics."""
    from energy_platform.cli.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(Console(file=sys.stdout), days=days))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
    *,
    simulated: Annotated[
        bool | None,
        typer.Option(
            "--simulated/--live",
            help="Simulated vendors or those of .env; by default simulated when .env has none.",
        ),
    ] = None,
) -> None:
    """Run Dagster's UI and daemon on loopback; schedules and sensors start by themselves."""
    from energy_platform.cli.ui import run_ui  # noqa: PLC0415

    raise typer.Exit(run_ui(Console(file=sys.stdout), port=port, simulated=simulated))


@app.command()
def simulate(
    faults: Annotated[
        list[str] | None,
        typer.Option("--faults", help="Such as socomec:http_503=0.1; may be repeated."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
    history: Annotated[
        bool, typer.Option(help="Whether the SkyCentrics account has the history call.")
    ] = True,
) -> None:
    """Serve the four vendors on loopback until stopped; print their URLs and credentials."""
    from energy_platform.cli.simulate import run_simulate  # noqa: PLC0415

    raise typer.Exit(
        run_simulate(
            Console(file=sys.stdout), faults=faults or [], as_json=as_json, history=history
        )
    )


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; without it, the tables.")] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV in place of a table.")] = False,
    lake: Annotated[
        bool, typer.Option("--lake", help="Ask the live Parquet views (data/lake.duckdb).")
    ] = False,
) -> None:
    """Ask the published DuckDB file."""
    from energy_platform.cli.sql import run_sql  # noqa: PLC0415

    raise typer.Exit(run_sql(Console(file=sys.stdout), query=query, as_csv=as_csv, lake=lake))


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """List stale days, pending suspects, streams behind, and the newest day of each vendor."""
    from energy_platform.cli.status import run_status  # noqa: PLC0415

    raise typer.Exit(run_status(Console(file=sys.stdout), as_json=as_json))


@app.command()
def explain(
    point: Annotated[str, typer.Argument(help="Point id, vendor/serial/key.")],
    day: Annotated[str, typer.Argument(help="Local day of the point's site, YYYY-MM-DD.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the chain from raw rows to the energy of a local day, each decision in words."""
    from energy_platform.cli.explain import run_explain  # noqa: PLC0415

    raise typer.Exit(
        run_explain(Console(file=sys.stdout), point_id=point, day=day, as_json=as_json)
    )


@app.command()
def backfill(
    vendor: Annotated[str, typer.Argument(help="socomec, belimo, skycentrics or all.")],
    first: Annotated[str, typer.Argument(help="First UTC day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Argument(help="Last UTC day, included.")],
) -> None:
    """Read a range of days as one run, then make fresh and publish what follows."""
    from energy_platform.cli.backfill import run_backfill  # noqa: PLC0415

    raise typer.Exit(run_backfill(Console(file=sys.stdout), vendor=vendor, first=first, last=last))


@app.command()
def discover(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the diff only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Write or extend portfolio.yaml from the inventories of the vendors with credentials."""
    from energy_platform.cli.discover import run_discover  # noqa: PLC0415

    raise typer.Exit(run_discover(Console(file=sys.stdout), dry_run=dry_run, yes=yes))


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    retry_login: Annotated[
        bool, typer.Option("--retry-login", help="Try logins that rest after a refusal, once.")
    ] = False,
) -> None:
    """Check settings, logins, clocks, rights, portfolio, Wattics, disk and leftovers."""
    from energy_platform.cli.doctor import run_doctor  # noqa: PLC0415

    raise typer.Exit(run_doctor(Console(file=sys.stdout), as_json=as_json, retry_login=retry_login))


def main() -> None:
    """Run the command line; expected errors are one message on standard error and exit code 2."""
    _guarded(app)


def _guarded(run: Callable[[], object]) -> None:
    try:
        run()
    except EXPECTED as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[bold red]error:[/bold red] {_plain(str(error))}"
        )
        sys.exit(2)


def _plain(text: str) -> str:
    """Keep square brackets of a message from being read as markup."""
    return text.replace("[", r"\[")
