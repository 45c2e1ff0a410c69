"""What destinations acknowledged and how packets get there.

``push`` delivers what is ready; ``push_decision`` tells cheaply whether it has anything to do; the
ledger remembers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from energy_platform.delivery.attempts import Attempt, next_attempt
from energy_platform.delivery.backlog import (
    Backlog,
    PushDecision,
    push_decision,
    push_decisions,
    stream_backlog,
)
from energy_platform.delivery.ledger import Ledger, LedgerError, TakenOverError
from energy_platform.delivery.outcome import Progress, PushOutcome, StreamOutcome
from energy_platform.delivery.reconcile import Reconciled, reconcile
from energy_platform.delivery.report import (
    DeadLetterError,
    delivery_frame,
    open_dead_letters,
    resend_dead_letter,
    skip_dead_letter,
)
from energy_platform.delivery.run import push

if TYPE_CHECKING:
    from energy_platform.settings import PlatformSettings

__all__ = [
    "Attempt",
    "Backlog",
    "DeadLetterError",
    "Ledger",
    "LedgerError",
    "Progress",
    "PushDecision",
    "PushOutcome",
    "Reconciled",
    "StreamOutcome",
    "TakenOverError",
    "delivery_frame",
    "next_attempt",
    "open_dead_letters",
    "open_ledger",
    "push",
    "push_decision",
    "push_decisions",
    "reconcile",
    "resend_dead_letter",
    "skip_dead_letter",
    "stream_backlog",
]

LEDGER_FILE = "ledger.sqlite"
"""Name of the default ledger in the data folder."""


def open_ledger(platform: PlatformSettings) -> Ledger:
    """Open the ledger the settings name: ENERGY_PLATFORM_LEDGER_URL, or SQLite in the data folder.

    Raises:
        LedgerError: The URL is unusable, the database is none or does not answer, or the ledger is
            of a newer version of the platform.
    """
    if platform.ledger_url is not None:
        return Ledger(platform.ledger_url)
    return Ledger.at(Path(platform.data_dir) / LEDGER_FILE)
