"""A Dagster instance filled with copies of real runs, faster than they could run."""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import dagster as dg

MODEL_DAY: Final = "2026-01-01"
DAYS: Final = dg.DailyPartitionsDefinition(start_date=MODEL_DAY)


def _asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("fine", asset=name)])
    def made() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    return made


class History:
    """An instance whose runs are copies of real ones, at any time and of any state.

    Args:
        instance: Where they are recorded.
        jobs: Names of the jobs; each has an asset of its own.
    """

    def __init__(self, instance: dg.DagsterInstance, *, jobs: Sequence[str] = ("ingest",)) -> None:
        self.instance = instance
        self.home = Path(instance.root_directory)
        self._models = {job: self._really_run(job) for job in jobs}

    def _really_run(self, job: str) -> str:
        asset = _asset("raw" if job == "ingest" else f"made_by_{job}")
        definitions = dg.Definitions(
            assets=[asset], jobs=[dg.define_asset_job(job, selection=[asset])]
        )
        definition = definitions.resolve_job_def(job)
        done = definition.execute_in_process(instance=self.instance, partition_key=MODEL_DAY)
        assert done.success
        logs = self.home / "logs" / done.run_id / "compute_logs"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / "step.err").write_text("a line\n" * 100)
        return done.run_id

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
        """Copy the job's real run: its rows in both databases, its own file and its logs."""
        run_id, model = str(uuid.uuid4()), self._models[job]
        new = {
            "run_id": run_id,
            "partition": day,
            "pipeline_name": job,
            "status": status,
            "create_timestamp": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
        self._copy(self.runs, "runs", new, model=model)
        self._copy(self.runs, "run_tags", new, model=model)
        self._copy(self.index, "event_logs", new, model=model)
        self._copy(self.index, "asset_check_executions", new, model=model)
        folder = self.home / "storage" / "history" / "runs"
        shutil.copyfile(folder / f"{model}.db", folder / f"{run_id}.db")
        shutil.copytree(self.home / "logs" / model, self.home / "logs" / run_id)
        return run_id

    def _copy(
        self, database: sqlite3.Connection, table: str, new: dict[str, str], *, model: str
    ) -> None:
        found = database.execute(f"select * from {table} where run_id = ?", [model])
        names = [column[0] for column in found.description]
        for row in found.fetchall():
            values = {name: value for name, value in zip(names, row, strict=True) if name != "id"}
            for name, value in values.items():
                if isinstance(value, str):
                    text = value.replace(model, new["run_id"])
                    values[name] = text.replace(MODEL_DAY, new["partition"])
            if table == "runs":
                body = str(values["run_body"])
                values["run_body"] = body.replace('"SUCCESS"', f'"{new["status"]}"')
            values |= {name: value for name, value in new.items() if values.get(name)}
            marks = ", ".join("?" * len(values))
            database.execute(
                f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values())
            )

    def ids(self) -> set[str]:
        """Return the runs the instance knows, but for the models."""
        return {run.run_id for run in self.instance.get_runs()} - set(self._models.values())

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
