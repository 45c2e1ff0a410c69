"""The Dagster instance of this platform: one folder, rendered again each time it is used."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from energy_platform.installation.env_file import HOME, home_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

INSTANCE: Final = "ENERGY_PLATFORM_INSTANCE"
"""Variable by which processes know that they work on the instance rendered here."""

_ADDRESS: Final = "address"
"""File in the instance's folder that says where the UI listens."""

TEMPLATE: Final = Template("""\
# Rendered by energy-platform; edits are overwritten.
telemetry:
  enabled: false
nux:
  enabled: false
secrets:
  custom:
    module: energy_platform.defs.instance.secrets
    class: SettingsSecrets
storage:
$storage
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
  module: energy_platform.defs.instance.launcher
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


_SQLITE: Final = Template("""\
  sqlite:
    base_dir: "$home/storage"\
""")

_POSTGRESQL: Final = """\
  custom:
    module: energy_platform.defs.instance.storage
    class: SettingsPostgresStorage\
"""
"""Without the URL, which may hold a password: each process asks the settings for it."""


class InstanceInUseError(RuntimeError):
    """Another Dagster UI already runs on this instance."""


class UiError(RuntimeError):
    """The UI cannot be started as asked; the message says why."""


class ForeignInstanceError(RuntimeError):
    """The code location was loaded on an instance that is not the platform's own."""


def render_instance(home: Path, *, url: SecretStr | None = None) -> Path:
    """Write ``dagster.yaml`` with absolute paths and return the instance's folder.

    The environment of this process then names the instance.

    Args:
        home: Folder of the instance, such as ``data/dagster``; created when missing.
        url: The database of Dagster's records, as the settings have it; None for SQLite in the
            folder.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    storage = _SQLITE.substitute(home=home) if url is None else _POSTGRESQL
    content = TEMPLATE.substitute(home=home, storage=storage)
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != content:
        target.write_text(content, encoding="utf-8")
    os.environ.update({"DAGSTER_HOME": str(home), INSTANCE: str(home)})
    return home


def instance_environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that works on the instance.

    Start it in `working_directory`. It then reads the settings that this process reads.

    Args:
        home: Folder of the instance.
    """
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        INSTANCE: str(home),
        HOME: str(home_folder()),
    }
    if search := environment.get("PYTHONPATH"):
        folders = [str(Path(one).absolute()) for one in search.split(os.pathsep) if one]
        environment["PYTHONPATH"] = os.pathsep.join(folders)
    return environment


def working_directory(home: Path) -> Path:
    """Return where Dagster's processes are started: a folder that never holds a ``.env``.

    Each of Dagster's commands writes the ``.env`` of its working directory over its environment
    (``dagster/_cli/utils.py``), and no option of an instance switches that off.

    Raises:
        ForeignInstanceError: Somebody put a ``.env`` there.
    """
    folder = home / "cwd"
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / ".env").exists():
        raise ForeignInstanceError(
            f"{folder / '.env'} would overrule the settings of every run; remove it"
        )
    return folder


def require_own_instance(data_dir: Path) -> None:
    """Refuse to load the code location unless on the instance rendered for this data folder.

    Commands that only look at the definitions pass, `dagster definitions validate`, `dg check` and
    `dg list`: they start nothing.

    Args:
        data_dir: The data folder of the settings that this process reads.

    Raises:
        ForeignInstanceError: Says how Dagster is started instead.
    """
    if os.environ.get("DAGSTER_IS_DEFS_VALIDATION_CLI") or _is_dg_list():
        return
    home = data_dir / "dagster"
    named = os.environ.get(INSTANCE)
    if named is None:
        raise ForeignInstanceError(
            "start Dagster with `energy-platform ui`: `dagster dev` and a "
            "DAGSTER_HOME of your own would send telemetry, let .env overrule the environment, and "
            "miss what keeps simulated and real data apart. To look at the definitions only: "
            "`dagster definitions validate -w workspace.yaml`, or `dg list defs`"
        )
    if Path(named) != home or os.environ.get("DAGSTER_HOME") != named:
        raise ForeignInstanceError(
            f"this process works on the Dagster instance {os.environ.get('DAGSTER_HOME')} while "
            f"the settings name the data folder {data_dir}: start `energy-platform ui` again"
        )


def _is_dg_list() -> bool:
    """Say whether this process is ``dg list …``, which, unlike ``dg check``, sets no variable."""
    return Path(sys.argv[0]).name == "dg" and sys.argv[1:2] == ["list"]


@contextmanager
def only_ui(home: Path) -> Iterator[int]:
    """Hold the right to run the one UI and daemon of an instance.

    Yields:
        The file descriptor that holds it. A process that inherits it goes on holding it, so that
        nobody else starts before the last process of a UI has ended.

    Raises:
        InstanceInUseError: Another process holds it.
    """
    descriptor = os.open(home / ".ui.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InstanceInUseError(
                f"a Dagster UI already runs on {home}; stop it first, or set "
                "ENERGY_PLATFORM_DATA_DIR to another folder"
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def note_address(home: Path, address: str) -> None:
    """Keep where the UI listens, for those who ask for its health; whoever holds `only_ui` may.

    Args:
        home: Folder of the instance.
        address: URL with the path prefix, without a final slash.
    """
    (home / _ADDRESS).write_text(f"{address}\n", encoding="utf-8")


def address_of(home: Path) -> str | None:
    """Return where the UI listens that runs, or ran last; None where none ever did."""
    try:
        return (home / _ADDRESS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
