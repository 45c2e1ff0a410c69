"""What each device gave for a day, and why that may not be all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from energy_platform.days import day_bounds, day_of
from energy_platform.sources.coverage import DeviceDay, Reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from energy_platform.sources.belimo.reading import Chunk, Failure, Plan

NOT_VISIBLE: Final = "in the portfolio, but not visible to this account"

NAMED: Final = 3
"""Datapoints that a reason spells out; the others are counted."""


class Planned(NamedTuple):
    """What is to be read.

    Attributes:
        plans: Datapoints of visible devices.
        unseen: Datapoints wanted of devices that the account does not show, by serial number.
        warnings: Devices that cannot be read.
    """

    plans: Sequence[Plan]
    unseen: Mapping[str, int]
    warnings: tuple[str, ...]


def device_days(
    planned: Planned,
    chunks: Sequence[Chunk],
    failures: Sequence[Failure],
    *,
    day: str,
    until: datetime,
    since: Mapping[Plan, str],
) -> tuple[DeviceDay, ...]:
    """Say of each device what it gave on a day.

    Args:
        planned: What was to be read.
        chunks: What came for this day.
        failures: What could not be read on this day.
        day: The UTC day.
        until: Exclusive upper bound of all samples.
        since: The first day that failed, by what was to be read.
    """
    start, end = day_bounds(day)
    end = min(end, until)
    asked: dict[str, set[str]] = {}
    for plan in planned.plans:
        asked.setdefault(plan.serial_number, set()).add(plan.datapoint_id)
    reasons: dict[str, dict[str, set[str]]] = {}
    for failure in failures:
        _add(reasons, failure.plan, _failure(failure, since=since.get(failure.plan, day)))
    gave: dict[str, list[pl.Series]] = {}
    answered: dict[str, set[str]] = {}
    for chunk in chunks:
        serial = chunk.plan.serial_number
        at = chunk.found.frame["at"]
        inside = at.filter(at.is_between(start, end, closed="left")).unique()
        if inside.len():
            gave.setdefault(serial, []).append(inside)
            answered.setdefault(serial, set()).add(chunk.plan.datapoint_id)
        for doubt in chunk.found.doubts:
            if doubt.start < end and doubt.end > start:
                low, high = max(doubt.start, start), min(doubt.end, end)
                where = "" if (low, high) == (start, end) else f" ({low:%H:%M} to {high:%H:%M} UTC)"
                _add(reasons, chunk.plan, doubt.why + where)
    found = []
    for serial in sorted(asked):
        stamps = gave.get(serial, [])
        found.append(
            DeviceDay(
                serial,
                asked=len(asked[serial]),
                answered=len(answered.get(serial, ())),
                rows=sum(one.len() for one in stamps),
                first_at=_edge((one.min() for one in stamps), first=True),
                last_at=_edge((one.max() for one in stamps), first=False),
                why_partial=_why(reasons.get(serial, {}), asked=asked[serial]),
            )
        )
    found += [
        DeviceDay(serial, asked, 0, 0, None, None, NOT_VISIBLE)
        for serial, asked in planned.unseen.items()
        if serial not in asked_serials(planned)
    ]
    return tuple(sorted(found))


def asked_serials(planned: Planned) -> frozenset[str]:
    """Return the devices with anything to read."""
    return frozenset(plan.serial_number for plan in planned.plans)


def rejects_of(chunks: Iterable[Chunk], *, day: str) -> tuple[Reject, ...]:
    """Return the odd rows of a day; one without an instant lies next to the sample before it."""
    rejects = []
    for chunk in chunks:
        for odd, times in chunk.found.odd.items():
            own = chunk.first if odd.near is None else day_of(odd.near)
            if own == day:
                reject = Reject(
                    chunk.plan.serial_number,
                    chunk.plan.datapoint_id,
                    odd.stamp_text,
                    odd.value_text,
                    odd.reason,
                )
                rejects += [reject] * times
    return tuple(rejects)


def _failure(failure: Failure, *, since: str) -> str:
    error = failure.error
    status = "" if error.status is None else f"HTTP {error.status}, "
    return f"{status}{error.reason} (since {since})"


def _add(reasons: dict[str, dict[str, set[str]]], plan: Plan, why: str) -> None:
    reasons.setdefault(plan.serial_number, {}).setdefault(why, set()).add(plan.datapoint_id)


def _why(reasons: Mapping[str, set[str]], *, asked: set[str]) -> str:
    """Join reasons: each with the datapoints it is about, or none where it is about all."""
    texts = []
    for why, points in sorted(reasons.items()):
        names = sorted(points)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        shown = ", ".join(names[:NAMED]) + more
        texts.append(why if points >= asked else f"{shown}: {why}")
    return "; ".join(texts)


def _edge(instants: Iterable[object], *, first: bool) -> datetime | None:
    found: list[datetime] = [one for one in instants if one is not None]  # type: ignore[misc]
    return (min(found) if first else max(found)) if found else None
