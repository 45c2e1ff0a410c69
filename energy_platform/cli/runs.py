"""Dagster runs from the command line: the daemon's own jobs and sensors, in this process."""

from __future__ import annotations

from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration that keeps Dagster's log in its event store only."""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """How a run ended.

    Attributes:
        job: Name of the job.
        run_id: Id in the Dagster instance.
        success: Whether it succeeded.
        errors: One message per failed step.
    """

    job: str
    run_id: str
    success: bool
    errors: tuple[str, ...]


class Runner:
    """Runs jobs of the code location on an instance.

    Args:
        definitions: The code location.
        instance: Where runs are recorded.
        output: File for what steps print, such as dbt's own progress.
    """

    def __init__(
        self, definitions: dg.Definitions, *, instance: dg.DagsterInstance, output: Path
    ) -> None:
        self._definitions = definitions
        self._instance = instance
        self._output = output

    def run(
        self,
        job: str,
        *,
        tags: Mapping[str, str] | None = None,
        assets: Sequence[dg.AssetKey] | None = None,
    ) -> RunReport:
        """Run a job in this process."""
        with self._output.open("a", encoding="utf-8") as output, redirect_stdout(output):
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                tags=dict(tags or {}),
                run_config=QUIET,
                asset_selection=assets,
                raise_on_error=False,
            )
        errors = tuple(_message(event) for event in result.all_node_events if event.is_step_failure)
        return RunReport(job=job, run_id=result.run_id, success=result.success, errors=errors)

    def follow(self, sensor: str) -> list[RunReport]:
        """Evaluate a sensor as the daemon would and run what it asks for."""
        definition = self._definitions.resolve_sensor_def(sensor)
        context = dg.build_sensor_context(
            instance=self._instance,
            definitions=self._definitions,
            sensor_name=sensor,
            resources=dict(self._definitions.resources or {}),
        )
        asked = definition.evaluate_tick(context).run_requests or []
        return [
            self.run(
                request.job_name or definition.job.name,
                tags=request.tags,
                assets=request.asset_selection,
            )
            for request in asked
        ]


def _message(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return f"{event.step_key}: {failure.user_failure_data.description}"
    error = failure.error
    cause = error.cause if error is not None and error.cause is not None else error
    return f"{event.step_key}: {cause.message.strip() if cause is not None else 'failed'}"


@contextmanager
def open_runner(home: Path) -> Iterator[Runner]:
    """Open the instance at ``home`` with the code location."""
    from energy_platform.definitions import build_definitions  # noqa: PLC0415
    from energy_platform.instance import render_instance  # noqa: PLC0415

    render_instance(home)
    with dg.DagsterInstance.get() as instance:
        yield Runner(build_definitions(), instance=instance, output=home / "steps.log")
