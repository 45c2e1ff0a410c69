"""Which runs the Dagster instance may forget, and forgetting them whole: rows, files and logs.

Dagster forgets ticks by its own retention, runs never; and its own way of deleting a run leaves
its logs and its check results, and in SQLite the run's own file. With a run every few minutes that
is a hundred gigabytes a year, of which nobody needs the old part.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
)
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.runs.schema import RunTagsTable

from energy_platform.defs.instance.living_runs import UNFINISHED, home_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

KEEP: Final = timedelta(days=14)
"""How long runs that ended well are kept when newer runs made again what they made. Of one that
is still the newest of a day, the record stays and the log goes."""

KEEP_FAILED: Final = timedelta(days=60)
"""The same for failed and canceled runs: they are looked for when something was wrong."""

MOST_KEPT: Final = 500
"""Runs of a job kept beyond :data:`LEAST_KEPT`, so that short intervals need no more room."""

LEAST_KEPT: Final = timedelta(days=1)

_PAGE: Final = 500
_WORTH_BYTES: Final = 16 * 1024**2
_WORTH_SHARE: Final = 0.25
"""A database is written again without its free pages when they are this much of it."""

_FINISHED: Final = [status for status in dg.DagsterRunStatus if status not in UNFINISHED]
_MATERIALIZED: Final = dg.DagsterEventType.ASSET_MATERIALIZATION.value
_NOT_OF_THE_LOG: Final = [
    one.value
    for one in (ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys())
]
"""Events that SQLite holds in the index of all runs, besides the run's own file."""


class Forgotten(NamedTuple):
    """What one look came to.

    Attributes:
        runs: Runs forgotten.
        logs: Runs of which only the log was removed.
        orphans: Files and folders of runs that the instance does not know any more.
        freed: Bytes by which SQLite's databases became smaller; a server gives free pages back to
            itself.
    """

    runs: int
    logs: int
    orphans: int
    freed: int


def forget_old_runs(
    instance: dg.DagsterInstance, *, now: datetime, until: datetime | None = None
) -> Forgotten:
    """Forget runs, the oldest first, with all that they left on the disk.

    Args:
        instance: The platform's own instance, on SQLite or PostgreSQL.
        now: The present.
        until: No further run is looked at after this instant; the next call goes on.
    """
    runs = 0
    for page in superseded_runs(instance, now=now):
        forget(instance, page)
        runs += len(page)
        if until is not None and datetime.now(tz=UTC) > until:
            break
    logs = _drop_old_logs(instance, now=now)
    _drop_superseded_notes(instance, now=now)
    orphans = _drop_orphans(instance, now=now)
    freed = sum(map(_shrink, _databases(instance)))
    return Forgotten(runs=runs, logs=logs, orphans=orphans, freed=freed)


def superseded_runs(instance: dg.DagsterInstance, *, now: datetime) -> Iterator[list[str]]:
    """Yield pages of ids of runs that nobody needs any more, the oldest first.

    Whoever asks forgets a page before asking for the next one.

    A run is needed while it is the newest of its job, or the newest that materialized one of its
    assets' days: forgetting it would turn a day grey in the UI.
    """
    newest: set[str] = set()
    beyond: dict[str, datetime] = {}
    for job in _jobs(instance):
        records = instance.get_run_records(filters=dg.RunsFilter(job_name=job), limit=MOST_KEPT)
        newest.add(records[0].dagster_run.run_id)
        if len(records) == MOST_KEPT:
            beyond[job] = min(records[-1].create_timestamp, now - LEAST_KEPT)
    before = now - LEAST_KEPT if beyond else now - KEEP
    filters = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    cursor: str | None = None
    while records := instance.get_run_records(
        filters=filters, limit=_PAGE, cursor=cursor, ascending=True
    ):
        old = [
            record.dagster_run.run_id
            for record in records
            if record.dagster_run.run_id not in newest
            and _is_old(record, now=now, beyond=beyond.get(record.dagster_run.job_name))
        ]
        needed = _newest_of_a_day(instance, old)
        # The place in the list, before what is there goes away.
        cursor = next(
            (
                record.dagster_run.run_id
                for record in reversed(records)
                if record.dagster_run.run_id not in old or record.dagster_run.run_id in needed
            ),
            cursor,
        )
        forgettable = [run_id for run_id in old if run_id not in needed]
        if forgettable:
            yield forgettable
        elif len(records) < _PAGE:
            return


def _is_old(record: dg.RunRecord, *, now: datetime, beyond: datetime | None) -> bool:
    if beyond is not None and record.create_timestamp < beyond:
        return True
    is_well = record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    return record.create_timestamp < now - (KEEP if is_well else KEEP_FAILED)


def _jobs(instance: dg.DagsterInstance) -> list[str]:
    from dagster._core.storage.runs.schema import RunsTable  # noqa: PLC0415

    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        query = sa.select(RunsTable.c.pipeline_name).distinct()
        return [row[0] for row in connection.execute(query)]


def _newest_of_a_day(instance: dg.DagsterInstance, run_ids: Collection[str]) -> set[str]:
    """Return those of some runs that hold the newest materialization of an asset's partition."""
    mine = SqlEventLogStorageTable.alias("mine")
    later = SqlEventLogStorageTable.alias("later")
    query = (
        sa.select(mine.c.run_id)
        .distinct()
        .where(
            mine.c.run_id.in_(list(run_ids)),
            mine.c.dagster_event_type == _MATERIALIZED,
            ~sa.exists().where(
                later.c.asset_key == mine.c.asset_key,
                later.c.dagster_event_type == _MATERIALIZED,
                later.c.partition.is_not_distinct_from(mine.c.partition),
                later.c.id > mine.c.id,
            ),
        )
    )
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        return {row[0] for row in connection.execute(query)}


def forget(instance: dg.DagsterInstance, run_ids: Collection[str]) -> None:
    """Forget runs whole: records, events, check results that newer ones replace, files, logs."""
    events, checks = SqlEventLogStorageTable, AssetCheckExecutionsTable
    later = checks.alias("later")
    ids = list(run_ids)
    of_runs = sa.select(events.c.id).where(events.c.run_id.in_(ids))
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(
            sa.delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id.in_(of_runs))
        )
        connection.execute(sa.delete(events).where(events.c.run_id.in_(ids)))
        connection.execute(
            sa.delete(checks).where(
                checks.c.run_id.in_(ids),
                sa.exists().where(
                    later.c.asset_key == checks.c.asset_key,
                    later.c.check_name == checks.c.check_name,
                    later.c.id > checks.c.id,
                ),
            )
        )
    for run_id in ids:
        instance.run_storage.delete_run(run_id)
        _remove_files(instance, run_id)
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.delete(RunTagsTable).where(RunTagsTable.c.run_id.in_(ids)))


def _remove_files(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Remove a run's own database and its logs; say whether there were any."""
    had = False
    if _is_sqlite(instance):
        database = _events_folder(instance) / f"{run_id}.db"
        had = database.exists()
        for suffix in ("", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
    logs = home_of(instance) / "logs" / run_id
    had |= logs.exists()
    shutil.rmtree(logs, ignore_errors=True)
    return had


def _drop_old_logs(instance: dg.DagsterInstance, *, now: datetime) -> int:
    """Remove the logs of runs that are old and still needed for what they materialized."""
    well = [dg.DagsterRunStatus.SUCCESS]
    filters = dg.RunsFilter(statuses=well, created_before=now - KEEP)
    records = instance.get_run_records(filters=filters)
    ids = [record.dagster_run.run_id for record in records]
    logged = set() if _is_sqlite(instance) else _drop_log_events(instance, ids)
    return sum(_remove_files(instance, run_id) or run_id in logged for run_id in ids)


def _drop_log_events(instance: dg.DagsterInstance, run_ids: Collection[str]) -> set[str]:
    """Remove from a server what SQLite has in a run's own file only; return whose there was any."""
    events = SqlEventLogStorageTable
    ids = list(run_ids)
    had: set[str] = set()
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        for start in range(0, len(ids), _PAGE):
            is_logged = sa.and_(
                events.c.run_id.in_(ids[start : start + _PAGE]),
                events.c.dagster_event_type.is_(None)
                | events.c.dagster_event_type.not_in(_NOT_OF_THE_LOG),
            )
            dropped = connection.execute(
                sa.delete(events).where(is_logged).returning(events.c.run_id)
            )
            had |= {row[0] for row in dropped}
    return had


def _drop_superseded_notes(instance: dg.DagsterInstance, *, now: datetime) -> None:
    """Remove what sensors noted of whole assets and noted again since, such as that pages hold.

    SQLite has these events, of no run, in a file of their own, too, which nothing reads.
    """
    events = SqlEventLogStorageTable
    later = events.alias("later")
    old = sa.and_(
        events.c.run_id == RUNLESS_RUN_ID,
        events.c.dagster_event_type == _MATERIALIZED,
        events.c.partition.is_(None),
        events.c.timestamp < (now - LEAST_KEPT).replace(tzinfo=None),
    )
    superseded = sa.select(events.c.id).where(
        old,
        sa.exists().where(
            later.c.asset_key == events.c.asset_key,
            later.c.dagster_event_type == _MATERIALIZED,
            later.c.id > events.c.id,
        ),
    )
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        connection.execute(sa.delete(events).where(events.c.id.in_(superseded)))
    if _is_sqlite(instance) and (_events_folder(instance) / f"{RUNLESS_RUN_ID}.db").exists():
        with storage.run_connection(RUNLESS_RUN_ID) as connection:
            connection.execute(sa.delete(events).where(old))


def _drop_orphans(instance: dg.DagsterInstance, *, now: datetime) -> int:
    """Remove files of runs that the instance does not know, such as Dagster's deletion leaves."""
    folders = {home_of(instance) / "logs": "*-*"}
    if _is_sqlite(instance):
        folders[_events_folder(instance)] = "*-*.db"
    left = {
        path.name.removesuffix(".db")
        for folder, pattern in folders.items()
        for path in folder.glob(pattern)
        if path.stat().st_mtime < (now - LEAST_KEPT).timestamp()
    }
    known: set[str] = set()
    ids = sorted(left)
    for start in range(0, len(ids), _PAGE):
        filters = dg.RunsFilter(run_ids=ids[start : start + _PAGE])
        known |= {run.run_id for run in instance.get_runs(filters=filters)}
    return sum(_remove_files(instance, run_id) for run_id in left - known)


def _is_sqlite(instance: dg.DagsterInstance) -> bool:
    """Say whether the records lie in files; those of before a server was named are left alone."""
    return isinstance(instance.run_storage, SqliteRunStorage)


def _events_folder(instance: dg.DagsterInstance) -> Path:
    return home_of(instance) / "storage" / "history" / "runs"


def _databases(instance: dg.DagsterInstance) -> list[Path]:
    if not _is_sqlite(instance):
        return []
    storage = home_of(instance) / "storage"
    return [
        path
        for path in (
            storage / "history" / "runs.db",
            storage / "history" / "runs" / "index.db",
            storage / "history" / "runs" / f"{RUNLESS_RUN_ID}.db",
            storage / "schedules" / "schedules.db",
        )
        if path.exists()
    ]


def _shrink(path: Path) -> int:
    """Write a database again without its free pages, when that is worth it.

    Returns:
        Bytes by which it became smaller; 0 while somebody is in its way, the next look tries again.
    """
    before = path.stat().st_size
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        free, page = (
            int(database.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("freelist_count", "page_size")
        )
        is_worth_it = free * page > max(_WORTH_BYTES, _WORTH_SHARE * before)
        if not is_worth_it or shutil.disk_usage(path.parent).free < 2 * before:
            return 0
        try:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            return 0
    return before - path.stat().st_size
