"""How one register is to be read: the settings of the register rule.

Where they come from is the portfolio's business; what they do, ``register_rule``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

OnFall = Literal[
    "count_after", "zero", "null", "signed", "count_after_minus_base", "zero_is_missing"
]
"""What a fall that is neither noise nor rollover is worth."""

ResetMarker = datetime | tuple[datetime, float, float]
"""An announced exchange: its instant, or (instant, final register Wh, start register Wh)."""

GAP_AFTER: Final = timedelta(hours=2)
"""Steps longer than this are estimates of when the energy flowed: with eight quarter-hours
missing, a load curve by quarter-hours is no longer measured (docs/energy.md)."""


@dataclass(frozen=True, kw_only=True)
class CounterPolicy:
    """Settings of the register rule for one register.

    Attributes:
        on_fall: Energy of a fall that is neither noise nor a rollover.
        reset_base_wh: Base subtracted by ``count_after_minus_base``.
        dip_ratio: Falls that keep at least this share of the register, and are at most what an
            hour of the limit would bring, are noise and stay signed; None turns this off.
        glitch: ``drop`` applies the register rule; ``keep`` settles every reading at once.
        confirm: Readings that must agree before another level is believed.
        register_modulus_wh: Number of states of a register that rolls over, in Wh.
        max_power_w: Rated power, the limit of a plausible step; None: learned from the register
            itself (with ``glitch`` keep: no limit).
        resolution_wh: Step of a coarse register, added to the allowance.
        gap_after: Steps longer than this are marked estimated; None: never.
        reset_markers: Announced exchanges.
        accepted: Spans ``[from, to)``; what a step that ends in one of them refused is booked.

    Example:
        >>> policy = CounterPolicy(max_power_w=88_000)
        >>> policy.gap_after, policy.on_fall
        (datetime.timedelta(seconds=7200), 'count_after')
    """

    on_fall: OnFall = "count_after"
    reset_base_wh: float = 0.0
    dip_ratio: float | None = 0.9
    glitch: Literal["drop", "keep"] = "drop"
    confirm: int = 3
    register_modulus_wh: float | None = None
    max_power_w: float | None = None
    resolution_wh: float = 0.0
    gap_after: timedelta | None = GAP_AFTER
    reset_markers: tuple[ResetMarker, ...] = ()
    accepted: tuple[tuple[datetime, datetime], ...] = ()

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if self.confirm < 1:
            yield f"confirm must be at least 1, is {self.confirm}"
        if self.dip_ratio is not None and not 0 < self.dip_ratio <= 1:
            yield f"dip_ratio must lie in (0, 1], is {self.dip_ratio}"
        for name in ("register_modulus_wh", "max_power_w"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                yield f"{name} must be positive, is {value}"
        for name in ("resolution_wh", "reset_base_wh"):
            if not getattr(self, name) >= 0:
                yield f"{name} must not be negative, is {getattr(self, name)}"
        if self.gap_after is not None and self.gap_after <= timedelta(0):
            yield f"gap_after must be positive, is {self.gap_after}"
        for marker in self.reset_markers:
            instant = marker[0] if isinstance(marker, tuple) else marker
            if instant.tzinfo is None:
                yield f"reset marker without a zone: {instant.isoformat()}"
        yield from self._odd_spans()

    def _odd_spans(self) -> Iterator[str]:
        for start, end in self.accepted:
            if start.tzinfo is None or end.tzinfo is None or end <= start:
                yield f"no span of time: {start.isoformat()} to {end.isoformat()}"

    def stamp(self) -> str:
        """Return a text that changes when any setting changes, and only then."""
        # Spans are left out where there are none, so that the stamps of before they existed hold.
        return ";".join(
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name != "accepted" or self.accepted
        )
