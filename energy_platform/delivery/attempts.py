"""Which push to ask for next, and when: how the last one went, and the pause after one that failed.

A run counts as failed from its beginning until it ended well, so a killed one is counted too. What
there is to send is told by ``backlog``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import instant
from energy_platform.delivery.ledger import Run
from energy_platform.destinations import DEFAULT_DESTINATION

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.outcome import PushOutcome

ALERT_AFTER: Final = 3
"""Failed pushes in a row after which an operator should know."""

FIRST_PAUSE_S: Final = 60
"""Pause after the first failed push; it doubles with each further one."""

LONGEST_PAUSE_S: Final = 3600
"""The pause grows no further than this."""

_SECOND_US: Final = 1_000_000


class Attempt(NamedTuple):
    """The next push to ask for.

    Attributes:
        number: Its number since the last good one, from 1.
        not_before: When to ask for it; None for at once.
        is_due: Whether that time has come.
        alert: Whether so many failed that an operator should know.
        error: What the last one met.
        started_at: When the last one began; None before the first.
        was_killed: Whether the last one has not ended: it was killed, or is under way.
    """

    number: int
    not_before: datetime | None
    is_due: bool
    alert: bool
    error: str | None
    started_at: datetime | None
    was_killed: bool


def next_attempt(
    ledger: Ledger, *, now: datetime, destination: str = DEFAULT_DESTINATION
) -> Attempt:
    """Return which push to ask for next, and when.

    Args:
        ledger: The delivery ledger.
        now: The present.
        destination: Of pushes to which destination, by its name.
    """
    run = ledger.run(destination)
    if run is None:
        return Attempt(
            1, None, is_due=True, alert=False, error=None, started_at=None, was_killed=False
        )
    not_before = None if run.next_us is None else instant(run.next_us)
    return Attempt(
        number=run.failures + 1,
        not_before=not_before,
        is_due=not_before is None or now >= not_before,
        alert=run.failures >= ALERT_AFTER,
        error=run.error,
        started_at=instant(run.started_us),
        was_killed=run.is_open,
    )


def begin_run(ledger: Ledger, *, destination: str, now_us: int) -> bool:
    """Note that a push begins; return whether the one before ended in a crash."""
    before = ledger.run(destination)
    failures = 0 if before is None else before.failures
    error = "the push was killed" if before is None else before.error or "the push was killed"
    ledger.set_run(
        Run(
            is_open=True,
            failures=failures + 1,
            started_us=now_us,
            next_us=now_us + _pause_us(failures + 1),
            error=error,
        ),
        destination=destination,
    )
    return before is not None and before.is_open


def end_run(ledger: Ledger, *, destination: str, outcome: PushOutcome, now_us: int) -> None:
    """Note how a push ended.

    A push stopped from outside is not a failure; nor is a stream that waits for an operator, since
    asking again would not help it.
    """
    run = ledger.run(destination)
    failures = 0 if run is None else run.failures
    started_us = now_us if run is None else run.started_us
    left = [one for one in outcome.streams.values() if one.status == "gave_up"]
    if not left:
        ledger.set_run(
            Run(is_open=False, failures=0, started_us=started_us, next_us=None, error=None),
            destination=destination,
        )
        return
    problems = [f"{one.stream_id}: {one.reason}" for one in left]
    error = problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
    next_us = now_us + _pause_us(failures)
    probes = [stop.probe_us for stop in ledger.stopped_credentials(destination).values()]
    if probes:
        # The probe of a refused credential is the attempt that can change something.
        next_us = max(now_us + FIRST_PAUSE_S * _SECOND_US, min([*probes, next_us]))
    ledger.set_run(
        Run(is_open=False, failures=failures, started_us=started_us, next_us=next_us, error=error),
        destination=destination,
    )


def _pause_us(failures: int) -> int:
    seconds = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    return int(seconds * _SECOND_US)
