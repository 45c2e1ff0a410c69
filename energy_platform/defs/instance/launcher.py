"""How the daemon starts runs: each in a process of its own, which holds the run's lock.

Dagster's default launcher cannot tell whether a run's process lives; with this one, run monitoring
asks the lock (:mod:`energy_platform.installation.run_locks`) and a killed run is failed within a
minute. Configured in the rendered ``dagster.yaml``.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import sqlalchemy
from dagster._core.launcher import CheckRunHealthResult, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass

from energy_platform.defs.instance.dead_runs import fail_dead_runs
from energy_platform.defs.instance.living_runs import home_of
from energy_platform.installation.run_locks import (
    BY_UI,
    RUN_ID_VARIABLE,
    RunLock,
    is_held,
    kill_processes_of,
    owner_of,
    wait_until_free,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._core.launcher import LaunchRunContext
    from dagster._serdes import ConfigurableClassData

WORKER: Final = "energy_platform.defs.instance.run_worker"

GRACE_S: Final = 10.0
"""Seconds a run has to end its step in order before its processes are killed."""

STOP_S: Final = 5.0
"""The same when the daemon is stopped: whoever stops it waits for it, and kills it in the end."""

_LOG: Final = logging.getLogger("dagster")


class LockedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launches each run in a process of its own that holds the run's lock while it lives."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What ``dagster.yaml`` says of this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the options in ``dagster.yaml``: none."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> LockedRunLauncher:
        """Build the launcher as ``dagster.yaml`` asks for it."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run, with the run's lock held from before it exists."""
        run = context.dagster_run
        origin = context.job_code_origin
        if origin is None:
            raise dg.DagsterInvariantViolationError(f"run {run.run_id} has no code origin")
        arguments = ExecuteRunArgs(
            job_origin=origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        ).get_command_args()
        lock = RunLock(home_of(self._instance), run.run_id, job=run.job_name, by=BY_UI, pid=0)
        try:
            child = subprocess.Popen(  # noqa: S603 - Dagster's own arguments
                # Dagster's entry point is replaced by ours, which goes on to Dagster's.
                [sys.executable, "-m", WORKER, str(lock.fd), *_after_entry_point(arguments)],
                env=os.environ | {RUN_ID_VARIABLE: run.run_id},
                stdin=subprocess.DEVNULL,
                pass_fds=[lock.fd],
                # Ctrl+C at the terminal reaches the daemon alone, which ends its runs in order.
                start_new_session=True,
            )
            lock.started(child.pid)
        except BaseException:
            lock.release()
            raise
        lock.close()
        self._children[run.run_id] = child
        threading.Thread(
            target=self._reap, args=(run.run_id, child), name=f"run-{run.run_id[:8]}", daemon=True
        ).start()
        self._instance.report_engine_event(
            f"Started process {child.pid} for this run.", run, cls=self.__class__
        )

    def _reap(self, run_id: str, child: subprocess.Popen[bytes]) -> None:
        """Wait for a run's process; a run that it left unfinished is failed at once."""
        child.wait()
        self._children.pop(run_id, None)
        if child.returncode and self.has_instance:
            try:
                fail_dead_runs(self._instance, daemon=True)
            except (OSError, sqlalchemy.exc.SQLAlchemyError, dg.DagsterError):
                # Run monitoring and the sensor look again within a minute.
                _LOG.exception("looking after the ended run %s failed", run_id)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask for the health of a run's process: always."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say whether the process of a run lives; the run is failed here when it does not."""
        if is_held(home_of(self._instance), run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        fail_dead_runs(self._instance, daemon=True)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the run's process is gone")

    def terminate(self, run_id: str) -> bool:
        """End a run: ask it to, then kill its processes after :data:`GRACE_S`.

        Returns:
            Whether the run's process is gone now; False when it is not this machine's.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        home = home_of(self._instance)
        if is_held(home, run_id):
            owner = owner_of(home, run_id)
            if owner is not None and owner.pid and not owner.is_here():
                self._instance.report_engine_event(
                    "The process of this run is on another machine and cannot be ended from here.",
                    run,
                    cls=self.__class__,
                )
                return False
            pid = owner.pid if owner is not None else 0
            _signal(pid, signal.SIGINT)
            if not wait_until_free(home, run_id, timeout_s=GRACE_S):
                _signal(pid, signal.SIGKILL)
        kill_processes_of(run_id)
        wait_until_free(home, run_id, timeout_s=GRACE_S)
        fail_dead_runs(self._instance, daemon=True)
        return True

    def dispose(self) -> None:
        """End the runs this process started, in order: the daemon is being stopped."""
        children = dict(self._children)
        for run_id, child in children.items():
            run = self._instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                self._instance.report_run_canceling(
                    run, "The daemon is being stopped; the work is asked for again when it starts."
                )
                _signal(child.pid, signal.SIGINT)
        until = time.monotonic() + STOP_S
        for run_id, child in children.items():
            try:
                child.wait(timeout=max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            kill_processes_of(run_id)
        if children:
            fail_dead_runs(self._instance, daemon=True)


def _after_entry_point(arguments: Any) -> list[str]:
    """Return Dagster's arguments from its own command on: ``api execute_run …``."""
    words = list(arguments)
    return words[words.index("api") :]


def _signal(pid: int, number: signal.Signals) -> None:
    # 0 would mean this process's own group: the run's process is only being started.
    if pid > 0:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
