"""dbt in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from energy_platform.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping


def run_dbt(*command: str, env: Mapping[str, str], folder: Path) -> str:
    """Run a dbt command and return what it said.

    Args:
        command: Such as ``build``, with its options.
        env: Laid over this process's own environment.
        folder: Where to run it.

    Raises:
        WarehouseError: dbt or one of its tests failed; the message holds what dbt says of it.
    """
    done = subprocess.run(  # noqa: S603 (our own environment and arguments)
        [str(_dbt()), *command],
        env={**os.environ, **env},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WarehouseError(
            f"dbt {' '.join(command)} failed; what is published stays as it was. "
            f"Log: {env['DBT_LOG_PATH']}/dbt.log\n{_failures(done.stdout) or done.stderr.strip()}"
        )
    return done.stdout


def _dbt() -> Path:
    """Return the dbt of this environment."""
    found = Path(sys.executable).with_name("dbt")
    if not found.exists():
        raise WarehouseError(f"dbt is not installed next to {sys.executable}")
    return found


def _failures(output: str) -> str:
    """Return what dbt says of failures, without the progress before it."""
    _, found, told = output.partition("Completed with")
    return (found + told if found else output).strip()
