"""Misbehaviour of the data: declared events on a signal, applied to what its sensor reports.

Protocol misbehaviour (tokens, status codes, cut bodies) is in ``faults``; here only what a meter,
a gateway or a person on site does to readings. The truth of the world is untouched by any event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (the control endpoint decodes events by it)
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import numpy as np

if TYPE_CHECKING:
    from energy_platform.simulators.world.curves import Floats, Ints

EventKind = Literal[
    "reset",
    "exchange",
    "rollover",
    "dip",
    "spike",
    "zeros",
    "stuck",
    "gap",
    "late",
    "duplicates",
    "conflicting",
    "word_swap",
    "unit_change",
    "null",
    "shifted",
]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)

_CHANGING_VALUES: Final = frozenset(
    {
        *("reset", "exchange", "rollover", "dip", "spike", "zeros"),
        *("null", "stuck", "word_swap", "unit_change"),
    }
)
"""The kinds that ``change_values`` knows; the others remove, repeat or move samples."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that goes wrong on one signal, from ``start`` until before ``end``.

    Attributes:
        signal: Key of the signal (the platform's point id).
        kind: What happens:
            ``reset``: the register starts again from ``amount`` (default 0) and counts on;
            ``exchange``: the same as a reset, meant for a meter that starts at ``amount``;
            ``rollover``: the register shows its value modulo ``amount`` (vendor's unit);
            ``dip``: values are lower by ``amount`` (vendor's unit);
            ``spike``: values are higher by ``amount``;
            ``zeros``: values are 0; ``null``: values are absent (JSON null);
            ``stuck``: the value of ``start`` is repeated;
            ``gap``: no samples;
            ``late``: the samples exist only from ``visible_from`` on;
            ``duplicates``: every sample is served twice, equal;
            ``conflicting``: every sample is served twice, the second higher by ``amount``;
            ``word_swap``: the two 16-bit words of the count are exchanged (value x 65536);
            ``unit_change``: values are multiplied by ``amount`` (1000: kWh became Wh);
            ``shifted``: stamps are off by ``amount`` seconds.
        start: First instant, inclusive.
        end: Last instant, exclusive; None means for ever.
        amount: Size, as told for the kind.
        visible_from: For ``late`` only: the samples exist from this instant on.
    """

    signal: str
    kind: EventKind
    start: datetime
    end: datetime | None = None
    amount: float = 0.0
    visible_from: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            msg = f"event kind {self.kind!r} is unknown; one of {', '.join(EVENT_KINDS)}"
            raise ValueError(msg)
        if self.start.tzinfo is None or (self.end is not None and self.end.tzinfo is None):
            msg = f"event {self.kind} on {self.signal}: instants need an offset (end them with Z)"
            raise ValueError(msg)
        if self.kind == "late" and self.visible_from is None:
            msg = f"event late on {self.signal}: visible_from is missing"
            raise ValueError(msg)
        if self.kind == "rollover" and self.amount <= 0:
            msg = f"event rollover on {self.signal}: amount must be the modulus, above 0"
            raise ValueError(msg)

    @property
    def start_s(self) -> float:
        """Epoch seconds of the start."""
        return self.start.timestamp()

    @property
    def end_s(self) -> float:
        """Epoch seconds of the end; infinite for an event that lasts."""
        return float("inf") if self.end is None else self.end.timestamp()

    @property
    def changes_values(self) -> bool:
        """Whether it changes what the sensor shows, rather than which samples there are."""
        return self.kind in _CHANGING_VALUES

    def covers(self, at: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which of the epoch seconds lie inside the event."""
        return (at >= self.start_s) & (at < self.end_s)


def parse_event(text: str) -> Event:
    """An event written as a JSON object with the names of `Event`.

    Raises:
        ValueError: It is no such object; says what is wrong.
    """
    try:
        return msgspec.json.decode(text, type=Event)
    except msgspec.MsgspecError as error:
        msg = f"event {text!r}: {error}"
        raise ValueError(msg) from error


def change_values(event: Event, *, at: Ints, values: Floats, at_start: float) -> Floats:
    """Values as reported under one event; ``at_start`` is the clean value at the event's start."""
    inside = event.covers(at)
    match event.kind:
        case "reset" | "exchange":
            changed = np.round(values - at_start + event.amount, 6)
        case "rollover":
            changed = np.round(values - event.amount * np.floor(values / event.amount), 6)
        case "dip":
            changed = np.round(values - event.amount, 6)
        case "spike":
            changed = np.round(values + event.amount, 6)
        case "zeros":
            changed = values * 0.0
        case "null":
            changed = values * np.nan
        case "stuck":
            changed = values * 0.0 + at_start
        case "word_swap":
            changed = np.floor(values) * 65_536.0
        case "unit_change":
            changed = values * event.amount
        case _:
            return values
    return np.where(inside, changed, values)


def change_samples(event: Event, *, at: Ints, values: Floats, now: float) -> tuple[Ints, Floats]:
    """Samples as served under one event that removes, repeats or moves them."""
    inside = event.covers(at)
    if event.kind == "gap":
        return at[~inside], values[~inside]
    if event.kind == "late" and event.visible_from is not None:
        hidden = inside & (now < event.visible_from.timestamp())
        return at[~hidden], values[~hidden]
    if event.kind in {"duplicates", "conflicting"}:
        times = np.where(inside, 2, 1)
        second = np.zeros(int(times.sum()), dtype=bool)
        second[np.cumsum(times)[inside] - 1] = True
        repeated = np.repeat(values, times)
        extra = event.amount if event.kind == "conflicting" else 0.0
        return np.repeat(at, times), np.where(second, repeated + extra, repeated)
    return at, values
