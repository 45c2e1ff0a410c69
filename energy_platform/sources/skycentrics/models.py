"""What SkyCentrics answers, tolerant of unknown keys, nulls and odd sensors.

One odd sensor must not cost the other 58 their sample: an answer is decoded strictly and fast
first, and leniently only when that fails.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec

from energy_platform.sources.http import tolerant_json

GZIP_MAGIC: Final = b"\x1f\x8b"
"""First bytes of a gzip file, which history comes as, not as a content encoding."""

MAX_UNPACKED: Final = 512 * 1024 * 1024
"""Bytes a history answer may unpack to."""


class Device(msgspec.Struct, frozen=True):
    """A gateway of the account; ``mac`` is a MAC address or a serial number."""

    id: int | str
    name: str | int | None = None
    type: int | None = None
    group: int | None = None
    mac: str | int | None = None


class Sensor(msgspec.Struct, frozen=True, gc=False):
    """One sensor of an answer; ``time`` is the epoch second of its reading."""

    id: str
    data: float | str | bool | None = None
    time: int | None = None
    name: str | None = None
    type: str | None = None
    units: str | None = None
    time_text: str | None = None
    """A time that is not an epoch second, as it was said."""


class SetAside(msgspec.Struct, frozen=True):
    """An element among the sensors that is none: no object, or without an id."""

    said: str
    time_text: str | None = None


class Record(msgspec.Struct, frozen=True):
    """Newest data, or one record of history: all sensors at once."""

    sensors: list[Sensor] | None = None
    time: str | None = None
    set_aside: list[SetAside] | None = None
    """What stood among the sensors and is none; not a key of the vendor's."""


_RECORD: Final = msgspec.json.Decoder(Record)
_RECORDS: Final = msgspec.json.Decoder(list[Record])

MOST_SECONDS: Final = 2**62
"""Epoch seconds that fit a column; milliseconds or nanoseconds for seconds still do."""

MOST_TEXT: Final = 10_000
"""Characters of an odd element that are kept; it can be as large as an answer."""


def loose_devices(said: Any) -> tuple[list[Device], int]:
    """Read a listing of which some element has another form.

    Returns:
        The devices with an id, and how many elements are none.

    Raises:
        msgspec.ValidationError: No list.
    """
    if not isinstance(said, list):
        raise msgspec.ValidationError("Expected a list of devices")
    devices = []
    for element in said:
        one = element if isinstance(element, dict) else {}
        identity = one.get("id")
        if isinstance(identity, bool) or not isinstance(identity, int | str) or identity == "":
            continue
        devices.append(
            Device(
                identity,
                name=_text(one.get("name")),
                type=_whole(one.get("type")),
                group=_whole(one.get("group")),
                mac=_text(one.get("mac")),
            )
        )
    return devices, len(said) - len(devices)


def _whole(said: object) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def record_of(answer: bytes) -> Record:
    """Decode newest data.

    Raises:
        msgspec.ValidationError: Not an object with a list of sensors.
        msgspec.DecodeError: Not JSON.
    """
    try:
        record = _RECORD.decode(answer)
    except msgspec.DecodeError:
        record = _lenient(tolerant_json.loads(answer))
    else:
        if not all(sensor.id for sensor in record.sensors or ()):
            record = _lenient(tolerant_json.loads(answer))
    if record.sensors is None:
        raise msgspec.ValidationError("Object missing required field `sensors`")
    return record


def records_of(answer: bytes) -> list[Record]:
    """Decode history: a list of records, or an object of records keyed by time.

    Elements that are not records are left out; the stretch they stand for is then a gap.

    Raises:
        msgspec.ValidationError: Neither of the two shapes, or nothing but other elements.
        msgspec.DecodeError: Not JSON.

    >>> [record.time for record in records_of(b'[{"time": "2026-03-01 00:00:00", "sensors": []}]')]
    ['2026-03-01 00:00:00']
    """
    try:
        records = _RECORDS.decode(answer)
    except msgspec.DecodeError:
        return _lenient_records(tolerant_json.loads(answer))
    if all(sensor.id for record in records for sensor in record.sensors or ()):
        return records
    return _lenient_records(tolerant_json.loads(answer))


def _lenient_records(said: Any) -> list[Record]:
    if isinstance(said, dict):
        elements = [
            {"time": at, **one} if isinstance(one, dict) and one.get("time") is None else one
            for at, one in said.items()
        ]
    elif isinstance(said, list):
        elements = said
    else:
        raise msgspec.ValidationError("Expected a list of records")
    records = [one for one in map(_lenient, elements) if one.sensors is not None]
    if elements and not records:
        raise msgspec.ValidationError("Expected records with `sensors`")
    return records


def unpacked(body: bytes) -> bytes:
    """Unpack a history body when it is a gzip file.

    Raises:
        msgspec.DecodeError: The file is cut, damaged or unreasonably large.
    """
    if not body.startswith(GZIP_MAGIC):
        return body
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = machine.decompress(body, MAX_UNPACKED)
    except zlib.error as error:
        raise msgspec.DecodeError(f"damaged gzip file: {error}") from None
    if not machine.eof:
        raise msgspec.DecodeError("gzip file that is cut or too large")
    return plain


def _lenient(said: Any) -> Record:
    """Read a record of which some part has another form; None stands for missing sensors."""
    record = said if isinstance(said, dict) else {}
    time = _text(record.get("time"))
    elements = record.get("sensors")
    if not isinstance(elements, list):
        return Record(None, time)
    sensors: list[Sensor] = []
    set_aside: list[SetAside] = []
    for element in elements:
        one = element if isinstance(element, dict) else {}
        if one.get("id") is None or one["id"] == "":
            if element is not None:
                said_text = msgspec.json.encode(element).decode()[:MOST_TEXT]
                set_aside.append(SetAside(said_text, _text(one.get("time"))))
            continue
        at = _epoch(one.get("time"))
        sensors.append(
            Sensor(
                id=_text(one["id"]) or "",
                data=_value(one.get("data")),
                time=at,
                name=_text(one.get("name")),
                type=_text(one.get("type")),
                units=_text(one.get("units")),
                time_text=_text(one.get("time")) if at is None else None,
            )
        )
    return Record(sensors, time, set_aside or None)


def _value(data: object) -> float | str | bool | None:
    if data is None or isinstance(data, float | str | bool):
        return data
    return float(data) if isinstance(data, int) else msgspec.json.encode(data).decode()


def _epoch(said: object) -> int | None:
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        epoch = int(float(said))
    except (ValueError, OverflowError):
        return None
    # Beyond what a column of whole numbers holds it is not a second of any clock.
    return epoch if abs(epoch) < MOST_SECONDS else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()[:MOST_TEXT]
