"""The delivery ledger: packets before they are sent, answers after, a cursor per stream.

SQLite next to the data by default, PostgreSQL by URL. What may happen twice after a crash, and why
that is harmless, is written down in ``docs/delivery.md``.
"""

from __future__ import annotations

from energy_platform.delivery.ledger.database import LedgerError, TakenOverError
from energy_platform.delivery.ledger.lease import Lease, LeaseTerms
from energy_platform.delivery.ledger.ledger import Ledger
from energy_platform.delivery.ledger.tables import (
    CredentialStop,
    DeadLetter,
    Event,
    EventKind,
    OutboxEntry,
    PacketResult,
    Register,
    Run,
    StreamFailure,
    StreamState,
)

__all__ = [
    "CredentialStop",
    "DeadLetter",
    "Event",
    "EventKind",
    "Lease",
    "LeaseTerms",
    "Ledger",
    "LedgerError",
    "OutboxEntry",
    "PacketResult",
    "Register",
    "Run",
    "StreamFailure",
    "StreamState",
    "TakenOverError",
]
