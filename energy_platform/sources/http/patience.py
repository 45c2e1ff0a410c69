"""How long a run waits for one source: a limit in all, and an end to asking who never answers.

Without them a dead host costs every series its attempts, each as long as a time limit: one source
that accepted and never answered kept its run for a quarter of an hour and more.
"""

from __future__ import annotations

import threading
from copy import copy
from typing import TYPE_CHECKING, Final

from energy_platform.sources.http.errors import (
    ConnectionSetupError,
    RunLimitError,
    SourceDownError,
    TransientError,
)

if TYPE_CHECKING:
    from energy_platform.sources.http.errors import VendorError
    from energy_platform.sources.http.messages import RequestContext
    from energy_platform.sources.http.rate_limit import Clock

ROUNDS: Final = 5
"""Attempts without any answer, one after the other, before a source counts as down: as many as one
call makes by default. Attempts side by side count once, whatever the number of threads."""

FIRST_PROBE_S: Final = 60.0
"""How long nobody asks a source that is down; doubled with each probe that gets no answer."""

LONGEST_PROBE_S: Final = 900.0
"""The longest such pause, so that a run of many days notices that a source is back."""


class Patience:
    """Shared by all connections of one client, which lives as long as a run.

    Args:
        source: Name for messages.
        limit_s: Seconds the run may take for each day it asks for.
        clock: Time sources.
    """

    def __init__(self, *, source: str, limit_s: float = float("inf"), clock: Clock) -> None:
        self._source = source
        self._per_day_s = limit_s
        self._days = 1
        self._clock = clock
        self._started = clock.monotonic()
        self._lock = threading.Lock()
        self._rounds = 0
        self._round_ended = float("-inf")
        self._last: VendorError | None = None
        self._is_down = False
        self._pause_s = FIRST_PROBE_S
        self._probe_at = 0.0

    def allow_days(self, days: int) -> None:
        """Let the run take longer, since it asks for so many days."""
        self._days = max(1, days)

    @property
    def left_s(self) -> float:
        """Seconds until the run's limit."""
        return self._started + self._per_day_s * self._days - self._clock.monotonic()

    def admit(self, about: RequestContext) -> None:
        """Let a call begin.

        Raises:
            RunLimitError: The run has taken its time.
            SourceDownError: The source did not answer for a while and is not asked now.
            ConnectionSetupError: No connection can be made at all.
        """
        if self.left_s <= 0:
            raise self.spent(about)
        with self._lock:
            if not self._is_down:
                return
            now = self._clock.monotonic()
            if now >= self._probe_at and not isinstance(self._last, ConnectionSetupError):
                # This call is the probe; the others go on waiting.
                self._pause_s = min(2 * self._pause_s, LONGEST_PROBE_S)
                self._probe_at = now + self._pause_s
                return
            last = self._last
        if isinstance(last, ConnectionSetupError):
            again = copy(last)
            again.endpoint, again.day, again.subject = about.endpoint, about.day, about.subject
            raise again
        raise SourceDownError(
            f"not asked, since {self._source} gave no answer to several calls"
            + (f" (the last one: {last.reason})" if last is not None else ""),
            advice="It is asked again by the next run; check the network if this stays",
            **about.fields(),
        )

    def spent(self, about: RequestContext, *, last: VendorError | None = None) -> RunLimitError:
        """Return the error of a run that has taken its time.

        Args:
            about: The call that is not made any more.
            last: The fault that was being waited out.
        """
        fault = last or self._last
        days = f" for each of {self._days} days" if self._days > 1 else ""
        return RunLimitError(
            f"not asked any more: this run has spent its {self._per_day_s:g} s{days} on "
            f"{self._source}" + (f" (last fault: {fault.reason})" if fault is not None else ""),
            advice=(
                "What has landed stays and the rest is asked for again; raise "
                f"{self._source.upper()}_RUN_LIMIT_S if the source is only slow"
            ),
            **about.fields(),
        )

    def answered(self) -> None:
        """Note that an answer came, of whatever kind."""
        with self._lock:
            self._rounds = 0
            self._is_down = False
            self._pause_s = FIRST_PROBE_S
            self._last = None

    def unanswered(self, error: VendorError, *, started: float) -> bool:
        """Note that an attempt got no answer at all.

        Args:
            error: What happened.
            started: When the attempt began, on the monotonic clock.

        Returns:
            Whether the source should be asked for something simple, to tell one call that hangs
            from a source that is down.
        """
        with self._lock:
            self._last = error
            if isinstance(error, ConnectionSetupError):
                # Nothing heals it while this run lasts.
                self._is_down = True
                return False
            if self._is_down or started < self._round_ended:
                return False
            self._rounds += 1
            self._round_ended = self._clock.monotonic()
            return self._rounds >= ROUNDS

    def down(self) -> None:
        """Note that the source does not answer anything: calls end at once from now on."""
        with self._lock:
            self._is_down = True
            self._probe_at = self._clock.monotonic() + self._pause_s

    def alive(self) -> None:
        """Note that the source answered something simple, though not what it was asked for."""
        with self._lock:
            self._rounds = 0


def is_silence(error: VendorError) -> bool:
    """Say whether a fault means that nothing at all was answered."""
    return isinstance(error, ConnectionSetupError) or (
        isinstance(error, TransientError) and error.kind in {"timeout", "connection"}
    )
