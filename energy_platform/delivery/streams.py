"""What each stream needs by the portfolio, and a stream in the hands of a push.

Belongs here: fields, points, conversions and a fingerprint of their settings; what a push knows of
one stream. Does not: what it does with it (``run``), where it stands between two (``ledger``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from energy_platform.days import day_of, instant, microseconds
from energy_platform.delivery.watermarks import NOTHING_KNOWN, Watermark
from energy_platform.destinations.base import destination
from energy_platform.lake.digests import digest_of
from energy_platform.schemas import VIRTUAL
from energy_platform.transforms.rules import ENERGY_RULES, READINGS_RULES
from energy_platform.transforms.sampling import THOUSANDTHS
from energy_platform.transforms.units import Conversion, conversion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from energy_platform.delivery.ledger import Register, StreamState
    from energy_platform.destinations.base import Destination, FieldSpec
    from energy_platform.portfolio import Point, Portfolio, Stream
    from energy_platform.schemas import Vendor

FieldKind = Literal["register", "interval", "gauge"]
"""Cumulative energy, energy per interval, or a number of the moment."""

HOLD_INTERVALS: Final = 2
"""Intervals a packet waits for a field whose device says nothing."""


class FieldPlan(NamedTuple):
    """One field of a stream.

    Attributes:
        name: As in the packet.
        order: Place in the packet.
        is_whole: Whether the number sent is whole.
        point: The point that feeds it.
        kind: How its number comes about.
        conversion: From the canonical unit backwards to the field's unit.
        config_fingerprint: Fingerprint of the settings and rules that shape the point's energy.
    """

    name: str
    order: int
    is_whole: bool
    point: Point
    kind: FieldKind
    conversion: Conversion
    config_fingerprint: str

    def wh_of(self, thousandths: int) -> float:
        """Return what a number of the field is in watt-hours."""
        return thousandths / THOUSANDTHS * self.conversion.multiplier / self.conversion.divisor

    def thousandths_of(self, energy_wh: float) -> int:
        """Return the number of the field, in whole thousandths, that says an energy."""
        thousandths = energy_wh * THOUSANDTHS * self.conversion.divisor / self.conversion.multiplier
        return (
            round(thousandths / THOUSANDTHS) * THOUSANDTHS if self.is_whole else round(thousandths)
        )


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """One stream, ready for planning.

    Attributes:
        destination: Where its packets go.
        stream: As agreed in the portfolio.
        zone: IANA zone of its stamps.
        fields: In packet order.
        vendors: Whose days it needs.
        problem: Why it cannot be planned; None when it can.
    """

    destination: Destination
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
    def start_us(self) -> int | None:
        """First instant agreed for the stream."""
        return None if self.stream.start is None else microseconds(self.stream.start)

    @property
    def skips_refused(self) -> bool:
        """Whether a refused packet is set aside and the next one sent.

        Unless the portfolio says otherwise: cumulative streams go on, since the next register
        carries the energy; others stop.
        """
        if self.stream.on_reject is not None:
            return self.stream.on_reject == "skip"
        return self.stream.reading == "cumulative"

    @property
    def is_repeatable(self) -> bool:
        """Whether a packet sent twice does no harm: a register says the same again."""
        return self.destination.is_repeatable or self.stream.reading == "cumulative"

    @property
    def sends_late(self) -> bool:
        """Whether values that came too late are sent behind the cursor, as agreed.

        A register sends nothing behind itself: its next value carries what came late.
        """
        return self.stream.allow_backfill and self.stream.reading != "cumulative"

    @property
    def may_jump(self) -> bool:
        """Whether the stream may pass a missing day: values per interval never do."""
        return self.stream.reading != "per_interval"


StreamEnd = Literal["delivered", "waiting", "blocked", "gave_up", "stopped"]
"""All that is ready was delivered; nothing is known yet; a day is missing; given up for this run;
an operator has to look."""


@dataclass(slots=True, kw_only=True)
class StreamWork:
    """One stream in the hands of a push, or of whoever looks what one would do.

    Attributes:
        plan: What was agreed.
        state: Where it stands; moved on.
        pending: Packets that were planned before and not answered.
        is_new: Whether the ledger knows nothing of it yet.
        watermark: How far it may go.
        end: How it ended, and why; None while it may be worked on.
        sent: Requests with a packet.
        acknowledged: Packets acknowledged.
        refused: Packets refused.
    """

    plan: StreamPlan
    state: StreamState
    pending: int = 0
    is_new: bool = False
    watermark: Watermark = NOTHING_KNOWN
    end: tuple[StreamEnd, str] | None = None
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0

    @property
    def id(self) -> str:
        """The stream's id."""
        return self.plan.stream.id

    @property
    def held_back_wh(self) -> float:
        """Energy by which its registers are above the lake's, and held flat."""
        return sum(register.held_back_wh for register in self.state.registers.values())

    def registers(self) -> Iterator[tuple[FieldPlan, Register]]:
        """Yield each field of energy that was sent before, with its register."""
        for field in self.plan.fields:
            register = self.state.registers.get(field.name)
            if field.kind != "gauge" and register is not None:
                yield field, register

    def why_unfit(self) -> str | None:
        """Say why the stream cannot be delivered as the portfolio has it; None when it can."""
        before, target = self.state.destination, self.plan.destination
        if before and before != target.name:
            # Its cursor and registers tell of the other destination, and so do its packets.
            return f"was delivered to {before} so far; at {target.title} it needs an id of its own"
        return self.plan.problem

    def next_day(self, *, now_us: int) -> str | None:
        """Return the day to plan next; None when all that is known is decided."""
        planned_us = self.state.planned_until_us
        if planned_us is None or self.end is not None:
            return None
        if planned_us >= min(self.watermark.until_us, now_us):
            return None
        return day_of(instant(planned_us))


def plan_streams(portfolio: Portfolio, *, to: str | None = None) -> dict[str, StreamPlan]:
    """Return the plan of the portfolio's streams, by stream id.

    Args:
        portfolio: The streams.
        to: Of those of one destination, by its name; None: of all.
    """
    corrections: dict[str, list[str]] = {}
    for correction in portfolio.corrections:
        for point_id in correction.points:
            corrections.setdefault(point_id, []).append(repr(correction))
    for accepted in portfolio.accepted:
        corrections.setdefault(accepted.point_id, []).append(repr(accepted))
    return {
        stream.id: _plan(stream, portfolio=portfolio, corrections=corrections)
        for stream in portfolio.streams.values()
        if to in {None, stream.destination}
    }


def _plan(stream: Stream, *, portfolio: Portfolio, corrections: dict[str, list[str]]) -> StreamPlan:
    fields = []
    problem = None
    target = destination(stream.destination)
    for order, spec in enumerate(target.fields(stream)):
        point = portfolio.points[stream.fields[spec.name]]
        found = conversion(spec.unit, quantity=point.quantity)
        if found is None:
            problem = (
                f"{spec.unit!r} is not a known unit of {point.quantity}; agree another in portfolio"
            )
            found = Conversion(spec.unit or "")
        fields.append(
            FieldPlan(
                name=spec.name,
                order=order,
                is_whole=spec.is_whole,
                point=point,
                kind=_kind(stream, spec, point=point),
                conversion=found,
                config_fingerprint=_digest(
                    (point.stamp(), *_corrected(point, corrections), *_RULES)
                ),
            )
        )
    if stream.stamp == "sample" and stream.reading == "per_interval":
        problem = "values per interval stand on the grid: stamp: sample does not fit"
    return StreamPlan(
        destination=target,
        stream=stream,
        zone=portfolio.zone_of(stream),
        fields=tuple(fields),
        vendors=_vendors(fields, portfolio),
        problem=problem,
    )


def _vendors(fields: Iterable[FieldPlan], portfolio: Portfolio) -> tuple[Vendor, ...]:
    """Return whose days a stream waits for; with ``virtual`` for sums that follow them, too."""
    found = {vendor for field in fields for vendor in portfolio.vendors_of(field.point)}
    found |= {VIRTUAL for field in fields if field.point.is_virtual}
    return tuple(sorted(found))


def _corrected(point: Point, corrections: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the corrections of a point, of a virtual one those of the points it is made of."""
    for name in (point.point_id, *(leaf.point_id for leaf in point.leaves)):
        yield from corrections.get(name, ())


_RULES: Final = (READINGS_RULES, ENERGY_RULES)


def _kind(stream: Stream, spec: FieldSpec, *, point: Point) -> FieldKind:
    if spec.content == "register":
        return "register"
    if spec.content == "by_reading" and point.is_energy and stream.reading != "average":
        return "register" if stream.reading == "cumulative" else "interval"
    return "gauge"


def _digest(parts: Iterable[str]) -> str:
    return digest_of("\0".join(parts), size=8)
