"""Registers that were sent before, and what changed behind them: late data, rules, points.

Belongs here: how a register of the ledger follows the lake and the portfolio. Does not: the numbers
that packets take from it (``values``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_after
from energy_platform.delivery.day_reader import EVER_US, DayReader, EnergyQuery
from energy_platform.delivery.ledger import Event, Register

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from energy_platform.delivery.ledger import StreamState
    from energy_platform.delivery.streams import FieldPlan, StreamPlan
    from energy_platform.delivery.watermarks import Completeness
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

REBASE_FROM_WH: Final = 0.5
"""A changed rule that moves a register by less than half a watt-hour moves no packet."""


class RegisterBinding(NamedTuple):
    """A register of the ledger with the field it belongs to now."""

    stream_id: str
    field: FieldPlan
    register: Register


def is_rebased(binding: RegisterBinding) -> bool:
    """Whether the portfolio reads the register otherwise than when it was last sent."""
    return (
        binding.register.config_fingerprint != binding.field.config_fingerprint
        or binding.register.point_id != binding.field.point.point_id
    )


def rebased_streams(plans: Mapping[str, StreamPlan], states: Mapping[str, StreamState]) -> set[str]:
    """Return the streams whose registers the portfolio reads otherwise than they were sent."""
    return {
        stream_id
        for stream_id, plan in plans.items()
        for one in plan.fields
        if one.kind != "gauge"
        and (register := states[stream_id].registers.get(one.name))
        and is_rebased(RegisterBinding(stream_id, one, register))
    }


def awaits_refresh(rebased: Collection[str], *, lake: Lake, portfolio: Portfolio) -> bool:
    """Whether streams whose rules changed have to wait until the lake follows the portfolio."""
    if not rebased:
        return False
    from energy_platform import refresh  # noqa: PLC0415 - slow to import, needed after an edit

    return bool(refresh.stale(lake, portfolio))


def advance_registers(
    bindings: Iterable[RegisterBinding],
    *,
    completeness: Completeness,
    frames: DayReader,
    now_us: int,
) -> list[Event]:
    """Bring registers up to date with what changed behind them in the lake.

    Late data move the sum, so that the next value sent carries them. A changed policy, correction,
    rule or point moves the offset instead: what was sent stays, and the register goes on from
    there.

    Args:
        bindings: Registers to look at; changed in place.
        completeness: Which days are known.
        frames: The day files.
        now_us: The present.

    Returns:
        One event per rebase.
    """
    events = []
    rebased = []
    for binding in bindings:
        register = binding.register
        if register.point_id != binding.field.point.point_id:
            events.append(_repointed(binding, now_us=now_us))
        elif register.config_fingerprint != binding.field.config_fingerprint:
            rebased.append(binding)
    events += _rebase(rebased, completeness=completeness, frames=frames, now_us=now_us)
    outdated = [
        binding
        for binding in bindings
        if not completeness.is_summed(
            binding.register.summed_version,
            binding.register.baseline_day,
            end=binding.register.sum_day,
        )
    ]
    queries = [
        EnergyQuery(
            key,
            binding.register.point_id,
            binding.register.baseline_us,
            EVER_US,
            binding.register.baseline_day,
            binding.register.sum_day,
        )
        for key, binding in enumerate(outdated)
    ]
    sums = frames.energy(queries, days=completeness.delta_days) if queries else {}
    for key, binding in enumerate(outdated):
        register = binding.register
        register.sum_wh = sums[key]
        register.summed_version = completeness.seen
    return events


def _rebase(
    rebased: list[RegisterBinding], *, completeness: Completeness, frames: DayReader, now_us: int
) -> list[Event]:
    if not rebased:
        return []
    end = day_after(completeness.delta_days[-1]) if completeness.delta_days else ""
    queries = [
        EnergyQuery(
            key,
            binding.register.point_id,
            binding.register.baseline_us,
            binding.register.sent_us,
            binding.register.baseline_day,
            end,
        )
        for key, binding in enumerate(rebased)
    ]
    sums = frames.energy(queries, days=completeness.delta_days)
    events = []
    for key, binding in enumerate(rebased):
        register = binding.register
        by_new_rules = register.baseline_wh + register.offset_wh + sums[key]
        moved_wh = register.target_wh - by_new_rules
        register.config_fingerprint = binding.field.config_fingerprint
        if abs(moved_wh) < REBASE_FROM_WH:
            continue
        register.offset_wh += moved_wh
        events.append(
            _event(
                binding, now_us=now_us, moved_wh=moved_wh, why="policy, correction or rule changed"
            )
        )
    return events


def _repointed(binding: RegisterBinding, *, now_us: int) -> Event:
    """Go on from the value sent last with another point."""
    register = binding.register
    why = f"fed by {binding.field.point.point_id} instead of {register.point_id}"
    before_wh = register.baseline_wh + register.offset_wh
    register.point_id = binding.field.point.point_id
    register.config_fingerprint = binding.field.config_fingerprint
    register.baseline_wh = register.target_wh
    register.baseline_us = register.sent_us
    register.offset_wh = 0.0
    register.sum_wh = 0.0
    register.sum_day = register.baseline_day
    register.summed_version = ""
    return _event(binding, now_us=now_us, moved_wh=register.baseline_wh - before_wh, why=why)


def _event(binding: RegisterBinding, *, now_us: int, moved_wh: float, why: str) -> Event:
    return Event(
        now_us,
        binding.stream_id,
        "rebase",
        {
            "field": binding.field.name,
            "why": why,
            "moved_wh": round(moved_wh, 3),
            "offset_wh": round(binding.register.offset_wh, 3),
            "from_us": binding.register.sent_us,
        },
    )
