"""The processes of a running UI, found as the kernel knows them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from energy_platform.installation.run_locks import is_held, locked_runs, owner_of, processes_of


def descendants(pid: int) -> list[int]:
    """Return a process and all it started, and what these started, that still has its parent."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            fields = (folder / "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def daemons(pid: int) -> list[int]:
    """Return the Dagster daemon among the processes of a UI."""
    found = []
    for one in descendants(pid):
        with suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
            if b"dagster._daemon" in words:
                found.append(one)
    return found


def living(home: Path) -> list[str]:
    """Return the ids of the runs whose process lives."""
    return [run_id for run_id in locked_runs(home) if is_held(home, run_id)]


def run_processes(home: Path) -> list[int]:
    """Return the processes that execute runs, and those that these started."""
    owners = [owner_of(home, run_id) for run_id in living(home)]
    found = {owner.pid for owner in owners if owner is not None and owner.pid}
    for run_id in locked_runs(home):
        found.update(processes_of(run_id))
    return sorted(found)


def kill(pids: list[int]) -> None:
    """Kill processes at once."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
