"""What SkyCentrics answers, tolerant of unknown keys, nulls and odd sensors.

One odd sensor must not cost the other 58 their sample: an answer is decoded strictly and fast
first, and leniently only when that fails.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

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


class Record(msgspec.Struct, frozen=True):
    """Newest data, or one record of history: all sensors at once."""

    sensors: list[Sensor] | None = None
    time: str | None = None


class _OddSensor(msgspec.Struct, frozen=True):
    id: object = None
    data: object = None
    time: object = None
    name: object = None
    type: object = None
    units: object = None


class _OddRecord(msgspec.Struct, frozen=True):
    sensors: list[_OddSensor | None] | None = None
    time: object = None


_RECORD: Final = msgspec.json.Decoder(Record)
_RECORDS: Final = msgspec.json.Decoder(list[Record])
_ODD_RECORD: Final = msgspec.json.Decoder(_OddRecord)
_ODD_RECORDS: Final = msgspec.json.Decoder(list[_OddRecord])
_KEYED_RECORDS: Final = msgspec.json.Decoder(dict[str, _OddRecord])


def record_of(answer: bytes) -> Record:
    """Decode newest data.

    Raises:
        msgspec.ValidationError: Not an object with a list of sensors.
        msgspec.DecodeError: Not JSON.
    """
    try:
        record = _RECORD.decode(answer)
    except msgspec.ValidationError:
        record = _lenient(_ODD_RECORD.decode(answer))
    if record.sensors is None:
        raise msgspec.ValidationError("Object missing required field `sensors`")
    return record


def records_of(answer: bytes) -> list[Record]:
    """Decode history: a list of records, or an object of records keyed by time.

    Raises:
        msgspec.ValidationError: Neither of the two shapes.
        msgspec.DecodeError: Not JSON.
    """
    if answer.lstrip()[:1] == b"{":
        keyed = _KEYED_RECORDS.decode(answer)
        return [
            _lenient(record if record.time is not None else _with_time(record, at))
            for at, record in keyed.items()
        ]
    try:
        return _RECORDS.decode(answer)
    except msgspec.ValidationError:
        return [_lenient(record) for record in _ODD_RECORDS.decode(answer)]


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


def _with_time(record: _OddRecord, at: str) -> _OddRecord:
    return _OddRecord(record.sensors, at)


def _lenient(record: _OddRecord) -> Record:
    if record.sensors is None:
        return Record(None, _text(record.time))
    sensors = [
        Sensor(
            id=str(sensor.id),
            data=_value(sensor.data),
            time=_epoch(sensor.time),
            name=_text(sensor.name),
            type=_text(sensor.type),
            units=_text(sensor.units),
        )
        for sensor in record.sensors
        if sensor is not None and sensor.id is not None and sensor.id != ""
    ]
    return Record(sensors, _text(record.time))


def _value(data: object) -> float | str | bool | None:
    if data is None or isinstance(data, float | str | bool):
        return data
    return float(data) if isinstance(data, int) else msgspec.json.encode(data).decode()


def _epoch(said: object) -> int | None:
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        return int(float(said))
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
