"""What Dagster is doing now, and how often it failed: what a level-triggered sensor asks first.

A run is under way when its process lives (:mod:`energy_platform.installation.run_locks`), never
because its record says so: the record of a killed run says STARTED for ever.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import dagster as dg

from energy_platform.installation.run_locks import (
    BEING_STARTED_STATUSES,
    has_lock_file,
    is_held,
    may_be_starting,
    ui_is_running,
)
from energy_platform.installation.troubled_runs import DIED_TAG

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

UNFINISHED: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

DIED: Final = DIED_TAG
"""Tag of a run whose process ended without a word; its value is the instant it was found."""

BEING_STARTED: Final = frozenset(map(dg.DagsterRunStatus, BEING_STARTED_STATUSES))

HEARTBEAT_S: Final = 90.0
"""Age in seconds of the queue's newest heartbeat up to which its daemon is taken for living; it
beats every 30 s."""

_QUEUE_DAEMON: Final = "QUEUED_RUN_COORDINATOR"

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
"""Pauses between attempts double from the first to the longest."""

MOST_ATTEMPTS_COUNTED: Final = 12


class Attempts(NamedTuple):
    """The newest runs of a job.

    Attributes:
        failed: How many failed since the last success.
        next_at: Not before this instant shall it be tried again; None: at once.
        last_run_id: The newest run, empty when there was none; names the request in a run key,
            so that two ticks at once ask for one run.
    """

    failed: int
    next_at: datetime | None
    last_run_id: str


def home_of(instance: dg.DagsterInstance) -> Path:
    """Return the folder of an instance, where its runs' locks lie."""
    return Path(instance.root_directory)


def daemon_lives(instance: dg.DagsterInstance) -> bool:
    """Say whether somebody takes queued runs: the UI's lock is held, or its daemon beat lately."""
    if ui_is_running(home_of(instance)):
        return True
    heartbeat = instance.get_daemon_heartbeats().get(_QUEUE_DAEMON)
    return heartbeat is not None and time.time() - heartbeat.timestamp < HEARTBEAT_S


def living_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the runs that are under way: their process lives, or a living daemon will start them.

    Args:
        instance: The Dagster instance.
    """
    records = instance.get_run_records(filters=dg.RunsFilter(statuses=UNFINISHED))
    daemon = bool(records) and daemon_lives(instance)
    return [
        record.dagster_run
        for record in records
        if is_living(record, home=home_of(instance), daemon=daemon)
    ]


def is_living(record: dg.RunRecord, *, home: Path, daemon: bool) -> bool:
    """Say whether an unfinished run is under way.

    Args:
        record: The run.
        home: Folder of the instance.
        daemon: Whether a daemon lives that takes queued runs and starts them.
    """
    run = record.dagster_run
    if run.status is dg.DagsterRunStatus.QUEUED:
        return daemon
    if has_lock_file(home, run.run_id):
        return is_held(home, run.run_id)
    # Recorded and not locked yet: the daemon is about to do so, or it has died between.
    return (
        daemon
        and run.status in BEING_STARTED
        and may_be_starting(
            home,
            recorded_s=record.create_timestamp.timestamp(),
            changed_s=record.update_timestamp.timestamp(),
            now_s=time.time(),
        )
    )


def attempts(instance: dg.DagsterInstance, *, job: str) -> Attempts:
    """Count the failures of a job since its last success and say when to try again.

    A canceled run does not end the count. The first death of a process (a kill, a power cut) is
    tried again without a pause: it says nothing of whether the job can succeed.
    """
    records = instance.get_run_records(
        filters=dg.RunsFilter(job_name=job), limit=MOST_ATTEMPTS_COUNTED
    )
    last_run_id = records[0].dagster_run.run_id if records else ""
    ended = [record for record in records if record.dagster_run.is_finished]
    failures: list[dg.RunRecord] = []
    for record in ended:
        if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            break
        if record.dagster_run.status is dg.DagsterRunStatus.FAILURE:
            failures.append(record)
    died = any(DIED in record.dagster_run.tags for record in failures)
    if not (counted := len(failures) - died):
        return Attempts(failed=len(failures), next_at=None, last_run_id=last_run_id)
    pause = min(FIRST_PAUSE * 2 ** (counted - 1), LONGEST_PAUSE)
    return Attempts(
        failed=len(failures), next_at=ended[0].update_timestamp + pause, last_run_id=last_run_id
    )


def jobs_of(runs: Collection[dg.DagsterRun]) -> set[str]:
    """Return the names of the jobs that runs belong to."""
    return {run.job_name for run in runs}


def newest_run(instance: dg.DagsterInstance, *, job: str) -> dg.RunRecord | None:
    """Return the newest run of a job, whatever its state."""
    records = instance.get_run_records(filters=dg.RunsFilter(job_name=job), limit=1)
    return records[0] if records else None
