"""What the instance forgets, and that a month of runs needs no more room than a fortnight."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from energy_platform.defs.instance.retention import KEEP_FAILED, forget_old_runs
from energy_platform.installation.instance import render_instance
from energy_platform_tests.databases import EACH, dagster_records
from energy_platform_tests.defs.history import History

NOW = datetime(2026, 6, 1, 3, 40, tzinfo=UTC)


@pytest.fixture(params=EACH)
def history(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[History]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dagster_records(request.param, monkeypatch) as url:
        render_instance(tmp_path, url=url)
        with dg.DagsterInstance.get() as instance:
            yield History(instance)


def day_of(at: datetime) -> str:
    return at.date().isoformat()


def test_a_month_of_runs_needs_no_more_room_than_a_fortnight(history: History) -> None:
    start = NOW - timedelta(days=30)
    measured = []
    for day in range(31):
        with history:
            for cycle in range(0, 24, 2):
                at = start + timedelta(days=day, hours=cycle)
                history.add(at, day=day_of(at))
        if day in (16, 23, 30):
            forget_old_runs(history.instance, now=start + timedelta(days=day + 1))
            measured.append(history.room())
    rows, files, size = measured[0]
    a_run = rows / (14 * 12)
    for weeks, later in enumerate(measured[1:], start=1):
        # One run a day stays, the newest that made the day: its record, without its log.
        assert later[0] <= rows + 7 * weeks * a_run * 1.05
        assert later[1] <= files * 1.05
        assert later[2] <= size * 1.05


def test_at_the_shortest_interval_the_number_bounds_what_is_kept(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.defs.instance.retention.MOST_KEPT", 20)
    with history:
        old = [history.add(NOW - timedelta(days=3, minutes=n), day="2026-05-01") for n in range(60)]
        young = [
            history.add(NOW - timedelta(hours=1, minutes=n), day="2026-05-01") for n in range(30)
        ]
    done = forget_old_runs(history.instance, now=NOW)
    assert done.runs == len(old)
    assert history.ids() == set(young)


def test_the_newest_run_of_a_day_keeps_the_day_green_and_loses_only_its_log(
    history: History,
) -> None:
    with history:
        first = history.add(NOW - timedelta(days=200, hours=2), day="2026-02-01")
        second = history.add(NOW - timedelta(days=200, hours=1), day="2026-02-01")
        history.add(NOW - timedelta(hours=1), day="2026-05-31")
    assert history.has_log(second)
    done = forget_old_runs(history.instance, now=NOW)
    assert (done.runs, done.logs) == (1, 1)
    assert first not in history.ids()
    assert second in history.ids()
    assert not history.has_log(second)
    assert not (history.home / "logs" / second).exists()
    assert "2026-02-01" in history.instance.get_materialized_partitions(dg.AssetKey("raw"))


def test_failed_runs_are_kept_longer(history: History) -> None:
    with history:
        old = history.add(NOW - KEEP_FAILED - timedelta(days=1), day="2026-05-01", status="FAILURE")
        young = history.add(NOW - timedelta(days=30), day="2026-05-01", status="FAILURE")
        history.add(NOW - timedelta(hours=1), day="2026-05-01")
    forget_old_runs(history.instance, now=NOW)
    assert young in history.ids()
    assert old not in history.ids()


def test_a_run_that_still_runs_is_never_forgotten(history: History) -> None:
    with history:
        running = history.add(NOW - timedelta(days=100), day="2026-05-01", status="STARTED")
        history.add(NOW - timedelta(hours=1), day="2026-05-01")
    forget_old_runs(history.instance, now=NOW)
    assert running in history.ids()


def test_what_earlier_versions_left_of_forgotten_runs_is_removed(history: History) -> None:
    with history:
        left = history.add(NOW - timedelta(days=20), day="2026-05-01")
    history.instance.delete_run(left)
    log = history.home / "logs" / left
    assert log.exists()
    done = forget_old_runs(history.instance, now=datetime.now(tz=UTC) + timedelta(days=2))
    assert done.orphans == 1
    assert not log.exists()


def test_of_what_a_sensor_notes_again_and_again_the_last_day_and_the_newest_stay(
    history: History,
) -> None:
    key = dg.AssetKey("pages")
    for note in range(5):
        history.instance.report_runless_asset_event(
            dg.AssetMaterialization(key, metadata={"note": note})
        )
    before = history.room()[0]
    forget_old_runs(history.instance, now=datetime.now(tz=UTC) + timedelta(hours=12))
    assert history.room()[0] == before
    forget_old_runs(history.instance, now=datetime.now(tz=UTC) + timedelta(days=2))
    (left,) = history.instance.fetch_materializations(key, limit=10).records
    assert left.asset_materialization is not None
    assert left.asset_materialization.metadata["note"].value == 4
