"""Registers of the ledger: how they begin, go on, and follow the lake and the portfolio.

Belongs here: baselines, sums, late data, changed rules and points. Does not: the numbers that
packets take from a register (``values``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.days import day_after, day_of, instant
from energy_platform.delivery.day_reader import EVER_US
from energy_platform.delivery.ledger import Event, Register
from energy_platform.transforms.sampling import THOUSANDTHS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.streams import FieldPlan, StreamWork
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

REBASE_FROM_WH: Final = 0.5
"""A changed rule that moves a register by less than half a watt-hour moves no packet."""


# --- what changed behind a register ------------------------------------------------------------


def is_rebased(work: StreamWork) -> bool:
    """Whether the portfolio reads a register of a stream otherwise than when it was last sent."""
    return any(
        register.config_fingerprint != field.config_fingerprint
        or register.point_id != field.point.point_id
        for field, register in work.registers()
    )


def awaits_refresh(rebased: Collection[object], *, lake: Lake, portfolio: Portfolio) -> bool:
    """Whether streams whose rules changed have to wait until the lake follows the portfolio."""
    if not rebased:
        return False
    from energy_platform import refresh  # noqa: PLC0415 - slow to import, needed after an edit

    return bool(refresh.stale(lake, portfolio))


def advance_registers(push: PushState, works: Iterable[StreamWork]) -> list[Event]:
    """Bring registers up to date with what changed behind them in the lake.

    Late data move the sum, so that the next value sent carries them. A changed policy, correction,
    rule or point moves the offset instead: what was sent stays, and the register goes on from
    there.

    Args:
        push: What is known.
        works: The streams; their registers are changed in place. Of one that was put back from a
            backup only sums follow: what it sent last is not known yet.

    Returns:
        One event per rebase.
    """
    completeness, now_us = push.completeness, push.now_us
    events = []
    rebased = []
    registers = []
    for work in works:
        for field, register in work.registers():
            registers.append(register)
            if work.state.is_restored:
                continue
            if register.point_id != field.point.point_id:
                events.append(_repointed(work, field, register, now_us=now_us))
            elif register.config_fingerprint != field.config_fingerprint:
                rebased.append((work, field, register))
    events += _rebase(push, rebased)
    outdated = [
        one
        for one in registers
        if not completeness.is_summed(one.summed_version, one.baseline_day, end=one.sum_day)
    ]
    asked = [(one, one.baseline_day, one.sum_day, EVER_US) for one in outdated]
    sums = push.frames.energy(asked, days=completeness.delta_days)
    for register, sum_wh in zip(outdated, sums, strict=True):
        register.sum_wh = sum_wh
        register.summed_version = completeness.seen
    return events


def _rebase(
    push: PushState, rebased: Sequence[tuple[StreamWork, FieldPlan, Register]]
) -> list[Event]:
    days = push.completeness.delta_days
    end = day_after(days[-1]) if days else ""
    asked = [(one, one.baseline_day, end, one.sent_us) for _, _, one in rebased]
    events = []
    for (work, field, register), energy_wh in zip(
        rebased, push.frames.energy(asked, days=days), strict=True
    ):
        by_new_rules = register.baseline_wh + register.offset_wh + energy_wh
        moved_wh = register.target_wh - by_new_rules
        register.config_fingerprint = field.config_fingerprint
        if abs(moved_wh) < REBASE_FROM_WH:
            continue
        register.offset_wh += moved_wh
        why = "policy, correction or rule changed"
        events.append(_event(work, field, register, now_us=push.now_us, moved_wh=moved_wh, why=why))
    return events


def _repointed(work: StreamWork, field: FieldPlan, register: Register, *, now_us: int) -> Event:
    """Go on from the value sent last with another point."""
    why = f"fed by {field.point.point_id} instead of {register.point_id}"
    before_wh = register.baseline_wh + register.offset_wh
    register.point_id = field.point.point_id
    register.config_fingerprint = field.config_fingerprint
    register.baseline_wh = register.target_wh
    register.baseline_us = register.sent_us
    register.offset_wh = 0.0
    register.sum_wh = 0.0
    register.sum_day = register.baseline_day
    register.summed_version = ""
    moved_wh = register.baseline_wh - before_wh
    return _event(work, field, register, now_us=now_us, moved_wh=moved_wh, why=why)


def _event(
    work: StreamWork,
    field: FieldPlan,
    register: Register,
    *,
    now_us: int,
    moved_wh: float,
    why: str,
) -> Event:
    return Event(
        now_us,
        work.id,
        "rebase",
        {
            "field": field.name,
            "why": why,
            "moved_wh": round(moved_wh, 3),
            "offset_wh": round(register.offset_wh, 3),
            "from_us": register.sent_us,
        },
    )


# --- how a register begins and goes on ---------------------------------------------------------


def register_from_value(
    field: FieldPlan, value: float, *, at_us: int, summed_version: str
) -> Register:
    """Return a register that goes on from a value that was read back.

    Args:
        field: The field.
        value: Its number in the packet.
        at_us: Instant of the packet.
        summed_version: Version of the lake, from which nothing is summed yet.
    """
    value_wh = value * field.conversion.multiplier / field.conversion.divisor
    return Register(
        point_id=field.point.point_id,
        config_fingerprint=field.config_fingerprint,
        baseline_wh=value_wh,
        baseline_us=at_us,
        sum_day=day_of(instant(at_us)),
        summed_version=summed_version,
        target_wh=value_wh,
        sent_thousandths=round(value * THOUSANDTHS),
        sent_us=at_us,
    )


def begin_registers(
    push: PushState,
    works: Sequence[StreamWork],
    fields: Sequence[tuple[int, FieldPlan]],
    at: pl.DataFrame,
    *,
    steps: pl.DataFrame,
) -> list[Event]:
    """Begin registers that have no baseline yet at their first settled instant.

    Args:
        push: What is known.
        works: The streams planned together.
        fields: Their fields, each with the place of its stream.
        at: The energy at each instant asked for, by ``key``: the place of a field.
        steps: The steps it was taken from.

    Returns:
        One event per register that begins.
    """
    firsts = at.filter(pl.col("settled")).group_by("key", maintain_order=True).first()
    events = []
    for row in firsts.iter_rows(named=True):
        number, field = fields[row["key"]]
        state = works[number].state
        if field.name in state.registers:
            continue
        is_register = field.kind == "register"
        baseline_us = row["at"] if is_register else _first_whole_interval(row, steps=steps)
        baseline_wh = (row["face_wh"] or 0.0) if is_register else 0.0
        state.registers[field.name] = Register(
            point_id=field.point.point_id,
            config_fingerprint=field.config_fingerprint,
            baseline_wh=baseline_wh,
            baseline_us=baseline_us,
            sum_day=day_of(instant(baseline_us)),
            summed_version=push.completeness.seen,
            target_wh=baseline_wh,
            sent_us=baseline_us,
        )
        detail = {
            "field": field.name,
            "baseline_wh": round(baseline_wh, 3),
            "baseline_us": baseline_us,
        }
        events.append(Event(push.now_us, works[number].id, "baseline_set", detail))
    return events


def _first_whole_interval(row: Mapping[str, int], *, steps: pl.DataFrame) -> int:
    """Return where a per-interval stream begins to count: with its first whole interval.

    Energy of the interval that the readings began in belongs to no packet; none is missing.
    """
    first = steps.filter(pl.col("point") == row["point"])["start_at"].min()
    is_whole = not isinstance(first, int) or first <= row["before"]
    return row["before"] if is_whole else row["at"]


def sum_until(push: PushState, day: str, works: Sequence[StreamWork]) -> None:
    """Add to the registers of streams what the files before a day hold."""
    behind = [
        register for work in works for _, register in work.registers() if register.sum_day < day
    ]
    asked = [(one, one.sum_day, day, EVER_US) for one in behind]
    sums = push.frames.energy(asked, days=push.completeness.delta_days)
    for register, energy_wh in zip(behind, sums, strict=True):
        register.sum_wh += energy_wh
        register.sum_day = day
        register.summed_version = push.completeness.seen
