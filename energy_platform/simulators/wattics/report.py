"""The verdict on what was received: typed, and the same after a restart.

Source: Wattics data collection API, sections 5, 6 and 15.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import Final

import msgspec

VIOLATIONS: Final = {
    "order_violations": "packets older than the newest stored one",
    "duplicates": "packets stored and acknowledged before, sent again",
    "conflicts": "packets with a stored timestamp but other content",
    "concurrent": "requests that overlapped another one of their stream",
    "falling": "cumulative values below the one before",
    "wrong_kind": "packets of the other kind than was agreed",
    "wrong_offset": "stamps without the site's offset at that instant",
}
"""What must never happen, by the counter's name."""


class Gap(msgspec.Struct, frozen=True):
    """Intervals without a packet between two packets: gaps on the dashboard."""

    after: datetime
    before: datetime
    missing: int


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream's packets show.

    Attributes:
        stream: Stream id.
        packets: Packets stored.
        dropped: Packets not stored though well formed, by the policy for older or equal ones.
        refused: Requests refused with 4xx.
        first_at: Earliest sampling instant stored.
        last_at: Latest sampling instant stored.
        order_violations: Packets older than the newest stored.
        duplicates: Equal timestamp and content, although the first one was acknowledged.
        conflicts: Equal timestamp, other content.
        repeats: Equal timestamp and content, because the first answer never arrived: allowed.
        concurrent: Requests that began while another of the stream was unanswered.
        falling: Times a cumulative value fell.
        wrong_kind: ``value`` on an electricity stream, or the reverse.
        wrong_offset: Stamps whose offset is not the site's.
        off_grid: Stamps beside the interval grid of the local clock (allowed if agreed).
        future: Stamps later than the clock.
        exponents: Packets with a number in exponent notation.
        missing_intervals: Intervals without a packet between the first and the last.
        crowded_intervals: Intervals with more than one stored instant; Wattics aggregates them.
        gaps: Where the missing intervals lie, in order.
    """

    stream: str
    packets: int
    dropped: int
    refused: int
    first_at: datetime | None
    last_at: datetime | None
    order_violations: int
    duplicates: int
    conflicts: int
    repeats: int
    concurrent: int
    falling: int
    wrong_kind: int
    wrong_offset: int
    off_grid: int
    future: int
    exponents: int
    missing_intervals: int
    crowded_intervals: int
    gaps: tuple[Gap, ...]

    @property
    def violations(self) -> dict[str, int]:
        """Counters of `VIOLATIONS` above zero."""
        return {name: n for name in VIOLATIONS if (n := int(getattr(self, name)))}


class DeliveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account.

    Attributes:
        streams: Verdict per registered stream.
        packets: Packets stored.
        refused: Requests refused with 4xx for their content.
        unauthorized: Requests answered 401 for their credential.
        sessions: Sessions begun; about one per sender when cookies are kept.
        without_cookie: Requests without the cookie they had been given.
        foreign_cookie: Requests with a cookie given to another credential.
        complaints: One sentence per kind of violation and stream; empty when all is well.
        clean: Whether there are no complaints.
    """

    streams: dict[str, StreamReport]
    packets: int
    refused: int
    unauthorized: int
    sessions: int
    without_cookie: int
    foreign_cookie: int
    complaints: tuple[str, ...]
    clean: bool
