"""Writes answers to the ledger in batches, so that the ledger never slows a sender."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from energy_platform.delivery.ledger import Ledger, PacketResult, StreamFailure


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
        self._results: list[PacketResult] = []
        self._failures: list[StreamFailure] = []
        self._closed = False
        self.error: BaseException | None = None
        """What broke the ledger; nothing more may be sent then."""
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def add(self, result: PacketResult) -> None:
        """Hand over one answer."""
        with self._condition:
            self._results.append(result)
            if len(self._results) >= FLUSH_AT:
                self._condition.notify()

    def fail(self, failure: StreamFailure) -> None:
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
                if not self._closed and len(self._results) < FLUSH_AT:
                    self._condition.wait(timeout=FLUSH_EVERY_S)
                closed = self._closed
                results, self._results = self._results, []
                failures, self._failures = self._failures, []
            try:
                self._ledger.record_results(results, failures=failures)
            except Exception as error:  # noqa: BLE001 - handed to the push, which raises it
                self.error = error
                return
