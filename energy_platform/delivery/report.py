"""How delivery stands, for ``mart_delivery``, the status command and the operator.

Belongs here: what is shown of streams, and what an operator decides about refused packets. Does
not: whether anything is to be sent (``backlog``), comparing with the destination (``reconcile``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from energy_platform.days import MICROSECONDS, day_of, instant, microseconds
from energy_platform.delivery.backlog import stream_backlog
from energy_platform.delivery.day_reader import midnight_us
from energy_platform.delivery.ledger import StreamState
from energy_platform.delivery.streams import StreamWork, plan_streams
from energy_platform.delivery.watermarks import NOTHING_KNOWN, Completeness
from energy_platform.destinations.base import destination
from energy_platform.warehouse import DELIVERY

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    from energy_platform.delivery.backlog import Backlog
    from energy_platform.delivery.ledger import DeadLetter, Ledger
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio


def delivery_frame(ledger: Ledger, lake: Lake, portfolio: Portfolio) -> pl.DataFrame:
    """Return how each stream of the portfolio stands, sorted by id.

    Reads no clock: the same lake and ledger give the same rows.

    Args:
        ledger: The delivery ledger.
        lake: The day files; footers are read.
        portfolio: The streams.

    Returns:
        Columns of ``warehouse.DELIVERY``: ``last_sent_at`` (newest packet planned),
        ``last_acknowledged_at``, ``packets_acknowledged``, ``packets_refused``, ``behind_since``
        (oldest instant that is ready and not acknowledged), ``lag_s`` (seconds from the newest
        acknowledged instant to the watermark), ``held_back_wh`` (energy by which registers are
        above the lake's and held flat), ``blocked`` and ``reason``.
    """
    states = ledger.states()
    works = {
        stream_id: StreamWork(plan=plan, state=states.get(stream_id) or StreamState())
        for stream_id, plan in plan_streams(portfolio).items()
    }
    behind = {one.stream_id: one for one in stream_backlog(lake, ledger, portfolio)}
    cursors = [
        from_us for work in works.values() if (from_us := work.state.needs_lake_from_us) is not None
    ]
    since = day_of(instant(min(cursors))) if cursors else None
    vendors = {vendor for work in works.values() for vendor in work.plan.vendors}
    completeness = Completeness(lake, vendors=vendors, since=since)
    rows = []
    for stream_id, work in sorted(works.items()):
        plan, state = work.plan, work.state
        if (from_us := state.needs_lake_from_us) is not None:
            work.watermark = completeness.low_watermark(
                plan.vendors, from_us=from_us, passed_day=state.passed_day
            )
        one = behind.get(stream_id)
        is_blocked, reason = _standing(work, behind=one, completeness=completeness)
        rows.append(
            {
                "stream_id": stream_id,
                "site_id": plan.stream.site,
                "kind": plan.stream.kind,
                "interval_s": float(plan.interval_s),
                "last_sent_at": _at(state.last_packet_us),
                "last_acknowledged_at": _at(state.last_acknowledged_us),
                "packets_acknowledged": state.acknowledged,
                "packets_refused": state.refused,
                "behind_since": None if one is None else one.since,
                "lag_s": _lag_s(work),
                "held_back_wh": work.held_back_wh,
                "blocked": is_blocked,
                "reason": reason,
            }
        )
    return pl.DataFrame(rows, schema=DELIVERY, orient="row")


def _at(at_us: int | None) -> object:
    return None if at_us is None else instant(at_us)


def _lag_s(work: StreamWork) -> float | None:
    until_us, acknowledged_us = work.watermark.until_us, work.state.last_acknowledged_us
    if work.watermark is NOTHING_KNOWN or acknowledged_us is None:
        return None
    return max(0.0, (until_us - acknowledged_us) / MICROSECONDS)


def _standing(
    work: StreamWork, *, behind: Backlog | None, completeness: Completeness
) -> tuple[bool, str | None]:
    """Return whether a stream is blocked, and what it waits for."""
    plan, state = work.plan, work.state
    if problem := work.why_unfit():
        return True, problem
    if state.stopped is not None:
        return True, state.stopped
    if state.is_restored and behind is not None:
        return True, state.failure or behind.reason
    if state.blocked_day is not None:
        stops = "" if plan.may_jump else "; values per interval never pass a missing day"
        return True, f"waits for the missing day {state.blocked_day}{stops}"
    if state.failure is not None:
        return False, state.failure
    if lacking := _lacking_day(work, completeness=completeness):
        return True, f"waits for what is missing of {lacking}: the day was read only in part"
    return False, None if behind is None else behind.reason


def _lacking_day(work: StreamWork, *, completeness: Completeness) -> str | None:
    """Return the day that lacks readings and at whose gap the stream stands; None without one."""
    plan, until_us = work.plan, work.state.planned_until_us
    if until_us is None or work.watermark.until_us - until_us <= plan.hold_us + plan.interval_us:
        return None
    day = day_of(instant(until_us))
    begin_us = midnight_us(day)
    is_partial = completeness.partial_from(plan.vendors, from_us=begin_us) == begin_us
    return day if is_partial else None


class DeadLetterError(ValueError):
    """A refused packet cannot be handled that way; the message says what can be done."""


def open_dead_letters(
    ledger: Ledger, streams: Container[str]
) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Sort the open refused packets by whether the portfolio still has their stream.

    Args:
        ledger: The delivery ledger.
        streams: Ids of the portfolio's streams.

    Returns:
        Those of streams of the portfolio, which need a decision; and those of streams it no longer
        has, which nothing waits for.
    """
    awaiting: list[DeadLetter] = []
    at_rest: list[DeadLetter] = []
    for dead_letter in ledger.dead_letters():
        (awaiting if dead_letter.stream_id in streams else at_rest).append(dead_letter)
    return awaiting, at_rest


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
