"""What the instance forgets, and that a month of runs needs no more room than a fortnight."""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import dagster as dg
import pytest

from energy_platform.automation.retention import KEEP_FAILED, forget_old_runs
from energy_platform.instance import render_instance

NOW = datetime(2026, 6, 1, 3, 40, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01")


@dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("fine", asset="raw")])
def raw() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


JOB = dg.define_asset_job("ingest", selection=["raw"])


class History:
    """An instance whose runs are copies of one real run, at any time and of any state."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.home = Path(instance.root_directory)
        job = dg.Definitions(assets=[raw], jobs=[JOB]).resolve_job_def("ingest")
        done = job.execute_in_process(instance=instance, partition_key="2026-01-01")
        assert done.success
        self._model = done.run_id
        logs = self.home / "logs" / self._model / "compute_logs"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "raw.err").write_text("a line\n" * 100)

    def __enter__(self) -> Self:
        runs = self.home / "storage" / "history"
        self.runs = sqlite3.connect(runs / "runs.db")
        self.index = sqlite3.connect(runs / "runs" / "index.db")
        return self

    def __exit__(self, *_: object) -> None:
        for database in (self.runs, self.index):
            database.commit()
            database.close()

    def add(self, at: datetime, *, day: str, job: str = "ingest", status: str = "SUCCESS") -> str:
        """Copy the real run: its rows in both databases, its own file and its logs."""
        run_id = str(uuid.uuid4())
        new = {
            "run_id": run_id,
            "partition": day,
            "pipeline_name": job,
            "status": status,
            "create_timestamp": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
        self._copy(self.runs, "runs", new)
        self._copy(self.runs, "run_tags", new)
        self._copy(self.index, "event_logs", new)
        self._copy(self.index, "asset_check_executions", new)
        folder = self.home / "storage" / "history" / "runs"
        shutil.copyfile(folder / f"{self._model}.db", folder / f"{run_id}.db")
        shutil.copytree(self.home / "logs" / self._model, self.home / "logs" / run_id)
        return run_id

    def _copy(self, database: sqlite3.Connection, table: str, new: dict[str, str]) -> None:
        found = database.execute(f"select * from {table} where run_id = ?", [self._model])
        names = [column[0] for column in found.description]
        for row in found.fetchall():
            values = {name: value for name, value in zip(names, row, strict=True) if name != "id"}
            for name, value in values.items():
                if isinstance(value, str):
                    text = value.replace(self._model, new["run_id"])
                    values[name] = text.replace("2026-01-01", new["partition"])
            if table == "runs":
                body = str(values["run_body"])
                values["run_body"] = body.replace('"SUCCESS"', f'"{new["status"]}"')
            values |= {name: value for name, value in new.items() if values.get(name)}
            marks = ", ".join("?" * len(values))
            database.execute(
                f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values())
            )

    def ids(self) -> set[str]:
        """Return the runs the instance knows, but for the model."""
        return {run.run_id for run in self.instance.get_runs()} - {self._model}

    def room(self) -> tuple[int, int, int]:
        """Return rows, files and bytes of the instance."""
        with closing(sqlite3.connect(self.home / "storage/history/runs.db")) as runs:
            rows = runs.execute("select count(*) from runs").fetchone()[0]
            rows += runs.execute("select count(*) from run_tags").fetchone()[0]
        with closing(sqlite3.connect(self.home / "storage/history/runs/index.db")) as index:
            for table in ("event_logs", "asset_check_executions"):
                rows += index.execute(f"select count(*) from {table}").fetchone()[0]
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return rows, len(files), sum(path.stat().st_size for path in files)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    render_instance(tmp_path)
    with dg.DagsterInstance.get() as instance:
        yield History(instance)


def day_of(at: datetime) -> str:
    return at.date().isoformat()


def test_a_month_of_runs_needs_no_more_room_than_a_fortnight(history: History) -> None:
    start = NOW - timedelta(days=30)
    measured = []
    of_one_run = history.room()[0]
    for day in range(31):
        with history:
            for cycle in range(0, 24, 2):
                at = start + timedelta(days=day, hours=cycle)
                history.add(at, day=day_of(at))
        if day in (16, 23, 30):
            forget_old_runs(history.instance, now=start + timedelta(days=day + 1))
            measured.append(history.room())
    rows, files, size = measured[0]
    for days, later in zip((7, 14), measured[1:], strict=True):
        # The record of one run a day stays: the newest that made the day.
        assert later[0] <= rows + days * of_one_run
        assert later[1] <= files + days
        assert later[2] <= size * 1.05


def test_at_the_shortest_interval_the_number_bounds_what_is_kept(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("energy_platform.automation.retention.MOST_KEPT", 20)
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
    forget_old_runs(history.instance, now=NOW)
    assert first not in history.ids()
    assert second in history.ids()
    assert not (history.home / "storage/history/runs" / f"{second}.db").exists()
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
