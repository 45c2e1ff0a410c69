"""Checks of the data folder: writable, room left, nothing lying about that does harm."""

from __future__ import annotations

import re
import shutil
import tempfile
from typing import TYPE_CHECKING, Final

from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.lake.files import STAGED_SUFFIX, is_abandoned
from energy_platform.lake.usage import growth_a_day
from energy_platform.sources.registry import reject_tables, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from energy_platform.doctor.check_result import CheckResult

FREE_WARN: Final = 5 * 1024**3
FREE_FAIL: Final = 512 * 1024**2
FORECAST_WARN_DAYS: Final = 30
"""A disk that is full sooner is to be seen to now."""
_YEARS: Final = 730

_DAY: Final = re.compile(r"day=\d{4}-\d{2}-\d{2}")
_SHOWN: Final = 3


def check_disk(data_dir: Path, *, now: datetime) -> list[CheckResult]:
    """Check that the data folder can be written and has room, and for how long.

    Args:
        data_dir: The data folder.
        now: The present.
    """
    existing = next(one for one in (data_dir, *data_dir.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return [
            fail(
                "disk",
                "",
                f"{existing} cannot be written: {error.strerror or type(error).__name__}",
                "Give this user the right to write, or set ENERGY_PLATFORM_DATA_DIR",
            )
        ]
    note = "is writable" if existing == data_dir else "does not exist yet and can be made"
    free = shutil.disk_usage(existing).free
    grows = growth_a_day(data_dir, now=now)
    return [ok("disk", "", f"{data_dir} {note}"), judge_free(free), forecast(free, grows=grows)]


def forecast(free: int, *, grows: float | None) -> CheckResult:
    """Say for how long the disk lasts.

    Args:
        free: Bytes left.
        grows: Bytes a day by which the data folder has been growing; None while unknown.
    """
    if grows is None:
        return ok("disk", "", "how long it lasts is known after a day under `energy-platform ui`")
    rate = f"the data folder grows by {grows / 1024**2:.1f} MiB a day"
    if grows <= 0:
        return ok("disk", "", "the data folder does not grow")
    days = free / grows
    if days < FORECAST_WARN_DAYS:
        return warn(
            "disk",
            "",
            f"{rate}: the disk is full in {days:.0f} days",
            "Make room, or move the data folder to a larger disk",
        )
    lasts = f"{days:.0f} days" if days < _YEARS else "years"
    return ok("disk", "", f"{rate}: the disk lasts for {lasts}")


def judge_free(free: int) -> CheckResult:
    """Judge the bytes left on the disk."""
    message = f"{free / 1024**3:.1f} GiB free"
    if free < FREE_FAIL:
        return fail(
            "disk", "", message, "Make room: a day that does not fit fails, none is damaged"
        )
    if free < FREE_WARN:
        return warn("disk", "", message, "Make room before it is needed")
    return ok("disk", "", message)


def check_leftovers(data_dir: Path) -> list[CheckResult]:
    """Look for what crashes, clients and users left in the data folder."""
    findings: list[CheckResult] = []
    staged = sorted(path for path in data_dir.rglob(f".*{STAGED_SUFFIX}") if is_abandoned(path))
    if staged:
        findings.append(
            warn(
                "leftovers",
                "",
                f"{len(staged)} staged files of runs that died: {_some(staged, data_dir)}",
                "Nothing reads them; the next run or housekeeping removes them",
            )
        )
    for name in ("energy.duckdb", "live.duckdb"):
        wal = data_dir / f"{name}.wal"
        if wal.exists():
            findings.append(
                warn(
                    "leftovers",
                    "",
                    f"{wal.name} lies next to {name}",
                    "A client opened the file for writing; close it and remove the .wal",
                )
            )
    foreign = list(foreign_files(data_dir / "lake"))
    if foreign:
        findings.append(
            warn(
                "leftovers",
                "",
                f"{len(foreign)} files in the lake are not the platform's: "
                f"{_some(foreign, data_dir)}",
                "Move them elsewhere",
            )
        )
    return findings or [ok("leftovers", "", "none")]


def foreign_files(lake: Path) -> Iterator[Path]:
    """Yield what lies in the lake and is neither a day file, a snapshot, nor staged."""
    if not lake.is_dir():
        return
    known = {**tables(), **{table.name: table for table in reject_tables().values()}}
    for entry in sorted(lake.iterdir()):
        # .locks, .points: the platform's own.
        if entry.name.startswith("."):
            continue
        table = known.get(entry.name)
        if table is None or not entry.is_dir():
            yield entry
            continue
        for below in sorted(entry.iterdir()):
            if _is_own(below.name):
                continue
            if not table.partitioned or not below.is_dir() or not _DAY.fullmatch(below.name):
                yield below
                continue
            yield from (one for one in sorted(below.iterdir()) if not _is_own(one.name))


def _is_own(name: str) -> bool:
    return name == "part.parquet" or name.endswith(STAGED_SUFFIX)


def _some(paths: Sequence[Path], base: Path) -> str:
    shown = ", ".join(str(path.relative_to(base)) for path in paths[:_SHOWN])
    return shown if len(paths) <= _SHOWN else f"{shown} and {len(paths) - _SHOWN} more"
