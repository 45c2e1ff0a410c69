"""Reports by mail: when a period is due, what the mail says, and that it is said once.

The message goes the way of the alerts' messages: queued in the alert store, sent by what sends
alerts, tried again, and listed where it was not accepted. What was sent is noted by period and
site, in the transaction that queues it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from energy_platform.alerts.channels import channels_of, report_channel
from energy_platform.alerts.messages import Message
from energy_platform.report.attention import attention
from energy_platform.report.figures import periods_with_data, read_figures, site_infos
from energy_platform.report.making import Wanted, make_reports
from energy_platform.report.period import Period, period_of
from energy_platform.report.words import words_of
from energy_platform.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from energy_platform.alerts.channels import Channel
    from energy_platform.alerts.store import AlertStore
    from energy_platform.report.making import EntriesOf, Made
    from energy_platform.report.period import Grain
    from energy_platform.report.records import Figures, SiteInfo
    from energy_platform.report.words import Words
    from energy_platform.settings import AlertSettings, ReportSettings

GRAINS: Final[Mapping[str, Grain]] = {"weekly": "week", "monthly": "month"}

MOST_ATTACHED: Final = 10_000_000
"""Bytes of PDF in one mail; what is beyond is named. Mail servers refuse more than 20 to 25 MB,
and an attachment grows by a third on its way."""


class Mailing(NamedTuple):
    """A period that is over, and the sites whose report of it was not sent.

    Attributes:
        silent: Sites that have figures of other periods only.
    """

    period: Period
    sites: tuple[SiteInfo, ...]
    silent: tuple[SiteInfo, ...]


def mail_channel(settings: ReportSettings, alerts: AlertSettings) -> Channel | None:
    """Return where reports go; None where none are asked for.

    Raises:
        SettingsError: They are asked for and there is no address, or it cannot be used.
    """
    if settings.mail == "off":
        return None
    if settings.url is not None:
        return report_channel(settings.url, ca_file=settings.ca_file)
    mail = next((one for one in channels_of(alerts) if one.name == "mail"), None)
    if mail is None:
        raise SettingsError(
            f"ENERGY_PLATFORM_REPORT_MAIL is {settings.mail} and there is no address: set "
            "ENERGY_PLATFORM_REPORT_URL or ENERGY_PLATFORM_ALERT_MAIL_URL"
        )
    return mail


def mailing_of(
    connection: duckdb.DuckDBPyConnection,
    store: AlertStore,
    *,
    settings: ReportSettings,
    now: datetime,
) -> Mailing | None:
    """Return the newest period that is over at every site and was not sent whole; else None.

    Args:
        connection: The published file.
        store: Knows what was sent.
        settings: Weekly or monthly.
        now: The present.
    """
    if settings.mail == "off":
        return None
    grain = GRAINS[settings.mail]
    known = {one: periods_with_data(connection, one, grain=grain) for one in site_infos(connection)}
    known = {site: periods for site, periods in known.items() if periods}
    if not known:
        return None
    days = [now.astimezone(ZoneInfo(one.timezone)).date() for one in known]
    period = period_of(grain, min(days)).before
    told = _told(store, period)
    left = [one for one in known if one.site_id not in told]
    sites = tuple(one for one in left if period in known[one])
    silent = tuple(one for one in left if period not in known[one] and known[one][0] < period)
    return Mailing(period, sites, silent) if sites else None


def wanted_of(mailing: Mailing) -> list[Wanted]:
    """Return the pages that a mailing sends."""
    return [Wanted(site=one, period=mailing.period) for one in mailing.sites]


def is_due(mailing: Mailing, figures: Sequence[Figures], *, after_days: int, now: datetime) -> bool:
    """Say whether a mailing is to be sent: all is final, or it has waited long enough."""
    if not mailing.silent and all(one.is_final for one in figures):
        return True
    zones = [ZoneInfo(one.timezone) for one in (*mailing.sites, *mailing.silent)]
    first = mailing.period.after.first
    ends = [datetime.combine(first, datetime.min.time(), tzinfo=zone) for zone in zones]
    return now >= max(ends) + timedelta(days=after_days)


def queue_mail(
    store: AlertStore,
    mailing: Mailing,
    made: Sequence[Made],
    *,
    settings: ReportSettings,
    channel: str,
    folder: Path,
    now: datetime,
) -> Message:
    """Put the mail of a mailing on its way, and note that it is; both or neither.

    Args:
        store: Queues the message, and remembers.
        mailing: Period and sites.
        made: Their pages, with PDF.
        settings: Language, and how long was waited.
        channel: Name of the channel it leaves by.
        folder: Where the pages lie.
        now: The present.
    """
    message, attached = _message(mailing, made, settings=settings, folder=folder)
    with store.transaction() as change:
        name = _note(mailing.period)
        told = set(json.loads(change.noted(name) or "[]"))
        told |= {one.site_id for one in (*mailing.sites, *mailing.silent)}
        change.note(name, json.dumps(sorted(told)))
        change.queue(message, channels=[channel], now=now, attachments=attached)
    return message


def mail_reports(
    connection: duckdb.DuckDBPyConnection,
    store: AlertStore,
    folder: Path,
    *,
    settings: ReportSettings,
    alerts: AlertSettings,
    now: datetime,
    entries_of: EntriesOf | None = None,
) -> str:
    """Queue the mail of the newest period that is due; say what was done, or why nothing was.

    Args:
        connection: The published file.
        store: Queues the message, and remembers.
        folder: Folder of the reports.
        settings: Weekly or monthly, language, how long to wait.
        alerts: The alerts' channels, of which mail is the one where no other address is set.
        now: The present.
        entries_of: What the portfolio corrects and accepts in a period.

    Raises:
        SettingsError: Reports are asked for and there is no address that can be used.
        ReportError: A page cannot be made.
    """
    channel = mail_channel(settings, alerts)
    if channel is None:
        return "no reports are sent by mail"
    mailing = due_mailing(connection, store, settings=settings, now=now)
    if mailing is None:
        return "no report is due by mail"
    made = make_reports(
        connection,
        folder,
        wanted_of(mailing),
        language=settings.language,
        with_pdf=True,
        entries_of=entries_of,
    )
    message = queue_mail(
        store, mailing, made, settings=settings, channel=channel.name, folder=folder, now=now
    )
    return f"queued for {channel.name}: {message.title}"


def due_mailing(
    connection: duckdb.DuckDBPyConnection,
    store: AlertStore,
    *,
    settings: ReportSettings,
    now: datetime,
) -> Mailing | None:
    """Return the mailing that is to be sent now; None where nothing is."""
    mailing = mailing_of(connection, store, settings=settings, now=now)
    if mailing is None:
        return None
    figures = [read_figures(connection, one, mailing.period) for one in mailing.sites]
    due = is_due(mailing, figures, after_days=settings.after_days, now=now)
    return mailing if due else None


def _note(period: Period) -> str:
    return f"report_mail {period.grain} {period.key}"


def _told(store: AlertStore, period: Period) -> set[str]:
    return set(json.loads(store.note(_note(period)) or "[]"))


def _message(
    mailing: Mailing, made: Sequence[Made], *, settings: ReportSettings, folder: Path
) -> tuple[Message, list[Path]]:
    words = words_of(settings.language)
    period = words.period(mailing.period)
    attached: list[Made] = []
    left_out: list[Made] = []
    size = 0
    for one in made:
        if one.pdf is None:
            continue
        size += one.pdf.stat().st_size
        (attached if size <= MOST_ATTACHED else left_out).append(one)
    sites = words.count("mail.sites", len(mailing.sites))
    lines = [words("mail.intro", sites=sites, period=period, folder=folder), ""]
    is_final = not mailing.silent and all(one.figures.is_final for one in made)
    waited = words.count("count.days", settings.after_days)
    lines += [words("mail.final") if is_final else words("mail.waited", days=waited), ""]
    lines += [_line(one.figures, words) for one in made]
    lines += [words("mail.silent", site=one.site_name) for one in mailing.silent]
    if left_out:
        names = ", ".join(one.figures.site.site_name for one in left_out)
        lines += ["", words("mail.not_attached", names=names)]
    subject = words("mail.subject", period=period)
    # A line end in a name must not become a header of the mail.
    title = " ".join(subject.split())
    body = "\n".join(" ".join(line.split()) for line in lines)
    return Message("report", title, body), [one.pdf for one in attached if one.pdf is not None]


def _line(figures: Figures, words: Words) -> str:
    found = attention(figures, words).items
    comparison = figures.comparison
    change = None if comparison is None else comparison.previous.change_share
    status = words(f"status.{figures.status}.word")
    return words(
        "mail.line",
        site=figures.site.site_name,
        use=words.amount(figures.use.site_use_kwh, "kWh"),
        note="" if figures.is_final else f" ({status})",
        peak=words.amount(figures.use.peak_kw, "kW"),
        change=words.share(change, signed=True),
        attention=words.count("mail.attention", len(found)) if found else words("mail.quiet"),
    ) + "".join(f" [{one.title}]" for one in found if one.weight == "act")
