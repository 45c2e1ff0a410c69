"""Everything received, in order of arrival, kept in memory and optionally on disk.

The file is append-only JSON lines, one per event, written before the answer leaves. Loading it
replays the events, so that a restarted simulator judges as if it had never stopped.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from energy_platform.simulators.wattics.counters import StreamCounters
from energy_platform.simulators.wattics.events import (
    Event,
    Incident,
    IncidentName,
    ReceivedPacket,
    Refusal,
    Unanswered,
    read_event,
    utc,
)
from energy_platform.simulators.wattics.report import VIOLATIONS, DeliveryReport

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from energy_platform.simulators.wattics.packets import Packet
    from energy_platform.simulators.wattics.streams import WatticsBehaviour, WatticsStream

MAX_KEPT_BODY: Final = 500
"""Characters kept of a refused body."""


class WatticsRecordError(ValueError):
    """A record file cannot be read; the message names file and line."""


class WatticsRecord:
    """The memory of the simulator.

    Args:
        streams: Registered streams.
        path: Record file; read when it exists, then appended to. ``None`` keeps memory only.

    Raises:
        WatticsRecordError: The file holds something other than this record.
    """

    def __init__(self, streams: tuple[WatticsStream, ...], *, path: Path | None = None) -> None:
        self._logs = {stream.id: StreamCounters(stream) for stream in streams}
        self._incidents: Counter[str] = Counter()
        self.refusals: list[Refusal] = []
        self._number = 0
        # The server's thread writes while a test's thread asks for the verdict.
        self._lock = threading.RLock()
        self._encode = msgspec.json.Encoder().encode
        self._file: BinaryIO | None = None
        if path is not None:
            self._load(path)
            # Unbuffered: what was acknowledged survives the end of this process.
            self._file = path.open("ab", buffering=0)

    def register(self, stream: WatticsStream) -> None:
        """Add a stream; a known id keeps its packets and gets the new agreement."""
        log = StreamCounters(stream)
        with self._lock:
            known = self._logs.get(stream.id)
            if known is not None:
                for packet in known.arrivals:
                    log.fold(packet, values=packet.values)
                    log.unanswered |= known.unanswered & {packet.number}
                log.counts["refused"] = known.counts["refused"]
            self._logs[stream.id] = log

    def stream(self, stream_id: str) -> WatticsStream | None:
        """The registered stream of this id."""
        log = self._logs.get(stream_id)
        return None if log is None else log.stream

    @property
    def streams(self) -> tuple[WatticsStream, ...]:
        """Registered streams."""
        return tuple(log.stream for log in self._logs.values())

    def receive(
        self,
        packet: Packet,
        *,
        body: bytes,
        received_at: float,
        route: str,
        behaviour: WatticsBehaviour,
        overlapping: bool,
    ) -> ReceivedPacket:
        """Keep one packet of a registered stream and tell what became of it."""
        log = self._logs[packet.stream]
        received = ReceivedPacket(
            self._number + 1,
            packet.stream,
            packet.at_ms,
            packet.offset_s,
            body.decode(),
            received_at,
            route,
            log.outcome(packet, behaviour=behaviour),
            overlapping,
        )
        self._keep(received, values=packet.values)
        return received

    def refuse(
        self, *, stream: str, status: int, reason: str, body: bytes, received_at: float
    ) -> None:
        """Keep one refused request."""
        text = body[:MAX_KEPT_BODY].decode(errors="replace")
        self._keep(Refusal(self._number + 1, stream, status, reason, text, received_at))

    def unanswered(self, packet: ReceivedPacket) -> None:
        """Keep that the client never got the answer to this packet: it may come again."""
        self._keep(Unanswered(packet.number, packet.stream))

    def note(self, name: IncidentName, *, credential: str = "") -> None:
        """Count something about sessions or credentials."""
        self._keep(Incident(name, credential))

    def last(self, stream_id: str) -> ReceivedPacket | None:
        """The packet of this stream stored last."""
        log = self._logs.get(stream_id)
        return None if log is None else log.last

    def packets(self, stream_id: str) -> tuple[ReceivedPacket, ...]:
        """Stored packets of a stream in order of arrival.

        Raises:
            KeyError: The stream is not registered.
        """
        with self._lock:
            return tuple(self._logs[stream_id].stored())

    def packets_per_interval(self, stream_id: str) -> dict[datetime, int]:
        """Stored instants per agreed interval, by the interval's start; empty ones are absent.

        Raises:
            KeyError: The stream is not registered.
        """
        with self._lock:
            per_interval = self._logs[stream_id].per_interval()
        return {utc(start * 1000): count for start, count in per_interval.items()}

    def delivery_report(self) -> DeliveryReport:
        """The verdict on everything received so far."""
        with self._lock:
            streams = {stream_id: log.report() for stream_id, log in self._logs.items()}
        complaints = [
            f"stream {stream_id}: {count} {VIOLATIONS[name]}"
            for stream_id, judged in streams.items()
            for name, count in judged.violations.items()
        ]
        without, foreign = self._incidents["without_cookie"], self._incidents["foreign_cookie"]
        if without:
            complaints.append(f"{without} requests without the cookie they had been given")
        if foreign:
            complaints.append(f"{foreign} requests with the cookie of another credential")
        return DeliveryReport(
            streams=streams,
            packets=sum(judged.packets for judged in streams.values()),
            refused=len(self.refusals),
            unauthorized=self._incidents["unauthorized"],
            sessions=self._incidents["session"],
            without_cookie=without,
            foreign_cookie=foreign,
            complaints=tuple(complaints),
            clean=not complaints,
        )

    def close(self) -> None:
        """Close the record file; what was received stays readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, event: Event, *, values: dict[str, float] | None = None) -> None:
        with self._lock:
            self._fold(event, values=values)
            if self._file is not None:
                self._file.write(self._encode(event) + b"\n")

    def _fold(self, event: Event, *, values: dict[str, float] | None = None) -> None:
        if isinstance(event, Incident):
            self._incidents[event.name] += 1
            return
        self._number = max(self._number, event.number)
        log = self._logs.get(event.stream)  # a record may hold streams no longer registered
        if isinstance(event, Refusal):
            self.refusals.append(event)
            if log is not None:
                log.counts["refused"] += 1
        elif log is not None and isinstance(event, ReceivedPacket):
            log.fold(event, values=event.values if values is None else values)
        elif log is not None:
            log.unanswered.add(event.number)

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        complete = 0
        with path.open("rb") as lines:
            for line_number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break  # cut by the end of a process: it was never acknowledged
                try:
                    event = read_event(line)
                except msgspec.DecodeError as error:
                    raise WatticsRecordError(
                        f"{path}, line {line_number}: not a record of the Wattics simulator "
                        f"({error}); move the file away or choose another"
                    ) from error
                self._fold(event)
                complete += len(line)
        if complete < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(complete)
