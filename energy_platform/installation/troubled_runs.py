"""Runs that died, hang or wait for nobody: asked of Dagster's run table and of the runs' locks.

Read with SQL, so that ``status`` and ``doctor`` need not load Dagster; nothing is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import sqlalchemy as sa

from energy_platform.installation.dagster_database import (
    open_to_read,
    require_own,
    unreachable,
)
from energy_platform.installation.run_locks import (
    BEING_STARTED_STATUSES,
    has_lock_file,
    is_held,
    may_be_starting,
    owner_of,
    ui_is_running,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

Trouble = Literal["died", "hangs", "waits"]
"""Its process is gone; it takes much longer than its job does; nobody is there to start it."""

DIED_TAG: Final = "energy_platform/died"
"""Tag of a run that was found dead; its value is the instant, ISO 8601."""

SLOWER: Final = 4
"""A run hangs when it takes so many times as long as the slowest of its job's newest runs."""

LEAST: Final = timedelta(minutes=10)
"""No run hangs before; pulls of real vendors take minutes."""

WITHOUT_HISTORY: Final = timedelta(hours=1)
"""A job that never ended well is given so long."""

_NEWEST: Final = 20

_UNFINISHED: Final = ("NOT_STARTED", "QUEUED", "STARTING", "STARTED", "CANCELING")

RUNS: Final = sa.table(
    "runs",
    sa.column("id", sa.BigInteger),
    sa.column("run_id", sa.String),
    sa.column("pipeline_name", sa.Text),
    sa.column("status", sa.String),
    sa.column("create_timestamp", sa.DateTime),
    sa.column("update_timestamp", sa.DateTime),
    sa.column("start_time", sa.Float),
    sa.column("end_time", sa.Float),
)
RUN_TAGS: Final = sa.table(
    "run_tags",
    sa.column("run_id", sa.String),
    sa.column("key", sa.Text),
    sa.column("value", sa.Text),
)
"""What is read of two of Dagster's tables (``dagster/_core/storage/runs/schema.py``)."""


class TroubledRun(NamedTuple):
    """A run that somebody should know of.

    Attributes:
        run_id: The run.
        job: Name of its job.
        state: What is wrong.
        since: Since when, UTC.
        why: One sentence, with what happens next.
    """

    run_id: str
    job: str
    state: Trouble
    since: datetime
    why: str


def troubled_runs(home: Path, *, url: SecretStr | None = None, now: datetime) -> list[TroubledRun]:
    """Return the runs that died, hang, or are queued while no UI runs; the oldest first.

    A run found dead earlier is reported until its job ends well again.

    Args:
        home: Folder of the Dagster instance, such as ``data/dagster``.
        url: The database of Dagster's records; None for SQLite in that folder.
        now: The present.

    Raises:
        DagsterDatabaseError: The records cannot be read.
    """
    engine = open_to_read(home, url=url)
    if engine is None:
        return []
    try:
        with engine.connect() as database:
            # A server has no table before Dagster was there for the first time.
            if url is not None and not require_own(database, home=home):
                return []
            troubled = [*_unfinished(database, home=home, now=now), *_found_dead(database)]
    except sa.exc.DBAPIError as error:
        raise unreachable(error, home=home if url is None else None) from error
    finally:
        engine.dispose()
    return sorted(troubled, key=lambda one: one.since)


def _unfinished(database: sa.Connection, *, home: Path, now: datetime) -> list[TroubledRun]:
    query = sa.select(RUNS).where(RUNS.c.status.in_(_UNFINISHED))
    rows = database.execute(query).all()
    ui = bool(rows) and ui_is_running(home)
    troubled = []
    for row in rows:
        recorded, changed = (
            at.replace(tzinfo=UTC).timestamp()
            for at in (row.create_timestamp, row.update_timestamp)
        )
        began = row.start_time if row.start_time is not None else recorded
        since = datetime.fromtimestamp(began, tz=UTC)
        is_starting = (
            ui
            and row.status in BEING_STARTED_STATUSES
            and not has_lock_file(home, row.run_id)
            and may_be_starting(home, recorded_s=recorded, changed_s=changed, now_s=now.timestamp())
        )
        if is_starting:
            continue
        job = row.pipeline_name
        run = (row.run_id, job, row.status)
        trouble = _trouble(database, home=home, run=run, age=now - since, ui=ui)
        if trouble is not None:
            troubled.append(TroubledRun(row.run_id, job, trouble[0], since, trouble[1]))
    return troubled


def _trouble(
    database: sa.Connection,
    *,
    home: Path,
    run: tuple[str, str, str],
    age: timedelta,
    ui: bool,
) -> tuple[Trouble, str] | None:
    run_id, job, status = run
    if status == "QUEUED":
        return None if ui else ("waits", "queued; `energy-platform ui` takes it when it is started")
    if not is_held(home, run_id):
        return (
            "died",
            (
                f"recorded as {status}, but no process executes it; it is failed and its work "
                "asked for again within a minute under `energy-platform ui`, or by the next command"
            ),
        )
    usual = _usual(database, job)
    limit = WITHOUT_HISTORY if usual is None else max(LEAST, SLOWER * usual)
    if age <= limit:
        return None
    owner = owner_of(home, run_id)
    process = f" (process {owner.pid}, started by {owner.by})" if owner is not None else ""
    known = "" if usual is None else f"; the slowest of its newest runs took {_minutes(usual)}"
    return (
        "hangs",
        (
            f"runs for {_minutes(age)}{process}{known}; it is ended at its time limit, or by "
            "Terminate in the UI"
        ),
    )


def _usual(database: sa.Connection, job: str) -> timedelta | None:
    newest = (
        sa.select((RUNS.c.end_time - RUNS.c.start_time).label("took"))
        .where(
            RUNS.c.pipeline_name == job,
            RUNS.c.status == "SUCCESS",
            RUNS.c.start_time.is_not(None),
            RUNS.c.end_time.is_not(None),
        )
        .order_by(RUNS.c.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    longest = database.scalar(sa.select(sa.func.max(newest.c.took)))
    return None if longest is None else timedelta(seconds=float(longest))


def _found_dead(database: sa.Connection) -> list[TroubledRun]:
    later = RUNS.alias("later")
    ended_well_since = sa.exists().where(
        later.c.pipeline_name == RUNS.c.pipeline_name,
        later.c.status == "SUCCESS",
        later.c.id > RUNS.c.id,
    )
    rows = database.execute(
        sa.select(RUNS.c.run_id, RUNS.c.pipeline_name, RUN_TAGS.c.value)
        .join_from(RUNS, RUN_TAGS, RUN_TAGS.c.run_id == RUNS.c.run_id)
        .where(RUN_TAGS.c.key == DIED_TAG, ~ended_well_since)
    ).all()
    return [
        TroubledRun(
            run_id,
            job,
            "died",
            datetime.fromisoformat(at),
            f"its process was gone (found {at[:16].replace('T', ' ')} UTC) and {job} has not ended "
            "well since",
        )
        for run_id, job, at in rows
    ]


def _minutes(age: timedelta) -> str:
    minutes = age.total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
