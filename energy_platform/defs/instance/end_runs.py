"""``python -m energy_platform.defs.instance.end_runs HOME``: end what outlived a UI's daemon.

The daemon ends its runs in order when it is stopped; one that was killed could not. Run by the
supervisor after all of the UI's processes have ended, also when the UI itself was killed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import dagster as dg

from energy_platform.defs.instance.dead_runs import fail_dead_runs
from energy_platform.installation.run_locks import (
    BY_UI,
    is_held,
    kill_processes_of,
    locked_runs,
    owner_of,
    wait_until_free,
)

GRACE_S: Final = 5.0
"""Seconds that killed processes of a run get to be gone."""


def end_runs(home: Path) -> None:
    """Kill the processes of runs that a UI's daemon started, and mark the runs as failed.

    Args:
        home: Folder of the Dagster instance, whose UI has ended.
    """
    for run_id in locked_runs(home):
        owner = owner_of(home, run_id)
        if is_held(home, run_id) and owner is not None and owner.by == BY_UI:
            kill_processes_of(run_id)
            wait_until_free(home, run_id, timeout_s=GRACE_S)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        fail_dead_runs(instance, daemon=False)


if __name__ == "__main__":
    end_runs(Path(sys.argv[1]))
