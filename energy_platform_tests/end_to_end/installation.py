"""A platform on a folder of its own, with the simulated vendors beside it."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import yaml

from energy_platform.defs.partitions import range_tags
from energy_platform.defs.runner import Runner, RunReport, open_runner
from energy_platform.lake.lake import Lake
from energy_platform.simulators.process import SimulatorProcess
from energy_platform.simulators.world import World
from energy_platform_tests.environment import environment, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from energy_platform.schemas import Vendor

SIMULATED = ("socomec", "belimo", "skycentrics")
REFRESH = "refresh_when_stale"
PUSH = "push_when_behind"


@dataclass(frozen=True)
class Installation:
    """A data folder, its runner and the vendors."""

    data: Path
    runner: Runner
    suite: SimulatorProcess
    world: World

    @property
    def lake(self) -> Lake:
        return Lake(self.data / "lake")

    def ingest(
        self, days: Sequence[str], *, vendors: Sequence[Vendor] = SIMULATED
    ) -> list[RunReport]:
        """Read days as the schedules do: one range run per vendor."""
        tags = range_tags(list(days))
        return [self.runner.run(f"ingest_{vendor}", tags=tags) for vendor in vendors]

    def follow(self, *sensors: str) -> list[RunReport]:
        """Evaluate sensors in order and run what they ask for."""
        return [report for sensor in sensors for report in self._follow(sensor)]

    def _follow(self, sensor: str) -> list[RunReport]:
        """Evaluate a sensor as the daemon would and run what it asks for."""
        definitions = self.runner.definitions
        definition = definitions.resolve_sensor_def(sensor)
        with dg.build_sensor_context(
            instance=self.runner.instance,
            definitions=definitions,
            sensor_name=sensor,
            resources=dict(definitions.resources or {}),
        ) as context:
            asked = definition.evaluate_tick(context).run_requests or []
        return [
            self.runner.run(
                request.job_name or str(definition.job_name),
                tags=request.tags,
                assets=request.asset_selection,
            )
            for request in asked
        ]

    def settle(self) -> list[RunReport]:
        """Do what the daemon would do until nothing is stale or behind."""
        done: list[RunReport] = []
        for _ in range(4):
            asked = self.follow(REFRESH, PUSH)
            if not asked:
                return done
            done += asked
        raise AssertionError(f"the sensors never come to rest: {[run.job for run in done]}")

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the published file as a user would."""
        path = str(self.data / "energy.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def files(self) -> dict[str, str]:
        """Digest of every Parquet day of the lake by its path."""
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.data / "lake").rglob("day=*/part.parquet"))
        }

    def delivery_report(self) -> Any:
        """What Wattics received, judged by the simulator."""
        return self.suite.ask("/delivery-report")


def must_succeed(reports: Sequence[RunReport]) -> None:
    """Fail with the runs' own errors."""
    assert all(report.success for report in reports), [
        (report.job, report.errors) for report in reports if not report.success
    ]


@contextmanager
def install(data: Path, *, first_day: str) -> Iterator[Installation]:
    """Set up a platform whose streams begin with ``first_day``."""
    start = datetime.fromisoformat(first_day).replace(tzinfo=UTC)
    with (
        SimulatorProcess(history=True) as suite,
        environment(simulated(data, suite, start=start)),
        open_runner(data / "dagster") as runner,
    ):
        yield Installation(data=data, runner=runner, suite=suite, world=World())


def edit_portfolio(installation: Installation, **changes: Any) -> None:
    """Set top-level entries of the portfolio."""
    path = installation.data / "portfolio.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**content, **changes}, allow_unicode=True), encoding="utf-8")
