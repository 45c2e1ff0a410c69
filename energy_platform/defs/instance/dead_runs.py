"""Runs whose process is gone: find them, fail them, free what they held.

Called wherever something starts (the UI, a command that runs jobs), by the daemon's run monitoring,
by a sensor each minute, and by a command while it waits. All of them take this one way, so that a
dead run is reported in the same words wherever it was found.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import dagster as dg
from filelock import FileLock

from energy_platform.defs.instance.living_runs import (
    DIED,
    UNFINISHED,
    daemon_lives,
    home_of,
    is_living,
)
from energy_platform.installation.run_locks import (
    forget,
    is_held,
    kill_processes_of,
    locked_runs,
    owner_of,
    remove_hidden,
)

if TYPE_CHECKING:
    from pathlib import Path

    from energy_platform.installation.run_locks import Owner

_HIDDEN_S: Final = 600.0
"""Age in seconds from which a lock file that was never shown belongs to nobody."""


class DeadRun(NamedTuple):
    """A run whose process ended without a word.

    Attributes:
        run_id: The run.
        job: Name of its job.
        why: One sentence: what is gone, since when, and what becomes of its work.
        killed: Processes that it had left, killed now.
    """

    run_id: str
    job: str
    why: str
    killed: tuple[int, ...] = ()


def dead_runs(instance: dg.DagsterInstance, *, daemon: bool | None = None) -> list[DeadRun]:
    """Return the unfinished runs whose process is gone; nothing is changed.

    Args:
        instance: The Dagster instance.
        daemon: Whether a daemon lives that starts recorded runs; None looks.
    """
    records = instance.get_run_records(filters=dg.RunsFilter(statuses=UNFINISHED))
    if records and daemon is None:
        daemon = daemon_lives(instance)
    home = home_of(instance)
    dead = []
    for record in records:
        run = record.dagster_run
        # A queued run has no process to lose: the next daemon takes it.
        if run.status is dg.DagsterRunStatus.QUEUED:
            continue
        if is_living(record, home=home, daemon=bool(daemon)):
            continue
        # It may have ended between the two looks.
        current = instance.get_run_by_id(run.run_id)
        if current is not None and not current.is_finished:
            why = _why(owner_of(home, run.run_id), status=current.status)
            dead.append(DeadRun(run_id=run.run_id, job=run.job_name, why=why))
    return dead


def fail_dead_runs(instance: dg.DagsterInstance, *, daemon: bool | None = None) -> list[DeadRun]:
    """Fail the runs whose process is gone, end what they started, free their pool slots.

    A run that was being canceled becomes canceled. Slots and locks that ended runs kept are freed
    too. Calling it again, or from several processes at once, does no harm.

    Args:
        instance: The Dagster instance.
        daemon: Whether a daemon lives that starts recorded runs; None looks. A daemon that is only
            starting has started none: False.

    Returns:
        The runs that were failed.
    """
    home = home_of(instance)
    (home / "alive").mkdir(parents=True, exist_ok=True)
    with FileLock(home / "alive" / ".failing", preserve_lock_file=True):
        failed = [_fail(instance, one) for one in dead_runs(instance, daemon=daemon)]
        free_ended(instance)
        _forget_locks(instance, home)
    return failed


def queued_without_daemon(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return queued runs that nobody will take until a daemon is started."""
    queued = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    return list(queued) if queued and not daemon_lives(instance) else []


def free_ended(instance: dg.DagsterInstance) -> int:
    """Free the pool slots and places in the queue that ended runs kept.

    Returns:
        The number of runs that had kept some.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return 0
    home = home_of(instance)
    freed = 0
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if (run is None or run.is_finished) and not is_held(home, run_id):
            storage.free_concurrency_slots_for_run(run_id)
            freed += 1
    return freed


def _fail(instance: dg.DagsterInstance, dead: DeadRun) -> DeadRun:
    killed = tuple(kill_processes_of(dead.run_id))
    run = instance.get_run_by_id(dead.run_id)
    if run is not None and not run.is_finished:
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, dead.why)
        else:
            # The tag first: who reacts to the failure must see that it was a death.
            now = datetime.now(tz=UTC).isoformat(timespec="seconds")
            instance.add_run_tags(dead.run_id, {DIED: now})
            instance.report_run_failed(run, dead.why)
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(dead.run_id)
    return dead._replace(killed=killed)


def _why(owner: Owner | None, *, status: dg.DagsterRunStatus) -> str:
    if owner is None:
        return (
            f"no process executes this run (recorded as {status.value}): who was to start it "
            "ended before it did so. Its work is asked for again."
        )
    process = f"process {owner.pid}" if owner.pid else "process"
    return (
        f"the {process} of this run is gone (started {owner.started_at} by {owner.by}): it was "
        "killed, ran out of memory, or the machine stopped. Its pool slots are free and its work "
        "is asked for again."
    )


def _forget_locks(instance: dg.DagsterInstance, home: Path) -> None:
    for run_id in locked_runs(home):
        if is_held(home, run_id):
            continue
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            forget(home, run_id)
    remove_hidden(home, older_than_s=_HIDDEN_S)
