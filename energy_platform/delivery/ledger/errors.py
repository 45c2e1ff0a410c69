"""What can go wrong with the ledger, each in one sentence for whoever must act."""

from __future__ import annotations

from energy_platform.days import instant


class LedgerError(RuntimeError):
    """The ledger cannot be used; the message says what to do."""


class TakenOverError(LedgerError):
    """Another push took the ledger's lease, because this one was not heard of for too long.

    Args:
        owner: Who took it; None when it has ended since.
        taken_us: When, by the database's clock.
    """

    def __init__(self, owner: str | None, taken_us: int | None) -> None:
        who = owner or "another host"
        when = "" if taken_us is None else f" at {instant(taken_us):%F %T} UTC"
        super().__init__(
            f"{who} took over the ledger's lock{when}, since this push was not heard of for too "
            "long; this push stopped; nothing is lost: that one goes on"
        )
