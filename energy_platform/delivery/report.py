"""How delivery stands, for ``mart_delivery``, the status command and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from energy_platform.days import MICROSECONDS, day_of, instant
from energy_platform.delivery.backlog import stream_backlog
from energy_platform.delivery.ledger import StreamState
from energy_platform.delivery.streams import plan_streams, why_unfit
from energy_platform.delivery.watermarks import Completeness
from energy_platform.warehouse import DELIVERY

if TYPE_CHECKING:
    from energy_platform.delivery.backlog import Backlog
    from energy_platform.delivery.ledger import Ledger
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.delivery.watermarks import Watermark
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio


class _Standing(NamedTuple):
    is_blocked: bool
    reason: str | None


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
    plans = plan_streams(portfolio)
    states = ledger.states()
    behind = {one.stream_id: one for one in stream_backlog(lake, ledger, portfolio)}
    cursors = [
        state.planned_until_us
        for stream_id in plans
        if (state := states.get(stream_id)) is not None and state.planned_until_us is not None
    ]
    since = day_of(instant(min(cursors))) if cursors else None
    vendors = {vendor for plan in plans.values() for vendor in plan.vendors}
    completeness = Completeness(lake, vendors=vendors, since=since)
    rows = []
    for stream_id, plan in sorted(plans.items()):
        state = states.get(stream_id) or StreamState()
        watermark = None
        if state.planned_until_us is not None:
            watermark = completeness.low_watermark(
                plan.vendors, from_us=state.planned_until_us, passed_day=state.passed_day
            )
        one = behind.get(stream_id)
        standing = _standing(plan, state, behind=one)
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
                "lag_s": _lag_s(state, watermark),
                "held_back_wh": sum(register.held_back_wh for register in state.registers.values()),
                "blocked": standing.is_blocked,
                "reason": standing.reason,
            }
        )
    return pl.DataFrame(rows, schema=DELIVERY, orient="row")


def _at(at_us: int | None) -> object:
    return None if at_us is None else instant(at_us)


def _lag_s(state: StreamState, watermark: Watermark | None) -> float | None:
    if watermark is None or state.last_acknowledged_us is None:
        return None
    return max(0.0, (watermark.until_us - state.last_acknowledged_us) / MICROSECONDS)


def _standing(plan: StreamPlan, state: StreamState, *, behind: Backlog | None) -> _Standing:
    if problem := why_unfit(plan, state):
        return _Standing(is_blocked=True, reason=problem)
    if state.stopped is not None:
        return _Standing(is_blocked=True, reason=state.stopped)
    if state.blocked_day is not None:
        stops = "" if plan.may_jump else "; values per interval never pass a missing day"
        return _Standing(
            is_blocked=True, reason=f"waits for the missing day {state.blocked_day}{stops}"
        )
    if state.failure is not None:
        return _Standing(is_blocked=False, reason=state.failure)
    return _Standing(is_blocked=False, reason=None if behind is None else behind.reason)
