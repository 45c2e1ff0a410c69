"""Runs that died, hang or wait for nobody are named, with what happens next."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable

from energy_platform.defs.instance.dead_runs import fail_dead_runs
from energy_platform.doctor.running import check_runs
from energy_platform.installation.instance import only_ui, render_instance
from energy_platform.installation.run_locks import daemon_mark, run_lock
from energy_platform.installation.troubled_runs import RUN_TAGS, RUNS, troubled_runs
from energy_platform.settings import PlatformSettings
from energy_platform_tests.databases import EACH, dagster_records

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = dg.DagsterRunStatus


@pytest.fixture(params=EACH)
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dagster_records(request.param, monkeypatch) as url:
        render_instance(tmp_path, url=url)
        with dg.DagsterInstance.get() as found:
            yield found


def add(instance: dg.DagsterInstance, status: Status, job: str = "refresh") -> str:
    run_id = str(uuid.uuid4())
    place = GrpcServerCodeLocationOrigin(host="localhost", port=1, location_name="here")
    origin = RemoteJobOrigin(
        RemoteRepositoryOrigin(code_location_origin=place, repository_name="one"), job
    )
    instance.add_run(
        dg.DagsterRun(job_name=job, status=status, run_id=run_id, remote_job_origin=origin)
    )
    return run_id


def told(instance: dg.DagsterInstance, *, later: timedelta = timedelta(0)) -> list[tuple[str, str]]:
    home, now = Path(instance.root_directory), datetime.now(tz=UTC) + later
    found = troubled_runs(home, url=PlatformSettings().dagster_url, now=now)
    return [(one.run_id, one.state) for one in found]


@pytest.mark.parametrize(("read", "made"), [(RUNS, RunsTable), (RUN_TAGS, RunTagsTable)])
def test_what_is_read_without_dagster_is_what_dagster_writes(
    read: sa.TableClause, made: sa.Table
) -> None:
    assert read.name == made.name
    for column in read.columns:
        assert isinstance(made.c[column.name].type, type(column.type)), column.name


def test_a_dead_run_is_named_until_its_job_ends_well_again(instance: dg.DagsterInstance) -> None:
    dead = add(instance, Status.STARTED)
    assert told(instance) == [(dead, "died")]
    (failed,) = fail_dead_runs(instance)
    assert failed.run_id == dead
    assert told(instance) == [(dead, "died")]
    add(instance, Status.SUCCESS)
    assert told(instance) == []


def test_a_run_that_lives_is_named_only_when_it_takes_far_longer_than_its_job(
    instance: dg.DagsterInstance,
) -> None:
    home = Path(instance.root_directory)
    run_id = add(instance, Status.STARTED)
    with run_lock(home, run_id, job="refresh", by="a test"):
        assert told(instance, later=timedelta(minutes=5)) == []
        assert told(instance, later=timedelta(hours=2)) == [(run_id, "hangs")]
        now, url = datetime.now(tz=UTC) + timedelta(hours=2), PlatformSettings().dagster_url
        (finding,) = check_runs(home, url=url, now=now)
        assert finding.level == "warn"
        assert "runs for 120 min" in finding.message or "2.0 h" in finding.message


def test_a_queued_run_waits_for_nobody_only_while_no_ui_runs(instance: dg.DagsterInstance) -> None:
    queued = add(instance, Status.QUEUED)
    assert told(instance) == [(queued, "waits")]
    with only_ui(Path(instance.root_directory)):
        assert told(instance) == []


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTING, Status.STARTED])
def test_whatever_a_dead_run_was_recorded_as_it_is_failed(
    instance: dg.DagsterInstance, status: Status
) -> None:
    run_id = add(instance, status)
    assert [one.run_id for one in fail_dead_runs(instance)] == [run_id]
    assert fail_dead_runs(instance) == []
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is Status.FAILURE


def test_a_queued_run_is_left_for_the_next_daemon(instance: dg.DagsterInstance) -> None:
    add(instance, Status.QUEUED)
    assert fail_dead_runs(instance) == []


def test_a_run_a_living_daemon_is_just_starting_is_left_alone(instance: dg.DagsterInstance) -> None:
    add(instance, Status.STARTING)
    with only_ui(Path(instance.root_directory)):
        assert fail_dead_runs(instance) == []
        # A UI that is only starting has started none.
        assert len(fail_dead_runs(instance, daemon=False)) == 1


def recorded(instance: dg.DagsterInstance, run_id: str, *, ago: timedelta) -> None:
    """Let a run have been recorded so long ago."""
    at = (datetime.now(tz=UTC) - ago).replace(tzinfo=None)
    with instance.run_storage.connect() as runs:  # type: ignore[attr-defined]
        runs.execute(
            sa.update(RunsTable)
            .where(RunsTable.c.run_id == run_id)
            .values(create_timestamp=at, update_timestamp=at)
        )


def daemon_started(instance: dg.DagsterInstance, *, ago: timedelta) -> None:
    """Let the UI have started its daemon so long ago."""
    mark = daemon_mark(Path(instance.root_directory))
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    at = time.time() - ago.total_seconds()
    os.utime(mark, (at, at))


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTING])
def test_a_slow_daemon_is_given_time_for_a_run_it_recorded_itself(
    instance: dg.DagsterInstance, status: Status
) -> None:
    run_id = add(instance, status)
    recorded(instance, run_id, ago=timedelta(minutes=2))
    with only_ui(Path(instance.root_directory)):
        daemon_started(instance, ago=timedelta(minutes=3))
        assert (fail_dead_runs(instance), told(instance)) == ([], [])
        # The daemon that recorded it is gone: this one would have taken it over by now.
        daemon_started(instance, ago=timedelta(minutes=1))
        assert told(instance) == [(run_id, "died")]
        assert [one.run_id for one in fail_dead_runs(instance)] == [run_id]


def test_a_run_that_its_daemon_never_started_is_failed_in_the_end(
    instance: dg.DagsterInstance,
) -> None:
    run_id = add(instance, Status.NOT_STARTED)
    recorded(instance, run_id, ago=timedelta(minutes=11))
    with only_ui(Path(instance.root_directory)):
        daemon_started(instance, ago=timedelta(hours=1))
        assert told(instance) == [(run_id, "died")]
        assert [one.run_id for one in fail_dead_runs(instance)] == [run_id]


def test_a_dead_runs_slot_and_place_in_the_queue_are_free(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("socomec_api", 1)
    dead, waiting = add(instance, Status.STARTED), add(instance, Status.STARTED)
    ended = add(instance, Status.SUCCESS)
    assert storage.claim_concurrency_slot("socomec_api", dead, "raw").is_claimed
    storage.claim_concurrency_slot("socomec_api", ended, "raw")
    with run_lock(Path(instance.root_directory), waiting, job="refresh", by="a test"):
        assert not storage.claim_concurrency_slot("socomec_api", waiting, "raw").is_claimed
        fail_dead_runs(instance)
        assert storage.claim_concurrency_slot("socomec_api", waiting, "raw").is_claimed
    assert storage.get_concurrency_run_ids() == {waiting}
