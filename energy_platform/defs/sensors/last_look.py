"""What a sensor remembers of its last full look, so that an idle tick costs next to nothing."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from energy_platform.delivery import LEDGER_FILE
from energy_platform.lake.files import file_states
from energy_platform.portfolio import portfolio_state

if TYPE_CHECKING:
    from datetime import timedelta

    import dagster as dg

    from energy_platform.defs.resources import Platform

EVERY_S: Final = 10
"""Seconds between two looks; while nothing changes, a look is a few hundred file times."""

_LOOKED_AT: Final = (
    LEDGER_FILE,
    f"{LEDGER_FILE}-wal",
    "energy.duckdb",
    "live.duckdb",
    "marts/about/part.parquet",
)
"""What else than the lake an answer depends on, in the data folder."""

_PROCESS: Final = uuid.uuid4().hex
"""A look made by other code may have come to another answer: the first tick after a start looks."""


class LastLook:
    """The newest full look that found nothing to do, kept in the sensor's cursor.

    Args:
        context: The sensor's tick.
        now: The present.
        at_least_every: A look is good for no longer than this, whatever did not change.
    """

    def __init__(
        self, context: dg.SensorEvaluationContext, *, now: datetime, at_least_every: timedelta
    ) -> None:
        self._context = context
        self._now = now
        self._at_least_every = at_least_every
        self.at = now
        """When it was."""
        self._seen = ""
        try:
            noted = json.loads(context.cursor or "{}")
            self._seen, self.at = noted["seen"], datetime.fromisoformat(noted["at"])
        except (ValueError, KeyError, TypeError):
            # None yet, or one of an older version.
            return

    def is_still(self, seen: str) -> bool:
        """Say whether the look was lately and saw the same."""
        is_late = not self.at <= self._now < self.at + self._at_least_every
        return not is_late and self._seen == _PROCESS + seen

    def note(self, seen: str) -> None:
        """Keep that a full look at what was seen found nothing to do."""
        self._context.update_cursor(
            json.dumps({"seen": _PROCESS + seen, "at": self._now.isoformat()})
        )


def seen_by(platform: Platform, *, runs: str) -> str:
    """Return the versions of all that a sensor's answer depends on, cheaply.

    Args:
        platform: The installation.
        runs: The runs that the answer depends on.
    """
    return (
        f"{runs} {platform.lake.version()} "
        + file_states(*(platform.data / name for name in _LOOKED_AT))
        + f", {portfolio_state(Path(platform.portfolio_path))}"
    )


def resting(job: str, failed: int, next_at: datetime) -> str:
    """Return why a sensor does not ask again yet for a job that failed."""
    return f"{job} failed {failed} times in a row; next attempt at {next_at:%H:%M} UTC"
