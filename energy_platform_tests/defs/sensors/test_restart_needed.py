"""After an upgrade under a running daemon no sensor and no schedule asks for a run."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import time_machine

from energy_platform.definitions import build_definitions
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors import polls
from energy_platform.installation import upgrade
from energy_platform.lake.raw_days import land_day
from energy_platform.portfolio import Portfolio
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import day_tables, poll_source
from energy_platform.sources.skycentrics.pull import PollReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2026-03-02"
FAILED_AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
"""When the inventories were asked for last; the sources have answered since."""
NOW = datetime(2026, 3, 5, 14, 30, tzinfo=UTC)

NEVER_ASK = frozenset({"fail_dead_runs", "alerts"})
"""They look and tell; a run is not theirs to ask for."""

UNPUBLISHED = "reports_when_published"
"""Without a publication there is nothing to report on."""

PORTFOLIO = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: SN1
    site: paris
    name: Main
    points:
      - {key: "Global|0|1", name: Energy, quantity: active_energy_import, unit: WATT_HOUR,
         max_power_w: 90000}
streams:
  - {id: el, kind: value, site: paris, credential: default, interval: 15m, reading: cumulative,
     unit: Wh, fields: {value: "socomec/SN1/Global|0|1"}}
"""

Asked = dict[str, str]


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """An installation in which every sensor and schedule has something to ask for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    monkeypatch.setenv("WATTICS_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("WATTICS_USERNAME", "user")
    monkeypatch.setenv("WATTICS_PASSWORD", "secret")
    for vendor in day_tables():
        monkeypatch.setenv(f"{vendor.upper()}_CLIENT_ID", "client")
    monkeypatch.setenv("ENERGY_PLATFORM_BACKUP_FOLDER", str(tmp_path / "backups"))
    (tmp_path / "data").mkdir()
    platform = Platform.of(PlatformSettings())
    for table in day_tables().values():
        land_day(
            platform.lake,
            table,
            day=DAY,
            frame=table.empty(),
            complete_until=FAILED_AT + timedelta(hours=9),
            closed=False,
        )
    inbox = tmp_path / "inbox" / "meter"
    inbox.mkdir(parents=True)
    rows = [f"{DAY}T{hour:02}:00:00Z,{hour}" for hour in range(24)]
    (inbox / "march.csv").write_text("\n".join(["time,Energy [kWh]", *rows]), encoding="utf-8")
    monkeypatch.setenv("FILES_FOLDER", str(inbox.parent))
    monkeypatch.setenv("FILES_SETTLE_S", "0")
    taken = poll_source(
        "files",
        lake=platform.lake,
        portfolio=Portfolio(),
        landing=platform.landing("files"),
        now=lambda: NOW,
        logins=None,
    )
    assert taken.landed
    late = PollReport(landed={}, failed={}, late_days=frozenset({DAY}))
    monkeypatch.setattr(polls, "poll_source", lambda *_, **__: late)
    return platform


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        run = dg.DagsterRun(job_name="inventories", run_id=str(uuid.uuid4()))
        with time_machine.travel(FAILED_AT, tick=False):
            found.add_run(run)
            found.report_run_failed(run)
        yield found


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what the process was loaded from."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "rules.py").write_text("ENERGY_RULES = 1\n", encoding="utf-8")
    (tmp_path / ".env").write_text("SOCOMEC_RPS=5\n", encoding="utf-8")
    monkeypatch.setattr(upgrade, "_LOADED", upgrade.LoadedCode(code, env_file=tmp_path / ".env"))
    return code


def look(
    repository: dg.RepositoryDefinition, platform: Platform, instance: dg.DagsterInstance
) -> tuple[set[str], Asked]:
    """Return who asks for a run at a tick, and what the others say."""
    ticks: dict[str, dg.SensorExecutionData | dg.ScheduleExecutionData] = {}
    with time_machine.travel(NOW, tick=False):
        for sensor in repository.sensor_defs:
            with dg.build_sensor_context(
                instance=instance, resources={"platform": platform}, repository_def=repository
            ) as context:
                ticks[sensor.name] = sensor.evaluate_tick(context)
        for schedule in repository.schedule_defs:
            ticks[schedule.name] = schedule.evaluate_tick(
                dg.build_schedule_context(instance=instance, scheduled_execution_time=NOW)
            )
    asking = {name for name, tick in ticks.items() if tick.run_requests}
    return asking, {
        name: str(tick.skip_message) for name, tick in ticks.items() if name not in asking
    }


@pytest.mark.parametrize("what", ["code", "settings", "settings that cannot be read"])
def test_no_sensor_and_no_schedule_asks_for_anything_until_the_restart(
    installation: Platform, instance: dg.DagsterInstance, loaded: Path, what: str
) -> None:
    repository = build_definitions().get_repository_def()
    before, others = look(repository, installation, instance)
    assert set(others) == NEVER_ASK | {UNPUBLISHED}, "each of the others has something to ask for"
    if what == "code":
        (loaded / "rules.py").write_text("ENERGY_RULES = 2\n", encoding="utf-8")
    elif what == "settings":
        (loaded.parent / ".env").write_text("SOCOMEC_RPS=6\n", encoding="utf-8")
    else:
        (loaded.parent / ".env").write_bytes(b"SOCOMEC_PASSWORD=\xe9\n")
    asking, said = look(repository, installation, instance)
    assert asking == set()
    for name in (*before, UNPUBLISHED):
        assert "restart needed" in said[name], (name, said[name])
