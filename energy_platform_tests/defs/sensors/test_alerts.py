"""What the alert sensor tells, on a real instance, a real mail server and a real webhook."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import time_machine

from energy_platform.days import day_of, day_range
from energy_platform.defs.instance.living_runs import DIED
from energy_platform.defs.partitions import INVENTORIES_AGAIN, RUN_KIND
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors.alerts import build_alert_sensor
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import refresh
from energy_platform.settings import PlatformSettings
from energy_platform.sources.http.errors import AuthenticationError
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import day_tables
from energy_platform_tests.alerts.receivers import mail_server
from energy_platform_tests.refresh.world import DAYS, METER, PORTFOLIO, land, steady
from energy_platform_tests.test_restated import put_mart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from energy_platform_tests.alerts.receivers import Mailbox

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Watched:
    """An installation with one source, looked at now and then."""

    def __init__(self, platform: Platform, instance: dg.DagsterInstance, mailbox: Mailbox) -> None:
        self.platform = platform
        self.instance = instance
        self.mailbox = mailbox

    def look(self, now: datetime) -> str:
        with (
            time_machine.travel(now, tick=False),
            dg.build_sensor_context(
                instance=self.instance, resources={"platform": self.platform}
            ) as context,
        ):
            return str(build_alert_sensor().evaluate_tick(context).skip_message)

    def read(self, until: datetime) -> None:
        """Let the source answer up to an instant."""
        table = day_tables()["socomec"]
        land_day(
            self.platform.lake,
            table,
            day=day_of(until),
            frame=table.empty(),
            complete_until=until,
            closed=False,
        )

    def close(self, day: str, *, at: datetime) -> None:
        """Let the source give a day whole."""
        table = day_tables()["socomec"]
        lake = self.platform.lake
        land_day(lake, table, day=day, frame=table.empty(), complete_until=at, closed=True)
        with Catalogue(self.platform.data) as catalogue:
            catalogue.record(source="socomec", day=day, state="whole", now=at)

    def ended(self, job: str, status: dg.DagsterRunStatus, **tags: str) -> None:
        run = dg.DagsterRun(job_name=job, status=status, run_id=str(uuid.uuid4()), tags=tags)
        self.instance.add_run(run)

    @property
    def told(self) -> list[str]:
        return [title.partition("] ")[2] for title, _ in self.mailbox.received]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    (tmp_path / "portfolio.yaml").write_text(
        "version: 1\nsites:\n  - {id: paris, name: Paris, timezone: Europe/Paris}\ndevices: []\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_NAME", "plant")
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_DISK_FREE_MB", "0")
    monkeypatch.setenv("ENERGY_PLATFORM_ALERT_PUBLICATION_OLD_MIN", "off")
    for name in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"SOCOMEC_{name}", "s3cret-value")
    with mail_server() as mailbox, dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("ENERGY_PLATFORM_ALERT_MAIL_URL", mailbox.url)
        yield Watched(Platform.of(PlatformSettings()), instance, mailbox)


def test_a_healthy_installation_says_nothing(watched: Watched) -> None:
    watched.read(START)
    for minute in range(0, 28, 4):
        assert watched.look(START + minute * MINUTE) == "nothing is wrong"
    assert watched.told == []


def test_a_silent_source_is_told_once_and_once_when_it_is_back(watched: Watched) -> None:
    watched.read(START)
    for minute in range(0, 200, 20):
        watched.look(START + minute * MINUTE)
    watched.read(START + 200 * MINUTE)
    for minute in range(201, 225, 2):
        watched.look(START + minute * MINUTE)
    assert watched.told == ["a source is silent: socomec", "over: a source is silent: socomec"]


def test_a_refused_login_is_one_message_and_no_secret(watched: Watched) -> None:
    RefusedLogins.of(watched.platform.data).note(
        "socomec",
        AuthenticationError(
            "Keycloak refused the user (invalid_grant)", vendor="socomec", endpoint="token"
        ),
        credentials=["s3cret-value"],
        now=lambda: START,
    )
    for minute in range(0, 240, 30):
        watched.look(START + minute * MINUTE)
    assert watched.told == ["a login is refused: socomec"]
    ((_, body),) = watched.mailbox.received
    assert "invalid_grant" in body
    assert "SOCOMEC_* credentials" in body
    assert "s3cret-value" not in body


def test_a_run_that_failed_or_died_is_told_until_one_ends_well(watched: Watched) -> None:
    watched.read(datetime.now(tz=UTC))
    watched.ended("refresh", dg.DagsterRunStatus.FAILURE)
    now = datetime.now(tz=UTC)
    watched.look(now)
    assert watched.told == [], "a failure that heals by itself at once is not a message"
    watched.look(now + 6 * MINUTE)
    assert watched.told == ["a run failed: refresh"]
    watched.ended("push", dg.DagsterRunStatus.FAILURE, **{DIED: now.isoformat()})
    watched.look(now + 7 * MINUTE)
    assert watched.told[1:] == ["a run died: push"]
    watched.ended("push", dg.DagsterRunStatus.SUCCESS)
    watched.ended("refresh", dg.DagsterRunStatus.SUCCESS)
    for minute in (8, 19, 20):
        watched.look(now + minute * MINUTE)
    assert sorted(watched.told[2:]) == ["over: a run died: push", "over: a run failed: refresh"]


def test_the_failure_of_a_source_is_not_told_a_second_time_as_that_of_its_run(
    watched: Watched,
) -> None:
    watched.read(datetime.now(tz=UTC) - timedelta(hours=3))
    watched.ended("ingest_socomec", dg.DagsterRunStatus.FAILURE)
    watched.ended("inventories", dg.DagsterRunStatus.FAILURE)
    now = datetime.now(tz=UTC)
    for minute in range(10, 160, 20):
        watched.look(now + minute * MINUTE)
    assert watched.told == ["a source is silent: socomec"]


def test_inventories_that_fail_although_the_sources_answer_are_told(watched: Watched) -> None:
    now = datetime.now(tz=UTC)
    watched.read(now)
    watched.ended("inventories", dg.DagsterRunStatus.FAILURE)
    watched.look(now + 15 * MINUTE)
    assert watched.told == [], "they are asked for again, now that the source answers"
    watched.ended("inventories", dg.DagsterRunStatus.FAILURE, **{RUN_KIND: INVENTORIES_AGAIN})
    watched.look(now + 16 * MINUTE)
    assert watched.told == ["a run failed: inventories"]


def test_a_source_that_answers_for_past_days_is_not_silent(watched: Watched) -> None:
    watched.read(START)
    with Catalogue(watched.platform.data) as catalogue:
        catalogue.record(
            source="socomec", day="2026-03-01", state="whole", now=START + 230 * MINUTE
        )
    for minute in range(0, 241, 20):
        watched.look(START + minute * MINUTE)
    assert watched.told == []


def test_days_are_not_told_as_missing_while_a_source_that_is_back_gives_them(
    watched: Watched,
) -> None:
    watched.read(START)
    for hour in range(60):
        watched.look(START + timedelta(hours=hour))
    back = START + timedelta(hours=60)
    for minute in range(0, 14, 2):
        watched.read(back + minute * MINUTE)
        if minute == 12:
            for day in day_range("2026-03-02", "2026-03-03"):
                watched.close(day, at=back + minute * MINUTE)
        watched.look(back + minute * MINUTE)
    told = [one for one in watched.told if "to look at" not in one]
    assert told == ["a source is silent: socomec", "over: a source is silent: socomec"]


def test_a_machine_that_slept_blames_no_source(watched: Watched) -> None:
    watched.read(START)
    watched.look(START + MINUTE)
    awake = START + timedelta(days=1)
    for minute in range(0, 20, 4):
        watched.look(awake + minute * MINUTE)
    watched.read(awake + 20 * MINUTE)
    watched.look(awake + 21 * MINUTE)
    assert watched.told == []


def test_a_source_that_was_silent_before_the_machine_slept_still_is(watched: Watched) -> None:
    watched.read(START)
    for minute in range(0, 200, 20):
        watched.look(START + minute * MINUTE)
    for minute in range(0, 40, 4):
        watched.look(START + timedelta(days=1, minutes=minute))
    # The second day's digest lists it.
    assert watched.told == ["a source is silent: socomec", "1 thing to look at on 03 Mar 2026"]


def test_the_heartbeat_beats_while_the_daemon_lives(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.read(START)
    with heartbeat_server() as (url, beats):
        monkeypatch.setenv("ENERGY_PLATFORM_ALERT_HEARTBEAT_URL", url)
        for second in range(0, 300, 30):
            watched.look(START + timedelta(seconds=second))
    assert len(beats) == 5
    said = watched.look(START + 10 * MINUTE)
    assert "the heartbeat was not heard (ConnectError)" in said
    assert url not in said


@contextmanager
def heartbeat_server() -> Iterator[tuple[str, list[str]]]:
    beats: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ping/secret", beats
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_disputed_figure_is_one_message_and_one_all_clear(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, path = watched.platform.lake, PlatformSettings().portfolio
    jump, later = 5_000_000.0, START + timedelta(days=7)
    land(
        lake,
        [
            (point_id, day, minute, value + (jump if (day, minute) >= (DAYS[3], 600) else 0.0))
            for point_id, day, minute, value in steady()
            if point_id == METER
        ],
    )
    path.write_text(PORTFOLIO, encoding="utf-8")
    refresh(lake, portfolio=load_portfolio(path))
    for minute in range(0, 90, 30):
        watched.look(later + minute * MINUTE)
    # As if more than 35 newer days had come: it stands, for nobody has decided.
    monkeypatch.setattr("energy_platform.disputed.RECENT_DAYS", 3)
    for minute in range(90, 180, 30):
        watched.look(later + minute * MINUTE)
    told_while_standing = [told for told in watched.told if "disputed" in told]
    entry = f"{{points: ['{METER}'], reason: it was real, from: {DAYS[3]}, to: {DAYS[4]}}}"
    path.write_text(PORTFOLIO + f"accept:\n  - {entry}\n", encoding="utf-8")
    refresh(lake, portfolio=load_portfolio(path))
    for minute in range(180, 270, 30):
        watched.look(later + minute * MINUTE)
    title = f"a figure is disputed: {METER}"
    assert [told for told in watched.told if "disputed" in told] == [title, f"over: {title}"]
    assert told_while_standing == [title]
    (body, _) = [body for subject, body in watched.mailbox.received if "disputed" in subject]
    text = " ".join(body.split())
    assert "Wh refused on 2026-03-04; a max_power_w of" in text
    assert f"energy-platform explain '{METER}' 2026-03-04" in text


def test_final_figures_that_changed_are_one_message_without_an_end(watched: Watched) -> None:
    marts = watched.platform.warehouse.marts_folder
    put_mart(marts, ("paris", "site", "day", date(2026, 3, 1), START - MINUTE, "late data"))
    for hour in (0, 1, 23, 25, 26):
        watched.read(START + timedelta(hours=hour))
        watched.look(START + timedelta(hours=hour))
    assert [told for told in watched.told if "final" in told] == ["final figures changed: paris"]
    body = " ".join(watched.mailbox.received[0][1].split())
    assert "1 figure that was final is another now, of 2026-03-01: late data" in body
