"""From SoData to raw frames: the inventory snapshots and the datapoints of a day.

The frames hold what the vendor said, typed but not judged (tables ``raw_socomec__…``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.days import day_bounds
from energy_platform.schemas import INSTANT
from energy_platform.sources.columns import deduplicate, split_values
from energy_platform.sources.http.errors import ContractError, PermanentError, VendorError
from energy_platform.sources.http.threads import in_order
from energy_platform.sources.socomec.device_days import DeviceDays, Series
from energy_platform.sources.socomec.models import SeriesKey
from energy_platform.sources.socomec.refusals import Refusals
from energy_platform.sources.socomec.snapshots import inventory
from energy_platform.sources.socomec.tables import RAW_SOCOMEC_DATAPOINTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from energy_platform.sources.coverage import Before, DeviceDay, Reject
    from energy_platform.sources.socomec.answers import Chunk
    from energy_platform.sources.socomec.client import SocomecClient
    from energy_platform.sources.socomec.history import Reading

__all__ = ["PartPull", "Series", "chunks", "inventory", "wanted_series"]

MEASURE: Final = "Measure"
"""Service type of variables that are measured; the others are alarms."""

PART_POINTS: Final = 16_384
"""Points from which answers are laid out as a part of the day."""


SAMPLED_AT_MOST: Final = 3
"""Batches that are tried, one after the other, for one to compare with a short request."""


class PartPull(NamedTuple):
    """Raw datapoints of some series of a day.

    Attributes:
        frame: Rows of ``raw_socomec__datapoints``, sorted by its key, one per key.
        duplicates: Rows that came twice with the same value, and were kept once.
        conflicts: Rows that came with another value for the same instant, and were dropped for
            the smallest value that is not zero.
        nulls: Rows without a value.
        warnings: Anomalies, for display.
        devices: What each device gave, and why it is not whole where it is not.
        rejects: Odd rows that were set aside.
    """

    frame: pl.DataFrame
    duplicates: int = 0
    conflicts: int = 0
    nulls: int = 0
    warnings: tuple[str, ...] = ()
    devices: tuple[DeviceDay, ...] = ()
    rejects: tuple[Reject, ...] = ()


def wanted_series(
    *,
    devices: pl.DataFrame,
    variables: pl.DataFrame,
    left_out: Collection[str] = (),
) -> tuple[list[Series], int]:
    """Choose what to read: every active variable, except those of pure gateways.

    Args:
        devices: Snapshot ``raw_socomec__devices``.
        variables: Snapshot ``raw_socomec__variables``.
        left_out: Serial numbers of devices that are not to be read.

    Returns:
        The series in the order of the lake's sort key, and how many variables were left out.
    """
    gateways = devices.filter(pl.col("uuid").is_in(devices["gateway_uuid"].drop_nulls().implode()))
    measured = variables.filter(pl.col("service_type").fill_null(MEASURE) == MEASURE)
    pure_gateways = set(gateways["uuid"]) - set(measured["device_uuid"])
    known = devices.filter(~pl.col("serial_number").is_in(sorted(left_out))).select(
        pl.col("uuid").alias("device_uuid"), "serial_number", pl.col("ca_uuid").alias("ca")
    )
    chosen = (
        variables.filter(
            pl.col("active").fill_null(value=True),
            ~pl.col("device_uuid").is_in(sorted(pure_gateways)),
        )
        .join(known, on="device_uuid", how="inner")
        .select(*SeriesKey._fields, "serial_number", "ca")
        .unique(subset=SeriesKey._fields)
        .sort(SeriesKey._fields)
    )
    series = [Series(SeriesKey(*row[:4]), row[4], row[5]) for row in chosen.iter_rows()]
    return series, variables.height - len(series)


def chunks(
    client: SocomecClient,
    *,
    day: str,
    until: datetime,
    devices: pl.DataFrame,
    variables: pl.DataFrame,
    left_out: Collection[str] = (),
    before: Before | None = None,
) -> Iterator[PartPull]:
    """Read the raw datapoints of one UTC day in parts, each with series of its own.

    The parts follow each other in the order of the sort key, so that writing them one after the
    other gives the file of the day, in memory that does not grow with it. The last part says what
    each device gave.

    Args:
        client: An open client.
        day: Partition key.
        until: No row at or after this instant; the present, for a day that is not over.
        devices: Snapshot ``raw_socomec__devices``.
        variables: Snapshot ``raw_socomec__variables``.
        left_out: Serial numbers of devices that are not to be read.
        before: What the series gave on the day before; None when that is not known.

    Yields:
        At least one part.

    Raises:
        PermanentError: The snapshots hold nothing to read, or the vendor refused every device.
        VendorError: What the vendor could not answer; names the day, the device where it can.
    """
    series, skipped = wanted_series(devices=devices, variables=variables, left_out=left_out)
    if not series:
        raise PermanentError(
            f"the inventory holds no series to read ({skipped} variables left out)",
            vendor="socomec",
            endpoint="datapoints",
            day=day,
            advice="Materialize the Socomec inventory, and check the rights of the user",
        )
    start, day_end = day_bounds(day)
    end = min(day_end, until)
    last = PartPull(RAW_SOCOMEC_DATAPOINTS.empty())
    if end <= start:
        yield last
        return
    batches = [
        tuple(run)[at : at + client.settings.max_series]
        for _, group in groupby(series, key=lambda one: one.ca)
        for run in [tuple(group)]
        for at in range(0, len(run), client.settings.max_series)
    ]
    reader = _Reader(client, day, start, end, is_open=end < day_end, before=before)
    said = DeviceDays()
    waiting: list[_Answered] = []
    points = 0
    # Small answers are laid out together: each alone would cost as much as a large one.
    for number, answered in enumerate(reader.read_all(batches), start=1):
        waiting.append(answered)
        points += answered.reading.points
        if points >= PART_POINTS or number == len(batches):
            yield last
            last = _part(client, waiting, day=day, start=start, end=end, said=said)
            waiting, points = [], 0
    if (refused := reader.refusals.is_total) is not None:
        raise reader.named(refused, series)
    _refuse_unreadable(said, day=day)
    yield last._replace(devices=said.devices())


def _refuse_unreadable(said: DeviceDays, *, day: str) -> None:
    """Fail a day of which not one row could be read: that is not an odd row, but another API."""
    if said.rows or not said.rejected:
        return
    example = said.example
    raise ContractError(
        f"none of {said.rejected} rows could be read; the first has {example.reason}: "
        f"{str(example.stamp_text)[:40]!r}",
        vendor="socomec",
        endpoint="datapoints",
        day=day,
        advice="The vendor may have changed its API; compare with its document",
    )


class _Answered(NamedTuple):
    """Some series of one corporate account with all that came for them."""

    batch: tuple[Series, ...]
    reading: Reading


@dataclass(frozen=True)
class _Reader:
    """Reads the batches of one day."""

    client: SocomecClient
    day: str
    start: datetime
    end: datetime
    is_open: bool
    before: Before | None
    refusals: Refusals = field(default_factory=Refusals)

    def read_all(self, batches: Sequence[tuple[Series, ...]]) -> Iterator[_Answered]:
        """Read all batches in order, the first one before the others.

        It is compared with a short request: where the vendor thins out long windows, the others
        must not be asked for such.
        """
        alone = 0
        for batch in batches[:SAMPLED_AT_MOST] if not self.is_open else ():
            alone += 1
            answered = self.read(batch, is_sampled=True)
            yield answered
            if answered.reading.is_sampled:
                break
        yield from in_order(batches[alone:], self.read, threads=self.client.settings.max_in_flight)

    def read(self, batch: tuple[Series, ...], *, is_sampled: bool = False) -> _Answered:
        """Ask for some series of one corporate account."""
        try:
            reading = self.client.datapoints(
                batch[0].ca,
                series=[one.key for one in batch],
                start=self.start,
                end=self.end,
                before=self.before,
                is_open=self.is_open,
                refusals=self.refusals,
                is_sampled=is_sampled,
            )
        except VendorError as error:
            raise self.named(error, batch) from None
        return _Answered(batch, reading)

    def named(self, error: VendorError, batch: Sequence[Series]) -> VendorError:
        """Let an error name devices as users know them, and the day."""
        for uuid, serial_number in {
            one.key.device_uuid: one.serial_number for one in batch
        }.items():
            error.subject = error.subject and error.subject.replace(uuid, serial_number)
        return error.about(day=self.day)


def _part(
    client: SocomecClient,
    answered: Sequence[_Answered],
    *,
    day: str,
    start: datetime,
    end: datetime,
    said: DeviceDays,
) -> PartPull:
    """Turn what came for some series into rows, once and in order."""
    rows = inside = _frame(answered)
    # Bounds are looked at before anything is filtered.
    if rows.height and not (rows["at"].min() >= start and rows["at"].max() < end):  # type: ignore[operator]
        inside = rows.filter(pl.col("at").is_between(start, end, closed="left"))
    frame, duplicates, conflicts = _settled(inside)
    outside = rows.height - inside.height
    warnings = [_named(text, answered) for text in client.take_warnings()]
    if outside:
        warnings.append(f"{day}: {outside} rows outside the window asked for were left out")
    rejects = said.add(answered, frame)
    return PartPull(
        frame.select(RAW_SOCOMEC_DATAPOINTS.schema.names()),
        duplicates=duplicates,
        conflicts=conflicts,
        nulls=frame.filter(pl.col("value").is_null(), pl.col("value_text").is_null()).height
        if frame["value"].null_count()
        else 0,
        warnings=tuple(warnings),
        rejects=rejects,
    )


def _named(text: str, answered: Sequence[_Answered]) -> str:
    """Let a warning name devices by their serial numbers."""
    serials = {one.key.device_uuid: one.serial_number for a in answered for one in a.batch}
    for uuid, serial_number in serials.items():
        text = text.replace(uuid, serial_number)
    return text


def _frame(answered: Sequence[_Answered]) -> pl.DataFrame:
    """Lay answers out in columns, in the order of the series, without touching single points.

    Of several answers for the same series the earlier comes first; the column ``ordinal`` says
    which series a row belongs to.
    """
    found: list[tuple[int, Series, Chunk]] = []
    first = 0
    for batch, reading in answered:
        ordinals = {one.key: number for number, one in enumerate(batch)}
        chunks = [(ordinals[chunk.key], chunk) for chunk in reading.chunks]
        chunks.sort(key=_ordinal)
        found += [(first + number, batch[number], chunk) for number, chunk in chunks]
        first += len(batch)
    heads = pl.DataFrame(
        [
            (*one.key, chunk.data_type, chunk.device_time_zone, one.ca, one.serial_number, number)
            for number, one, chunk in found
        ],
        schema=_HEAD_SCHEMA,
        orient="row",
    )
    lengths = [len(chunk.values) for _, _, chunk in found]
    which = np.repeat(np.arange(len(found), dtype=np.uint32), lengths)
    values = split_values([value for _, _, chunk in found for value in chunk.values])
    instants = [chunk.at for _, _, chunk in found]
    at = pl.Series("at", np.concatenate(instants) if instants else [], dtype=pl.Int64)
    shared = heads[which].get_columns()
    count = len(SeriesKey._fields)
    return pl.DataFrame([*shared[:count], at.cast(INSTANT), *values, *shared[count:]])


def _ordinal(chunk: tuple[int, Chunk]) -> int:
    return chunk[0]


_HEAD_SCHEMA: Final = {
    **{
        name: dtype
        for name, dtype in RAW_SOCOMEC_DATAPOINTS.schema.items()
        if name not in {"at", "value", "value_text"}
    },
    "ordinal": pl.UInt32(),
}
"""What all rows of a series share, and the number of the series among those asked for."""


class _Settled(NamedTuple):
    frame: pl.DataFrame
    duplicates: int
    conflicts: int


def _settled(rows: pl.DataFrame) -> _Settled:
    """Order the rows of each series, one an instant; nearly free when they came that way."""
    ordinal, at = rows["ordinal"].to_numpy(), rows["at"].to_numpy()
    if ((ordinal[1:] > ordinal[:-1]) | (at[1:] > at[:-1])).all():
        return _Settled(rows, 0, 0)
    # Which of several texts stays must not depend on the order they came in.
    ordered = rows.sort("value_text", nulls_last=True, maintain_order=True)
    frame, duplicates, conflicts = deduplicate(ordered, key=("ordinal", "at"))
    return _Settled(frame, duplicates, conflicts)
