"""Runs dbt commands one after another in a process of its own, told by lines of JSON.

Started by its path, by :mod:`energy_platform.warehouse.dbt_session`, with the folder of the
project's parse; imports nothing of the platform. dbt takes two seconds to start and one to read its
project, which the slices of a build pay once.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

_OF_THE_PROFILE = ("ENERGY_PLATFORM_WORK_FOLDER", "ENERGY_PLATFORM_DUCKDB_MEMORY")
"""Without them the connection is that of the parse at set-up, which dbt then goes on from: with
another one it parses the whole project again."""

_FAILED = {"error", "fail", "runtime error"}


def main() -> None:
    """Answer each command with its success and what failed, until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what dbt prints is not an answer
    commands: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    _serve(commands, answers)


def _serve(commands: queue.SimpleQueue[list[str]], answers: TextIO) -> None:
    # Slow, and the listener shall be there before.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    manifest: Any = None
    while True:
        command = commands.get()
        if manifest is None:
            with _set_aside(_OF_THE_PROFILE):
                parsed = dbtRunner().invoke(
                    ["parse", "--target-path", sys.argv[1], "--no-write-json"]
                )
            if not parsed.success:
                print(json.dumps(_answer(parsed)), file=answers, flush=True)
                continue
            manifest = parsed.result
        done = dbtRunner(manifest=manifest).invoke(command)
        # The adapter keeps the work file open as long as its process lives.
        with suppress(Exception):  # it raises a bare Exception where dbt failed before it connected
            DuckDBConnectionManager.env().close()  # type: ignore[no-untyped-call]
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        gc.collect()
        print(json.dumps(_answer(done)), file=answers, flush=True)


@contextmanager
def _set_aside(names: Iterable[str]) -> Iterator[None]:
    """Take variables out of the environment for a while."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _listen(commands: queue.SimpleQueue[list[str]]) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    os._exit(0)  # who gave the commands is gone: nothing that is under way counts any more


def _answer(done: Any) -> dict[str, Any]:
    failures = [
        f"{_what(one.status)} {one.node.name}: {one.message}"
        for one in getattr(done.result, "results", None) or []
        if str(one.status) in _FAILED
    ]
    if done.exception is not None:
        failures.append(str(done.exception))
    return {"success": bool(done.success), "failures": failures}


def _what(status: Any) -> str:
    return "Failure in test" if str(status) == "fail" else "Error in"


if __name__ == "__main__":
    main()
