"""``energy-platform report``: a page of each site and month or week, as HTML and PDF."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from energy_platform.cli.console import error_console, print_error
from energy_platform.cli.published import not_yet, open_published
from energy_platform.installation.origin import installation
from energy_platform.portfolio import PortfolioError, load_portfolio
from energy_platform.report import FOLDER, make_reports
from energy_platform.report.making import chosen_pages, index_of
from energy_platform.report.period import typed_period
from energy_platform.report.portfolio_entries import entries_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from energy_platform.report import Made
    from energy_platform.report.making import EntriesOf
    from energy_platform.settings import PlatformSettings


def run_report(
    console: Console,
    *,
    site: str | None,
    month: str | None,
    week: str | None,
    with_pdf: bool,
    out: Path | None,
    language: str | None,
    as_json: bool,
) -> int:
    """Make the reports that are asked for, and say where they lie.

    Args:
        console: Where the answer goes.
        site: Id of a site; None for all that have data.
        month: A month as typed; None with ``week`` None for the last whole month of each site.
        week: An ISO week as typed.
        with_pdf: Whether each page gets a PDF next to it.
        out: Folder to write to; None for that of the data folder.
        language: Of the catalogue; None for that of the settings.
        as_json: Print one JSON object in place of lines.

    Returns:
        0 when every page lies there, 1 when a site has no figures of the period, 2 when nothing is
        published yet.

    Raises:
        ReportError: There is nothing to report, or what was asked for is not there.
        SettingsError: A variable is wrong.
        duckdb.Error: The published file is damaged.
    """
    period = typed_period(month=month, week=week)
    settings = installation().settings
    platform = settings.platform
    say = error_console()
    try:
        published = open_published(platform, live=False)
    except FileNotFoundError as error:
        print_error(say, not_yet(error))
        return 2
    folder = out or platform.data_dir / FOLDER
    with closing(published) as connection:
        wanted, lacking, notes = chosen_pages(connection, site=site, period=period)
        with say.status(f"makes {len(wanted)} report{'s' if len(wanted) > 1 else ''}"):
            made = make_reports(
                connection,
                folder,
                wanted,
                language=language or settings.reports.language,
                with_pdf=with_pdf,
                entries_of=_entries(platform, notes),
                is_fresh=True,
            )
    if as_json:
        print(json.dumps(_plain(made, folder, [*lacking, *notes])))  # noqa: T201
    else:
        for one in made:
            console.print(_line(one), markup=False, highlight=False)
        console.print(f"index: {index_of(folder)}", markup=False, highlight=False)
        for note in [*lacking, *notes]:
            say.print(note, markup=False, highlight=False)
    return 1 if lacking else 0


def _entries(platform: PlatformSettings, notes: list[str]) -> EntriesOf | None:
    """Return what names corrections and accepted energy; None, and a note, without a portfolio."""
    try:
        portfolio = load_portfolio(platform.portfolio)
    except PortfolioError as error:
        notes.append(f"corrections and accepted energy are left out: {error}")
        return None
    return lambda site, period: entries_of(portfolio, site, period)


def _line(one: Made) -> str:
    pdf = f", {one.pdf}" if one.pdf is not None else ""
    return f"{one.site_id} {one.period}, {one.status}: {one.path}{pdf}"


def _plain(made: list[Made], folder: Path, notes: list[str]) -> dict[str, Any]:
    return {
        "index": str(index_of(folder)),
        "reports": [
            {
                "site_id": one.site_id,
                "period": one.period,
                "status": one.status,
                "page": str(one.path),
                "pdf": None if one.pdf is None else str(one.pdf),
                "written": one.is_new,
            }
            for one in made
        ],
        "notes": notes,
    }
