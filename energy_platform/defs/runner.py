"""Dagster runs from the command line: the daemon's own jobs, in this process.

Each run holds its lock (:mod:`energy_platform.installation.run_locks`), so that the daemon and
other commands see that it lives. A run waits only for living ones, and says for whom.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import uuid
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from energy_platform.defs.instance.dead_runs import DeadRun, fail_dead_runs, queued_without_daemon
from energy_platform.defs.instance.living_runs import home_of
from energy_platform.defs.instance.secrets import secret_values
from energy_platform.defs.resources import Platform
from energy_platform.installation.dagster_database import claim_dagster_database
from energy_platform.installation.environment import variables_set
from energy_platform.installation.interrupts import noticed_interrupts
from energy_platform.installation.run_locks import (
    is_held,
    kill_processes_of,
    owner_of,
    run_lock,
    ui_is_running,
)
from energy_platform.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration that keeps Dagster's log in its event store only."""

NO_LIMIT: Final = {"dagster/max_runtime": "0"}
"""Tag of a run that an operator watches: a daemon on the same instance does not end it."""

LOG_BYTES: Final = 10 * 1024**2
"""Size at which the file for what steps print begins again; one older part is kept."""

LOOK_S: Final = 2.0
"""Seconds between two looks at who holds a pool that is waited for."""

INSIST_LOOKS: Final = 3
"""Looks after which a run that goes on in spite of Ctrl+C is interrupted again; dbt takes a second
or two to end in order."""

_INTERRUPTED: Final = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


@dataclass(frozen=True, kw_only=True)
class Materialized:
    """What a run reported of an asset.

    Attributes:
        asset: The asset's name.
        partition: The day, None for an unpartitioned asset.
        figures: Plain values of its metadata by name.
    """

    asset: str
    partition: str | None
    figures: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a run ended.

    Attributes:
        job: Name of the job.
        run_id: Id in the Dagster instance.
        success: Whether it succeeded.
        errors: One message per failed step.
        materialized: What it reported, in order.
    """

    job: str
    run_id: str
    success: bool
    errors: tuple[str, ...]
    materialized: tuple[Materialized, ...] = field(default=(), repr=False)


class Runner:
    """Runs jobs of the code location on an instance.

    Args:
        definitions: The code location.
        instance: Where runs are recorded.
        output: File for what steps print, such as dbt's own progress.
        by: The command, for messages of others that wait for it.
        say: Where a line goes that says why nothing moves; None: nowhere.
        asked: Set when the command was asked to end.
    """

    def __init__(
        self,
        definitions: dg.Definitions,
        *,
        instance: dg.DagsterInstance,
        output: Path,
        by: str = "the command line",
        say: Callable[[str], None] | None = None,
        asked: threading.Event | None = None,
    ) -> None:
        self._definitions = definitions
        self.instance = instance
        self._output = output
        self._by = by
        self._say = say or (lambda _: None)
        self._asked = asked or threading.Event()
        self._home = home_of(instance)

    @property
    def definitions(self) -> dg.Definitions:
        """The code location."""
        return self._definitions

    @property
    def platform(self) -> Platform:
        """The resource that the jobs work with."""
        resource = (self._definitions.resources or {})["platform"]
        if not isinstance(resource, Platform):
            raise TypeError(f"expected the platform's own resource, got {type(resource).__name__}")
        return resource

    def run(
        self,
        job: str,
        *,
        tags: Mapping[str, str] | None = None,
        assets: Sequence[dg.AssetKey] | None = None,
        on_log: Callable[[str], None] | None = None,
    ) -> RunReport:
        """Run a job in this process, after the living runs that hold its pools.

        Args:
            job: Name of the job.
            tags: Tags of the run.
            assets: The part of the job to run; all when None.
            on_log: Told each line that the job's own code logs.

        Raises:
            KeyboardInterrupt: It was interrupted; the run is recorded as canceled and holds
                nothing any more.
        """
        self.wait_for_pools(job)
        self._raise_if_asked()
        definition = self._definitions.resolve_job_def(job)
        run_id = str(uuid.uuid4())
        if on_log is not None:
            self.instance.add_event_listener(run_id, _lines(on_log))
        try:
            with (
                run_lock(self._home, run_id, job=job, by=self._by),
                self._watching(run_id, pools=_pools(definition)),
                self._output.open("a", encoding="utf-8") as output,
                redirect_stdout(output),
            ):
                result = definition.execute_in_process(
                    instance=self.instance,
                    run_id=run_id,
                    tags={**(tags or {})},
                    run_config=QUIET,
                    asset_selection=assets,
                    raise_on_error=False,
                )
            self._raise_if_asked()
            _raise_interrupt(result)
        except KeyboardInterrupt:
            run = self.instance.get_run_by_id(run_id)
            if run is not None and not run.is_success:
                self.instance.report_run_canceled(run, f"Interrupted at the terminal ({self._by}).")
            kill_processes_of(run_id)
            raise
        finally:
            # Dagster frees the slot of each step that ends, but not of one that is interrupted.
            self._free(run_id)
        failures = [event for event in result.all_node_events if event.is_step_failure]
        return RunReport(
            job=job,
            run_id=run_id,
            success=result.success,
            errors=tuple(_message(event) for event in failures) or _why_failed(result),
            materialized=tuple(map(_materialized, result.get_asset_materialization_events())),
        )

    def wait_for_pools(self, job: str) -> None:
        """Wait until no living run of another process holds a pool that a job needs.

        Dead ones are failed on the way. Each run that is waited for is named once.

        Raises:
            KeyboardInterrupt: The command was asked to end.
        """
        pools = _pools(self._definitions.resolve_job_def(job))
        named: set[str] = set()
        while holders := self._holders(pools):
            fail_dead_runs(self.instance)
            for run_id in holders - named:
                self._name(run_id)
            named |= holders
            self._asked.wait(LOOK_S)
            self._raise_if_asked()

    def _holders(self, pools: set[str], *, but: str = "") -> set[str]:
        """Return the runs that hold a slot of one of some pools and are not this one."""
        storage = self.instance.event_log_storage
        infos = storage.get_concurrency_infos(sorted(pools))
        return {
            run_id
            for info in infos.values()
            for run_id in info.active_run_ids
            if run_id != but and info.active_slot_count >= info.slot_count
        }

    def _name(self, run_id: str) -> None:
        if not is_held(self._home, run_id):
            return
        owner = owner_of(self._home, run_id)
        if owner is not None:
            began = datetime.fromisoformat(owner.started_at)
            self._say(
                f"waiting for run {run_id[:8]} of {owner.job}, "
                f"started {began:%H:%M} UTC by {owner.by}"
            )

    @contextmanager
    def _watching(self, run_id: str, *, pools: set[str]) -> Iterator[None]:
        """Look after a run from a thread: a dead run must not keep it waiting."""
        ended = threading.Event()

        def watch() -> None:
            named: set[str] = set()
            looks_asked = 0
            while not ended.wait(LOOK_S):
                if self._asked.is_set():
                    # The first one may have been raised where it was lost.
                    looks_asked += 1
                    if looks_asked % INSIST_LOOKS == 0:
                        os.kill(os.getpid(), signal.SIGINT)
                    continue
                infos = self.instance.event_log_storage.get_concurrency_infos(sorted(pools))
                if not any(
                    step.run_id == run_id and step.assigned_timestamp is None
                    for info in infos.values()
                    for step in info.pending_steps
                ):
                    continue
                fail_dead_runs(self.instance)
                for holder in self._holders(pools, but=run_id) - named:
                    named.add(holder)
                    self._name(holder)

        thread = threading.Thread(target=watch, name="watch-pools", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _raise_if_asked(self) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt

    def _free(self, run_id: str) -> None:
        if self.instance.event_log_storage.supports_global_concurrency_limits:
            self.instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _pools(job: dg.JobDefinition) -> set[str]:
    return {
        pool
        for node in job.all_node_defs
        if isinstance(node, dg.OpDefinition)
        for pool in node.pools
    }


def _lines(on_log: Callable[[str], None]) -> Callable[[dg.EventLogEntry], None]:
    """Return a listener that passes on what the job's own code logs, from INFO on."""

    def listen(entry: dg.EventLogEntry) -> None:
        if entry.dagster_event is None and int(entry.level) >= logging.INFO:
            on_log(entry.user_message)

    return listen


def _raise_interrupt(result: dg.ExecuteInProcessResult) -> None:
    """Raise what Dagster took for the failure of a step or of the run: Ctrl+C."""
    if any(map(_is_interrupt, result.all_events)):
        raise KeyboardInterrupt


def _why_failed(result: dg.ExecuteInProcessResult) -> tuple[str, ...]:
    """Return why a run failed outside of its steps; empty when it did not fail."""
    return tuple(
        event.message or "failed"
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.RUN_FAILURE
    )


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Say whether a step or a run failed because of a signal."""
    if event.is_step_failure:
        error = event.step_failure_data.error
    elif event.event_type is dg.DagsterEventType.RUN_FAILURE:
        error = event.job_failure_data.error
    else:
        return False
    return error is not None and error.cls_name in _INTERRUPTED


def _materialized(event: dg.DagsterEvent) -> Materialized:
    materialization = event.step_materialization_data.materialization
    return Materialized(
        asset=materialization.asset_key.to_user_string(),
        partition=materialization.partition,
        figures={name: value.value for name, value in materialization.metadata.items()},
    )


def _message(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return f"{event.step_key}: {failure.user_failure_data.description}"
    error = failure.error
    cause = error.cause if error is not None and error.cause is not None else error
    return f"{event.step_key}: {cause.message.strip() if cause is not None else 'failed'}"


@contextmanager
def open_runner(
    home: Path, *, by: str = "the command line", say: Callable[[str], None] | None = None
) -> Iterator[Runner]:
    """Open the instance at ``home`` with the code location.

    Runs that others left dead are failed first, and what they held is free.

    Args:
        home: Folder of the instance.
        by: The command, for messages of others that wait for it.
        say: Where lines go that say which runs were dead and what is waited for.
    """
    from energy_platform.definitions import build_definitions  # noqa: PLC0415
    from energy_platform.installation.instance import render_instance  # noqa: PLC0415

    url = PlatformSettings().dagster_url
    claim_dagster_database(url, home=home)
    render_instance(home, url=url)
    output = home / "steps.log"
    if output.exists() and output.stat().st_size > LOG_BYTES:
        output.replace(output.with_suffix(".log.1"))
    with dg.DagsterInstance.get() as instance:
        look_around(instance, say=say or (lambda _: None))
        with noticed_interrupts() as asked, variables_set(secret_values()):
            yield Runner(
                build_definitions(),
                instance=instance,
                output=output,
                by=by,
                say=say,
                asked=asked,
            )


def fail_dead_at_start(home: Path, *, say: Callable[[str], None]) -> None:
    """Fail the runs that an earlier UI left dead; queued ones wait for the daemon to come.

    Args:
        home: Folder of the instance, whose UI lock the caller holds.
        say: Where lines go that say which runs were dead.
    """
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for dead in fail_dead_runs(instance, daemon=False):
            say(_sentence(dead))


def _sentence(dead: DeadRun) -> str:
    return f"run {dead.run_id[:8]} of {dead.job} had died and is marked as failed: {dead.why}"


def look_around(instance: dg.DagsterInstance, *, say: Callable[[str], None]) -> None:
    """Fail dead runs and say what was found, and who else works on the instance."""
    for dead in fail_dead_runs(instance):
        say(_sentence(dead))
    if ui_is_running(home_of(instance)):
        say("the UI runs on this data folder: runs of both share their pools, one after another")
    if queued := queued_without_daemon(instance):
        jobs = ", ".join(sorted({run.job_name for run in queued}))
        say(f"{len(queued)} queued runs ({jobs}) are left for the next `energy-platform ui`")
