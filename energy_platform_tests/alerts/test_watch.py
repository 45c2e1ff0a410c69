"""Each condition is told once when it begins and once when it is over."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from energy_platform.alerts import AlertStore, Condition, channels_of, send_due, watch
from energy_platform.alerts.messages import Writer
from energy_platform.settings import AlertSettings, SettingsError
from energy_platform_tests.alerts.receivers import mail_server, webhook_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from energy_platform_tests.alerts.receivers import Mailbox, Webhook

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def silent(source: str, since: datetime) -> Condition:
    return Condition(
        kind="source_silent",
        subject=source,
        what=f"{source} gave no data",
        since=since,
        todo="look at it",
    )


class AlertHarness:
    """The platform's side: looks and sends, each time in a process that has just started."""

    def __init__(self, data_dir: Path, mailbox: Mailbox, webhook: Webhook) -> None:
        self.data_dir = data_dir
        self.mailbox = mailbox
        self.webhook = webhook
        self.settings = AlertSettings(
            mail_url=mailbox.url, webhook_url=webhook.url, source_silent_min=120
        )

    def tick(self, conditions: Sequence[Condition], now: datetime) -> None:
        channels = channels_of(self.settings)
        with AlertStore.of(self.data_dir) as store:
            watch(
                store,
                conditions,
                settings=self.settings,
                writer=Writer(where="plant", hidden=["s3cret"]),
                channels=channels,
                now=now,
            )
            send_due(store, channels, now=now)

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.mailbox.received]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[AlertHarness]:
    with ExitStack() as stack:
        mailbox = stack.enter_context(mail_server())
        webhook = stack.enter_context(webhook_server())
        yield AlertHarness(tmp_path, mailbox, webhook)


def test_a_condition_is_told_once_after_its_time_and_once_when_it_is_over(
    harness: AlertHarness,
) -> None:
    held = [silent("socomec", START)]
    for minute in (1, 60, 119):
        harness.tick(held, START + minute * MINUTE)
    assert harness.titles == []
    for minute in (120, 121, 500):
        harness.tick(held, START + minute * MINUTE)
    assert harness.titles == ["[energy_platform plant] a source is silent: socomec"]
    assert len(harness.webhook.received) == 1
    for minute in (501, 505, 510, 511, 600):
        harness.tick([], START + minute * MINUTE)
    assert harness.titles[1:] == ["[energy_platform plant] over: a source is silent: socomec"]
    assert len(harness.webhook.received) == 2


def test_a_message_says_what_since_when_and_what_to_do_and_no_secret(harness: AlertHarness) -> None:
    condition = Condition(
        kind="run_failed",
        subject="refresh",
        what="refresh failed: the vendor echoed s3cret at https://host/x?token=abcdefghijk1234567890",
        since=START,
        todo="look at the run",
    )
    harness.tick([condition], START + 10 * MINUTE)
    ((_, body),) = harness.mailbox.received
    assert "refresh failed" in body
    assert "Since 2026-03-01 12:00 UTC." in body
    assert "To do: look at the run." in body
    assert "s3cret" not in body
    assert "abcdefghijk" not in body
    assert harness.webhook.received[0]["message"].startswith("refresh failed")


def test_what_happened_is_told_without_an_all_clear(harness: AlertHarness) -> None:
    held = [
        Condition(
            kind="figures_restated",
            subject="paris",
            what="paris: 2 figures that were final are others now, of 2026-02-27: correction",
            since=START,
            todo="look at them",
        )
    ]
    for hour in range(24):
        harness.tick(held, START + timedelta(hours=hour))
    for hour in range(24, 72):
        harness.tick([], START + timedelta(hours=hour))
    assert harness.titles == [
        "[energy_platform plant] final figures changed: paris",
        "[energy_platform plant] 1 thing to look at on 02 Mar 2026",
    ]


def test_what_comes_and_goes_is_told_once(harness: AlertHarness) -> None:
    held = [silent("belimo", START)]
    for minute in range(120, 200):
        harness.tick(held if minute % 5 else [], START + minute * MINUTE)
    assert len(harness.titles) == 1


def test_a_channel_that_refuses_gets_each_message_later_and_the_other_none_twice(
    harness: AlertHarness,
) -> None:
    harness.mailbox.is_refusing = True
    held = [silent("socomec", START)]
    for minute in range(120, 180):
        harness.tick(held, START + minute * MINUTE)
    assert harness.titles == []
    assert len(harness.webhook.received) == 1
    with AlertStore.of(harness.data_dir) as store:
        assert list(store.troubles()) == ["mail"]
    harness.mailbox.is_refusing = False
    for minute in range(180, 260):
        harness.tick(held, START + minute * MINUTE)
    assert len(harness.titles) == 1
    assert len(harness.webhook.received) == 1
    with AlertStore.of(harness.data_dir) as store:
        assert store.troubles() == {}


def test_a_message_under_way_when_the_process_died_is_not_sent_twice(harness: AlertHarness) -> None:
    channels = channels_of(harness.settings)
    with AlertStore.of(harness.data_dir) as store:
        watch(
            store,
            [silent("socomec", START)],
            settings=harness.settings,
            writer=Writer(where="plant"),
            channels=channels,
            now=START + 120 * MINUTE,
        )
        claimed = store.claim(channels=["mail", "webhook"], now=START + 120 * MINUTE)
        assert len(claimed) == 2
    for minute in range(121, 240):
        harness.tick([silent("socomec", START)], START + minute * MINUTE)
    assert harness.titles == []
    morning = datetime(2026, 3, 2, 7, tzinfo=UTC)
    harness.tick([silent("socomec", START)], morning)
    assert harness.titles == ["[energy_platform plant] 1 thing to look at on 02 Mar 2026"]


def test_the_digest_comes_once_a_day_and_only_while_something_stands(harness: AlertHarness) -> None:
    held = [silent("socomec", START)]
    now = START + 120 * MINUTE
    while now < START + timedelta(days=3):
        harness.tick(held, now)
        now += 30 * MINUTE
    harness.tick([], now + 10 * MINUTE)
    for hour in range(1, 49):
        harness.tick([], now + timedelta(hours=hour))
    digests = [title for title in harness.titles if "to look at" in title]
    assert len(digests) == 3
    assert len([title for title in harness.titles if "over:" in title]) == 1


def test_a_thousand_streams_are_one_message(harness: AlertHarness) -> None:
    held = [
        Condition(kind="stream_stuck", subject=f"st-{n}", what=f"st-{n}", since=START, todo="wait")
        for n in range(1000)
    ]
    harness.tick(held, START + 60 * MINUTE)
    assert harness.titles == [
        "[energy_platform plant] Wattics does not take packets: st-0, st-1, st-2 and 997 more"
    ]
    assert "and 980 more" in harness.mailbox.received[0][1]


def test_the_first_channel_hears_of_what_stood_before_it_was_set(harness: AlertHarness) -> None:
    quiet = harness.settings
    harness.settings = AlertSettings()
    harness.tick([silent("socomec", START)], START + 200 * MINUTE)
    harness.settings = quiet
    harness.tick([silent("socomec", START)], START + 201 * MINUTE)
    assert len(harness.titles) == 1


def test_a_kind_that_is_off_is_never_told(harness: AlertHarness) -> None:
    harness.settings = harness.settings.model_copy(update={"source_silent_min": "off"})
    harness.tick([silent("socomec", START)], START + timedelta(days=2))
    assert harness.titles == []


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("webhook_url", "json://hooks.example.com/x", "in the clear"),
        ("mail_url", "mailto://me:pw@smtp.example.com?to=a@b.example", "in the clear"),
        ("teams_url", "teams.example.com/abc", "not an address that apprise knows"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_never_shown(
    name: str, url: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        channels_of(AlertSettings.model_validate({name: url}))
    assert f"ENERGY_PLATFORM_ALERT_{name.upper()}" in str(caught.value)
    assert url not in str(caught.value)
