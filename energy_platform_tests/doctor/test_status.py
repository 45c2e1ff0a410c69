"""``energy-platform status`` on a small lake."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pytest
import time_machine
from rich.console import Console

from energy_platform.alerts import ALERTS_FILE, AlertStore, Condition
from energy_platform.cli.status import run_status
from energy_platform.days import day_bounds
from energy_platform.installation.instance import render_instance
from energy_platform.lake.catalogue import Catalogue, Replacement
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_day, land_snapshot
from energy_platform.portfolio import load_portfolio
from energy_platform.refresh import refresh
from energy_platform.schemas import CORE_READINGS
from energy_platform.sources.belimo.tables import RAW_BELIMO_DEVICES, RAW_BELIMO_SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

PORTFOLIO = """\
version: 1
sites:
  - {id: basel, name: Basel, timezone: Europe/Zurich}
devices:
  - vendor: belimo
    serial: V1
    site: basel
    name: Valve
    points:
      - {key: evcloud.210, name: Heat, quantity: heating_energy, unit: J, max_power_w: 50000}
streams:
  - {id: heat, kind: value, site: basel, credential: default, interval: 15m, reading: cumulative,
     unit: Wh, fields: {value: belimo/V1/evcloud.210}}
"""

DAYS = ("2026-01-01", "2026-01-02")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("SOCOMEC_", "BELIMO_", "WATTICS_", "ENERGY_PLATFORM_")):
            monkeypatch.delenv(name)
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    return Lake(tmp_path / "data" / "lake")


def land(lake: Lake, day: str, *values_wh: float, closed: bool = True) -> None:
    start = day_bounds(day)[0]
    frame = pl.DataFrame(
        [
            {
                "device_id": "id-V1",
                "datapoint_id": "evcloud.210",
                "at": start + timedelta(hours=hour),
                "value": value * 3600,
                "serial_number": "V1",
                "dataprofile": "valve/1",
            }
            for hour, value in enumerate(values_wh)
        ],
        schema=RAW_BELIMO_SAMPLES.schema,
    )
    device = pl.DataFrame(
        [{"id": "id-V1", "serial_number": "V1"}], schema=RAW_BELIMO_DEVICES.schema
    )
    land_snapshot(lake, RAW_BELIMO_DEVICES, device)
    land_day(
        lake,
        RAW_BELIMO_SAMPLES,
        day=day,
        frame=frame,
        complete_until=day_bounds(day)[1] if closed else start + timedelta(hours=12),
        closed=closed,
    )


def refreshed(lake: Lake, tmp_path: Path) -> None:
    refresh(lake, portfolio=load_portfolio(tmp_path / "portfolio.yaml"))


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run_status(Console(file=io.StringIO()), as_json=True) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_new_folder_has_a_status_and_stays_empty(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = told(capsys)
    assert status["stale_days"] == {}
    assert status["published_newest_day"] is None
    assert set(status["stream_backlog"]) == {"heat"}
    assert not (tmp_path / "data").exists()


def test_days_that_wait_for_the_refresh_are_stale_and_then_not(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(lake, DAYS[0], 100, 200, 300)
    land(lake, DAYS[1], 400, 500, closed=False)
    status = told(capsys)
    assert sorted(status["stale_days"]) == list(DAYS)
    refreshed(lake, tmp_path)
    status = told(capsys)
    assert status["stale_days"] == {}
    belimo = next(one for one in status["vendors"] if one["vendor"] == "belimo")
    assert belimo["days"] == 2
    assert belimo["newest_day"] == DAYS[1]
    assert belimo["newest_closed_day"] == DAYS[0]
    assert belimo["complete_until"].startswith("2026-01-02T12:00")


def test_a_register_reading_nobody_confirmed_is_listed(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(lake, DAYS[0], 1000, 2000, 9_000_000)
    refreshed(lake, tmp_path)
    (suspect,) = told(capsys)["pending_suspects"]
    assert suspect["point_id"] == "belimo/V1/evcloud.210"
    assert suspect["good_wh"] == 2000


def test_a_raw_file_that_vanished_is_held_with_advice(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(lake, DAYS[0], 1000, 2000)
    refreshed(lake, tmp_path)
    lake.path(RAW_BELIMO_SAMPLES, day=DAYS[0]).unlink()
    assert lake.days(CORE_READINGS) == [DAYS[0]]
    assert "vanished" in told(capsys)["held_days"][DAYS[0]]


def test_people_read_it_without_json(lake: Lake, tmp_path: Path) -> None:
    land(lake, DAYS[0], 1000, 2000)
    screen = io.StringIO()
    assert run_status(Console(file=screen, width=160), as_json=False) == 0
    for part in ("belimo", "stale days: 1", "streams behind: 1 of 1", "published up to: nothing"):
        assert part in screen.getvalue()
    refreshed(lake, tmp_path)
    screen = io.StringIO()
    run_status(Console(file=screen, width=160), as_json=False)
    assert "stale days: 0" in screen.getvalue()


def test_the_demos_data_are_told_with_the_demos_portfolio(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = tmp_path / "data" / "demo"
    demo.mkdir(parents=True)
    (tmp_path / "portfolio.yaml").rename(demo / "portfolio.yaml")
    (tmp_path / "data" / "ORIGIN").write_text("demo\n", encoding="utf-8")
    assert told(capsys)["portfolio"] == str(demo / "portfolio.yaml")


def test_days_that_are_not_whole_are_listed_with_reason_and_next_attempt(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BELIMO_CLIENT_ID", "client")
    land(lake, "2026-01-01", 100, 200)
    land(lake, "2026-01-04", 100, 200)
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    with Catalogue(tmp_path / "data") as catalogue:
        for day in ("2026-01-02", "2026-01-03"):
            catalogue.record(source="belimo", day=day, state="failed", now=now, why="HTTP 503")
    screen = io.StringIO()
    with time_machine.travel(now, tick=False):
        belimo = next(one for one in told(capsys)["vendors"] if one["vendor"] == "belimo")
        assert run_status(Console(file=screen, width=60), as_json=False) == 0
    assert [(one["day"], one["kind"]) for one in belimo["not_whole_days"]] == [
        ("2026-01-03", "missing"),
        ("2026-01-02", "missing"),
    ]
    assert belimo["next_attempt"] == "2026-01-05T09:10:00+00:00"
    lines = screen.getvalue().splitlines()
    assert "belimo: 2 days are not whole; next attempt 2026-01-05 09:10" in lines
    assert "  2026-01-03: missing since 2026-01-04 00:00: HTTP 503" in lines


def test_runs_in_trouble_are_named_with_what_happens_next(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "data" / "dagster"
    home.mkdir(parents=True)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    render_instance(home)
    with dg.DagsterInstance.get() as instance:
        instance.add_run(dg.DagsterRun(job_name="refresh", status=dg.DagsterRunStatus.STARTED))
        (run,) = instance.get_runs()
    (found,) = told(capsys)["troubled_runs"]
    assert (found["run_id"], found["job"], found["state"]) == (run.run_id, "refresh", "died")
    screen = io.StringIO()
    assert run_status(Console(file=screen, width=60), as_json=False) == 0
    assert "runs that died, hang or wait for nobody: 1" in screen.getvalue()
    (line,) = [one for one in screen.getvalue().splitlines() if "refresh" in one]
    assert f"refresh {run.run_id[:8]} died since" in line
    assert "no process executes it" in line


def test_alerts_that_stand_are_listed_until_they_are_over(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    since = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)
    with AlertStore.of(tmp_path / "data") as store:
        with store.transaction() as change:
            change.see(
                Condition(
                    kind="source_silent",
                    subject="belimo",
                    what="belimo has not answered",
                    since=since,
                    todo="Ask the vendor",
                ),
                now=since + timedelta(hours=2),
            )
        screen = io.StringIO()
        assert run_status(Console(file=screen, width=60), as_json=False) == 0
        assert "alerts that stand: 1" in screen.getvalue()
        line = "belimo has not answered (since 2026-01-05 07:30, last seen 2026-01-05 09:30, "
        assert f"  {line}not notified yet); Ask the vendor" in screen.getvalue().splitlines()
        with store.transaction() as change:
            change.over([one.id for one in change.standing()], now=since + timedelta(hours=3))
    assert told(capsys)["standing_alerts"] == []


def test_replaced_answers_are_listed_newest_first(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    with Catalogue(tmp_path / "data") as catalogue:
        for number, day in enumerate(DAYS):
            catalogue.note_replacement(
                Replacement(
                    source="belimo",
                    day=day,
                    device="V1",
                    at=datetime(2026, 1, 5, number, tzinfo=UTC),
                    operator="ada",
                    reason="stamped anew",
                    dropped=4,
                    changed=0,
                    before_id="a" * 16,
                    after_id="b" * 16,
                    kept_in="replaced/x.parquet",
                )
            )
    assert [one["day"] for one in told(capsys)["replaced_answers"]] == [*DAYS[::-1]]
    screen = io.StringIO()
    assert run_status(Console(file=screen, width=60), as_json=False) == 0
    assert "answers replaced by accept-answer: 2" in screen.getvalue()
    assert "belimo 2026-01-02 of device V1: newer answer accepted by ada" in screen.getvalue()


def test_what_cannot_be_read_hides_nothing_else(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(lake, DAYS[0], 1000, 2000)
    history = tmp_path / "data" / "dagster" / "storage" / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_text("no database, but longer than a header" * 9, encoding="utf-8")
    (tmp_path / "data" / ALERTS_FILE).write_text("no database either" * 99, encoding="utf-8")
    status = told(capsys)
    assert set(status["unreadable"]) == {"runs", "alerts"}
    assert status["stale_days"] == {DAYS[0]: status["stale_days"][DAYS[0]]}
    screen = io.StringIO()
    assert run_status(Console(file=screen, width=60), as_json=False) == 0
    assert "alerts: not known:" in screen.getvalue()
    assert "stale days: 1" in screen.getvalue()


def test_a_whole_lake_says_nothing_of_missing_days(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BELIMO_CLIENT_ID", "client")
    for day in DAYS:
        land(lake, day, 100, 200)
    with time_machine.travel(datetime(2026, 1, 3, 9, tzinfo=UTC), tick=False):
        belimo = next(one for one in told(capsys)["vendors"] if one["vendor"] == "belimo")
    assert belimo["not_whole_days"] == []
    assert belimo["next_attempt"] is None
