"""Ctrl+C during a run of a command: noticed for certain, in order, and nothing is held after it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from energy_platform.defs.runner import Runner
from energy_platform.installation.instance import render_instance
from energy_platform.installation.interrupts import noticed_interrupts
from energy_platform.installation.run_locks import locked_runs, run_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 20.0


def _until_interrupted() -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        time.sleep(0.01)


@dg.op(pool="one")
def waits() -> None:
    """End by an interrupt only."""
    _until_interrupted()


@dg.op(pool="one")
def loses_the_first() -> None:
    """Lose an interrupt as a library's callback does, and go on."""
    with suppress(BaseException):
        _until_interrupted()
    _until_interrupted()


@dg.op(pool="one")
def loses_all() -> None:
    """Lose an interrupt and end well."""
    with suppress(BaseException):
        _until_interrupted()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    render_instance(tmp_path)
    with dg.DagsterInstance.get() as found:
        yield found


# An interrupt may come within a callback of the garbage collector, where it is lost but for a
# warning of pytest: what is judged is that the run ends all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("op", "looks", "status"),
    [
        (waits, 3, dg.DagsterRunStatus.CANCELED),
        (loses_the_first, 3, dg.DagsterRunStatus.CANCELED),
        # It ends long before it would be interrupted again.
        (loses_all, 10_000, dg.DagsterRunStatus.SUCCESS),
    ],
)
def test_a_run_is_interrupted_and_holds_nothing_any_more(
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    op: dg.OpDefinition,
    looks: int,
    number: signal.Signals,
    status: dg.DagsterRunStatus,
) -> None:
    monkeypatch.setattr("energy_platform.defs.runner.LOOK_S", 0.05)
    monkeypatch.setattr("energy_platform.defs.runner.INSIST_LOOKS", looks)
    home = Path(instance.root_directory)
    job = dg.GraphDefinition(name="job", node_defs=[op]).to_job()
    with noticed_interrupts() as asked:
        runner = Runner(
            dg.Definitions(jobs=[job]), instance=instance, output=home / "steps.log", asked=asked
        )

        def press() -> None:
            while not instance.event_log_storage.get_concurrency_run_ids():
                time.sleep(0.01)
            time.sleep(0.3)
            os.kill(os.getpid(), number)

        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            runner.run("job")
    (run,) = instance.get_runs()
    assert run.status is status
    assert not instance.event_log_storage.get_concurrency_run_ids()
    assert locked_runs(home) == []


def test_a_lost_interrupt_ends_the_wait_for_a_living_run(instance: dg.DagsterInstance) -> None:
    home = Path(instance.root_directory)
    job = dg.GraphDefinition(name="job", node_defs=[waits]).to_job()
    other = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.initialize_concurrency_limit_to_default("one")
    instance.event_log_storage.claim_concurrency_slot("one", other.run_id, "waits")
    asked, said = threading.Event(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        # As if the interrupt that came now had been raised where it is lost.
        asked.set()

    runner = Runner(
        dg.Definitions(jobs=[job]),
        instance=instance,
        output=home / "steps.log",
        say=say,
        asked=asked,
    )
    with (
        run_lock(home, other.run_id, job="job", by="another command"),
        pytest.raises(KeyboardInterrupt),
    ):
        runner.run("job")
    assert len(said) == 1
    assert said[0].startswith(f"waiting for run {other.run_id[:8]} of job")
    assert [run.run_id for run in instance.get_runs()] == [other.run_id]


def test_what_was_set_before_is_set_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with noticed_interrupts() as asked:
        assert not asked.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
