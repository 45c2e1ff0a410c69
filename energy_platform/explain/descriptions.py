"""Each decision about a reading or a step, and each entry of the portfolio, as a sentence.

Only wording belongs here: what is decided, and in which order, is read from the lake.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.days import MICROSECOND, day_bounds, day_of
from energy_platform.transforms.policy import CounterPolicy
from energy_platform.transforms.readings import CORRECTED, WORD
from energy_platform.transforms.register_rule import LEARNED_FACTOR, MARGIN, power_of_two

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from energy_platform.portfolio import Portfolio
    from energy_platform.transforms.policy import ResetMarker

_STEPS: Final[Mapping[str, str]] = {
    "first_reading": "the first reading: nothing to compare it with, so it is worth nothing",
    "counted_from_zero": "the register had only shown zeros, so it is new: counted from the last"
    " of them",
    "marker": "the meter was exchanged as announced: what the old one counted to its final reading,"
    " and the new one from its start reading",
    "marker_partial": "the meter was exchanged as announced, without both readings: only what is"
    " known is counted",
    "scale_k": "the register lasts at another scale (kilo, hour or swapped words): a change of"
    " unit, the jump is refused",
    "above_allowance": "the register lasts at a level that its limit cannot reach: another meter,"
    " the jump is refused",
    "accepted": "the register lasts at a level that its limit cannot reach, and the portfolio"
    " accepts it: the jump is booked",
    "above_limit": "the register kept rising faster than its limit: the limit is too small, so all"
    " of it is booked",
    "modulus": "the register rolled over: counted across its modulus",
    "count_after": "the register started again: what it has counted since is booked",
    "count_after_minus_base": "the register started again at its base: what it counted above the"
    " base is booked",
    "zero": "the register fell; its policy says that a fall is worth nothing",
    "null": "the register fell; its policy says that what was used is unknown",
    "signed": "the register fell; its policy books falls as negative amounts",
    "zero_is_missing": "the register fell; zeros are missing readings by its policy",
    "spike_reversed": "the reading before was a spike: what it added is taken back",
    "within_dip_ratio": "a small fall is noise: kept negative, so totals stay last minus first",
    "longer_than_gap_after": "the time since the reading before is a gap: the amount is exact, when"
    " it flowed is estimated",
    "stood_still": "the register had stood still and showed all of it at once: the amount is exact,"
    " and spread evenly over the time it stood",
    "part_estimated": "a part of the virtual point has a gap: the amount is exact, when it flowed"
    " is estimated",
    "not_bridged": "the time since the reading before is too long to integrate power over",
}

_PLAIN_STEPS: Final[Mapping[str, str]] = {
    "increment": "the vendor's own amount of the period",
    "power": "mean of both powers times the time between",
    "virtual": "the sum of what its parts bring to the quarter-hour",
}
"""Steps that no register made, by method."""

_REJECTS: Final[Mapping[str, str]] = {
    "zero": "a zero is a missing reading",
    "fall": "a fall that did not last: a bad reading",
    "above_allowance": "a jump beyond the limit that did not last: a bad reading",
    "before_marker": "lies before an announced exchange that explains it",
    "same_period": "a second answer for the period of the increment before",
}

_QUARANTINED: Final[Mapping[str, str]] = {
    "unknown_point": "the portfolio does not know the point",
    "null": "the vendor sent no value",
    "not_a_number": "the value is not a number",
    "unknown_state": "the text is not a state the portfolio knows",
    "unknown_unit": "the unit is not known, and never guessed",
    "conflicting_unit": "the unit does not fit the quantity",
    "zero_time": "the stamp is of a clock that was never set",
    "future": "the stamp lies in the future",
    "shared_serial": "of another device with the same serial number: see `one_id_per_serial`",
    "backward_time": "its sensor had shown a later time before: a clock that went back",
    "dropped_by_correction": "dropped by a correction of the portfolio",
    "negative": "the quantity cannot be negative",
    "word_swap": f"its two 16-bit words are swapped; a correction with factor 1/{WORD:.0f} would"
    " repair it",
    "above_maximum": "above what the point can reach",
    "out_of_bounds": "a value that its quantity cannot have",
    "hour_shift": "the whole series is shifted by an hour",
    "outside_day": "the stamp lies in another day than the file it came in",
}


def number(value: float) -> str:
    """Return a number for display: thousands apart, no exponent, no idle zeros."""
    text = f"{value:,.6f}"
    return text.rstrip("0").rstrip(".")


def describe_policy(policy: CounterPolicy) -> str:
    """Return the settings that differ from the defaults."""
    usual = CounterPolicy()
    found = []
    for field in fields(policy):
        value = getattr(policy, field.name)
        if value == getattr(usual, field.name):
            continue
        if field.name == "reset_markers":
            value = f"[{', '.join(map(_marker, value))}]"
        elif field.name == "accepted":
            value = f"[{', '.join(f'{a.isoformat()} to {b.isoformat()}' for a, b in value)}]"
        elif isinstance(value, float):
            value = number(value)
        found.append(f"{field.name}={value}")
    return ", ".join(found) or "defaults"


def describe_learned(power_w: float, *, seen: str) -> str:
    """Say what a limit was learned from: the highest mean power, and when it was seen."""
    limit = power_of_two(LEARNED_FACTOR * power_w)
    return f"{limit:,.0f} W: ten times {seen}, rounded up to a power of two"


def _marker(marker: ResetMarker) -> str:
    at, *registers = marker if isinstance(marker, tuple) else (marker,)
    when = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if not registers:
        return when
    final, start = (number(wh) for wh in registers)
    return f"{when} from {final} Wh to {start} Wh"


def describe_step(
    *,
    status: str,
    reason: str | None,
    method: str,
    elapsed: timedelta,
    amount: float | None,
    refused: float | None,
    unit: str,
    dropped: int,
    policy: CounterPolicy,
) -> str:
    """Say why a step is worth what it is worth."""
    why = _STEPS.get(reason or "")
    if why is None:
        why = _describe_plain_step(
            status, method=method, elapsed=elapsed, amount=amount, unit=unit, policy=policy
        )
    booked = "an unknown amount" if amount is None else f"{number(amount)} {unit}"
    rest = f"; {dropped} readings in between were never counted" if dropped else ""
    if refused:
        rest += f"; {number(refused)} {unit} of what it showed is refused"
    return f"{status}: {why}{rest} → {booked}"


def _describe_plain_step(
    status: str,
    *,
    method: str,
    elapsed: timedelta,
    amount: float | None,
    unit: str,
    policy: CounterPolicy,
) -> str:
    if status != "ok":
        return status
    if method in _PLAIN_STEPS:
        return _PLAIN_STEPS[method]
    if policy.max_power_w is None:
        return "a rise within its learned limit"
    hours = max(elapsed.total_seconds(), 60.0) / 3600
    allowed = policy.max_power_w * hours * MARGIN + policy.resolution_wh
    if amount is not None and amount > allowed:
        return "a rise within its limit since the register last showed less"
    return f"a rise within the {allowed:,.0f} {unit} that rated power allows"


def describe_reject(reason: str) -> str:
    """Say why a reading was never counted."""
    return f"rejected: {_REJECTS.get(reason, reason)}"


def describe_reading(*, status: str, reason: str | None) -> str:
    """Say what judging made of a reading; empty when there is nothing to say."""
    if status == "quarantined":
        return f"quarantined: {_QUARANTINED.get(reason or '', reason or 'no reason given')}"
    if reason and reason.startswith(CORRECTED):
        return f"corrected by the portfolio ({reason.removeprefix(CORRECTED)})"
    return ""


def describe_corrections(
    portfolio: Portfolio, point_id: str, *, start: datetime, end: datetime
) -> tuple[str, ...]:
    """Say what the portfolio changes on the UTC days of a window, a sentence per entry."""
    first, _ = day_bounds(day_of(start))
    _, last = day_bounds(day_of(end - MICROSECOND))
    found = []
    for one in portfolio.corrections:
        if point_id not in one.points:
            continue
        if (one.start is not None and one.start >= last) or (
            one.end is not None and one.end <= first
        ):
            continue
        what = [
            *(["drop"] if one.drop else []),
            *([f"factor {one.factor:.12g}"] if one.factor is not None else []),
            *([f"offset {one.offset:.12g}"] if one.offset is not None else []),
            *(["policy"] if one.policy is not None else []),
        ]
        since = f"from {one.start.isoformat()}" if one.start else "from the first reading"
        until = f"to {one.end.isoformat()}" if one.end else "on"
        found.append(f"{', '.join(what)} {since} {until}: {one.reason}")
    found += [
        f"accept from {one.start.isoformat()} to {one.end.isoformat()}: {one.reason}"
        for one in portfolio.accepted
        if one.point_id == point_id and one.start < last and one.end > first
    ]
    return tuple(found)
