"""What the read-back GET says.

Source: Wattics data collection API, sections 8 and 15.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from energy_platform.simulators.wattics.exchange import Answer

if TYPE_CHECKING:
    from energy_platform.simulators.wattics.events import ReceivedPacket
    from energy_platform.simulators.wattics.streams import WatticsBehaviour, WatticsStream

JSON: Final = (b"content-type", b"application/json;charset=utf-8")
"""Content type of every JSON answer."""


def last_packet(
    last: ReceivedPacket | None, *, stream: WatticsStream, behaviour: WatticsBehaviour
) -> Answer:
    """Return the packet stored last in the shape this Wattics uses."""
    if last is None:
        return _nothing(stream, behaviour=behaviour)
    if behaviour.readback == "packet":
        return Answer(200, last.body.encode(), (JSON,))
    if behaviour.readback == "array":
        return Answer(200, f"[{last.body}]".encode(), (JSON,))
    packet: dict[str, Any] = msgspec.json.decode(last.body)
    if behaviour.readback == "epoch_ms":
        packet["tsISO8601"] = last.at_ms
    elif behaviour.readback == "utc":
        at = datetime.fromtimestamp(last.at_ms / 1000, tz=UTC)
        packet["tsISO8601"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    else:
        packet |= {"receivedAt": round(last.received_at * 1000), "quality": None}
    return Answer(200, msgspec.json.encode(packet), (JSON,))


def _nothing(stream: WatticsStream, *, behaviour: WatticsBehaviour) -> Answer:
    match behaviour.readback_nothing:
        case "404":
            return Answer(404)
        case "200":
            return Answer(200)
        case "204":
            return Answer(204)
        case "empty_object":
            return Answer(200, b"{}", (JSON,))
        case "epoch_zero":
            epoch = {"id": stream.id, "tsISO8601": "1970-01-01T00:00:00.000+00:00"}
            return Answer(200, msgspec.json.encode(epoch), (JSON,))
