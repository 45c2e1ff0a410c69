"""What a gateway answers: the newest reading of every sensor, and the history of such answers.

Source: SkyCentrics cloud API, sections 3 (shapes), 5 (time), 6 (value types) and 12.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.world import Device, Signal

Datum = float | int | str | bool | None

WORD: Final = 65_536
"""Factor of a counter whose 16-bit words are exchanged."""

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
LOOK_BACK_S: Final = 6 * HOUR_S
"""A history record repeats a sensor's reading for this long when no newer one came."""

VANISHING_S: Final = 6 * HOUR_S
"""A vanishing sensor is there for this long, then gone for as long."""

DATA_FAULTS: Final = frozenset(
    {
        "null_data",
        "boolean_data",
        "text_data",
        "unknown_key",
        "time_back",
        "time_zero",
        "time_future",
        "no_sensor_time",
        "word_repair",
        "odd_sensors",
        "odd_records",
        "nan_data",
    }
)
"""Faults in the readings.

``null_data``, ``text_data``: every fifth number is null, or a text; ``boolean_data``: text states
are booleans; ``unknown_key``: keys nobody announced and a filled ``ct``; ``time_back``,
``time_future``, ``time_zero``: sensor times an hour back, an hour ahead, or 0; ``no_sensor_time``:
history without sensor times; ``word_repair``: the exchanged words are put right, so that the
counters fall by a factor of 65536; ``odd_sensors``: among the sensors stand one without an id, a
number and a null, and one sensor in ten has no time; ``odd_records``: among the records of history
stand a number, a null and one without sensors; ``nan_data``: one number in five is ``NaN``, which
JSON does not have.
"""

ODD_EVERY: Final = 10
NAN: Final = "\0NaN"
"""Stands for ``NaN`` until the answer is bytes."""

_EVERY: Final = 5


class Sensor(msgspec.Struct):
    """One sensor of an answer, members in the vendor's order."""

    data: Datum
    id: str
    name: str
    time: int
    type: str
    units: str


class Snapshot(msgspec.Struct):
    """One answer: all sensors of a gateway."""

    device: int
    ct: list[Any]
    sensors: list[Sensor]
    time: str


def newest(device: Device, *, now: float) -> Snapshot:
    """The newest reading of every sensor as of ``now``, epoch seconds."""
    sensors = []
    for signal in device.signals:
        if not _present(signal, now):
            continue
        # A stale sensor still shows the first reading of the day before.
        until = _stale_at(now) if "stale" in signal.traits else now
        reading = signal.newest(until)
        if reading is not None:
            at, value = reading
            sensors.append(_sensor(signal, at, _renderer(signal)(value)))
    taken_at = max((sensor.time for sensor in sensors), default=int(now)) + 1
    text = datetime.fromtimestamp(taken_at, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return Snapshot(int(device.serial), [], sensors, text)


def history(device: Device, *, begin: int, end: int, gap_s: int, now: float) -> list[Snapshot]:
    """The answers a poll would have got every ``gap_s`` from ``begin`` to ``end``, both inclusive.

    Args:
        device: The gateway.
        begin: First record, epoch seconds.
        end: Last record, epoch seconds; the next window begins with it again.
        gap_s: Seconds between records.
        now: Nothing after this exists; samples that came late are in their place by now.
    """
    records = np.arange(begin, min(end, int(now)) + 1, gap_s, dtype=np.int64)
    snapshots = [
        Snapshot(int(device.serial), [], [], _record_time(record)) for record in records.tolist()
    ]
    for signal in device.signals:
        asked = _stale_at(records) if "stale" in signal.traits else records
        if not asked.size:
            break
        samples = signal.samples(float(asked[0]) - LOOK_BACK_S, float(asked[-1]) + 1, now=now)
        if not samples.at.size:
            continue
        index = np.searchsorted(samples.at, asked, side="right") - 1
        at = samples.at[index]
        shown = (index >= 0) & (asked - at <= LOOK_BACK_S) & _present(signal, records)
        render = _renderer(signal)
        rows = zip(
            np.flatnonzero(shown).tolist(),
            at[shown].tolist(),
            samples.values[index[shown]].tolist(),
            strict=True,
        )
        for row, instant, value in rows:
            snapshots[row].sensors.append(_sensor(signal, instant, render(value)))
    return snapshots


def spoil(snapshots: Iterable[Snapshot], *, device: Device, faults: Faults) -> Any:
    """Apply the data faults that are due; returns what is to be encoded."""
    spoiled: list[Any] = list(snapshots)
    applied = {name for name in DATA_FAULTS if faults.should_fail(name)}
    swapped = {signal.address for signal in device.signals if "word_swapped" in signal.traits}
    texts = {signal.address for signal in device.signals if signal.states}
    for snapshot in spoiled if applied else ():
        _spoil_sensors(snapshot, applied=applied, swapped=swapped, texts=texts)
    if applied & {"unknown_key", "no_sensor_time", "odd_sensors", "odd_records"}:
        spoiled = msgspec.to_builtins(spoiled)
        for snapshot in spoiled:
            _change_keys(snapshot, applied=applied)
    return _with_odd_records(spoiled) if "odd_records" in applied else spoiled


def _with_odd_records(records: list[Any]) -> list[Any]:
    if len(records) == 1:
        return records
    return [records[0], 7, None, {"time": records[0]["time"]}, *records[1:]]


def _spoil_sensors(
    snapshot: Snapshot, *, applied: set[str], swapped: set[str], texts: set[str]
) -> None:
    shift = HOUR_S * (("time_future" in applied) - ("time_back" in applied))
    for number, sensor in enumerate(snapshot.sensors):
        sensor.time = 0 if "time_zero" in applied else sensor.time + shift
        if "word_repair" in applied and sensor.id in swapped and sensor.data is not None:
            sensor.data = float(sensor.data) / WORD
        if "boolean_data" in applied and sensor.id in texts:
            sensor.data = sensor.data == "active"
        elif number % _EVERY == 0 and "null_data" in applied:
            sensor.data = None
        elif number % _EVERY == 0 and "text_data" in applied:
            sensor.data = f"{sensor.data}"
        elif number % _EVERY == 0 and "nan_data" in applied and sensor.data is not None:
            sensor.data = NAN


def encoded(spoiled: Any) -> bytes:
    """An answer as bytes, with the numbers that JSON does not have."""
    return msgspec.json.encode(spoiled).replace(b'"\\u0000NaN"', b"NaN")


def _change_keys(snapshot: dict[str, Any], *, applied: set[str]) -> None:
    if "unknown_key" in applied:
        snapshot["connection"] = {"rssi": -61}
        power = {"apparent": 1210.0, "real": 1180.5}
        snapshot["ct"] = [
            {"current": 5.1, "id": 1, "power": power}
            | {"power_factor": 0.97, "rating": 200, "voltage": 237.2}
        ]
        for sensor in snapshot["sensors"]:
            sensor["quality"] = "good"
    if "odd_sensors" in applied:
        for sensor in snapshot["sensors"][::ODD_EVERY]:
            sensor["time"] = None
        snapshot["sensors"][1:1] = [{"data": 1.0, "time": 0}, 7, None]
    if "no_sensor_time" in applied:
        for sensor in snapshot["sensors"]:
            del sensor["time"]


def _sensor(signal: Signal, at: int, data: Datum) -> Sensor:
    return Sensor(data, signal.address, signal.name, at, signal.label, signal.unit)


def _renderer(signal: Signal) -> Callable[[float], Datum]:
    """How a value of this signal is written: a text, a whole number or a float."""
    if signal.states:
        states = signal.states
        return lambda value: None if math.isnan(value) else states[int(value) % len(states)]
    if signal.kind in {"state", "bitfield"}:
        return lambda value: None if math.isnan(value) else int(value)
    return lambda value: None if math.isnan(value) else value


def _present(signal: Signal, at: Any) -> Any:
    """Whether the sensor is uploaded at ``at`` (a number or an array of them)."""
    if "vanished" not in signal.traits:
        return np.ones_like(at, dtype=bool) if isinstance(at, np.ndarray) else True
    return at // VANISHING_S % 2 == 0


def _stale_at(at: Any) -> Any:
    """The instant whose reading a stale sensor still shows: midnight before the day's own."""
    return at // DAY_S * DAY_S - DAY_S


def _record_time(record: int) -> str:
    """Text time of a history record: no ``Z``, and ``hh:59:59`` where the full hour is meant."""
    shown = record - 1 if record % HOUR_S == 0 else record
    return datetime.fromtimestamp(shown, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
