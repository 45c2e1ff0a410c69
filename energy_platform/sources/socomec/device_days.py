"""What each SoData device gave for a day, gathered while its series are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.sources.coverage import DeviceDay, Reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from energy_platform.sources.socomec.history import Reading
    from energy_platform.sources.socomec.models import SeriesKey
    from energy_platform.sources.socomec.odd_rows import OddRow

MOST_NAMED: Final = 3
"""Series that a reason names; the others are counted."""

UNKNOWN_DEVICE: Final = "unknown"
"""Device of rows whose series could not be read."""


class Series(NamedTuple):
    """A series to read, with what its rows carry besides the answer."""

    key: SeriesKey
    serial_number: str
    ca: str


@dataclass
class _Device:
    asked: int = 0
    answered: int = 0
    rows: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    rejected: int = 0
    reasons: dict[str, list[str]] = field(default_factory=dict)


class DeviceDays:
    """Counts of the devices of one day, by serial number."""

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        self.rejected = 0
        self.example: Reject = Reject("", "", None, None, "")

    @property
    def rows(self) -> int:
        """Rows over all devices."""
        return sum(device.rows for device in self._devices.values())

    def add(
        self, answered: Iterable[tuple[Sequence[Series], Reading]], frame: pl.DataFrame
    ) -> tuple[Reject, ...]:
        """Count what came for some series; returns their odd rows.

        Args:
            answered: The series asked for, with what came for them.
            frame: Their rows, with ``ordinal`` numbering the series.
        """
        rejects: list[Reject] = []
        for batch, reading in answered:
            serials = {one.key: one.serial_number for one in batch}
            for one in batch:
                device = self._devices.setdefault(one.serial_number, _Device())
                device.asked += 1
                if (why := reading.unproven.get(one.key)) is not None:
                    device.reasons.setdefault(why, []).append("|".join(one.key[1:]))
            rejects += [_reject(row, serials) for row in reading.odd]
        for reject in rejects:
            if (device_ := self._devices.get(reject.device)) is not None:
                device_.rejected += 1
        if rejects and not self.rejected:
            self.example = rejects[0]
        self.rejected += len(rejects)
        self._count(frame)
        return tuple(rejects)

    def _count(self, frame: pl.DataFrame) -> None:
        counted = frame.group_by("serial_number").agg(
            pl.col("ordinal").n_unique().alias("answered"),
            pl.len().alias("rows"),
            pl.col("at").min().alias("first_at"),
            pl.col("at").max().alias("last_at"),
        )
        for serial, answered, rows, first_at, last_at in counted.iter_rows():
            device = self._devices[serial]
            device.answered += answered
            device.rows += rows
            device.first_at = min(filter(None, (device.first_at, first_at)))
            device.last_at = max(filter(None, (device.last_at, last_at)))

    def devices(self) -> tuple[DeviceDay, ...]:
        """Return what each device gave, by serial number."""
        return tuple(
            DeviceDay(
                device=serial,
                asked=one.asked,
                answered=one.answered,
                rows=one.rows,
                first_at=one.first_at,
                last_at=one.last_at,
                why_partial=_why(one),
            )
            for serial, one in sorted(self._devices.items())
        )


def _why(device: _Device) -> str:
    """Say for display what of a device is not shown to be whole; the same words each time."""
    said = []
    for reason, series in sorted(device.reasons.items()):
        if len(series) == device.asked:
            said.append(reason)
            continue
        names = ", ".join(sorted(series)[:MOST_NAMED])
        more = f" and {len(series) - MOST_NAMED} more" if len(series) > MOST_NAMED else ""
        said.append(f"{len(series)} of {device.asked} series ({names}{more}): {reason}")
    if device.rejected and not device.rows:
        said.append(f"none of its {device.rejected} rows could be read")
    return "; ".join(said)


def _reject(row: OddRow, serials: dict[SeriesKey, str]) -> Reject:
    if row.key is None:
        return Reject(UNKNOWN_DEVICE, "", row.stamp_text, row.value_text, row.reason)
    serial = serials.get(row.key, UNKNOWN_DEVICE)
    return Reject(serial, "|".join(row.key[1:]), row.stamp_text, row.value_text, row.reason)
