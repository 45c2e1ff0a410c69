"""The Dagster instance of this platform: one folder, rendered anew each time it is used."""

from __future__ import annotations

import os
from contextlib import contextmanager
from string import Template
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE: Final = Template("""\
# Rendered by energy-platform; edits are overwritten.
telemetry:
  enabled: false
nux:
  enabled: false
storage:
  sqlite:
    base_dir: "$home/storage"
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: "$home"
compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: "$home/logs"
run_launcher:
  module: energy_platform.automation.launcher
  class: LockedRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 30
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60
  max_runtime_seconds: 21600
  max_resume_run_attempts: 0
  free_slots_after_run_end_seconds: 60
concurrency:
  runs:
    max_concurrent_runs: 4
  pools:
    default_limit: 1
    granularity: op
retention:
  schedule:
    purge_after_days:
      skipped: 7
      started: 90
      success: 90
      failure: 90
  sensor:
    purge_after_days:
      skipped: 1
      started: 30
      success: 30
      failure: 90
schedules:
  use_threads: true
  num_workers: 4
sensors:
  use_threads: true
  num_workers: 4
""")
"""``dagster.yaml``. Pools cap what a vendor is asked for at once; they do not protect data."""


class InstanceInUseError(RuntimeError):
    """Another Dagster UI already runs on this instance."""


def render_instance(home: Path) -> Path:
    """Write ``dagster.yaml`` with absolute paths and return the instance's folder.

    Args:
        home: Folder of the instance, such as ``data/dagster``; created when missing.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    content = TEMPLATE.substitute(home=home)
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != content:
        target.write_text(content, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def only_ui(home: Path) -> Iterator[None]:
    """Hold the right to run the one UI and daemon of an instance.

    Raises:
        InstanceInUseError: Another process holds it.
    """
    lock = FileLock(home / ".ui.lock", fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InstanceInUseError(
            f"a Dagster UI already runs on {home}; stop it first, or set "
            "ENERGY_PLATFORM_DATA_DIR to another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
