"""From the published file to pages in a folder: each made once for the figures that it shows.

A page is made again when its figures changed. Those of a period that is running change with every
publication; its page follows when another day of it is over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from filelock import FileLock

from energy_platform import __version__
from energy_platform.lake.files import staged
from energy_platform.report.errors import ReportError
from energy_platform.report.figures import (
    default_period,
    horizon,
    periods_with_data,
    read_figures,
    site_infos,
)
from energy_platform.report.shelf import (
    INDEX,
    Shelved,
    page_path,
    read_shelf,
    write_shelf,
)
from energy_platform.report.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import duckdb

    from energy_platform.report.period import Grain, Period
    from energy_platform.report.records import Entry, Figures, SiteInfo

    EntriesOf = Callable[[SiteInfo, Period], Sequence[Entry]]

FOLDER: Final = "reports"
"""Folder of the reports in the data folder."""

_LOCK: Final = ".lock"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A page of this call.

    Attributes:
        path: The page.
        pdf: The PDF; None where none was asked for.
        is_new: Whether it was written now; else it said the same already.
        figures: What it shows.
    """

    site_id: str
    period: str
    path: Path
    pdf: Path | None
    is_new: bool
    status: str
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A page that shall be there."""

    site: SiteInfo
    period: Period


def wanted_pages(
    connection: duckdb.DuckDBPyConnection, *, grains: Sequence[Grain], running: bool
) -> list[Wanted]:
    """Return the pages to keep: of each site the last whole period, and the one under way.

    Args:
        connection: The published file.
        grains: Months, weeks or both.
        running: Whether the period under way is wanted next to a whole one.
    """
    as_of, _ = horizon(connection)
    wanted = []
    for site in site_infos(connection):
        for grain in grains:
            known = periods_with_data(connection, site, grain=grain)
            newest = default_period(site, known, as_of=as_of)
            if newest is None:
                continue
            wanted.append(Wanted(site=site, period=newest))
            if running and known[-1] != newest:
                wanted.append(Wanted(site=site, period=known[-1]))
    return wanted


def stale_pages(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    wanted: Iterable[Wanted],
    *,
    language: str,
    with_pdf: bool,
    entries_of: EntriesOf | None = None,
) -> list[Wanted]:
    """Return which of the wanted pages are missing or show other figures than the file has.

    Nothing is drawn: reading the figures of a page takes a fraction of what making it does.
    """
    shelf = read_shelf(folder)
    found = []
    for one in wanted:
        shelved = shelf.get((one.site.site_id, one.period.key))
        entries = entries_of(one.site, one.period) if entries_of else ()
        figures = read_figures(connection, one.site, one.period, entries=entries)
        if not _is_good(shelved, folder, figures, language=language, with_pdf=with_pdf):
            found.append(one)
    return found


def make_reports(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    wanted: Iterable[Wanted],
    *,
    language: str,
    with_pdf: bool,
    entries_of: EntriesOf | None = None,
    is_fresh: bool = False,
    say: Callable[[str], None] | None = None,
) -> list[Made]:
    """Make the pages that are missing or show other figures, and the index of all sites.

    Args:
        connection: The published file.
        folder: Where they go: ``<site>/<period>.html`` and ``.pdf``, ``index.html``.
        wanted: The pages.
        language: Of the catalogue.
        with_pdf: Whether each gets a PDF next to it.
        entries_of: What the portfolio corrects and accepts in a period.
        is_fresh: Make a page of a running period as of now.
        say: Told of each page that is written.

    Returns:
        Each wanted page, written or as it was.

    Raises:
        ReportError: There are no figures, no such language, or the PDF cannot be set.
    """
    words_of(language)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with FileLock(folder / _LOCK):
        shelf = read_shelf(folder)
        for one in wanted:
            entries = entries_of(one.site, one.period) if entries_of else ()
            figures = read_figures(connection, one.site, one.period, entries=entries)
            key = (one.site.site_id, one.period.key)
            is_good = _is_good(
                shelf.get(key), folder, figures, language=language, with_pdf=with_pdf
            )
            is_new = not is_good or (is_fresh and figures.is_running)
            if is_new:
                shelf[key] = _write(figures, folder, language=language, with_pdf=with_pdf)
                if say is not None:
                    say(f"{folder / page_path(*_place(figures), kind='html')}")
            made.append(
                Made(
                    site_id=one.site.site_id,
                    period=one.period.key,
                    path=folder / page_path(one.site.site_id, one.period, kind="html"),
                    pdf=_pdf(folder, figures) if with_pdf else None,
                    is_new=is_new,
                    status=figures.status,
                    figures=figures,
                )
            )
        write_shelf(folder, shelf, site_infos(connection), language=language)
    return made


def index_of(folder: Path) -> Path:
    """Return where the index of all sites lies."""
    return folder / INDEX


def digest_of(figures: Figures, *, language: str) -> str:
    """Return a text that is another one when a page would show something else.

    Of a period that is running only the days that are over count, and what is not of a day.
    """
    shown: dict[str, Any] = asdict(figures)
    del shown["as_of"], shown["built_at"]
    if figures.is_running:
        today = figures.as_of.astimezone(ZoneInfo(figures.site.timezone)).date()
        days = [one for one in shown["days"] if one["local_day"] < today]
        kept = ("site", "period", "restatements", "unconfirmed", "entries", "is_running")
        shown = {name: shown[name] for name in kept} | {"days": days}
    text = json.dumps([shown, language, _maker()], default=str, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def _maker() -> str:
    """Return what stands for the code, the texts and the templates that make a page."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for package in ("report", "report.templates", "report.texts"):
        folder = files(f"energy_platform.{package}")
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_good(
    shelved: Shelved | None, folder: Path, figures: Figures, *, language: str, with_pdf: bool
) -> bool:
    return (
        shelved is not None
        and shelved.digest == digest_of(figures, language=language)
        and (not with_pdf or (shelved.has_pdf and _pdf(folder, figures).is_file()))
    )


def _place(figures: Figures) -> tuple[str, Period]:
    return figures.site.site_id, figures.period


def _pdf(folder: Path, figures: Figures) -> Path:
    return folder / page_path(*_place(figures), kind="pdf")


def _write(figures: Figures, folder: Path, *, language: str, with_pdf: bool) -> Shelved:
    # Drawing imports Altair and more, which a look at what is stale does without.
    from energy_platform.report.page import Links, library_of, render_page  # noqa: PLC0415
    from energy_platform.report.pages import page_of  # noqa: PLC0415

    page = page_of(figures, words_of(language))
    pdf = _pdf(folder, figures)
    if with_pdf:
        from energy_platform.report.pdf import render_pdf  # noqa: PLC0415

        content = render_pdf(page)
        with staged(pdf) as path:
            path.write_bytes(content)
    else:
        # One of earlier figures would contradict the page.
        pdf.unlink(missing_ok=True)
    links = Links(to_index="../index.html", to_pdf=pdf.name if with_pdf else "")
    html = render_page(page, library=library_of(folder), links=links)
    with staged(folder / page_path(*_place(figures), kind="html")) as path:
        path.write_text(html, encoding="utf-8", newline="\n")
    attention = next(one for one in page.sections if one.id == "attention")
    comparison = figures.comparison
    return Shelved(
        site_id=figures.site.site_id,
        site_name=figures.site.site_name,
        grain=figures.period.grain,
        period=figures.period.key,
        language=language,
        digest=digest_of(figures, language=language),
        status=figures.status,
        is_final=figures.is_final,
        attention=len(attention.items),
        use_kwh=figures.use.site_use_kwh,
        change_share=None if comparison is None else comparison.previous.change_share,
        peak_kw=figures.use.peak_kw,
        has_pdf=with_pdf,
    )


def chosen_pages(
    connection: duckdb.DuckDBPyConnection, *, site: str | None, period: Period | None
) -> tuple[list[Wanted], list[str], list[str]]:
    """Return the pages that somebody asks for.

    Args:
        connection: The published file.
        site: Id of a site; None for all that have data.
        period: As typed; None for the last whole month, else the one that is running.

    Returns:
        The pages; sentences on sites that have no figures of the period; and on pages of a period
        that is not over.

    Raises:
        ReportError: There is no such site, or no figures at all.
    """
    sites = site_infos(connection)
    if site is not None:
        known = ", ".join(one.site_id for one in sites) or "none"
        sites = tuple(one for one in sites if one.site_id == site)
        if not sites:
            raise ReportError(f"there is no site {site!r}; there are: {known}")
    as_of, _ = horizon(connection)
    wanted, lacking, said = [], [], []
    for one in sites:
        months = periods_with_data(
            connection, one, grain="month" if period is None else period.grain
        )
        chosen = period or default_period(one, months, as_of=as_of)
        if chosen is None or chosen not in months:
            span = f": it has {months[0].key} to {months[-1].key}" if months else ""
            when = "yet" if period is None else f"in {period.key}"
            lacking.append(f"{one.site_id}: no figures {when}{span}")
            continue
        wanted.append(Wanted(site=one, period=chosen))
        today = as_of.astimezone(ZoneInfo(one.timezone)).date()
        if chosen.last >= today:
            said.append(
                f"{one.site_id}: {chosen.key} is not over"
                + ("; no whole month has figures yet" if period is None else "")
            )
    if not wanted:
        raise ReportError("; ".join(lacking) or "the published file has no sites")
    return wanted, lacking, said
