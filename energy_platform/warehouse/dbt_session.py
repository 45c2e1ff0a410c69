"""A dbt process that takes one command after another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from energy_platform.warehouse.errors import WarehouseError, explained

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTIAL_PARSE: Final = "partial_parse.msgpack"

_WORKER: Final = Path(__file__).with_name("dbt_worker.py")


class DbtSession:
    """dbt in a process of its own, started with the first command; a context manager.

    Args:
        env: Laid over this process's own environment.
        folder: Where dbt runs, and leaves what it prints.
        memory: Memory of the build in bytes, for messages.
    """

    def __init__(self, *, env: Mapping[str, str], folder: Path, memory: int) -> None:
        self._env = env
        self._folder = folder
        self._memory = memory
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Return the session; nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, also in the middle of a command."""
        if self._process is not None:
            self._process.stdin and self._process.stdin.close()
            self._process.wait()
            self._process.stdout and self._process.stdout.close()

    def run(self, *command: str) -> None:
        """Run a dbt command, such as ``build`` with its options.

        Raises:
            OutOfMemoryError: It does not fit into the memory of a build.
            WarehouseError: dbt or one of its tests failed; the message holds what dbt says of it.
        """
        if self._process is None:
            self._process = self._started()
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        log = f"{self._env['DBT_LOG_PATH']}/dbt.log"
        if not line:
            raise WarehouseError(
                f"dbt ended with exit code {self._process.wait()} in the middle of a build; what "
                f"is published stays as it was. Log: {log}, {self._printed}"
            )
        answer = json.loads(line)
        if not answer["success"]:
            said = "\n".join(answer["failures"])
            raise explained(
                f"dbt {' '.join(command)} failed; what is published stays as it was. "
                f"Log: {log}\n{said}",
                memory=self._memory,
            )

    @property
    def _printed(self) -> Path:
        return self._folder / "dbt.out"

    @property
    def _parsed(self) -> Path:
        """Where dbt keeps its parse: that of a session is not that of dbt's own command line."""
        return self._folder.absolute() / "parsed"  # dbt goes into its project's folder

    def _started(self) -> subprocess.Popen[str]:
        self._seed_parse()
        with self._printed.open("w") as printed:
            return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-P", str(_WORKER), str(self._parsed)],
                env={**os.environ, **self._env},
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                text=True,
            )

    def _seed_parse(self) -> None:
        """Let dbt go on from the parse made at set-up, when the folder has none yet."""
        made = Path(self._env["DBT_PROJECT_DIR"]) / "target" / PARTIAL_PARSE
        mine = self._parsed / PARTIAL_PARSE
        if made.exists() and not mine.exists():
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, mine)
