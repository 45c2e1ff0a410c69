"""How registers continue: sums brought up to date, rebases when the rules changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_of
from energy_platform.delivery.days import EVER_US, Span
from energy_platform.delivery.knowledge import next_day
from energy_platform.delivery.ledger import Event, Register
from energy_platform.transforms.packets import THOUSANDTHS, instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.delivery.days import DayFrames
    from energy_platform.delivery.knowledge import Knowledge
    from energy_platform.delivery.plans import FieldPlan

REBASE_FROM_WH: Final = 0.5
"""A changed rule that moves a register by less than half a watt-hour moves no packet."""


class Kept(NamedTuple):
    """A register of the ledger beside the field it belongs to now."""

    stream_id: str
    field: FieldPlan
    register: Register


def wh_of(thousandths: int, *, field: FieldPlan) -> float:
    """Return what a field's number is in watt-hours."""
    conversion = field.conversion
    return thousandths / THOUSANDTHS * conversion.multiplier / conversion.divisor


def anchor_day(register: Register) -> str:
    """Return the day whose file is the first to hold energy after the anchor."""
    return day_of(instant(register.anchor_us))


def is_rebased(kept: Kept) -> bool:
    """Whether the portfolio reads the register otherwise than when it was last sent."""
    return (
        kept.register.basis != kept.field.basis
        or kept.register.point_id != kept.field.point.point_id
    )


def catch_up(
    all_kept: Iterable[Kept], *, knowledge: Knowledge, frames: DayFrames, now_us: int
) -> list[Event]:
    """Bring registers up to date with what changed behind them in the lake.

    Late data move the sum, so that the next value sent carries them. A changed policy, correction,
    rule or point moves the offset instead: what is at Wattics stays, and the register goes on from
    there.

    Args:
        all_kept: Registers to look at; changed in place.
        knowledge: The footers.
        frames: The day files.
        now_us: The present.

    Returns:
        One event per rebase.
    """
    events = []
    rebased = []
    for kept in all_kept:
        register = kept.register
        if register.point_id != kept.field.point.point_id:
            events.append(_repointed(kept, now_us=now_us))
        elif register.basis != kept.field.basis:
            rebased.append(kept)
    events += _rebase(rebased, knowledge=knowledge, frames=frames, now_us=now_us)
    outdated = [
        kept
        for kept in all_kept
        if kept.register.sum_mark
        != knowledge.deltas_mark(anchor_day(kept.register), end=kept.register.sum_day)
    ]
    spans = [
        Span(
            key,
            kept.register.point_id,
            kept.register.anchor_us,
            EVER_US,
            anchor_day(kept.register),
            kept.register.sum_day,
        )
        for key, kept in enumerate(outdated)
    ]
    sums = frames.energy(spans, days=knowledge.delta_days) if spans else {}
    for key, kept in enumerate(outdated):
        register = kept.register
        register.sum_wh = sums[key]
        register.sum_mark = knowledge.deltas_mark(anchor_day(register), end=register.sum_day)
    return events


def _rebase(
    rebased: list[Kept], *, knowledge: Knowledge, frames: DayFrames, now_us: int
) -> list[Event]:
    if not rebased:
        return []
    end = next_day(knowledge.delta_days[-1]) if knowledge.delta_days else ""
    spans = [
        Span(
            key,
            kept.register.point_id,
            kept.register.anchor_us,
            kept.register.sent_us,
            anchor_day(kept.register),
            end,
        )
        for key, kept in enumerate(rebased)
    ]
    sums = frames.energy(spans, days=knowledge.delta_days)
    events = []
    for key, kept in enumerate(rebased):
        register = kept.register
        by_new_rules = register.anchor_wh + register.offset_wh + sums[key]
        moved_wh = register.target_wh - by_new_rules
        register.basis = kept.field.basis
        if abs(moved_wh) < REBASE_FROM_WH:
            continue
        register.offset_wh += moved_wh
        events.append(
            _event(kept, now_us=now_us, moved_wh=moved_wh, why="policy, correction or rule changed")
        )
    return events


def _repointed(kept: Kept, *, now_us: int) -> Event:
    """Go on from the value sent last with another point."""
    register = kept.register
    why = f"fed by {kept.field.point.point_id} instead of {register.point_id}"
    before_wh = register.anchor_wh + register.offset_wh
    register.point_id = kept.field.point.point_id
    register.basis = kept.field.basis
    register.anchor_wh = register.target_wh
    register.anchor_us = register.sent_us
    register.offset_wh = 0.0
    register.sum_wh = 0.0
    register.sum_day = anchor_day(register)
    register.sum_mark = ""
    return _event(kept, now_us=now_us, moved_wh=register.anchor_wh - before_wh, why=why)


def _event(kept: Kept, *, now_us: int, moved_wh: float, why: str) -> Event:
    return Event(
        now_us,
        kept.stream_id,
        "rebase",
        {
            "field": kept.field.name,
            "why": why,
            "moved_wh": round(moved_wh, 3),
            "offset_wh": round(kept.register.offset_wh, 3),
            "from_us": kept.register.sent_us,
        },
    )
