"""When the level-triggered sensors ask, and when they hold back."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest
import time_machine

from energy_platform.days import day_before
from energy_platform.defs import ingest_requests
from energy_platform.defs.instance.living_runs import DIED, home_of
from energy_platform.defs.resources import Platform
from energy_platform.defs.sensors import push as push_sensor
from energy_platform.defs.sensors import refresh as refresh_sensor
from energy_platform.defs.sensors.build import build_sensors
from energy_platform.delivery import PushDecision
from energy_platform.delivery.ledger import Run
from energy_platform.installation.run_locks import run_lock
from energy_platform.lake.raw_days import land_day
from energy_platform.refresh import refresh
from energy_platform.settings import PlatformSettings
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS
from energy_platform.warehouse import BuildPlan, Warehouse
from energy_platform_tests.opened_files import opened_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "2026-03-02"

PORTFOLIO = """\
version: 1
sites:
  - {id: paris, name: Paris, timezone: Europe/Paris}
devices:
  - vendor: socomec
    serial: SN1
    site: paris
    name: Main
    role: main
    carrier: electricity
    points:
      - {key: "Global|0|1", name: Energy, quantity: active_energy_import, unit: WATT_HOUR,
         max_power_w: 90000}
"""


STREAM = """\
streams:
  - {id: el, kind: value, site: paris, credential: default, interval: 15m, reading: cumulative,
     unit: Wh, fields: {value: "socomec/SN1/Global|0|1"}}
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    (tmp_path / "portfolio.yaml").write_text(PORTFOLIO, encoding="utf-8")
    monkeypatch.setenv("ENERGY_PLATFORM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENERGY_PLATFORM_PORTFOLIO", str(tmp_path / "portfolio.yaml"))
    monkeypatch.delenv("WATTICS_BASE_URL", raising=False)
    monkeypatch.delenv("SKYCENTRICS_CLIENT_ID", raising=False)
    (tmp_path / "data").mkdir()
    found = Platform.of(PlatformSettings())
    samples = pl.DataFrame(
        [
            ("u1", "Global", "0", "1", datetime(2026, 3, 2, hour, tzinfo=UTC), float(hour), "SN1")
            for hour in range(3)
        ],
        schema=[*RAW_SOCOMEC_DATAPOINTS.sort_key, "value", "serial_number"],
        orient="row",
    )
    frame = samples.with_columns(
        pl.col("at").cast(RAW_SOCOMEC_DATAPOINTS.schema["at"]),
        *(
            pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in RAW_SOCOMEC_DATAPOINTS.schema.items()
            if name not in samples.columns
        ),
    ).select(RAW_SOCOMEC_DATAPOINTS.schema.names())
    land_day(
        found.lake,
        RAW_SOCOMEC_DATAPOINTS,
        day=DAY,
        frame=frame,
        complete_until=datetime(2026, 3, 3, tzinfo=UTC),
        closed=True,
    )
    return found


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def tick(name: str, platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """The one run a sensor asks for, or why it asks for none."""
    built = {one.name: one for one in build_sensors(PlatformSettings())}
    with dg.build_sensor_context(instance=instance, resources={"platform": platform}) as context:
        data = built[name].evaluate_tick(context)
    if data.run_requests:
        (request,) = data.run_requests
        return request
    return str(data.skip_message)


def add_run(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> str:
    run_id = str(uuid.uuid4())
    instance.add_run(dg.DagsterRun(job_name=job, status=status, run_id=run_id))
    return run_id


@contextmanager
def alive(instance: dg.DagsterInstance, job: str) -> Iterator[None]:
    run_id = add_run(instance, job, dg.DagsterRunStatus.STARTED)
    with run_lock(home_of(instance), run_id, job=job, by="a test"):
        yield


def test_a_new_day_is_asked_for_once_by_its_own_key(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    request = tick("refresh_when_stale", platform, instance)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_end"] == DAY
    again = tick("refresh_when_stale", platform, instance)
    assert isinstance(again, dg.RunRequest)
    assert again.run_key == request.run_key, "two ticks at once must ask for one run"


@pytest.mark.parametrize("job", ["ingest_belimo", "everything", "__ASSET_JOB", "push"])
def test_refresh_waits_for_no_vendor_and_no_push(
    platform: Platform, instance: dg.DagsterInstance, job: str
) -> None:
    with alive(instance, job):
        assert isinstance(tick("refresh_when_stale", platform, instance), dg.RunRequest)


@pytest.mark.parametrize("job", ["refresh", "push", "ingest_belimo"])
def test_a_run_whose_process_is_gone_holds_nothing_up(
    platform: Platform, instance: dg.DagsterInstance, job: str
) -> None:
    add_run(instance, job, dg.DagsterRunStatus.STARTED)
    assert isinstance(tick("refresh_when_stale", platform, instance), dg.RunRequest)


def test_there_is_one_refresh_at_a_time(platform: Platform, instance: dg.DagsterInstance) -> None:
    with alive(instance, "refresh"):
        assert tick("refresh_when_stale", platform, instance) == "a refresh is under way"


def test_a_failed_refresh_is_asked_for_again_after_a_pause_that_grows(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    for _ in range(3):
        add_run(instance, "refresh", dg.DagsterRunStatus.FAILURE)
    said = tick("refresh_when_stale", platform, instance)
    assert "refresh failed 3 times in a row; next attempt at" in str(said)


def test_a_canceled_refresh_is_asked_for_again_by_another_key(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    before = tick("refresh_when_stale", platform, instance)
    add_run(instance, "refresh", dg.DagsterRunStatus.CANCELED)
    now = datetime.now(tz=UTC)
    with time_machine.travel(now + timedelta(hours=2), tick=False):
        after = tick("refresh_when_stale", platform, instance)
    assert isinstance(before, dg.RunRequest)
    assert isinstance(after, dg.RunRequest)
    assert after.run_key != before.run_key, "Dagster drops a key that it knows"


def test_a_canceled_run_does_not_end_the_count_of_failures(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    for _ in range(4):
        add_run(instance, "refresh", dg.DagsterRunStatus.FAILURE)
    add_run(instance, "refresh", dg.DagsterRunStatus.CANCELED)
    said = tick("refresh_when_stale", platform, instance)
    assert "refresh failed 4 times in a row; next attempt at" in str(said)


def test_a_run_that_was_killed_is_asked_for_again_at_once_and_one_that_dies_again_is_not(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    for pauses in (False, True):
        run_id = add_run(instance, "refresh", dg.DagsterRunStatus.FAILURE)
        instance.add_run_tags(run_id, {DIED: "2026-03-02T00:00:00+00:00"})
        assert isinstance(tick("refresh_when_stale", platform, instance), str) is pauses


def test_a_success_ends_the_pauses(platform: Platform, instance: dg.DagsterInstance) -> None:
    add_run(instance, "refresh", dg.DagsterRunStatus.FAILURE)
    add_run(instance, "refresh", dg.DagsterRunStatus.SUCCESS)
    assert isinstance(tick("refresh_when_stale", platform, instance), dg.RunRequest)


def test_a_broken_portfolio_starts_nothing_and_names_file_and_line(
    platform: Platform, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    broken = PORTFOLIO.replace("Europe/Paris", "Europe/Pari")
    (tmp_path / "portfolio.yaml").write_text(broken, encoding="utf-8")
    said = tick("refresh_when_stale", platform, instance)
    assert "portfolio.yaml:3: sites.0.timezone" in str(said)
    assert "Europe/Pari" in str(said)


def test_without_a_wattics_url_nothing_is_sent(
    platform: Platform,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENERGY_PLATFORM_HOME", str(tmp_path))  # whose .env names none
    assert "WATTICS_BASE_URL is not set" in str(tick("push_when_behind", platform, instance))


@pytest.fixture
def wattics(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A stream with something to send, and an address that nobody asks here."""
    monkeypatch.setenv("WATTICS_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("WATTICS_USERNAME", "user")
    monkeypatch.setenv("WATTICS_PASSWORD", "password")
    portfolio = Path(platform.portfolio_path)
    portfolio.write_text(PORTFOLIO + STREAM, encoding="utf-8")
    refresh(platform.lake, portfolio=platform.portfolio())
    return platform


def test_a_push_waits_for_no_refresh_and_no_vendor(
    wattics: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in ("refresh", "ingest_belimo", "everything"):
        with alive(instance, job):
            assert isinstance(tick("push_when_behind", wattics, instance), dg.RunRequest)
    with alive(instance, "push"):
        assert tick("push_when_behind", wattics, instance) == "a push is under way"


def test_a_push_that_died_before_the_ledger_knew_of_it_is_asked_for_again_after_a_pause(
    wattics: Platform, instance: dg.DagsterInstance
) -> None:
    before = tick("push_when_behind", wattics, instance)
    assert isinstance(before, dg.RunRequest)
    again = tick("push_when_behind", wattics, instance)
    assert isinstance(again, dg.RunRequest)
    assert again.run_key == before.run_key, "two ticks at once must ask for one run"
    add_run(instance, "push", dg.DagsterRunStatus.FAILURE)
    assert "push failed 1 times in a row; next attempt at" in str(
        tick("push_when_behind", wattics, instance)
    )
    with time_machine.travel(datetime.now(tz=UTC) + timedelta(minutes=2), tick=False):
        after = tick("push_when_behind", wattics, instance)
    assert isinstance(after, dg.RunRequest)
    assert after.run_key != before.run_key, "Dagster drops a key that it knows"


def test_a_failed_push_of_one_stream_holds_no_new_data_of_others_up(
    wattics: Platform, instance: dg.DagsterInstance
) -> None:
    add_run(instance, "push", dg.DagsterRunStatus.FAILURE)
    now_us = int((datetime.now(tz=UTC) + timedelta(seconds=5)).timestamp() * 1e6)
    with wattics.ledger() as ledger:
        ledger.set_run(
            Run(
                is_open=False,
                failures=1,
                started_us=now_us,
                next_us=now_us + 60_000_000,
                error="another stream: no connection",
            ),
            destination="wattics",
        )
    assert isinstance(tick("push_when_behind", wattics, instance), dg.RunRequest)


@pytest.mark.parametrize("name", ["refresh_when_stale", "push_when_behind", "socomec_days_due"])
def test_no_tick_opens_a_parquet_file_while_the_lake_does_not_change(
    wattics: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    before = tick(name, wattics, instance)
    with opened_parquet(wattics.lake.root) as opened:
        after = tick(name, wattics, instance)
    assert opened == []
    assert isinstance(before, dg.RunRequest)
    assert isinstance(after, dg.RunRequest)


@pytest.mark.parametrize("name", ["refresh_when_stale", "push_when_behind"])
def test_an_idle_tick_opens_nothing_until_something_changes(
    platform: Platform,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("WATTICS_BASE_URL", "http://127.0.0.1:9/")
    looks: list[str] = []

    def nothing(*_: object, **__: object) -> None:
        looks.append("a full look")

    def nothing_to_send(*_: object, **__: object) -> dict[str, PushDecision]:
        looks.append("a full look")
        decision = PushDecision(
            is_wanted=False,
            behind=(),
            alert=False,
            error=None,
            next_attempt_at=None,
            last_started_at=None,
            reason="Wattics holds all that is ready",
        )
        return {"wattics": decision}

    monkeypatch.setattr(refresh_sensor, "stale", nothing)
    monkeypatch.setattr(push_sensor, "push_decisions", nothing_to_send)
    monkeypatch.setattr(Warehouse, "plan", lambda *_, **__: BuildPlan(stale=False, why=()))
    sensor = {one.name: one for one in build_sensors(PlatformSettings())}[name]
    cursor: str | None = None

    def look() -> str:
        nonlocal cursor
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"platform": platform}
        ) as context:
            data = sensor.evaluate_tick(context)
        cursor = data.cursor
        return str(data.skip_message)

    assert "nothing changed" not in look()
    look()
    assert len(looks) <= 2, "making the ledger is a change"
    before = len(looks)
    assert "nothing changed since" in look()
    assert len(looks) == before
    platform.lake.path(RAW_SOCOMEC_DATAPOINTS, day=DAY).touch()
    assert "nothing changed since" in look(), "the same content is no change"
    land_day(
        platform.lake,
        RAW_SOCOMEC_DATAPOINTS,
        day=day_before(DAY),
        frame=RAW_SOCOMEC_DATAPOINTS.empty(),
        complete_until=datetime(2026, 3, 3, tzinfo=UTC),
        closed=True,
    )
    look()
    assert len(looks) == before + 1, "a file of the lake changed"
    Path(platform.portfolio_path).touch()
    look()
    assert len(looks) == before + 2, "the portfolio changed"
    add_run(instance, "push", dg.DagsterRunStatus.SUCCESS)
    look()
    assert len(looks) == before + 3, "a push ended"
    with time_machine.travel(datetime.now(tz=UTC) + timedelta(minutes=11), tick=False):
        look()
    assert len(looks) == before + 4, "now and then it looks whatever did not change"


@pytest.mark.parametrize("name", ["refresh_when_stale", "push_when_behind", "socomec_days_due"])
def test_after_an_upgrade_nothing_is_asked_for_and_the_tick_says_why(
    wattics: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SOCOMEC_CLIENT_ID", "client")
    assert isinstance(tick(name, wattics, instance), dg.RunRequest)
    for module in (push_sensor, refresh_sensor, ingest_requests):
        monkeypatch.setattr(module, "restart_needed", lambda: "restart needed: the code changed")
    assert tick(name, wattics, instance) == "restart needed: the code changed"


def test_without_skycentrics_credentials_nothing_is_polled(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    assert "no credentials for skycentrics" in str(tick("poll_skycentrics", platform, instance))
