"""What Dagster is doing now, and how often it failed: what a level-triggered sensor asks first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import dagster as dg

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

FAILED: Final = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
"""A canceled run is asked for again like a failed one."""

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


def living_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the runs that are queued or under way."""
    return list(instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)))


def attempts(instance: dg.DagsterInstance, *, job: str) -> Attempts:
    """Count the failures of a job since its last success and say when to try again."""
    records = instance.get_run_records(
        filters=dg.RunsFilter(job_name=job), limit=MOST_ATTEMPTS_COUNTED
    )
    failed = 0
    for record in records:
        if record.dagster_run.status not in FAILED:
            break
        failed += 1
    last_run_id = records[0].dagster_run.run_id if records else ""
    if not failed:
        return Attempts(failed=0, next_at=None, last_run_id=last_run_id)
    pause = min(FIRST_PAUSE * 2 ** (failed - 1), LONGEST_PAUSE)
    return Attempts(
        failed=failed, next_at=records[0].update_timestamp + pause, last_run_id=last_run_id
    )


def jobs_of(runs: Collection[dg.DagsterRun]) -> set[str]:
    """Return the names of the jobs that runs belong to."""
    return {run.job_name for run in runs}
