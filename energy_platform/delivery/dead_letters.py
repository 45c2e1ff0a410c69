"""Refused packets: look at them, send one again, or go on without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.days import instant, microseconds
from energy_platform.destinations.base import destination

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    from energy_platform.delivery.ledger import DeadLetter, Ledger


class DeadLetterError(ValueError):
    """A refused packet cannot be handled that way; the message says what can be done."""


class OpenDeadLetters(NamedTuple):
    """Refused packets that nobody has decided about.

    Attributes:
        awaiting: Of streams of the portfolio: a decision is needed.
        at_rest: Of streams that the portfolio no longer has: nothing waits for them.
    """

    awaiting: list[DeadLetter]
    at_rest: list[DeadLetter]


def open_dead_letters(ledger: Ledger, streams: Container[str]) -> OpenDeadLetters:
    """Sort the open refused packets by whether the portfolio still has their stream.

    Args:
        ledger: The delivery ledger.
        streams: Ids of the portfolio's streams.
    """
    found = OpenDeadLetters([], [])
    for dead_letter in ledger.dead_letters():
        (found.awaiting if dead_letter.stream_id in streams else found.at_rest).append(dead_letter)
    return found


def resend_dead_letter(
    ledger: Ledger,
    dead_letter_id: int,
    *,
    now: datetime,
    behind: bool = False,
    streams: Container[str] | None = None,
) -> DeadLetter:
    """Let the next push send a refused packet again, with its very bytes.

    Args:
        ledger: The delivery ledger.
        dead_letter_id: Its number, as listed.
        now: The present.
        behind: Send it even though newer packets of its stream were acknowledged since; only
            where late packets were agreed.
        streams: Ids of the portfolio's streams; None: not known.

    Raises:
        DeadLetterError: There is no such open refused packet, its stream has gone on, or the
            portfolio no longer has it.
    """
    dead_letter = _open_dead_letter(ledger, dead_letter_id)
    if streams is not None and dead_letter.stream_id not in streams:
        raise DeadLetterError(
            f"the portfolio has no stream {dead_letter.stream_id} any more, so no push would send "
            f"packet {dead_letter_id}. Put the stream back, or skip the packet"
        )
    newest_us = ledger.states()[dead_letter.stream_id].last_acknowledged_us
    if not behind and newest_us is not None and newest_us > dead_letter.at_us:
        raise DeadLetterError(
            f"stream {dead_letter.stream_id} has gone on to {instant(newest_us).isoformat()}: "
            f"packet {dead_letter_id} would arrive behind newer ones. Skip it, or allow sending "
            f"behind if {destination(dead_letter.destination).title} agreed to that"
        )
    ledger.close_dead_letter(dead_letter, state="resent", pending=True, now_us=microseconds(now))
    return dead_letter


def skip_dead_letter(ledger: Ledger, dead_letter_id: int, *, now: datetime) -> DeadLetter:
    """Go on without a refused packet; its stream runs again.

    Args:
        ledger: The delivery ledger.
        dead_letter_id: Its number, as listed.
        now: The present.

    Raises:
        DeadLetterError: There is no such open refused packet.
    """
    dead_letter = _open_dead_letter(ledger, dead_letter_id)
    ledger.close_dead_letter(
        dead_letter, state="discarded", pending=False, now_us=microseconds(now)
    )
    return dead_letter


def _open_dead_letter(ledger: Ledger, dead_letter_id: int) -> DeadLetter:
    letters = {dead_letter.id: dead_letter for dead_letter in ledger.dead_letters()}
    if dead_letter_id not in letters:
        known = ", ".join(map(str, letters)) or "none"
        raise DeadLetterError(
            f"there is no open refused packet {dead_letter_id}; open ones: {known}"
        )
    return letters[dead_letter_id]
