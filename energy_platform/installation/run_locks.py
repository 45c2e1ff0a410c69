"""Proof that the process of a run lives: one held file lock per run.

The lock is a ``flock`` on ``<DAGSTER_HOME>/alive/<run id>.lock``. It belongs to the open file, not
to a process id: the kernel frees it when the last process that holds it ends, however it ends, and
at a power cut. So whether a run lives is asked of the kernel; a stored state is never trusted.

A process that a run starts for its own work (dbt) does not inherit the lock; it carries the run's
id in its environment instead, so that it can be found and ended when the run itself has died.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import platform
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_ID_VARIABLE: Final = "ENERGY_PLATFORM_RUN_ID"
"""Environment variable by which the processes that a run started are found."""

BEING_STARTED_STATUSES: Final = frozenset({"NOT_STARTED", "STARTING"})
"""Statuses of a run between its record and its process, as Dagster writes them."""

LAUNCH_S: Final = 60.0
"""Seconds in which a daemon takes over a run that another one recorded before it was started."""

LONGEST_LAUNCH_S: Final = 600.0
"""Seconds in which a daemon starts a run that it has recorded itself. It first asks the code server
for the plan of the run: that takes seconds, or a minute and more on a machine that is very busy."""

_FOLDER: Final = "alive"
_SUFFIX: Final = ".lock"
_UI_LOCK: Final = ".ui.lock"
_DAEMON_MARK: Final = ".daemon"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES: Final = Path("/proc")
_LOOK_S: Final = 0.05
"""Seconds between two looks while waiting for a lock to become free."""
_SCANS: Final = 2


BY_UI: Final = "the UI"
"""Owner of the runs that the daemon of ``energy-platform ui`` starts."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who executes a run, as written in its lock file.

    Attributes:
        run_id: The run.
        job: Name of its job.
        by: What started it, for messages: ``the UI``, ``backfill``, ``demo``.
        pid: Process that executes it; 0 while it is being started.
        started_at: When, ISO 8601 in UTC.
        host: Name of the machine.
        boot: Id of the machine's boot; empty where the system has none.
    """

    run_id: str
    job: str
    by: str
    pid: int
    started_at: str
    host: str = ""
    boot: str = ""

    def is_here(self) -> bool:
        """Say whether the process id is one of this machine since it was last started."""
        return bool(self.pid) and self.host == platform.node() and self.boot == boot_id()


class RunLock:
    """The held lock of one run.

    Args:
        home: Folder of the Dagster instance.
        run_id: The run.
        job: Name of its job.
        by: What starts it.
        pid: Process that will execute it; 0 when it is not known yet.

    Attributes:
        fd: Descriptor that holds the lock; not inherited by child processes unless passed on.
    """

    def __init__(self, home: Path, run_id: str, *, job: str, by: str, pid: int) -> None:
        self._path = lock_path(home, run_id)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._owner = Owner(
            run_id=run_id,
            job=job,
            by=by,
            pid=pid,
            started_at=datetime.now(tz=UTC).isoformat(timespec="seconds"),
            host=platform.node(),
            boot=boot_id(),
        )
        # Locked under another name first: a lock file that can be seen is a held one, so that
        # nobody takes a run that is just being started for a dead one.
        hidden = self._path.with_name(f".{run_id}.{os.getpid()}")
        self.fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        self._write()
        hidden.replace(self._path)

    def started(self, pid: int) -> None:
        """Write down which process executes the run."""
        self._owner = Owner(**asdict(self._owner) | {"pid": pid})
        self._write()

    def close(self) -> None:
        """Close this process's descriptor; those it was passed to go on holding the lock."""
        os.close(self.fd)

    def release(self) -> None:
        """Give the lock up and remove its file."""
        self._path.unlink(missing_ok=True)
        self.close()

    def _write(self) -> None:
        content = json.dumps(asdict(self._owner)).encode()
        os.pwrite(self.fd, content, 0)
        os.ftruncate(self.fd, len(content))


@contextmanager
def run_lock(home: Path, run_id: str, *, job: str, by: str) -> Iterator[RunLock]:
    """Hold the lock of a run that this process executes, and mark what it starts as the run's."""
    lock = RunLock(home, run_id, job=job, by=by, pid=os.getpid())
    before = os.environ.get(RUN_ID_VARIABLE)
    os.environ[RUN_ID_VARIABLE] = run_id
    try:
        yield lock
    finally:
        if before is None:
            os.environ.pop(RUN_ID_VARIABLE, None)
        else:
            os.environ[RUN_ID_VARIABLE] = before
        lock.release()


def lock_path(home: Path, run_id: str) -> Path:
    """Return the lock file of a run."""
    return home / _FOLDER / f"{run_id}{_SUFFIX}"


def has_lock_file(home: Path, run_id: str) -> bool:
    """Say whether a process was started for a run, living or not."""
    return lock_path(home, run_id).exists()


def is_held(home: Path, run_id: str) -> bool:
    """Say whether the process of a run lives: asked of the kernel."""
    return _is_locked(lock_path(home, run_id))


def ui_is_running(home: Path) -> bool:
    """Say whether the one UI of an instance runs: whether its lock is held."""
    return _is_locked(home / _UI_LOCK)


def daemon_mark(home: Path) -> Path:
    """Return the file that is touched whenever the UI starts a daemon."""
    return home / _FOLDER / _DAEMON_MARK


def may_be_starting(home: Path, *, recorded_s: float, changed_s: float, now_s: float) -> bool:
    """Say whether a living daemon may still start a run that nobody has locked.

    Args:
        home: Folder of the instance.
        recorded_s: When the run was recorded, in seconds since 1970.
        changed_s: When its record was changed last.
        now_s: The present.
    """
    try:
        daemon_s = daemon_mark(home).stat().st_mtime
    except FileNotFoundError:
        daemon_s = math.inf
    limit_s = LONGEST_LAUNCH_S if recorded_s >= daemon_s else LAUNCH_S
    return now_s - changed_s < limit_s


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared: two who ask at the same moment do not take each other for the owner.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def wait_until_free(home: Path, run_id: str, *, timeout_s: float) -> bool:
    """Wait for the process of a run to end.

    Returns:
        Whether it ended in time.
    """
    until = time.monotonic() + timeout_s
    while is_held(home, run_id):
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_S)
    return True


def owner_of(home: Path, run_id: str) -> Owner | None:
    """Return who executes or executed a run; None when nobody began to."""
    try:
        return Owner(**json.loads(lock_path(home, run_id).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def locked_runs(home: Path) -> list[str]:
    """Return the ids of the runs that have a lock file, held or not."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in (home / _FOLDER).glob(f"*{_SUFFIX}"))


def forget(home: Path, run_id: str) -> None:
    """Remove the lock file of a run that has ended."""
    lock_path(home, run_id).unlink(missing_ok=True)


def remove_hidden(home: Path, *, older_than_s: float) -> None:
    """Remove lock files whose owner died before it showed them."""
    for path in (home / _FOLDER).glob(".*-*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()


def boot_id() -> str:
    """Return the id of this boot of the machine, empty where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def processes_of(run_id: str) -> list[int]:
    """Return the living processes that a run started, found by their environment.

    Only on Linux; elsewhere none is found, and what a dead run left ends by itself.
    """
    wanted = f"{RUN_ID_VARIABLE}={run_id}".encode()
    processes = []
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            pid = int(folder.name)
            if pid != os.getpid() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                processes.append(pid)
    return sorted(processes)


def kill_processes_of(run_id: str) -> list[int]:
    """Kill what a run started; a dbt that outlives its run would keep DuckDB's file to itself.

    Returns:
        The processes that were killed.
    """
    killed: set[int] = set()
    # Looked for twice at least: a process has no environment yet while it is being loaded.
    for _ in range(_SCANS):
        processes = processes_of(run_id)
        for pid in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed.update(processes)
        time.sleep(_LOOK_S)
    return sorted(killed)
