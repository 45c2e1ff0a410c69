"""A report leaves by mail once, when its period is over and final, or has waited long enough."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.alerts import AlertStore, send_due
from energy_platform.report.mail import mail_channel, mail_reports
from energy_platform.settings import AlertSettings, ReportSettings, SettingsError
from energy_platform_tests.alerts.receivers import mail_server
from energy_platform_tests.report.published_site import PublishedSite, built, empty_published

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from energy_platform_tests.alerts.receivers import Mailbox

NOVEMBER = datetime(2026, 11, 1, 12, tzinfo=UTC)


class MailHarness:
    """The platform's side, each look in a process that has just started."""

    def __init__(self, folder: Path, file: duckdb.DuckDBPyConnection, mailbox: Mailbox) -> None:
        self.folder = folder
        self.file = file
        self.mailbox = mailbox
        self.settings = ReportSettings(mail="monthly")
        self.alerts = AlertSettings(mail_url=mailbox.url)

    def look(self, now: datetime) -> str:
        channel = mail_channel(self.settings, self.alerts)
        assert channel is not None
        with AlertStore.of(self.folder) as store:
            said = mail_reports(
                self.file,
                store,
                self.folder / "reports",
                settings=self.settings,
                alerts=self.alerts,
                now=now,
            )
            send_due(store, [channel], now=now)
        return said


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[MailHarness]:
    with empty_published(tmp_path / "energy.duckdb") as file, mail_server() as mailbox:
        site = PublishedSite(file)
        site.month(date(2026, 10, 1))
        built(file, NOVEMBER)
        yield MailHarness(tmp_path, file, mailbox)


def test_a_final_month_is_sent_once_with_its_pdf(harness: MailHarness) -> None:
    assert harness.look(datetime(2026, 10, 31, 12, tzinfo=UTC)) == "no report is due by mail"
    assert harness.look(NOVEMBER).startswith("queued for mail")
    for hour in range(1, 4):
        assert harness.look(NOVEMBER + timedelta(hours=hour)) == "no report is due by mail"
    ((subject, body),) = harness.mailbox.received
    assert subject == "Energy report, October 2026"
    assert "All figures are final." in body
    assert "Paris office: 7,450 kWh" in body
    ((name, content),) = harness.mailbox.attachments[0]
    assert name == "2026-10.pdf"
    assert content.startswith(b"%PDF-")


def test_a_month_that_is_not_final_waits_and_then_says_what_is_missing(
    harness: MailHarness,
) -> None:
    harness.file.execute("update mart_site_energy_monthly set status = 'partial', is_final = false")
    assert harness.look(NOVEMBER + timedelta(days=2)) == "no report is due by mail"
    harness.look(NOVEMBER + timedelta(days=3))
    ((_, body),) = harness.mailbox.received
    assert "Not all is final 3 days after the end of the period" in body
    assert "(partial)" in body


def test_a_mail_that_was_refused_is_sent_later_and_listed_until_then(
    harness: MailHarness,
) -> None:
    harness.mailbox.is_refusing = True
    harness.look(NOVEMBER)
    assert harness.mailbox.received == []
    with AlertStore.of(harness.folder) as store:
        assert list(store.troubles()) == ["mail"]
    harness.mailbox.is_refusing = False
    for minute in range(1, 10):
        harness.look(NOVEMBER + timedelta(minutes=minute))
    assert len(harness.mailbox.received) == 1
    with AlertStore.of(harness.folder) as store:
        assert store.troubles() == {}


def test_a_site_that_has_figures_later_is_sent_by_itself(harness: MailHarness) -> None:
    harness.look(NOVEMBER)
    PublishedSite(harness.file, site_id="lyon", name="Lyon").month(date(2026, 10, 1))
    harness.look(NOVEMBER + timedelta(hours=1))
    harness.look(NOVEMBER + timedelta(hours=2))
    assert ["Paris office" in body for _, body in harness.mailbox.received] == [True, False]
    assert "Lyon" in harness.mailbox.received[1][1]


def test_reports_without_an_address_are_refused_in_one_sentence() -> None:
    with pytest.raises(SettingsError, match="ENERGY_PLATFORM_REPORT_URL"):
        mail_channel(ReportSettings(mail="weekly"), AlertSettings())


def test_an_alerts_file_of_an_older_version_takes_attachments(tmp_path: Path) -> None:
    with AlertStore.of(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "alerts.sqlite") as older:
        older.execute("alter table messages drop column attachments")
    with AlertStore.of(tmp_path) as store:
        assert store.claim(channels=["mail"], now=NOVEMBER) == []
