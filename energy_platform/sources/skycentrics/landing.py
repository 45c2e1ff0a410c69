"""Polls on disk before they are acknowledged: the vendor keeps only the newest value.

One JSON line per poll and gateway, whole as it came, in ``day=<UTC day of the poll>/``. A sample
that belongs to another day than its poll is written a second time into that day's folder, so that
folding a day reads one folder and nothing else. Killed at any moment, a landing has lost nothing
that was acknowledged; a torn last line is closed by the next poll and skipped by readers.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import threading
import zlib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from energy_platform.days import day_of
from energy_platform.sources.http import tolerant_json
from energy_platform.sources.skycentrics.models import Record, Sensor, record_of

if TYPE_CHECKING:
    from pathlib import Path


FUTURE_TOLERANCE: Final = timedelta(minutes=5)
"""A sensor further ahead of its poll than this has a wrong clock."""

OLDEST_POLLED: Final = "2020-01-01"
"""A newest value older than this is of a clock that was never set: none was polled before."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_BIT: Final = 4096

_READS: Final = 5
"""Times a folder is listed again because archiving moved a file away while it was read."""


Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
"""An instant; one without a zone is not an instant."""


class Line(msgspec.Struct, frozen=True):
    """One poll of one gateway."""

    polled_at: Zoned
    device_id: str
    answer: Record


class _RawLine(msgspec.Struct, frozen=True):
    polled_at: Zoned
    device_id: str
    answer: msgspec.Raw


class Landed(NamedTuple):
    """What an acknowledged poll brought.

    Attributes:
        samples: Sensors whose time changed since the last poll.
        late_days: Days before the poll's own that got samples by it.
    """

    samples: int
    late_days: frozenset[str]


class Polls(NamedTuple):
    """What a folder holds.

    Attributes:
        lines: Every poll that can be read, and those that brought samples of this day later.
        own: Instants of the polls made on this day, by gateway.
        torn: Lines that were cut off or damaged and are skipped.
        damaged: Files, by gateway, that could be read in part only or not at all.
    """

    lines: list[Line]
    own: dict[str, list[datetime]]
    torn: int
    damaged: dict[str, list[str]]


class Archived(NamedTuple):
    """What :meth:`Landing.archive` did."""

    compressed: int
    removed_days: tuple[str, ...]


_LINE: Final = msgspec.json.Decoder(Line)
_RAW_LINE: Final = msgspec.json.Decoder(_RawLine)


class Landing:
    """The folder of polls; safe with several threads and processes at once.

    Args:
        folder: Where polls land; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, int]] = {}

    def append(self, *, device_id: str, polled_at: datetime, body: bytes) -> Landed:
        """Write one poll; when this returns, it is on disk.

        Args:
            device_id: Gateway.
            polled_at: When it was asked.
            body: The answer as it came.

        Raises:
            msgspec.DecodeError: The body is not newest data; nothing was written.
            OSError: The disk refuses; the poll is not acknowledged.
        """
        polled_at = polled_at.astimezone(UTC)
        record = record_of(body)
        own_day = day_of(polled_at)
        with self._lock:
            seen = self._seen.get(device_id)
            if seen is None:
                seen = self._newest_times(device_id)
            fresh = [
                sensor
                for sensor in record.sensors or ()
                if sensor.time is not None and seen.get(sensor.id) != sensor.time
            ]
            elsewhere: dict[str, list[Sensor]] = {}
            for sensor in fresh:
                day = _valid_day(sensor.time, polled_at=polled_at)
                if day is not None and day != own_day:
                    elsewhere.setdefault(day, []).append(sensor)
            # The copies first: only the line in the poll's own day marks samples as seen.
            for day, sensors in elsewhere.items():
                copy = Line(polled_at, device_id, Record(sensors, record.time))
                self._write(day, f"{_file_name(device_id)}.late.jsonl", msgspec.json.encode(copy))
            whole = _RawLine(polled_at, device_id, msgspec.Raw(_one_line(body)))
            self._write(own_day, f"{_file_name(device_id)}.jsonl", msgspec.json.encode(whole))
            self._seen[device_id] = {
                **seen,
                **{sensor.id: sensor.time for sensor in fresh if sensor.time is not None},
            }
        return Landed(len(fresh), frozenset(day for day in elsewhere if day < own_day))

    def polls(self, day: str, *, device_id: str | None = None) -> Polls:
        """Read all polls that may hold samples of a day, archived ones too.

        Args:
            day: UTC day of the samples.
            device_id: Gateway; None reads all.
        """
        for _ in range(_READS):
            try:
                return self._read(day, device_id)
            except FileNotFoundError:
                # Archiving replaced a file between listing and opening.
                continue
        return self._read(day, device_id)

    def gateways(self, day: str) -> list[str]:
        """Return the gateways with anything in the folder of a day, ascending."""
        return sorted({_device_of(path) for path in self._paths(day)})

    def days(self) -> list[str]:
        """Return the days with polls or late samples, ascending."""
        found = (path.name.removeprefix("day=") for path in self._folder.glob("day=*"))
        return sorted(day for day in found if _DAY.fullmatch(day))

    def newest_polls(self) -> dict[str, datetime]:
        """Return the instant of the newest poll of each gateway seen in the last two days."""
        newest: dict[str, datetime] = {}
        for day in self.days()[-2:]:
            for device_id, instants in self.polls(day).own.items():
                newest[device_id] = max([*instants, newest.get(device_id, instants[0])])
        return newest

    def archive(self, *, today: str, after_days: int = 7, keep_days: int | None = None) -> Archived:
        """Compress the polls of days long over, and remove the oldest if asked.

        Compressed polls are read like any others, so folding an old day again still works.

        Args:
            today: The UTC day now.
            after_days: Days after which the files of a day are compressed.
            keep_days: Days after which they are removed; None keeps them for ever.
        """
        compressed = 0
        removed: list[str] = []
        for day in self.days():
            age = (date.fromisoformat(today) - date.fromisoformat(day)).days
            folder = self._folder / f"day={day}"
            if keep_days is not None and age > keep_days:
                shutil.rmtree(folder)
                removed.append(day)
            elif age > after_days:
                for path in sorted(folder.glob("*.jsonl")):
                    _compress(path)
                    compressed += 1
        return Archived(compressed, tuple(removed))

    def _write(self, day: str, name: str, line: bytes) -> None:
        folder = self._folder / f"day={day}"
        path = folder / name
        is_new = not path.exists()
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                status = os.fstat(handle)
                if status.st_nlink == 0:
                    # Archiving removed the file while this writer waited for the lock.
                    continue
                is_torn = status.st_size > 0 and os.pread(handle, 1, status.st_size - 1) != b"\n"
                data = (b"\n" if is_torn else b"") + line + b"\n"
                written = os.write(handle, data)
                if written != len(data):
                    raise OSError(f"only {written} of {len(data)} bytes of a poll fit on the disk")
                os.fsync(handle)
            finally:
                os.close(handle)
            break
        if is_new:
            for made in (folder, self._folder):
                _sync_folder(made)

    def _newest_times(self, device_id: str) -> dict[str, int]:
        """Read from disk what the last polls had seen, after a restart."""
        name = f"{_file_name(device_id)}.jsonl"
        for day in reversed(self.days()):
            path = self._folder / f"day={day}" / name
            if not path.exists():
                continue
            times: dict[str, int] = {}
            for line in _parse(path.read_bytes(), device_id=device_id)[0]:
                times.update(
                    (sensor.id, sensor.time)
                    for sensor in line.answer.sensors or ()
                    if sensor.time is not None
                )
            return times
        return {}

    def _read(self, day: str, device_id: str | None) -> Polls:
        lines: list[Line] = []
        own: dict[str, list[datetime]] = {}
        torn = 0
        damaged: dict[str, list[str]] = {}
        for path in self._paths(day):
            gateway = _device_of(path)
            if device_id is not None and gateway != device_id:
                continue
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                raise
            except OSError:
                damaged.setdefault(gateway, []).append(path.name)
                continue
            plain, is_whole = unzipped(data) if path.suffix == ".gz" else (data, True)
            found, skipped = _parse(plain, device_id=gateway)
            if not is_whole or (data and not found):
                damaged.setdefault(gateway, []).append(path.name)
            lines += found
            torn += skipped
            if ".late." not in path.name and found:
                instants = {line.polled_at for line in found} | set(own.get(gateway, ()))
                own[gateway] = sorted(instants)
        return Polls(lines, own, torn, damaged)

    def _paths(self, day: str) -> list[Path]:
        folder = self._folder / f"day={day}"
        return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])


def _device_of(path: Path) -> str:
    """Read the gateway out of a file name; see :func:`_file_name`."""
    return unquote(path.name.partition(".")[0])


def _file_name(device_id: str) -> str:
    """Make an id safe as a file name; ``.`` is quoted since it parts the name from its kind."""
    return quote(device_id, safe="").replace(".", "%2E")


def _valid_day(time: int | None, *, polled_at: datetime) -> str | None:
    """Return the day of a sensor's time; None for one that is not a possible sample time."""
    if time is None or not 0 < time <= (polled_at + FUTURE_TOLERANCE).timestamp():
        return None
    day = day_of(datetime.fromtimestamp(time, tz=UTC))
    return day if day >= OLDEST_POLLED else None


def _one_line(body: bytes) -> bytes:
    """Write an answer as one line; numbers that JSON does not have as the texts they were."""
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:
        return msgspec.json.encode(tolerant_json.loads(body))


def unzipped(data: bytes) -> tuple[bytes, bool]:
    """Unpack the members of a gzip file as far as they can be read.

    Returns:
        What could be read, and whether that is all of it.

    >>> import gzip
    >>> whole = gzip.compress(b"one line")
    >>> unzipped(whole), unzipped(whole[:-4])[1]
    ((b'one line', True), False)
    """
    parts: list[bytes] = []
    while data:
        machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            # In bits, so that what lies before a damaged place is had.
            for start in range(0, len(data), _BIT):
                parts.append(machine.decompress(data[start : start + _BIT]))
                if machine.eof:
                    data = machine.unused_data + data[start + _BIT :]
                    break
            else:
                return b"".join(parts), False
        except zlib.error:
            return b"".join(parts), False
    return b"".join(parts), True


def _parse(data: bytes, *, device_id: str) -> tuple[list[Line], int]:
    """Decode the lines of a file; what follows the last line break was never acknowledged."""
    whole = data[: data.rfind(b"\n") + 1]
    torn = int(len(whole) < len(data))
    try:
        lines = _LINE.decode_lines(whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = []
    if lines and all(_is_of(line, device_id) for line in lines):
        return lines, torn
    lines = []
    for text in whole.splitlines():
        if not text.strip():
            continue
        try:
            line = _parse_line(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            torn += 1
            continue
        if line.device_id == device_id:
            lines.append(line)
        else:
            torn += 1
    return lines, torn


def _is_of(line: Line, device_id: str) -> bool:
    return line.device_id == device_id and all(sensor.id for sensor in line.answer.sensors or ())


def _parse_line(text: bytes) -> Line:
    raw = _RAW_LINE.decode(text)
    return Line(raw.polled_at, raw.device_id, record_of(bytes(raw.answer)))


def _compress(path: Path) -> None:
    """Replace a file by its compressed form; a crash leaves both, which readers bear."""
    target = path.with_name(f"{path.name}.gz")
    staged = path.with_name(f".{path.name}.gz.tmp")
    with path.open("rb") as source:
        fcntl.flock(source, fcntl.LOCK_EX)
        before = target.read_bytes() if target.exists() else b""
        plain, is_whole = unzipped(before)
        if not is_whole:
            # No member behind a damaged one can be read: it is kept apart, what it gives goes on.
            target.replace(target.with_name(f"{target.name}.damaged"))
            before = gzip.compress(plain[: plain.rfind(b"\n") + 1], mtime=0)
        with staged.open("wb") as out:
            # Members of a gzip file may follow each other.
            out.write(before + gzip.compress(source.read(), mtime=0))
            out.flush()
            os.fsync(out.fileno())
        staged.replace(target)
        _sync_folder(path.parent)
        path.unlink()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
