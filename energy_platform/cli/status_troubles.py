"""What ``status`` says of runs, alerts and replaced answers, each from the place that knows it.

A place that cannot be read is said in its own line: it must not hide what the others know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from energy_platform.alerts import ALERTS_FILE, AlertStore, AlertStoreError
from energy_platform.installation.dagster_database import DagsterDatabaseError
from energy_platform.installation.run_locks import ui_is_running
from energy_platform.installation.troubled_runs import troubled_runs
from energy_platform.installation.upgrade import restart_note
from energy_platform.lake.catalogue import Catalogue

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from energy_platform.lake.catalogue import Replacement
    from energy_platform.lake.lake import Lake
    from energy_platform.settings import PlatformSettings


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run that died, hangs, or waits while nobody is there to start it.

    Attributes:
        run_id: The run.
        job: Name of its job.
        state: ``died``, ``hangs`` or ``waits``.
        since: Since when, ISO 8601.
        why: One sentence, with what happens next.
    """

    run_id: str
    job: str
    state: str
    since: str
    why: str


@dataclass(frozen=True, kw_only=True)
class AlertStatus:
    """A condition that was found wrong and is not over.

    Attributes:
        kind: Kind of condition, such as ``source_silent``.
        subject: What it is about, such as a source.
        what: One sentence.
        todo: What to do about it.
        since: Since when, ISO 8601.
        seen_at: When it was last seen: the daemon looks twice a minute while it runs.
        notified_at: When a message said so, ISO 8601; None when none did yet.
    """

    kind: str
    subject: str
    what: str
    todo: str
    since: str
    seen_at: str
    notified_at: str | None


class Troubles(NamedTuple):
    """What needs attention, and what could not be read.

    Attributes:
        runs: Runs that died, hang or wait, oldest first.
        alerts: Conditions that stand, oldest first.
        restart: Why the daemon that runs has to be started again; empty when it has not.
        unreadable: What cannot be read, by name, with the reason.
    """

    runs: tuple[RunStatus, ...]
    alerts: tuple[AlertStatus, ...]
    restart: str
    unreadable: dict[str, str]


def read_troubles(platform: PlatformSettings, *, now: datetime) -> Troubles:
    """Read the runs in trouble and the alerts that stand; nothing is changed or created.

    Args:
        platform: Names the data folder and the database of Dagster's records.
        now: The present.
    """
    data_dir = platform.data_dir
    unreadable: dict[str, str] = {}
    home = data_dir / "dagster"
    runs: tuple[RunStatus, ...] = ()
    alerts: tuple[AlertStatus, ...] = ()
    try:
        runs = tuple(
            RunStatus(
                run_id=one.run_id,
                job=one.job,
                state=one.state,
                since=one.since.isoformat(),
                why=one.why,
            )
            for one in troubled_runs(home, url=platform.dagster_url, now=now)
        )
    except DagsterDatabaseError as error:
        unreadable["runs"] = str(error)
    try:
        alerts = _alerts(data_dir)
    except AlertStoreError as error:
        unreadable["alerts"] = str(error)
    # A daemon that was stopped leaves its note behind; the next one is loaded again.
    restart = restart_note(home) if ui_is_running(home) else ""
    return Troubles(runs, alerts, restart, unreadable)


def _alerts(data_dir: Path) -> tuple[AlertStatus, ...]:
    if not (data_dir / ALERTS_FILE).exists():
        # Looking must not make the file.
        return ()
    with AlertStore.of(data_dir) as store:
        standing = store.standing()
    return tuple(
        AlertStatus(
            kind=one.condition.kind,
            subject=one.condition.subject,
            what=one.condition.what,
            todo=one.condition.todo,
            since=one.condition.since.isoformat(),
            seen_at=one.seen_at.isoformat(),
            notified_at=None if one.notified_at is None else one.notified_at.isoformat(),
        )
        for one in standing
    )


def read_replacements(lake: Lake) -> tuple[Replacement, ...]:
    """Return the answers that ``accept-answer`` replaced, newest first.

    Raises:
        CatalogueError: The catalogue cannot be used.
    """
    if not Catalogue.exists(lake):
        return ()
    with Catalogue.of(lake) as catalogue:
        return catalogue.replacements()[::-1]
