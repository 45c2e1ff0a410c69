"""What Dagster knows when something is complained of: runs, ticks, the UI's last lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

if TYPE_CHECKING:
    from pathlib import Path

NEWEST_RUNS: Final = 8
NEWEST_TICKS: Final = 3
LAST_LINES: Final = 30


def what_dagster_says(data: Path, home: Path) -> str:
    """Return lines for whoever must find out why nothing went on."""
    lines = []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for record in instance.get_run_records(limit=NEWEST_RUNS):
            run = record.dagster_run
            lines.append(
                f"run {run.run_id[:8]} {run.job_name} {run.status.value} created "
                f"{record.create_timestamp:%H:%M:%S} changed {record.update_timestamp:%H:%M:%S}"
            )
        for name, beat in instance.get_daemon_heartbeats().items():
            lines.append(f"daemon {name} last beat at {_clock(beat.timestamp)}")
        for state in instance.all_instigator_state():
            ticks = instance.get_ticks(
                state.instigator_origin_id, state.selector_id, limit=NEWEST_TICKS
            )
            lines.extend(
                f"{state.name} {_clock(tick.timestamp)} {tick.status.value} "
                f"{tick.skip_reason or tick.error or ''}"
                for tick in ticks
            )
    said = (data / "ui.out").read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([*lines, *said[-LAST_LINES:]])


def _clock(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, tz=UTC):%H:%M:%S}"
