"""The numbers of packets: gauges of the moment, registers that never fall, energy per interval.

Belongs here: from steps and readings to the text of a number. Does not: how a register begins and
follows the lake (``registers``), which instants are due (``planner``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import day_after, day_before, day_of, instant
from energy_platform.delivery.ledger import Event
from energy_platform.delivery.registers import begin_registers, sum_until
from energy_platform.delivery.restored import count_unrecorded
from energy_platform.transforms.sampling import (
    THOUSANDTHS,
    energy_at,
    gauges_at,
    number_text,
    thousandths_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from energy_platform.delivery.day_reader import DayReader
    from energy_platform.delivery.preparation import PushState
    from energy_platform.delivery.streams import FieldPlan, StreamWork

LONGEST_LOOK_AHEAD: Final = 31
"""Days looked ahead for the end of a step of a register whose gaps count as ordinary steps."""

_MOST_ROUNDING: Final = 0.500001
"""Share of the last digit sent by which rounding alone moves a number."""

SLOTS: Final = pl.Schema({"work": pl.Int32(), "at": pl.Int64(), "before": pl.Int64()})
"""Instants of streams on the day planned: the stream's place among those planned together, the
instant, and the one of the grid before it."""


class FieldValue(NamedTuple):
    """One number of one packet.

    Attributes:
        thousandths: The number, where it is a value per interval.
    """

    work: int
    at_us: int
    order: int
    name: str
    text: str
    thousandths: int = 0


def field_values(
    push: PushState, day: str, works: Sequence[StreamWork], slots: pl.DataFrame
) -> tuple[list[FieldValue], list[Event]]:
    """Compute all field values of the given instants. Advances the streams' registers.

    Args:
        push: What is known.
        day: The UTC day planned.
        works: The streams.
        slots: Their instants, as in ``SLOTS``.
    """
    fields = [(number, field) for number, work in enumerate(works) for field in work.plan.fields]
    asked = pl.DataFrame(
        [
            (number, key, push.frames.number[field.point.point_id], field.kind)
            for key, (number, field) in enumerate(fields)
        ],
        schema={
            "work": pl.Int32(),
            "key": pl.Int32(),
            "point": pl.Int32(),
            "kind": pl.String(),
        },
        orient="row",
    )
    wanted = slots.join(asked, on="work", maintain_order="left")
    values = _gauge_values(
        push.frames, day, works, fields, wanted.filter(pl.col("kind") == "gauge")
    )
    energy = wanted.filter(pl.col("kind") != "gauge")
    if not energy.height:
        return values, []
    steps = _steps(push.frames, day, works, energy)
    more, events = _energy_values(push, day, works, fields, energy, steps=steps)
    return values + more, events


def _gauge_values(
    frames: DayReader,
    day: str,
    works: Sequence[StreamWork],
    fields: Sequence[tuple[int, FieldPlan]],
    wanted: pl.DataFrame,
) -> list[FieldValue]:
    if not wanted.height:
        return []
    days = [day_before(day), day, day_after(day)]
    readings = pl.concat([frames.gauges(one) for one in days])
    widths = pl.DataFrame(
        {"work": range(len(works)), "width_us": [work.plan.interval_us for work in works]},
        schema={"work": pl.Int32(), "width_us": pl.Int64()},
    )
    found = gauges_at(readings, wanted=wanted.join(widths, on="work", maintain_order="left"))
    values = []
    rows = found.filter(pl.col("value").is_not_null()).select("work", "at", "key", "value")
    for number, at_us, key, value in rows.iter_rows():
        field = fields[key][1]
        by = field.conversion
        text = number_text((value - by.offset) * by.divisor / by.multiplier)
        if text is not None:
            values.append(FieldValue(number, at_us, field.order, field.name, text))
    return values


def _steps(
    reader: DayReader, day: str, works: Sequence[StreamWork], wanted: pl.DataFrame
) -> pl.DataFrame:
    """Return the steps of a day and those of later days that overlap it."""
    until = max(work.watermark.until_us for work in works)
    last_day = day_of(instant(max(until - 1, 0)))
    frames = [reader.deltas(day)]
    ahead = day_after(day)
    retried = {
        reader.number[field.point.point_id]
        for work in works
        for field in work.plan.fields
        if field.kind != "gauge" and _is_patient(field)
    }
    newest = wanted.group_by("point").agg(pl.col("at").max())
    for looked in range(LONGEST_LOOK_AHEAD):
        if ahead > last_day or (looked and not retried):
            break
        frame = reader.deltas(ahead)
        frames.append(frame)
        covered = frame.join(newest, on="point").filter(pl.col("end_at") >= pl.col("at"))
        retried -= set(covered["point"].unique().to_list())
        ahead = day_after(ahead)
    return pl.concat(frames)


def _energy_values(
    push: PushState,
    day: str,
    works: Sequence[StreamWork],
    fields: Sequence[tuple[int, FieldPlan]],
    wanted: pl.DataFrame,
    *,
    steps: pl.DataFrame,
) -> tuple[list[FieldValue], list[Event]]:
    """Return the numbers of cumulative and per-interval fields; moves their registers."""
    at = energy_at(steps, wanted=wanted.select("work", "key", "kind", "point", "at", "before"))
    at = at.sort("key", "at")
    events = begin_registers(push, works, fields, at, steps=steps)
    sum_until(push, day, works)
    base_frame = _register_frame(push.frames, works, fields)
    if not base_frame.height:
        return [], events
    at_baseline = energy_at(steps, wanted=base_frame).select(
        "key", "base", "scale", "divide", "unit", "sent", at_baseline="sum_wh", baseline="at"
    )
    # The first interval of a day may begin on the day before.
    wider = pl.concat([push.frames.deltas(day_before(day)), steps])
    intervals = at.filter(pl.col("kind") == "interval").select("key", "point", "at", "before")
    until = energy_at(wider, wanted=intervals)
    since = energy_at(wider, wanted=intervals.select("key", "point", slot="at", at="before"))
    before = until.select("key", "at", until_wh="sum_wh").with_columns(
        rise_wh=pl.col("until_wh") - since["sum_wh"], settled_before=since["settled"]
    )
    target = pl.col("base") + pl.col("sum_wh") - pl.col("at_baseline")
    found = (
        at.join(at_baseline, on="key", maintain_order="left")
        .filter(pl.col("at") >= pl.col("baseline"))
        .join(before, on=["key", "at"], how="left", maintain_order="left")
        .with_columns(target=target, whole=_thousandths(target))
        .with_columns(
            amount=pl.col("whole") - _thousandths(target - pl.col("rise_wh")),
            is_sent=pl.when(pl.col("kind") == "interval")
            .then(pl.col("settled") & pl.col("settled_before").fill_null(value=False))
            .otherwise(pl.col("settled")),
        )
    )
    values = _register_values(works, fields, found)
    values += _interval_values(works, fields, found, events=events, now_us=push.now_us)
    return values, events


def _register_frame(
    frames: DayReader, works: Sequence[StreamWork], fields: Sequence[tuple[int, FieldPlan]]
) -> pl.DataFrame:
    """Return the registers of fields: where each began, what it shows, how it is written."""
    bases = []
    for key, (number, field) in enumerate(fields):
        register = works[number].state.registers.get(field.name)
        if field.kind == "gauge" or register is None:
            continue
        base = register.baseline_wh + register.offset_wh + register.sum_wh
        scale = THOUSANDTHS * field.conversion.divisor
        bases.append(
            (
                key,
                frames.number[register.point_id],
                register.baseline_us,
                base,
                1.0 if field.is_whole else scale,
                1.0 if field.is_whole else field.conversion.multiplier,
                THOUSANDTHS if field.is_whole else 1,
                register.sent_thousandths,
            )
        )
    return pl.DataFrame(
        bases,
        schema={
            "key": pl.Int32(),
            "point": pl.Int32(),
            "at": pl.Int64(),
            "base": pl.Float64(),
            "scale": pl.Float64(),
            "divide": pl.Float64(),
            "unit": pl.Int64(),
            "sent": pl.Int64(),
        },
        orient="row",
    )


def _thousandths(energy_wh: pl.Expr) -> pl.Expr:
    """Return a field's number in whole thousandths; whole watt-hours for registers of Wh."""
    scaled = (energy_wh * pl.col("scale") / pl.col("divide")).round()
    return scaled.cast(pl.Int64) * pl.col("unit")


def _register_values(
    works: Sequence[StreamWork], fields: Sequence[tuple[int, FieldPlan]], found: pl.DataFrame
) -> list[FieldValue]:
    """Return the numbers of cumulative fields, which never fall; moves their registers."""
    values: list[FieldValue] = []
    rises = found.filter(pl.col("kind") == "register", pl.col("is_sent")).with_columns(
        value=pl.max_horizontal(pl.col("whole").cum_max().over("key"), pl.col("sent"))
    )
    for key, at_us, value, target_wh in rises.select("key", "at", "value", "target").iter_rows():
        number, field = fields[key]
        values.append(FieldValue(number, at_us, field.order, field.name, thousandths_text(value)))
        register = works[number].state.registers[field.name]
        register.sent_thousandths = value
        register.sent_us = at_us
        register.target_wh = target_wh
    for number, field in fields:
        register_now = works[number].state.registers.get(field.name)
        if field.kind == "register" and register_now is not None:
            sent_wh = field.wh_of(register_now.sent_thousandths)
            ahead_wh = sent_wh - register_now.target_wh
            # Rounding to the digits sent never exceeds half of one, and holds nothing back.
            is_more = ahead_wh > field.wh_of(1) * _MOST_ROUNDING
            register_now.held_back_wh = ahead_wh if is_more else 0.0
    return values


def _interval_values(
    works: Sequence[StreamWork],
    fields: Sequence[tuple[int, FieldPlan]],
    found: pl.DataFrame,
    *,
    events: list[Event],
    now_us: int,
) -> list[FieldValue]:
    """Return the numbers per interval, and note what fell into gaps; moves their registers."""
    values = []
    rows = found.filter(pl.col("kind") == "interval")
    for key, at_us, before_us, whole, amount, target_wh, is_sent in rows.select(
        "key", "at", "before", "whole", "amount", "target", "is_sent"
    ).iter_rows():
        number, field = fields[key]
        register = works[number].state.registers[field.name]
        count_unrecorded(register, field, until_us=before_us, shown=whole - amount)
        register.target_wh = target_wh
        register.sent_us = at_us
        if is_sent:
            values.append(
                FieldValue(number, at_us, field.order, field.name, thousandths_text(amount), amount)
            )
            register.sent_thousandths += amount
    for key in rows["key"].unique(maintain_order=True).to_list():
        number, field = fields[key]
        state = works[number].state
        register = state.registers[field.name]
        missing_wh = register.target_wh - field.wh_of(register.sent_thousandths)
        if abs(missing_wh - state.undelivered_wh) >= 1.0:
            detail = {
                "field": field.name,
                "undelivered_wh": round(missing_wh, 3),
                "until_us": register.sent_us,
            }
            events.append(Event(now_us, works[number].id, "undelivered", detail))
            state.undelivered_wh = missing_wh
    return values


def _is_patient(field: FieldPlan) -> bool:
    """Whether even a step longer than a day counts as an ordinary one."""
    gap_after = field.point.policy.gap_after
    return gap_after is None or gap_after.total_seconds() > 86_400  # noqa: PLR2004
