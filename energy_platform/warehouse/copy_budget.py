"""When ``energy.duckdb`` is copied again: at once while it is small, else within a share of time.

A copy costs the whole file, however little changed, so it may not follow every build for ever. What
has to be fresh at once asks ``live.duckdb``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.lake.files import staged

if TYPE_CHECKING:
    from pathlib import Path

SHARE: Final = 0.05
"""Share of the time that copying may take: the machine is there for the builds."""

SMALL_BYTES: Final = 128 * 1024**2
"""A file up to this size is copied after every build: 4 s of a core, less than the build itself."""


@dataclass(frozen=True, kw_only=True)
class LastCopy:
    """The newest copy that was put in place.

    Attributes:
        finished_at: When it was in place.
        seconds: How long copying and auditing took.
    """

    finished_at: datetime
    seconds: float


def next_copy_at(last: LastCopy | None, *, size: int) -> datetime | None:
    """Return when the file may be copied again; None when it may be at once.

    Args:
        last: The newest copy; None when there is none.
        size: Bytes of the file to copy.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> a_minute = LastCopy(finished_at=noon, seconds=60.0)
    >>> next_copy_at(a_minute, size=20 * 1024**3).isoformat()
    '2026-01-01T12:19:00+00:00'
    >>> next_copy_at(a_minute, size=SMALL_BYTES) is None
    True
    """
    if last is None or size <= SMALL_BYTES:
        return None
    return last.finished_at + timedelta(seconds=last.seconds * (1 / SHARE - 1))


def is_due(last: LastCopy | None, *, size: int, now: datetime) -> bool:
    """Say whether the file may be copied now; a clock that was set back delays nothing."""
    next_at = next_copy_at(last, size=size)
    return next_at is None or last is None or not last.finished_at <= now < next_at


def read_last_copy(path: Path) -> LastCopy | None:
    """Return what was noted of the newest copy; None when nothing can be read."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        finished_at = datetime.fromisoformat(noted["finished_at"])
        return LastCopy(finished_at=finished_at, seconds=float(noted["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        # None yet, or cut off: the next copy is made at once and notes itself again.
        return None


def note_copy(path: Path, copy: LastCopy) -> None:
    """Keep what the newest copy cost."""
    text = json.dumps({"finished_at": copy.finished_at.isoformat(), "seconds": copy.seconds})
    with staged(path) as file:
        file.write_text(text, encoding="utf-8")
