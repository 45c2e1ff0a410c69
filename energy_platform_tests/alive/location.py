"""A small code location: a job that holds a pool's one slot until it is told to end.

``ask_again`` asks for it whenever none is under way, as the platform's sensors do.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import dagster as dg

from energy_platform.defs.instance.living_runs import living_runs
from energy_platform.defs.sensors.dead_runs import build_watch_sensor

FOLDER = Path(os.environ.get("ALIVE_TEST_FOLDER", "."))
POOL = "one_at_a_time"


@dg.op(pool=POOL)
def wait(context: dg.OpExecutionContext) -> None:
    """Start a child as dbt is started, say which processes these are, and wait."""
    child = subprocess.Popen(["/bin/sleep", "300"])
    if (FOLDER / "deaf").exists():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    # The word is there when it is whole.
    (FOLDER / f".{context.run_id}").write_text(f"{os.getpid()} {child.pid}")
    (FOLDER / f".{context.run_id}").replace(FOLDER / f"{context.run_id}.running")
    while not (FOLDER / "end").exists():
        time.sleep(0.05)
    child.kill()


@dg.job
def refresh() -> None:
    """Wait."""
    wait()


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def ask_again(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run when none is under way."""
    if living_runs(context.instance):
        return dg.SkipReason("a run is under way")
    limit = FOLDER / "limit"
    tags = {"dagster/max_runtime": limit.read_text()} if limit.exists() else {}
    return dg.RunRequest(tags=tags)


definitions = dg.Definitions(
    jobs=[refresh], sensors=[ask_again, build_watch_sensor()], executor=dg.in_process_executor
)
