"""A held lock is the proof that a run lives; the kernel gives it up, however its process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from energy_platform.installation.run_locks import (
    RunLock,
    has_lock_file,
    is_held,
    kill_processes_of,
    owner_of,
    processes_of,
    run_lock,
    wait_until_free,
)

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import subprocess, sys
from pathlib import Path
from energy_platform.installation.run_locks import run_lock
with run_lock(Path(sys.argv[1]), "r1", job="refresh", by="a test"):
    child = subprocess.Popen(
        [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    )
    child.wait()
"""


def test_a_run_lives_while_its_lock_is_held_and_says_who_holds_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path, "r1")
    with run_lock(tmp_path, "r1", job="refresh", by="backfill"):
        assert is_held(tmp_path, "r1")
        owner = owner_of(tmp_path, "r1")
        assert owner is not None
        assert (owner.job, owner.by, owner.pid) == ("refresh", "backfill", os.getpid())
        assert owner.is_here()
    assert not has_lock_file(tmp_path, "r1")


def test_the_lock_passes_to_the_process_it_is_given_to(tmp_path: Path) -> None:
    lock = RunLock(tmp_path, "r1", job="refresh", by="the UI", pid=0)
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=[lock.fd]) as child:
        lock.started(child.pid)
        lock.close()
        assert is_held(tmp_path, "r1")
        child.kill()
    assert not is_held(tmp_path, "r1")
    owner = owner_of(tmp_path, "r1")
    assert owner is not None
    assert owner.pid == child.pid


@pytest.mark.crash
def test_a_killed_run_gives_its_lock_up_though_a_process_it_started_lives_on(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(  # noqa: S603 - fixed words
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        assert is_held(tmp_path, "r1")
        holder.send_signal(signal.SIGKILL)
    assert wait_until_free(tmp_path, "r1", timeout_s=5)
    assert processes_of("r1") == [child]
    assert kill_processes_of("r1") == [child]
