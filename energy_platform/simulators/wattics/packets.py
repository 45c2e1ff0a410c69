"""Reads one packet as strictly as the document words it.

Source: Wattics data collection API, sections 3 (fields), 5 (timestamps) and 15 (validation).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from energy_platform.simulators.wattics.streams import WatticsBehaviour

ELECTRICAL: Final = frozenset(
    [f"{name}_{phase}" for name in ("aP", "rP", "apP", "v", "c", "pC") for phase in (1, 2, 3)]
    + ["v_12", "v_13", "v_23"]
)
"""The 21 electrical fields; names are case sensitive."""

CUMULATIVE: Final = frozenset({"pC_1", "pC_2", "pC_3"})
"""Fields that count energy since the beginning, Wh."""

STAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", flags=re.ASCII
).fullmatch
"""Three decimals and a numeric offset with a colon; neither ``Z`` nor ``+0100``."""

EXPONENT: Final = re.compile(r'"\s*:\s*-?[0-9][0-9.]*[eE]').search
"""A number in exponent notation, which a client should not emit."""

_DECODE: Final = msgspec.json.Decoder().decode
_KNOWN: Final = ELECTRICAL | {"value"}


class PacketRefusedError(ValueError):
    """The packet is refused; the message says what is wrong.

    Attributes:
        status: Status of the answer.
        stream: Stream id, when it could be read.
    """

    def __init__(self, reason: str, *, status: int = 400, stream: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.stream = stream


class Packet(NamedTuple):
    """One packet as read.

    Attributes:
        stream: Stream id.
        at_ms: Sampling instant, milliseconds since the epoch.
        offset_s: Offset from UTC the stamp carried, seconds.
        values: Numbers by field; nulls and unknown fields are left out.
    """

    stream: str
    at_ms: int
    offset_s: int
    values: dict[str, float]

    @property
    def kind(self) -> str:
        """``value`` or ``electricity``, by the fields present."""
        return "value" if "value" in self.values else "electricity"


def read_packet(body: bytes, *, behaviour: WatticsBehaviour) -> Packet:
    """Read and validate one request body.

    Raises:
        PacketRefusedError: Not one JSON object on one line, bad id or stamp, no known field, a
            value that is not a number, a forbidden null or unknown field, or a mixture.
    """
    if b"\n" in body or b"\r" in body:
        raise PacketRefusedError("the packet must be one line: a raw line break was found")
    try:
        packet: Any = _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PacketRefusedError(f"not JSON: {error}") from error
    if type(packet) is not dict:
        raise PacketRefusedError("expected a single JSON object, one packet per transaction")
    stream = packet.pop("id", None)
    if type(stream) is not str or not stream:
        raise PacketRefusedError("id must be a string")
    try:
        at_ms, offset_s = _instant(packet.pop("tsISO8601", None))
        return Packet(stream, at_ms, offset_s, _values(packet, behaviour=behaviour))
    except PacketRefusedError as error:
        error.stream = stream
        raise


def _values(fields: dict[str, Any], *, behaviour: WatticsBehaviour) -> dict[str, float]:
    values = fields if _plain(fields) else _sorted_out(fields, behaviour=behaviour)
    if not values:
        raise PacketRefusedError("the packet has no known field")
    if "value" in values and len(values) > 1:
        raise PacketRefusedError("value and electrical fields must not be mixed")
    return values


def numbers(fields: dict[str, Any]) -> dict[str, float]:
    """The known fields of a decoded packet that are numbers."""
    return {
        name: value
        for name, value in fields.items()
        if name in _KNOWN and (type(value) is float or type(value) is int)
    }


def _plain(fields: dict[str, Any]) -> bool:
    """Whether every field is known and a number: nearly always."""
    for name, value in fields.items():
        if name not in _KNOWN or (type(value) is not float and type(value) is not int):
            return False
    return True


def _instant(stamp: Any) -> tuple[int, int]:
    if type(stamp) is not str or STAMP(stamp) is None:
        raise PacketRefusedError("tsISO8601 must read yyyy-MM-ddTHH:mm:ss.SSS±hh:mm")
    try:
        at = datetime.fromisoformat(stamp)
        offset = at.utcoffset()
        at_ms = round(at.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise PacketRefusedError(f"tsISO8601 is not an instant: {error}") from error
    return at_ms, 0 if offset is None else round(offset.total_seconds())


def _sorted_out(fields: dict[str, Any], *, behaviour: WatticsBehaviour) -> dict[str, float]:
    values = numbers(fields)
    for name in fields.keys() - values.keys():
        if name not in _KNOWN:
            if behaviour.unknown_fields == "refuse":
                raise PacketRefusedError(f"unknown field {name[:40]!r}")
        elif fields[name] is not None:
            raise PacketRefusedError(f"{name} must be a number")
        elif behaviour.nulls == "refuse":
            raise PacketRefusedError(f"{name} is null; leave the field out")
    return values
