"""What every contestant of ``benchmarks.pull`` is given, and how it is measured."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Task:
    """Where to read what, and where to put it.

    Attributes:
        url: The history call.
        token_url: The login.
        login: Its form.
        series: Bodies of the series in key order.
        per_page: Series in one request.
        day: The UTC day.
        until: Its end.
        target: The Parquet file to write (a folder for those that choose their own names).
    """

    url: str
    token_url: str
    login: dict[str, str]
    series: list[dict[str, str]]
    per_page: int
    day: str
    until: str
    target: str


def pages(task: Task) -> Iterator[dict[str, Any]]:
    """Bodies of the requests that read the day."""
    for start in range(0, len(task.series), task.per_page):
        yield {
            "from": f"{task.day}T00:00:00Z",
            "to": task.until,
            "timezone": "UTC",
            "useDeviceLocalTimezone": False,
            "granularity": "raw",
            "series": task.series[start : start + task.per_page],
        }


def peak_mb() -> float:
    """Largest resident memory of this program so far; `getrusage` would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(work: Callable[[Task], None]) -> None:
    """Do the task on standard input; print seconds, processor seconds and peak memory."""
    task = Task(**json.load(sys.stdin))
    idle_mb = peak_mb()
    idle = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    work(task)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime - idle.ru_utime - idle.ru_stime,
        "peak_mb": peak_mb(),
        "idle_mb": idle_mb,
    }
    sys.stdout.write("\n" + json.dumps(figures) + "\n")
