"""A run of the real daemon dies or hangs: it is failed, its slot is free, the next one begins."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.defs.instance.living_runs import DIED, living_runs
from energy_platform.installation.run_locks import locked_runs
from energy_platform_tests.alive.daemon import Harness, harness, is_gone
from energy_platform_tests.databases import EACH, dagster_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [pytest.mark.long, pytest.mark.crash]

FAILURE = dg.DagsterRunStatus.FAILURE


@pytest.fixture(params=EACH)
def daemon(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dagster_records(request.param, monkeypatch), harness(tmp_path) as found:
        yield found


def test_killed_hanging_left_behind_and_cut_off_runs_end_and_the_next_one_begins(
    daemon: Harness,
) -> None:
    # Killed: failed, what it had started is ended, its slot is free for the next.
    killed = daemon.next_run()
    os.kill(killed.pid, signal.SIGKILL)
    assert DIED in daemon.ended(killed, FAILURE).tags
    assert f"process {killed.pid} of this run is gone" in daemon.said_of(killed)
    assert is_gone(killed.child)

    # The daemon alone dies: its run goes on and is under way for the next daemon too.
    second = daemon.next_run()
    daemon.kill()
    assert [one.run_id for one in living_runs(daemon.instance)] == [second.run_id]
    daemon.start()
    (daemon.folder / "end").touch()
    daemon.ended(second, dg.DagsterRunStatus.SUCCESS)
    (daemon.folder / "end").unlink()

    # The whole tree dies at once, as at a power cut.
    third = daemon.next_run()
    daemon.kill()
    os.kill(third.pid, signal.SIGKILL)
    # Deaf and beyond its time: killed by run monitoring.
    (daemon.folder / "deaf").touch()
    (daemon.folder / "limit").write_text("3")
    daemon.start()
    daemon.ended(third, FAILURE)
    assert is_gone(third.child)
    hanging = daemon.next_run()
    (daemon.folder / "deaf").unlink()
    (daemon.folder / "limit").unlink()
    daemon.ended(hanging, FAILURE)
    assert "Exceeded maximum runtime of 3 seconds" in daemon.said_of(hanging)
    assert is_gone(hanging.pid)
    assert is_gone(hanging.child)

    # Stopped in order: the run is canceled, nothing is left.
    last = daemon.next_run()
    daemon.stop()
    daemon.ended(last, dg.DagsterRunStatus.CANCELED)
    assert is_gone(last.pid)
    assert is_gone(last.child)
    assert locked_runs(daemon.folder / "home") == []
    assert not daemon.instance.event_log_storage.get_concurrency_run_ids()
