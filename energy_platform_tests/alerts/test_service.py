"""The platform itself stops being well: told once, and once when it is back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from energy_platform.alerts import AlertStore, channels_of, send_due, watch, watch_service
from energy_platform.alerts.messages import Writer
from energy_platform.settings import AlertSettings
from energy_platform_tests.alerts.receivers import mail_server

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEAD = "the UI and daemon are not running"


def test_a_dead_daemon_is_told_once_after_its_time_and_once_when_it_is_back(tmp_path: Path) -> None:
    with mail_server() as mailbox:
        settings = AlertSettings(mail_url=mailbox.url)
        channels = channels_of(settings)
        writer = Writer(where="plant")

        def look(minute: int, trouble: str) -> list[str]:
            now = START + timedelta(minutes=minute)
            with AlertStore.of(tmp_path) as store:
                watch_service(
                    store,
                    trouble=trouble,
                    settings=settings,
                    writer=writer,
                    channels=channels,
                    now=now,
                )
                if not trouble:  # the daemon's own look ends nothing of this
                    watch(store, [], settings=settings, writer=writer, channels=channels, now=now)
                assert send_due(store, channels, now=now) == {}
            return [title for title, _ in mailbox.received]

        about = "the platform itself is not well: UI and daemon"
        assert look(0, "") == []
        for minute in (1, 4, 5):
            assert look(minute, DEAD) == []
        for minute in (6, 8, 500):
            assert look(minute, DEAD) == [f"[energy_platform plant] {about}"]
        assert DEAD in mailbox.received[0][1]
        assert "Since 2026-03-01 12:01 UTC." in mailbox.received[0][1]
        for minute in (502, 504):
            assert look(minute, "")[1:] == [f"[energy_platform plant] over: {about}"]
        # A restart that is over before its time is nobody's business.
        assert len(look(510, DEAD)) == len(look(512, "")) == 2
