"""How fast the data folder grows: one small sample a day, and what follows from them."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.lake.files import STAGED_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

USAGE_FILE: Final = "usage.jsonl"

_KEPT: Final = 60
"""Samples kept: two months."""

_WINDOW: Final = timedelta(days=14)
"""Growth is taken over so long; housekeeping keeps the instance flat from there on."""

_LEAST: Final = timedelta(days=1)
"""Samples closer together say nothing: a backfill would be taken for every day's growth."""


class _Sample(NamedTuple):
    at: datetime
    size: int


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; what vanishes meanwhile counts nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = (Path(folder) / "a").write_bytes(b"12345")
    ...     size_of(Path(folder))
    5
    """
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size  # noqa: PTH116, PTH118 - many
            except FileNotFoundError:
                continue
    return total


def note_usage(data_dir: Path, *, now: datetime) -> None:
    """Note how much the data folder holds now."""
    path = data_dir / USAGE_FILE
    samples = [*_samples(path), _Sample(now, size_of(data_dir))][-_KEPT:]
    staged = path.with_name(f".{path.name}.{os.getpid()}{STAGED_SUFFIX}")
    staged.write_text(
        "".join(
            json.dumps({"at": one.at.isoformat(), "bytes": one.size}) + "\n" for one in samples
        ),
        encoding="utf-8",
    )
    staged.replace(path)


def growth_a_day(data_dir: Path, *, now: datetime) -> float | None:
    """Return the bytes by which the data folder grows a day; None while too little is known."""
    recent = [one for one in _samples(data_dir / USAGE_FILE) if one.at >= now - _WINDOW]
    if not recent or now - recent[0].at < _LEAST:
        return None
    return (size_of(data_dir) - recent[0].size) / ((now - recent[0].at) / timedelta(days=1))


def _samples(path: Path) -> list[_Sample]:
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            found.append(_Sample(datetime.fromisoformat(entry["at"]), int(entry["bytes"])))
        except (ValueError, KeyError, TypeError):
            # A torn line is worth no forecast.
            continue
    return found
