"""A Dagster instance filled with copies of real runs, faster than they could run."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable

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
        storage: Any = self.instance
        self._open = ExitStack()
        self._runs = self._open.enter_context(storage.run_storage.connect())
        self._events = self._open.enter_context(storage.event_log_storage.index_connection())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, at: datetime, *, day: str, job: str = "ingest", status: str = "SUCCESS") -> str:
        """Copy the job's real run: its rows, in SQLite its own file, and its logs."""
        run_id, model = str(uuid.uuid4()), self._models[job]
        stamp = at.replace(tzinfo=None)
        new = {
            "run_id": run_id,
            "partition": day,
            "pipeline_name": job,
            "status": status,
            "create_timestamp": stamp,
            "timestamp": stamp,
        }
        for table in (RunsTable, RunTagsTable):
            self._copy(self._runs, table, new, model=model)
        for table in (SqlEventLogStorageTable, AssetCheckExecutionsTable):
            self._copy(self._events, table, new, model=model)
        if (own := self._file_of(model)).exists():
            shutil.copyfile(own, self._file_of(run_id))
        shutil.copytree(self.home / "logs" / model, self.home / "logs" / run_id)
        return run_id

    def _copy(
        self, database: sa.Connection, table: sa.Table, new: dict[str, Any], *, model: str
    ) -> None:
        rows = database.execute(sa.select(table).where(table.c.run_id == model)).mappings().all()
        for row in rows:
            values = {name: value for name, value in row.items() if name != "id"}
            for name, value in values.items():
                if isinstance(value, str):
                    text = value.replace(model, new["run_id"])
                    values[name] = text.replace(MODEL_DAY, new["partition"])
            if table is RunsTable:
                body = str(values["run_body"])
                values["run_body"] = body.replace('"SUCCESS"', f'"{new["status"]}"')
            values |= {name: value for name, value in new.items() if values.get(name)}
            database.execute(sa.insert(table).values(values))

    def _file_of(self, run_id: str) -> Path:
        return self.home / "storage" / "history" / "runs" / f"{run_id}.db"

    def has_log(self, run_id: str) -> bool:
        """Say whether the steps of a run can still be followed, one by one."""
        if self._is_sqlite:
            return self._file_of(run_id).exists()
        events = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
        return bool(events)

    @property
    def _is_sqlite(self) -> bool:
        return isinstance(self.instance.run_storage, SqliteRunStorage)

    def ids(self) -> set[str]:
        """Return the runs the instance knows, but for the models."""
        return {run.run_id for run in self.instance.get_runs()} - set(self._models.values())

    def room(self) -> tuple[int, int, int]:
        """Return rows, files and bytes of the instance."""
        with self:
            rows = sum(
                database.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for database, tables in (
                    (self._runs, (RunsTable, RunTagsTable)),
                    (self._events, (SqlEventLogStorageTable, AssetCheckExecutionsTable)),
                )
                for table in tables
            )
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return rows, len(files), sum(path.stat().st_size for path in files)
