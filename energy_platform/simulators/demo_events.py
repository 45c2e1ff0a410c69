"""What goes wrong in the demo: a few declared events, so that there is something to explain.

Each has its own register, away from the others, so that every figure stays right for a reason that
``energy-platform explain`` can show. Tests build worlds of their own, which are clean.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from energy_platform.simulators.world import Event

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from energy_platform.simulators.world import EventKind


class _Planned(NamedTuple):
    """An event on a day of the demo, counted from its first one; ``lasts`` None means for ever."""

    day: int
    hour: int
    minute: int
    kind: EventKind
    signals: tuple[str, ...]
    lasts: timedelta | None = None
    amount: float = 0.0


_VALVE: Final = "belimo/22002-50014-102-007"

_PLAN: Final = (
    # Between two readings: what flowed until the restart is all that a reset loses.
    _Planned(1, 9, 12, "reset", ("socomec/SN000005/Load|1|130101",)),
    # Announced in the portfolio with both readings: nothing is lost. The new meter was tried out.
    _Planned(2, 14, 30, "exchange", ("socomec/SN000009/Load|1|130101",), amount=200.0),
    _Planned(3, 17, 0, "zeros", ("socomec/SN000008/Load|1|130101",), lasts=timedelta(minutes=15)),
    _Planned(
        3, 11, 5, "spike", ("socomec/SN000012/Load|1|130101",), timedelta(minutes=5), 1_000_000.0
    ),
    # The valve is on no stream: a long gap is a gap at Wattics, which the demo need not show. Two
    # hours of a day stay within what the check of completeness passes over.
    _Planned(
        4,
        10,
        0,
        "gap",
        (f"{_VALVE}/evcloud.200", f"{_VALVE}/evcloud.210"),
        lasts=timedelta(hours=2),
    ),
)


def demo_events(*, start: datetime, days: int) -> tuple[Event, ...]:
    """The events of a demo, all inside its span.

    Args:
        start: Start of the demo's first UTC day.
        days: Its days; where they are few, events share the last one.
    """
    return tuple(
        _event(one, signal, on=start + timedelta(days=min(one.day, days - 1)))
        for one in _PLAN
        for signal in one.signals
    )


def _event(planned: _Planned, signal: str, *, on: datetime) -> Event:
    start = on.replace(hour=planned.hour, minute=planned.minute)
    return Event(
        signal,
        planned.kind,
        start,
        None if planned.lasts is None else start + planned.lasts,
        planned.amount,
    )


def event_lines(events: Iterable[Event]) -> list[str]:
    """Events as JSON objects, as ``parse_event`` reads them."""
    return [msgspec.json.encode(event).decode() for event in events]
