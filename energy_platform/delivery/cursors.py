"""Where streams begin, what they wait for, and how a stream new to the ledger is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.day_reader import EVER_US, midnight_us
from energy_platform.delivery.ledger import Event, Register
from energy_platform.delivery.watermarks import next_day
from energy_platform.transforms.sampling import THOUSANDTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.delivery.day_reader import DayReader
    from energy_platform.delivery.ledger import StreamState
    from energy_platform.delivery.streams import StreamPlan
    from energy_platform.delivery.watermarks import Completeness, MissingDays, Watermark
    from energy_platform.destinations.base import LastPacket

_CLOSING_US: Final = 12 * 3600 * 1_000_000
"""How long after its end a day may stay open without being called incomplete."""


def find_starts(
    plans: Mapping[str, StreamPlan],
    *,
    states: Mapping[str, StreamState],
    completeness: Completeness,
    frames: DayReader,
    now_us: int,
) -> None:
    """Put the cursor of new streams just before their first data, or their agreed start.

    Days before a point's first reading are not missing: there is nothing to wait for.

    Args:
        plans: The new streams.
        states: All streams; changed in place.
        completeness: Which days are known.
        frames: The day files.
        now_us: The present; a stream that is to begin later is left alone.
    """
    waiting = {}
    first_days: dict[str, str] = {}
    for stream_id, plan in plans.items():
        # Each by its own vendors: others may have begun earlier or later.
        first_day = completeness.first_day(plan.vendors)
        if first_day is None or (plan.start_us or 0) > now_us:
            continue
        first_days[stream_id] = first_day
        mark = completeness.mark(plan.vendors, since=first_day)
        if states[stream_id].seen_version != mark:
            waiting[stream_id] = plan
            states[stream_id].seen_version = mark
    by_start: dict[str, list[StreamPlan]] = {}
    for stream_id, plan in waiting.items():
        first_day = first_days[stream_id]
        start = first_day if plan.start_us is None else day_of(instant(plan.start_us))
        by_start.setdefault(max(start, first_day), []).append(plan)
    for start, group in by_start.items():
        points = sorted({field.point.point_id for plan in group for field in plan.fields})
        days = [day for day in completeness.days if day >= start]
        firsts = frames.first_data(points, days=days)
        for plan in group:
            instants = [
                firsts[field.point.point_id][1]
                for field in plan.fields
                if field.point.point_id in firsts
            ]
            if instants:
                begin_us = max(min(instants), plan.start_us or 0)
                states[plan.stream.id].planned_until_us = begin_us - 1


def version_seen(
    plan: StreamPlan,
    state: StreamState,
    *,
    completeness: Completeness,
    watermark: Watermark | None,
    now_us: int,
) -> str:
    """Return what to remember of a lake that had nothing more for a stream with a cursor.

    Where the lake reaches beyond the present, only the instants up to now were looked at.
    """
    day = day_of(instant(state.planned_until_us or 0))
    mark = completeness.mark(plan.vendors, since=day)
    is_cut = watermark is not None and watermark.until_us > now_us
    return f"{mark}@{now_us}" if is_cut else mark


def was_looked_at(plan: StreamPlan, state: StreamState, *, completeness: Completeness) -> int:
    """Return up to which instant the lake as it is had nothing more for a stream with a cursor."""
    day = day_of(instant(state.planned_until_us or 0))
    mark, _, until = (state.seen_version or "").partition("@")
    if mark != completeness.mark(plan.vendors, since=day):
        return 0
    return int(until) if until else EVER_US


def resume_from_readback(
    plan: StreamPlan,
    state: StreamState,
    *,
    stored: LastPacket,
    completeness: Completeness,
    now_us: int,
) -> list[Event]:
    """Initialise a new stream's cursor from the last packet read back.

    Registers continue from the value read back, so nothing falls and nothing is sent twice.

    Args:
        plan: The stream.
        state: Where it stands; changed in place.
        stored: What was read back.
        completeness: Which days are known.
        now_us: The present.
    """
    at_us = microseconds(stored.at)
    state.planned_until_us = max(at_us, (plan.start_us or 0) - 1)
    state.last_packet_us = at_us
    day = day_of(stored.at)
    for field in plan.fields:
        value = stored.fields.get(field.name)
        if field.kind != "register" or value is None:
            continue
        value_wh = value * field.conversion.multiplier / field.conversion.divisor
        state.registers[field.name] = Register(
            point_id=field.point.point_id,
            config_fingerprint=field.config_fingerprint,
            baseline_wh=value_wh,
            baseline_us=at_us,
            sum_day=day,
            summed_version=completeness.deltas_version(day, end=day),
            target_wh=value_wh,
            sent_thousandths=round(value * THOUSANDTHS),
            sent_us=at_us,
        )
    return [Event(now_us, plan.stream.id, "resumed_from_readback", {"last_us": at_us})]


def look_ahead(
    plans: Mapping[str, StreamPlan],
    *,
    states: Mapping[str, StreamState],
    completeness: Completeness,
    now_us: int,
    max_hold_us: int,
) -> tuple[dict[str, Watermark], list[Event]]:
    """Return how far each stream may go, and note what it waits for.

    A missing day is waited for ``max_hold`` from when it was first seen; then it is passed and
    listed, except by streams of values per interval.

    Args:
        plans: Streams with a cursor or without.
        states: All streams; changed in place.
        completeness: Which days are known.
        now_us: The present.
        max_hold_us: How long a missing day is waited for.
    """
    watermarks: dict[str, Watermark] = {}
    events: list[Event] = []
    seen: dict[tuple[tuple[str, ...], int, str | None], Watermark] = {}
    for stream_id, plan in plans.items():
        state = states[stream_id]
        from_us = state.planned_until_us
        if from_us is None:
            continue
        while True:
            asked = (plan.vendors, from_us, state.passed_day)
            watermark = seen.get(asked)
            if watermark is None:
                watermark = completeness.low_watermark(
                    plan.vendors, from_us=from_us, passed_day=state.passed_day
                )
                seen[asked] = watermark
            missing = watermark.missing
            if missing is not None and _may_still_close(missing, now_us=now_us):
                break
            if missing is None:
                if state.blocked_day is not None:
                    events.append(_released(stream_id, state, now_us=now_us, how="the day arrived"))
                break
            if state.blocked_day != missing.day:
                state.blocked_day, state.blocked_since_us = missing.day, now_us
                detail: dict[str, str | int | float | None] = {
                    "day": missing.day,
                    "reason": missing.reason,
                    "stops": int(not plan.may_jump),
                }
                events.append(Event(now_us, stream_id, "hold", detail))
            if not plan.may_jump or now_us - (state.blocked_since_us or now_us) < max_hold_us:
                break
            state.passed_day = missing.last_day
            how = f"waited long enough; days {missing.day} to {missing.last_day} are passed"
            events.append(_released(stream_id, state, now_us=now_us, how=how))
        watermarks[stream_id] = watermark
    return watermarks, events


def _may_still_close(missing: MissingDays, *, now_us: int) -> bool:
    """Whether a day that is there in part is simply waiting for the daily run to close it."""
    return missing.is_partial and now_us < midnight_us(next_day(missing.day)) + _CLOSING_US


def _released(stream_id: str, state: StreamState, *, now_us: int, how: str) -> Event:
    detail: dict[str, str | int | float | None] = {"day": state.blocked_day, "how": how}
    state.blocked_day = state.blocked_since_us = None
    return Event(now_us, stream_id, "hold_released", detail)
