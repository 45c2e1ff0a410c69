"""What destinations acknowledged and how packets get there.

The way of a packet, file by file:

1. ``backlog``: is anything to be sent, and when is it asked for.
2. ``push``: one push begins, ends, and says what came of it.
3. ``preparation``: which streams (``streams``) may be worked on, from where and how far: the
   catalogue says which days are known (``watermarks``).
4. ``planner``: which instants of a day are due, and their packets; ``values``: the numbers in them,
   from the day files (``day_reader``) and the registers (``registers``).
5. ``ledger``: cursors, registers and the exact bytes are written before anything is sent.
6. ``run``: plans and hands over while there is room; ``sender``: threads that send, in order;
   ``exchange``: one packet and what its answer means.
7. ``ledger`` again: the answer.

``report`` and ``reconcile`` look at all of it for an operator.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from energy_platform.delivery.backlog import (
    Backlog,
    PushDecision,
    push_decision,
    push_decisions,
    stream_backlog,
)
from energy_platform.delivery.ledger import Ledger, LedgerError, TakenOverError
from energy_platform.delivery.push import PushOutcome, StreamOutcome, push
from energy_platform.delivery.reconcile import Reconciled, reconcile
from energy_platform.delivery.report import (
    DeadLetterError,
    delivery_frame,
    open_dead_letters,
    resend_dead_letter,
    skip_dead_letter,
)
from energy_platform.delivery.run import Progress

if TYPE_CHECKING:
    from energy_platform.settings import PlatformSettings

__all__ = [
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
