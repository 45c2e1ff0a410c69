"""The commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, Any, Final, Literal

import typer
from typer.core import TyperGroup

from energy_platform import __version__
from energy_platform.cli.alert import alert
from energy_platform.cli.console import WIDE, console, error_console, print_error
from energy_platform.cli.delivery import delivery
from energy_platform.cli.portfolio import portfolio
from energy_platform.cli.service import service
from energy_platform.cli.streams import is_left, leave_pipe, write_any_text
from energy_platform.sources import source_names


class _Interrupted(Exception):  # noqa: N818 - not an error: Ctrl-C on its way through Typer
    """Ctrl-C, which Typer would turn into an exit without a word."""


class _Left(Exception):  # noqa: N818 - not an error: a closed pipe on its way through Typer
    """Whoever read has gone, which Typer would turn into exit code 1."""


class _Commands(TyperGroup):
    """The commands, which let Ctrl-C and a closed pipe through to `run`."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _Interrupted from error
        except OSError as error:
            if is_left(error):
                raise _Left from error
            raise


_HELP: Final = {
    "help_option_names": ["-h", "--help"],
    # A pipe gets each line of the help whole; a terminal its own width.
    "terminal_width": None if sys.stdout.isatty() else WIDE,
}

app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    # Typer's boxes cut and wrap what a pipe should get whole.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
    help="Building energy data from vendor clouds to Parquet, DuckDB and where it is delivered.",
)
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every line, also of what is fine.")]

app.add_typer(delivery, name="delivery")
app.add_typer(alert, name="alert")
app.add_typer(portfolio, name="portfolio")
app.add_typer(service, name="service")


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
    """Fill data/energy.duckdb from four simulated vendors and deliver to a simulated one."""
    from energy_platform.cli.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(console(), days=days))


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

    raise typer.Exit(run_ui(console(), port=port, simulated=simulated))


@app.command()
def init() -> None:
    """Ask for logins, try them, write .env and a first portfolio, show the energy of yesterday."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "init asks questions and there is no terminal: copy .env.example to .env instead, fill "
            "it in, then `energy-platform doctor` and `energy-platform discover`"
        )
    from energy_platform.cli.init import run_init  # noqa: PLC0415

    raise typer.Exit(run_init(console(), questions=_Terminal()))


class _Terminal:
    """Asks the person at the terminal."""

    def text(self, question: str, *, secret: bool, default: str) -> str:
        answer: str = typer.prompt(
            question, default=default, hide_input=secret, show_default=bool(default)
        )
        return answer

    def agreed(self, question: str, *, default: bool) -> bool:
        return typer.confirm(question, default=default)


@app.command()
def simulate(
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--faults", help=f"Such as {source_names()[0]}:http_503=0.1; may be repeated."
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
    history: Annotated[
        bool, typer.Option(help="Whether accounts that may be without a history call have it.")
    ] = True,
) -> None:
    """Serve the four vendors on loopback until stopped; print their URLs and credentials."""
    from energy_platform.cli.simulate import run_simulate  # noqa: PLC0415

    raise typer.Exit(run_simulate(console(), faults=faults or [], as_json=as_json, history=history))


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; without it, the tables.")] = None,
    *,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV in place of a table: every row, values as they are.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON array of objects: every row.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", "--lake", help="Ask the Parquet files: the marts as of now, and the lake."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Without SQL: also what each table holds.")
    ] = False,
) -> None:
    """Ask the published DuckDB file; nothing can be written, no other file be read."""
    from energy_platform.cli.sql import run_sql  # noqa: PLC0415

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json are two formats; choose one")
    form: Literal["csv", "json", "table"] = "csv" if as_csv else "json" if as_json else "table"
    raise typer.Exit(run_sql(console(), query=query, form=form, live=live, verbose=verbose))


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    verbose: Verbose = False,
) -> None:
    """Say whether anything needs a person, what waits, and how far the data reach."""
    from energy_platform.cli.status import run_status  # noqa: PLC0415

    raise typer.Exit(run_status(console(), as_json=as_json, verbose=verbose))


@app.command()
def health(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    alert: Annotated[
        bool,
        typer.Option("--alert", help="Tell the alert channels when it begins and ends."),
    ] = False,
) -> None:
    """Say in one line whether UI, daemon and code location are well; exit code 1 if not."""
    from energy_platform.cli.health import run_health  # noqa: PLC0415

    raise typer.Exit(run_health(console(), as_json=as_json, alert=alert))


@app.command()
def export(
    name: Annotated[
        str,
        typer.Argument(help="A table such as mart_site_energy, or a point: its id or words."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A .csv, .xlsx or .parquet file; without it, CSV."),
    ] = None,
    *,
    first: Annotated[
        str | None, typer.Option("--from", help="First local day: YYYY-MM-DD, yesterday, today.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last local day, included.")] = None,
    site: Annotated[str | None, typer.Option(help="Rows of this site only.")] = None,
    period: Annotated[
        Literal["15min", "hour", "day", "week", "month"] | None,
        typer.Option("--by", help="Periods of a point's rows; by default the shortest."),
    ] = None,
    utc: Annotated[
        bool, typer.Option("--utc", help="Instants in UTC in place of each site's local time.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="The marts as of now, and the lake: more tables.")
    ] = False,
) -> None:
    """Write a table or a point of the published file as CSV, XLSX or Parquet."""
    from energy_platform.cli.export import run_export  # noqa: PLC0415
    from energy_platform.warehouse.extract import Wanted  # noqa: PLC0415

    wanted = Wanted(first=first, last=last, site=site)
    clock: Literal["utc", "local"] = "utc" if utc else "local"
    raise typer.Exit(
        run_export(name, out=out, wanted=wanted, period=period, clock=clock, live=live)
    )


@app.command()
def explain(
    point: Annotated[
        str, typer.Argument(help="Point id, vendor/serial/key, or words such as 'paris hvac'.")
    ],
    day: Annotated[
        str,
        typer.Argument(help="Local day of the point's site, YYYY-MM-DD, yesterday or today."),
    ],
    *,
    as_of: Annotated[
        str,
        typer.Option(
            help="Show first what was published as final at this instant, or at the start of this "
            "day on the site's clock, and how it changed since."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the chain from raw rows to the energy of a local day, each decision in words."""
    from energy_platform.cli.explain import run_explain  # noqa: PLC0415

    raise typer.Exit(
        run_explain(console(), point=point, day=day, as_of=as_of or None, as_json=as_json)
    )


@app.command()
def tree(
    site: Annotated[str | None, typer.Argument(help="Id of a site; without it, all.")] = None,
    *,
    period: Annotated[
        str | None,
        typer.Option(
            "--period",
            help="Local day, YYYY-MM-DD, or month, YYYY-MM; else the newest day that is over.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON array with an object for each tree.")
    ] = False,
) -> None:
    """Print what stands behind each meter, what none shows, and loads that are measured twice."""
    from energy_platform.cli.site_tree import run_tree  # noqa: PLC0415

    raise typer.Exit(run_tree(console(), site=site, period=period, as_json=as_json))


@app.command()
def report(
    site: Annotated[str | None, typer.Option(help="Id of a site; by default all.")] = None,
    month: Annotated[
        str | None,
        typer.Option(help="YYYY-MM; by default the last whole month of each site."),
    ] = None,
    week: Annotated[str | None, typer.Option(help="An ISO week, YYYY-Www.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; by default data/reports.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of the pages, such as en.")] = None,
    *,
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF next to each page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a page of each site and month or week: use, peaks, what is missing and what to do."""
    from energy_platform.cli.report import run_report  # noqa: PLC0415

    raise typer.Exit(
        run_report(
            console(),
            site=site,
            month=month,
            week=week,
            with_pdf=pdf,
            out=out,
            language=language,
            as_json=as_json,
        )
    )


@app.command()
def backfill(
    vendor: Annotated[str, typer.Argument(help=f"{', '.join(source_names())} or all.")],
    first: Annotated[str, typer.Argument(help="First UTC day, YYYY-MM-DD, yesterday or today.")],
    last: Annotated[str, typer.Argument(help="Last UTC day, included.")],
) -> None:
    """Read a range of days as one run, then make fresh and publish what follows."""
    from energy_platform.cli.backfill import run_backfill  # noqa: PLC0415
    from energy_platform.cli.days import check_backfill, day_by_word  # noqa: PLC0415

    first, last = (day_by_word(one, timezone="UTC") for one in (first, last))
    check_backfill(vendor, first=first, last=last)
    raise typer.Exit(run_backfill(console(), vendor=vendor, first=first, last=last))


@app.command("accept-answer")
def accept_answer(
    source: Annotated[str, typer.Argument(help=f"One of {', '.join(source_names())}.")],
    day: Annotated[str, typer.Argument(help="The UTC day, YYYY-MM-DD.")],
    reason: Annotated[str, typer.Option(help="What was wrong with the answer before.")],
    device: Annotated[str, typer.Option(help="Only this device, by serial or id.")] = "",
) -> None:
    """Read a day again and let the answer replace its rows, keeping a record and the old file."""
    from energy_platform.cli.accept_answer import run_accept_answer  # noqa: PLC0415

    raise typer.Exit(
        run_accept_answer(console(), source=source, day=day, device=device, reason=reason)
    )


@app.command()
def discover(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the diff only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    limits: Annotated[
        bool,
        typer.Option("--limits", help="Propose max_power_w from the lake; ask no vendor."),
    ] = False,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Propose parent and same_as from the lake; ask no vendor."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Show the proposal only, as one JSON object.")
    ] = False,
) -> None:
    """Write or extend portfolio.yaml from the inventories of the vendors with credentials."""
    if as_json and yes:
        raise typer.BadParameter("--json shows a proposal and --yes writes it; choose one")
    if limits and tree:
        raise typer.BadParameter("--limits and --tree are two proposals; choose one")
    if limits or tree:
        from energy_platform.cli.discover_from_lake import run_discover_from_lake  # noqa: PLC0415

        subject: Literal["limits", "tree"] = "limits" if limits else "tree"
        raise typer.Exit(
            run_discover_from_lake(console(), subject, dry_run=dry_run, yes=yes, as_json=as_json)
        )
    from energy_platform.cli.discover import run_discover  # noqa: PLC0415

    raise typer.Exit(run_discover(console(), dry_run=dry_run, yes=yes, as_json=as_json))


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    retry_login: Annotated[
        bool, typer.Option("--retry-login", help="Try logins that rest after a refusal, once.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Check settings, logins, clocks, rights, portfolio, delivery, disk and leftovers."""
    from energy_platform.cli.doctor import run_doctor  # noqa: PLC0415

    raise typer.Exit(
        run_doctor(console(), as_json=as_json, retry_login=retry_login, verbose=verbose)
    )


@app.command()
def backup(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where backups are kept; by default ENERGY_PLATFORM_BACKUP_FOLDER."),
    ] = None,
    *,
    derived: Annotated[
        bool,
        typer.Option("--derived", help="Copy what follows from the raw days, too."),
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Keep so many backups, this one included.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Copy what cannot be made again, while everything runs; a second time only what is new."""
    from energy_platform.cli.backup import run_backup  # noqa: PLC0415

    raise typer.Exit(run_backup(console(), folder, derived=derived, keep=keep, as_json=as_json))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Where backups are kept.")],
    at: Annotated[
        str | None,
        typer.Option(help="The newest backup of this instant or before: 2026-11-27T08:00Z."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Data folder to make; by default ENERGY_PLATFORM_DATA_DIR."),
    ] = None,
    *,
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Read all of it and put nothing back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Put a backup back into a data folder that holds nothing; each file is verified."""
    from energy_platform.cli.backup import run_restore  # noqa: PLC0415
    from energy_platform.cli.days import typed_instant  # noqa: PLC0415

    raise typer.Exit(
        run_restore(
            console(),
            folder,
            at=None if at is None else typed_instant(at),
            into=into,
            verify_only=verify_only,
            as_json=as_json,
        )
    )


def main() -> None:
    """Run the command line: errors are one sentence on standard error and an exit code.

    Exit codes: 0 done, 1 done in part or refused by what was asked, 2 typed or set wrongly, 70 a
    fault of the platform, 130 stopped with Ctrl-C, 141 left by whoever read the output.
    """
    sys.exit(run())


def _is_text(word: str) -> bool:
    """Say whether a word came whole: bytes that are not text come as lone surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def run(args: list[str] | None = None) -> int:
    """Run a command; return its exit code, having said in one sentence what went wrong.

    Args:
        args: Words of the command; by default those of the process.
    """
    words = sys.argv[1:] if args is None else args
    write_any_text()
    if broken := next((word for word in words if not _is_text(word)), None):
        print_error(error_console(), f"{broken!a} is not text of this terminal's character set")
        return 2
    try:
        code = app(args, prog_name="energy-platform", standalone_mode=False)
        # What is still in a buffer must fail here, not at the interpreter's end.
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort
        if isinstance(error, _Left) or is_left(error):
            return leave_pipe()
        from energy_platform.cli.failures import ending_of  # noqa: PLC0415

        ending = ending_of(KeyboardInterrupt() if isinstance(error, _Interrupted) else error)
        if ending.message:
            print_error(error_console(), ending.message)
        return ending.code
    return code if isinstance(code, int) else 0
