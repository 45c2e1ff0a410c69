"""Runs that died, hang or wait for nobody: asked of Dagster's run table and of the runs' locks.

Read with SQL, so that ``status`` and ``doctor`` need not load Dagster; nothing is changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

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
_UNFINISHED: Final = """
    select
        run_id, pipeline_name, status, coalesce(start_time, strftime('%s', create_timestamp)),
        (julianday(create_timestamp) - 2440587.5) * 86400,
        (julianday(update_timestamp) - 2440587.5) * 86400
    from runs
    where status in ('NOT_STARTED', 'QUEUED', 'STARTING', 'STARTED', 'CANCELING')
"""


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


def troubled_runs(home: Path, *, now: datetime) -> list[TroubledRun]:
    """Return the runs that died, hang, or are queued while no UI runs; the oldest first.

    A run found dead earlier is reported until its job ends well again.

    Args:
        home: Folder of the Dagster instance, such as ``data/dagster``.
        now: The present.
    """
    path = home / "storage" / "history" / "runs.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        troubled = [*_unfinished(database, home=home, now=now), *_found_dead(database)]
    return sorted(troubled, key=lambda one: one.since)


def _unfinished(database: sqlite3.Connection, *, home: Path, now: datetime) -> list[TroubledRun]:
    rows = database.execute(_UNFINISHED).fetchall()
    ui = bool(rows) and ui_is_running(home)
    troubled = []
    for run_id, job, status, began_s, recorded_s, changed_s in rows:
        since = datetime.fromtimestamp(float(began_s), tz=UTC)
        is_starting = (
            ui
            and status in BEING_STARTED_STATUSES
            and not has_lock_file(home, run_id)
            and may_be_starting(
                home, recorded_s=recorded_s, changed_s=changed_s, now_s=now.timestamp()
            )
        )
        if is_starting:
            continue
        trouble = _trouble(database, home=home, run=(run_id, job, status), age=now - since, ui=ui)
        if trouble is not None:
            troubled.append(TroubledRun(run_id, job, trouble[0], since, trouble[1]))
    return troubled


def _trouble(
    database: sqlite3.Connection,
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


def _usual(database: sqlite3.Connection, job: str) -> timedelta | None:
    row = database.execute(
        "select max(took) from (select end_time - start_time as took from runs where "
        "pipeline_name = ? and status = 'SUCCESS' and start_time is not null and end_time is not "
        "null order by id desc limit ?)",
        (job, _NEWEST),
    ).fetchone()
    return None if row[0] is None else timedelta(seconds=float(row[0]))


def _found_dead(database: sqlite3.Connection) -> list[TroubledRun]:
    rows = database.execute(
        "select r.run_id, r.pipeline_name, t.value from runs r join run_tags t on t.run_id = "
        "r.run_id where t.key = ? and not exists (select 1 from runs later where "
        "later.pipeline_name = r.pipeline_name and later.status = 'SUCCESS' and later.id > r.id)",
        (DIED_TAG,),
    ).fetchall()
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
