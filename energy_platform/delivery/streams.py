"""What each stream needs: its fields, points, conversions and a fingerprint of their settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.portfolio import ELECTRICITY_FIELDS
from energy_platform.transforms.packets import microseconds, packet_head
from energy_platform.transforms.rules import ENERGY_RULES, READINGS_RULES
from energy_platform.transforms.units import Conversion, conversion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from energy_platform.portfolio import Point, Portfolio, Stream
    from energy_platform.schemas import Vendor

FieldKind = Literal["register", "interval", "gauge"]
"""Cumulative energy, energy per interval, or a number of the moment."""

HOLD_INTERVALS: Final = 2
"""Intervals a packet waits for a field whose device says nothing."""

_ORDER: Final = {name: place for place, name in enumerate((*ELECTRICITY_FIELDS, "value"))}


class FieldPlan(NamedTuple):
    """One field of a stream.

    Attributes:
        name: As in the packet.
        order: Place in the packet.
        point: The point that feeds it.
        kind: How its number comes about.
        conversion: From the canonical unit backwards to the field's unit.
        config_fingerprint: Fingerprint of the settings and rules that shape the point's energy.
    """

    name: str
    order: int
    point: Point
    kind: FieldKind
    conversion: Conversion
    config_fingerprint: str

    @property
    def is_whole(self) -> bool:
        """Whether the field takes whole watt-hours."""
        return self.name.startswith("pC_")


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """One stream, ready for planning.

    Attributes:
        stream: As agreed in the portfolio.
        zone: IANA zone of its stamps.
        fields: In packet order.
        vendors: Whose days it needs.
        problem: Why it cannot be planned; None when it can.
    """

    stream: Stream
    zone: str
    fields: tuple[FieldPlan, ...]
    vendors: tuple[Vendor, ...]
    problem: str | None

    @property
    def interval_s(self) -> int:
        """The agreed interval in seconds."""
        return int(self.stream.interval.total_seconds())

    @property
    def interval_us(self) -> int:
        """The agreed interval in microseconds."""
        return self.interval_s * 1_000_000

    @property
    def hold_us(self) -> int:
        """How long a packet waits for a silent field."""
        return HOLD_INTERVALS * self.interval_us

    @property
    def head(self) -> str:
        """Beginning of each packet."""
        return packet_head(self.stream.id)

    @property
    def start_us(self) -> int | None:
        """First instant agreed for the stream."""
        return None if self.stream.start is None else microseconds(self.stream.start)

    @property
    def skips_refused(self) -> bool:
        """Whether a refused packet is set aside and the next one sent.

        Unless the portfolio says otherwise: cumulative streams go on, since the next register
        carries the energy; others stop (Wattics data collection API, section 7).
        """
        if self.stream.on_reject is not None:
            return self.stream.on_reject == "skip"
        return self.stream.reading == "cumulative"

    @property
    def is_repeatable(self) -> bool:
        """Whether a packet sent twice does no harm: a register says the same again."""
        return self.stream.reading == "cumulative"

    @property
    def sends_late(self) -> bool:
        """Whether values that came too late are sent behind the cursor, as agreed with Wattics.

        A register sends nothing behind itself: its next value carries what came late.
        """
        return self.stream.allow_backfill and self.stream.reading != "cumulative"

    @property
    def may_jump(self) -> bool:
        """Whether the stream may pass a missing day: values per interval never do."""
        return self.stream.reading != "per_interval"


def plan_streams(portfolio: Portfolio) -> dict[str, StreamPlan]:
    """Return the plan of every stream of the portfolio, by stream id."""
    corrections: dict[str, list[str]] = {}
    for correction in portfolio.corrections:
        for point_id in correction.points:
            corrections.setdefault(point_id, []).append(repr(correction))
    for accepted in portfolio.accepted:
        corrections.setdefault(accepted.point_id, []).append(repr(accepted))
    return {
        stream.id: _plan(stream, portfolio=portfolio, corrections=corrections)
        for stream in portfolio.streams.values()
    }


def _plan(stream: Stream, *, portfolio: Portfolio, corrections: dict[str, list[str]]) -> StreamPlan:
    fields = []
    problem = None
    for name, point_id in stream.fields.items():
        point = portfolio.points[point_id]
        kind = _kind(stream, name=name, point=point)
        unit = stream.unit if name == "value" else _field_unit(name)
        found = conversion(unit, quantity=point.quantity)
        if found is None:
            problem = (
                f"{unit!r} is not a known unit of {point.quantity}; agree another in portfolio"
            )
            found = Conversion(unit or "")
        config_fingerprint = _digest((point.stamp(), *corrections.get(point_id, ()), *_RULES))
        fields.append(FieldPlan(name, _ORDER[name], point, kind, found, config_fingerprint))
    if stream.stamp == "sample" and stream.reading == "per_interval":
        problem = "values per interval stand on the grid: stamp: sample does not fit"
    return StreamPlan(
        stream=stream,
        zone=portfolio.zone_of(stream),
        fields=tuple(sorted(fields, key=lambda field: field.order)),
        vendors=tuple(sorted({field.point.vendor for field in fields})),
        problem=problem,
    )


_RULES: Final = (READINGS_RULES, ENERGY_RULES)
_FIELD_UNITS: Final = {"aP": "W", "rP": "var", "apP": "VA", "v": "V", "c": "A", "pC": "Wh"}


def _field_unit(name: str) -> str:
    return _FIELD_UNITS[name.split("_", maxsplit=1)[0]]


def _kind(stream: Stream, *, name: str, point: Point) -> FieldKind:
    if name.startswith("pC_"):
        return "register"
    if name == "value" and point.is_energy and stream.reading != "average":
        return "register" if stream.reading == "cumulative" else "interval"
    return "gauge"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
