"""How fast a vendor's day becomes a Parquet file, beside the usual tools and the practical limit.

Every contestant reads the same pages of the same simulator (a process of its own, pages rendered
beforehand) over real HTTP, in a fresh process, one after the other:

    python -m benchmarks.pull --peers /path/to/venv/bin/python

The peers' environment is made from ``benchmarks/requirements.lock``. Without it only our path and
the hand-written one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.pull_task import Task
from energy_platform.lake.lake import Lake
from energy_platform.lake.raw_days import land_snapshot
from energy_platform.simulators.process import SimulatorProcess
from energy_platform.simulators.world import Bulk
from energy_platform.sources.socomec import SocomecClient, pull
from energy_platform.sources.socomec.settings import SocomecSettings
from energy_platform.sources.socomec.tables import (
    RAW_SOCOMEC_DATAPOINTS,
    RAW_SOCOMEC_DEVICES,
    RAW_SOCOMEC_VARIABLES,
)

ROOT: Final = Path(__file__).parents[1]
DAY: Final = "2026-03-03"
UNTIL: Final = datetime(2026, 3, 4, tzinfo=UTC)


class Scene(NamedTuple):
    """A day to read: how many series of how many points, and how many series a page holds."""

    name: str
    bulk: Bulk
    per_page: int
    peers: bool = True

    @property
    def series(self) -> int:
        """Series of the day."""
        return self.bulk.devices * self.bulk.services

    @property
    def points(self) -> int:
        """Points of the day."""
        return self.series * 86_400 // self.bulk.period_s


MILLION: Final = Bulk(105, services=10, period_s=90)
SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("1 M points, pages of 9,600", MILLION, 10),
        Scene("1 M points, pages of 960", MILLION, 1),
        Scene("5,000 series x 96", Bulk(50, services=100, period_s=900), 100),
        Scene("10 M points, pages of 9,600", Bulk(105, services=100, period_s=90), 10, peers=False),
    )
}


class Figures(NamedTuple):
    """What one contestant needed: seconds, processor seconds, peak and idle memory in MB."""

    seconds: float
    cpu: float
    peak_mb: float
    idle_mb: float


def main() -> int:
    """Run the scenes and print one table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment")
    parser.add_argument("--scene", choices=range(len(SCENES)), type=int, action="append")
    parser.add_argument("--times", type=int, default=3, help="runs of the quick contestants")
    given = parser.parse_args()
    for number, scene in enumerate(SCENES.values()):
        if given.scene is None or number in given.scene:
            run_scene(scene, peers=given.peers, times=given.times)
    return 0


def run_scene(scene: Scene, *, peers: Path | None, times: int) -> None:
    """Let every contestant read one scene, and print what it needed."""
    console = Console(width=110)
    table = Table(
        "contestant", "seconds", "x best", "CPU s", "points/s", "peak MB", title=scene.name
    )
    with (
        SimulatorProcess(bulk=scene.bulk, now=UNTIL + timedelta(hours=1)) as suite,
        tempfile.TemporaryDirectory() as folder,
    ):
        work = Path(folder)
        environment = {
            **suite.environment(),
            "SOCOMEC_RPS": "100000",
            "SOCOMEC_MAX_SERIES": str(scene.per_page),
        }
        os.environ.update(environment)
        task = prepare(work, scene=scene)
        own = {"by hand": ["benchmarks.pull_best"], "ours": ["benchmarks.pull_ours"]}
        contest(sys.executable, own["by hand"], task, work)  # renders the pages
        runs: dict[str, list[Figures]] = {name: [] for name in own}
        seen: dict[str, tuple[int, float]] = {}
        # In turns, so that whatever else the machine does meets both.
        for name, command in list(own.items()) * times:
            figures, seen[name] = contest(sys.executable, command, task, work)
            runs[name].append(figures)
        results = {name: best_of(figures) for name, figures in runs.items()}
        if peers is not None and scene.peers:
            for name in ("pandas", "dlt arrow", "dlt nested"):
                results[name], seen[name] = contest(
                    str(peers), ["benchmarks.pull_peers", name], task, work
                )
        if len(set(seen.values())) != 1:
            raise SystemExit(f"the contestants did not read the same: {seen}")
        best = results["by hand"].seconds
        for name, figures in sorted(results.items(), key=lambda item: item[1].seconds):
            table.add_row(
                name,
                f"{figures.seconds:.2f}",
                f"{figures.seconds / best:.2f}",
                f"{figures.cpu:.2f}",
                f"{scene.points / figures.seconds:,.0f}",
                f"{figures.peak_mb:.0f} (idle {figures.idle_mb:.0f})",
            )
    console.print(table)


def best_of(runs: list[Figures]) -> Figures:
    """Return the least time and the most memory of several runs."""
    seconds, cpu, peak_mb, idle_mb = zip(*runs, strict=True)
    return Figures(min(seconds), min(cpu), max(peak_mb), max(idle_mb))


def prepare(work: Path, *, scene: Scene) -> Task:
    """Read the inventory of the bulk meters once, for all."""
    settings = SocomecSettings()
    lake = Lake(work / "inventory")
    with SocomecClient(settings) as client:
        inventory = pull.inventory(client)
    devices = inventory[RAW_SOCOMEC_DEVICES.name].filter(
        pl.col("serial_number").str.starts_with("BULK")
    )
    variables = inventory[RAW_SOCOMEC_VARIABLES.name].join(
        devices.select(pl.col("uuid").alias("device_uuid")), on="device_uuid", how="semi"
    )
    land_snapshot(lake, RAW_SOCOMEC_DEVICES, devices)
    land_snapshot(lake, RAW_SOCOMEC_VARIABLES, variables)
    series, _ = pull.wanted_series(devices=devices, variables=variables)
    if len(series) != scene.series:
        raise SystemExit(f"expected {scene.series} series, the inventory has {len(series)}")
    if settings.client_secret is None or settings.password is None:
        raise SystemExit("the simulators gave no credentials")
    realm = f"{settings.keycloak_url}realms/{settings.realm}"
    return Task(
        url=f"{settings.api_url}api/v1/ca/{series[0].ca}/datapoints",
        token_url=f"{realm}/protocol/openid-connect/token",
        login={
            "grant_type": "password",
            "client_id": settings.client_id or "",
            "client_secret": settings.client_secret.get_secret_value(),
            "username": settings.username or "",
            "password": settings.password.get_secret_value(),
        },
        series=[
            dict(zip(("deviceUuid", "itemType", "itemIndex", "serviceId"), one.key, strict=True))
            for one in series
        ],
        per_page=scene.per_page,
        day=DAY,
        until=UNTIL.isoformat().replace("+00:00", "Z"),
        target="",
    )


def contest(
    python: str, command: list[str], task: Task, work: Path
) -> tuple[Figures, tuple[int, float]]:
    """Run one contestant in a process of its own; returns its figures and what it wrote."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        target = Path(folder)
        if command[0] == "benchmarks.pull_ours":
            for name in (RAW_SOCOMEC_DEVICES.name, RAW_SOCOMEC_VARIABLES.name):
                (target / name).symlink_to(work / "inventory" / name)
        is_file = command in (["benchmarks.pull_best"], ["benchmarks.pull_peers", "pandas"])
        given = replace(task, target=str(target / "day.parquet" if is_file else target))
        said = subprocess.run(  # noqa: S603 - our own scripts
            [python, "-m", *command],
            input=json.dumps(asdict(given)),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        if said.returncode:
            raise SystemExit(f"{command}: {said.stderr[-2000:]}")
        figures: dict[str, Any] = json.loads(said.stdout.strip().splitlines()[-1])
        return Figures(**figures), written(target)


def written(target: Path) -> tuple[int, float]:
    """Rows and sum of the values in what a contestant wrote."""
    table = target / RAW_SOCOMEC_DATAPOINTS.name
    files = sorted((table if table.exists() else target).rglob("*.parquet"))
    frames = [pl.scan_parquet(file) for file in files if "inventory" not in str(file)]
    points = [frame for frame in frames if "value" in frame.collect_schema()]
    day = pl.concat([frame.select(pl.col("value").cast(pl.Float64)) for frame in points]).collect()
    return day.height, float(day["value"].sum())


if __name__ == "__main__":
    sys.exit(main())
