"""The reports of an installation as they shall be now: which pages, whether any is stale, made."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb

from energy_platform.alerts import ALERTS_FILE, AlertStore
from energy_platform.report.errors import ReportError
from energy_platform.report.mail import GRAINS, due_mailing, mail_reports
from energy_platform.report.making import FOLDER, make_reports, stale_pages, wanted_pages
from energy_platform.report.portfolio_entries import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.portfolio import Portfolio
    from energy_platform.report.making import EntriesOf, Made
    from energy_platform.report.period import Grain
    from energy_platform.settings import AlertSettings, ReportSettings

PUBLISHED_FILE: Final = "energy.duckdb"


class Current(NamedTuple):
    """What a run did.

    Attributes:
        made: Each page that is kept, written or as it was.
        mail: What became of the mail, in a sentence.
    """

    made: list[Made]
    mail: str


def needs_a_run(
    data_dir: Path,
    portfolio: Portfolio,
    *,
    settings: ReportSettings,
    now: datetime,
) -> str:
    """Return why pages are to be made or mail is due, in a sentence; empty where nothing is.

    Raises:
        ReportError: The published file cannot be read.
        AlertStoreError: The alerts file cannot be used.
    """
    if not (data_dir / PUBLISHED_FILE).exists():
        return ""
    with _published(data_dir) as connection:
        stale = stale_pages(
            connection,
            data_dir / FOLDER,
            wanted_pages(connection, grains=_grains(settings), running=True),
            language=settings.language,
            with_pdf=True,
            entries_of=_entries(portfolio),
        )
        if stale:
            return f"{len(stale)} pages show other figures than are published"
        if settings.mail != "off" and (data_dir / ALERTS_FILE).exists():
            with AlertStore.of(data_dir) as store:
                if due_mailing(connection, store, settings=settings, now=now) is not None:
                    return "a report is due by mail"
    return ""


def make_current(
    data_dir: Path,
    portfolio: Portfolio,
    *,
    settings: ReportSettings,
    alerts: AlertSettings,
    now: datetime,
) -> Current:
    """Make the pages whose figures changed, and queue the mail that is due.

    Args:
        data_dir: The data folder: published file, reports, alerts.
        portfolio: Corrections and accepted energy are named in the pages.
        settings: Language, and who gets what by mail.
        alerts: The alerts' channels.
        now: The present.

    Raises:
        ReportError: The published file cannot be read, or a page cannot be made.
        SettingsError: Mail is asked for and there is no address that can be used.
        AlertStoreError: The alerts file cannot be used.
    """
    folder = data_dir / FOLDER
    with _published(data_dir) as connection:
        made = make_reports(
            connection,
            folder,
            wanted_pages(connection, grains=_grains(settings), running=True),
            language=settings.language,
            with_pdf=True,
            entries_of=_entries(portfolio),
        )
        with AlertStore.of(data_dir) as store:
            mail = mail_reports(
                connection,
                store,
                folder,
                settings=settings,
                alerts=alerts,
                now=now,
                entries_of=_entries(portfolio),
            )
    return Current(made, mail)


def _grains(settings: ReportSettings) -> Sequence[Grain]:
    """Return months, and weeks where somebody gets them."""
    wanted = GRAINS.get(settings.mail, "month")
    return ("month",) if wanted == "month" else ("month", "week")


def _entries(portfolio: Portfolio) -> EntriesOf:
    return lambda site, period: entries_of(portfolio, site, period)


@contextmanager
def _published(data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    path = data_dir / PUBLISHED_FILE
    try:
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            yield connection
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise ReportError(f"{path} cannot be read for the reports: {said}") from error
