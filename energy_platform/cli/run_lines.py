"""What of Dagster's log is worth a line on the terminal: how runs end, and errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")

_LINE: Final = re.compile(
    r"\d{4}-\d{2}-\d{2} (?P<time>\d{2}:\d{2}:\d{2}) \S+ - (?P<logger>[\w.]+) - "
    r"(?P<level>[A-Z]+) - (?P<text>.*)"
)

_RUN: Final = re.compile(
    r"(?P<job>\w+) - (?P<run>[0-9a-f]{8})[0-9a-f-]{28} - \d+ - "
    r"RUN_(?P<what>SUCCESS|FAILURE|CANCELED)"
)

_ENDS: Final = {"SUCCESS": "done", "FAILURE": "FAILED", "CANCELED": "canceled"}

_LONGEST: Final = 200


class RunLines:
    """Follows a growing log from its present end.

    Args:
        log: The file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._rest = b""

    def new(self) -> Iterator[str]:
        """Yield a line for each run that ended and each error since the last call."""
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            if self._at > self._log.stat().st_size:  # it has begun again
                self._at, self._rest = 0, b""
            file.seek(self._at)
            content = self._rest + file.read()
            self._at = file.tell()
        *lines, self._rest = content.split(b"\n")
        for line in lines:
            text = shown(line.decode("utf-8", errors="replace"))
            if text is not None:
                yield text


def shown(line: str) -> str | None:
    """Return what the terminal shows of a line of the log, if anything.

    >>> shown("2026-11-25 21:43:35 +0000 - dagster - DEBUG - refresh - 93a032d4-d88f-46b9-acd7-"
    ...       "d63e2566f5f9 - 23039 - RUN_SUCCESS - Finished execution of run.")
    '21:43:35 refresh: done (run 93a032d4)'
    """
    parts = _LINE.match(_COLOUR.sub("", line))
    if parts is None:
        return None
    run = _RUN.match(parts["text"])
    if run is not None:
        return f"{parts['time']} {run['job']}: {_ENDS[run['what']]} (run {run['run']})"
    if parts["level"] in {"ERROR", "CRITICAL"} and parts["logger"] != "dagster":
        # A run's own errors come before its end, at length; its end says which run to look at.
        return f"{parts['time']} {parts['logger']}: {parts['text'][:_LONGEST]}"
    return None
