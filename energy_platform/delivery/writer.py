"""Writes answers to the ledger in batches, so that the ledger never slows the wire."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from energy_platform.delivery.ledger import Failure, Ledger, Settled

FLUSH_EVERY_S: Final = 0.2
"""Answers of at most this long are unwritten; a crash may repeat their packets."""

FLUSH_AT: Final = 1000
"""Answers that are written without waiting further."""


class AnswerWriter:
    """Collects answers from all senders and writes them, in order, from one thread.

    Args:
        ledger: Where to.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._condition = threading.Condition()
        self._settled: list[Settled] = []
        self._failures: list[Failure] = []
        self._closed = False
        self.error: BaseException | None = None
        """What broke the ledger; nothing more may be sent then."""
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def settle(self, settled: Settled) -> None:
        """Hand over one answer."""
        with self._condition:
            self._settled.append(settled)
            if len(self._settled) >= FLUSH_AT:
                self._condition.notify()

    def fail(self, failure: Failure) -> None:
        """Hand over why a stream was left."""
        with self._condition:
            self._failures.append(failure)

    def close(self) -> None:
        """Write what is left and stop.

        Raises:
            Exception: Whatever broke the ledger.
        """
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        closed = False
        while not closed:
            with self._condition:
                if not self._closed and len(self._settled) < FLUSH_AT:
                    self._condition.wait(timeout=FLUSH_EVERY_S)
                closed = self._closed
                settled, self._settled = self._settled, []
                failures, self._failures = self._failures, []
            try:
                self._ledger.settle(settled, failures=failures)
            except Exception as error:  # noqa: BLE001 - handed to the push, which raises it
                self.error = error
                return
