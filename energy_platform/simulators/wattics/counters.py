"""Counters of one stream, kept up to date packet by packet."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from energy_platform.simulators.wattics.events import Outcome, ReceivedPacket, utc
from energy_platform.simulators.wattics.packets import CUMULATIVE, EXPONENT, Packet
from energy_platform.simulators.wattics.report import Gap, StreamReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from energy_platform.simulators.wattics.streams import WatticsBehaviour, WatticsStream

FUTURE_ALLOWANCE_MS: Final = 1000
"""A stamp this far ahead of the clock is not called future: clocks tick in parallel."""


class StreamCounters:
    """All packets of one stream and what is remarkable about them."""

    def __init__(self, stream: WatticsStream) -> None:
        self.stream = stream
        self.zone = ZoneInfo(stream.timezone)
        self.arrivals: list[ReceivedPacket] = []
        self.by_instant: dict[int, ReceivedPacket] = {}
        self.newest_ms: int | None = None
        self.last: ReceivedPacket | None = None
        self.unanswered: set[int] = set()
        self.registers: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.cumulative = CUMULATIVE | ({"value"} if stream.reading == "cumulative" else set())

    def outcome(self, packet: Packet, *, behaviour: WatticsBehaviour) -> Outcome:
        """What this Wattics does with the packet, given what is stored."""
        policy = "accept"
        if self.newest_ms is not None and packet.at_ms < self.newest_ms:
            policy = behaviour.older
        elif packet.at_ms in self.by_instant:
            policy = behaviour.equal
        return "stored" if policy == "accept" else "dropped" if policy == "drop" else "conflict"

    def fold(self, packet: ReceivedPacket, *, values: dict[str, float]) -> None:
        """Take one packet and its numbers into account."""
        self.arrivals.append(packet)
        at_ms = packet.at_ms
        earlier = self.by_instant.get(at_ms)
        older = self.newest_ms is not None and at_ms < self.newest_ms
        if ("value" in values) != (self.stream.kind == "value"):
            self.counts["wrong_kind"] += 1
        for name in self._remarks(packet, earlier=earlier, older=older):
            self.counts[name] += 1
        if packet.outcome == "stored":
            if not older and earlier is None:
                self._compare_registers(values)
                self.newest_ms = at_ms
            self.last = packet
        if packet.outcome == "stored" or earlier is not None:
            self.by_instant[at_ms] = packet  # the one whose answer counts from now on

    def _remarks(
        self, packet: ReceivedPacket, *, earlier: ReceivedPacket | None, older: bool
    ) -> Iterator[str]:
        if older:
            yield "order_violations"
        if earlier is not None:
            if earlier.body != packet.body:
                yield "conflicts"
            else:
                yield "repeats" if earlier.number in self.unanswered else "duplicates"
        if packet.overlapping:
            yield "concurrent"
        if packet.offset_s != self._offset_s(packet):
            yield "wrong_offset"
        if packet.at_ms > packet.received_at * 1000 + FUTURE_ALLOWANCE_MS:
            yield "future"
        if EXPONENT(packet.body):
            yield "exponents"
        if packet.outcome != "stored":
            yield "dropped"

    def stored(self) -> list[ReceivedPacket]:
        """Stored packets in order of arrival."""
        return [packet for packet in self.arrivals if packet.outcome == "stored"]

    def _offset_s(self, packet: ReceivedPacket) -> int:
        if packet.route.endswith("_utc"):
            return 0
        offset = datetime.fromtimestamp(packet.at_ms // 1000, tz=self.zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    def _compare_registers(self, values: dict[str, float]) -> None:
        for name in values.keys() & self.cumulative:
            before = self.registers.get(name)
            if before is not None and values[name] < before:
                self.counts["falling"] += 1
            self.registers[name] = values[name]

    def per_interval(self) -> dict[int, int]:
        """Stored instants per agreed interval; the key is the interval's start, epoch seconds."""
        interval_s = self.stream.interval_s
        starts = (
            (at_s := at_ms // 1000) - (at_s + packet.offset_s) % interval_s
            for at_ms, packet in sorted(self.by_instant.items())
        )
        return dict(Counter(starts))

    def report(self) -> StreamReport:
        """The verdict on this stream."""
        interval_s = self.stream.interval_s
        per_interval = self.per_interval()
        instants = sorted(self.by_instant)
        stored = self.stored()
        gaps = []
        starts = list(per_interval)
        for before, after in pairwise(starts):
            missing = round((after - before) / interval_s) - 1
            if missing > 0:
                gaps.append(Gap(utc(before * 1000), utc(after * 1000), missing))
        off_grid = sum(
            1 for packet in stored if (packet.at_ms + packet.offset_s * 1000) % (interval_s * 1000)
        )
        counts = self.counts
        return StreamReport(
            stream=self.stream.id,
            packets=len(stored),
            dropped=counts["dropped"],
            refused=counts["refused"],
            first_at=utc(instants[0]) if instants else None,
            last_at=utc(instants[-1]) if instants else None,
            order_violations=counts["order_violations"],
            duplicates=counts["duplicates"],
            conflicts=counts["conflicts"],
            repeats=counts["repeats"],
            concurrent=counts["concurrent"],
            falling=counts["falling"],
            wrong_kind=counts["wrong_kind"],
            wrong_offset=counts["wrong_offset"],
            off_grid=off_grid,
            future=counts["future"],
            exponents=counts["exponents"],
            missing_intervals=sum(gap.missing for gap in gaps),
            crowded_intervals=sum(1 for count in per_interval.values() if count > 1),
            gaps=tuple(gaps),
        )
