"""Decoding of answers in which one odd row, value or device costs no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.sources.belimo.models import (
    Device,
    Page,
    Paging,
    Sample,
    Timeseries,
    loose_device,
)
from energy_platform.sources.columns import INSTANT_FORMATS, split_values
from energy_platform.sources.http import tolerant_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MOST_TEXT: Final = 10_000
"""Characters of an odd row that are kept; nested rows can be as large as an answer."""

NO_STAMP: Final = "no timestamp"
NO_ZONE: Final = "timestamp without a zone"
NO_INSTANT: Final = "timestamp that is no instant"
NO_ROW: Final = "not an object with a timestamp and a value"

EMPTY: Final = pl.DataFrame(schema={"at": INSTANT, "value": pl.Float64(), "value_text": pl.String})
_NAIVE_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")


class Odd(NamedTuple):
    """A row that is not a sample, as it was said.

    Attributes:
        near: Instant of the readable sample before it, for want of one of its own; None at the
            begin of an answer.
        stamp_text: Its stamp.
        value_text: Its value.
        reason: Why it is not a sample.
    """

    near: datetime | None
    stamp_text: str | None
    value_text: str | None
    reason: str


class Rows(NamedTuple):
    """Samples as columns, in the vendor's order, and what cannot be one."""

    frame: pl.DataFrame
    odd: tuple[Odd, ...] = ()


class SamplePage(NamedTuple):
    """One page of samples.

    Attributes:
        rows: Its samples.
        elements: How many it has, odd ones too.
        total: Elements of all pages, as the vendor says.
    """

    rows: Rows
    elements: int
    total: int | None


class SampleDecoder:
    """Decodes a page of samples; an element or a value of another form costs no other."""

    def decode(self, buf: bytes, /) -> SamplePage:
        """Decode a page.

        Raises:
            msgspec.ValidationError: No page: ``data`` is missing or no list.
            msgspec.DecodeError: Not JSON.
        """
        try:
            page = _SAMPLES.decode(buf)
        except msgspec.DecodeError:
            loose = msgspec.convert(tolerant_json.loads(buf), Page[Any])
            rows = loose_rows(loose.data or [])
            return SamplePage(
                rows, len(loose.data or ()), loose.paging.total if loose.paging else None
            )
        samples = page.data or []
        rows = rows_of(
            [sample.timestamp for sample in samples], [sample.value for sample in samples]
        )
        return SamplePage(rows, len(samples), page.paging.total if page.paging else None)


class TimeseriesDecoder:
    """Decodes buckets by datapoint, together with the resolution they have."""

    def decode(self, buf: bytes, /) -> tuple[dict[str, Rows], str | None]:
        """Decode a timeseries answer.

        Raises:
            msgspec.ValidationError: No answer: ``series`` is missing or no list.
            msgspec.DecodeError: Not JSON.
        """
        try:
            answer = _TIMESERIES.decode(buf)
        except msgspec.DecodeError:
            return _loose_series(tolerant_json.loads(buf))
        found = {
            series.datapoint_id: rows_of(
                [sample.timestamp for sample in series.values or ()],
                [sample.value for sample in series.values or ()],
            )
            for series in answer.series or ()
            if series.datapoint_id is not None
        }
        return found, None if answer.resolution is None else str(answer.resolution)


class DevicePage(NamedTuple):
    """A page of devices, and how many of its elements are none."""

    data: list[Device]
    paging: Paging | None
    odd: int


class DeviceDecoder:
    """Decodes a page of devices; one odd device costs no other."""

    def decode(self, buf: bytes, /) -> DevicePage:
        """Decode a page.

        Raises:
            msgspec.ValidationError: No page: ``data`` is missing or no list.
            msgspec.DecodeError: Not JSON.
        """
        try:
            page = _LISTED.decode(buf)
        except msgspec.DecodeError:
            loose = msgspec.convert(tolerant_json.loads(buf), Page[Any])
            found = [loose_device(one) for one in loose.data or ()]
            devices = [one for one in found if one is not None]
            return DevicePage(devices, loose.paging, len(found) - len(devices))
        return DevicePage(page.data or [], page.paging, 0)


_LISTED: Final = msgspec.json.Decoder(Page[Device])
_SAMPLES: Final = msgspec.json.Decoder(Page[Sample])
_TIMESERIES: Final = msgspec.json.Decoder(Timeseries)


def _loose_series(said: Any) -> tuple[dict[str, Rows], str | None]:
    if not isinstance(said, dict) or not isinstance(said.get("series", 0), list | None):
        raise msgspec.ValidationError("Object missing required field `series`")
    found = {
        one["datapointId"]: loose_rows(one.get("values") or [])
        for one in said["series"] or ()
        if isinstance(one, dict)
        and isinstance(one.get("datapointId"), str)
        and isinstance(one.get("values") or [], list)
    }
    resolution = said.get("resolution")
    return found, None if resolution is None else str(resolution)


def loose_rows(elements: Sequence[Any]) -> Rows:
    """Make rows of elements that may be anything.

    >>> found = loose_rows([{"timestamp": "2026-03-01T00:00:00Z", "value": 20.5}, "nothing"])
    >>> found.frame["value"].to_list(), found.odd[0].value_text
    ([20.5], 'nothing')
    """
    stamps: list[object] = []
    values: list[object] = []
    is_row: list[bool] = []
    for element in elements:
        row = element if isinstance(element, dict) else {}
        stamps.append(row.get("timestamp"))
        values.append(row.get("value") if row else element)
        is_row.append(bool(row))
    return rows_of(stamps, values, is_row=is_row)


def rows_of(
    stamps: Sequence[object], values: Sequence[object], *, is_row: Sequence[bool] | None = None
) -> Rows:
    """Part samples from what is none, one by one.

    Args:
        stamps: Timestamps as said.
        values: Values as said, of any type.
        is_row: Which of them were objects; None when all were.

    >>> found = rows_of(["2026-03-01T00:00:00Z", "today"], [20.5, 21.0])
    >>> found.frame["value"].to_list(), found.odd[0].stamp_text
    ([20.5], 'today')
    """
    if not stamps:
        return Rows(EMPTY)
    at = _instants([one if isinstance(one, str) else None for one in stamps])
    frame = pl.DataFrame([at, *split_values(values)])
    if not at.null_count():
        return Rows(frame)
    near = at.fill_null(strategy="forward")
    odd = []
    for number in at.is_null().arg_true():
        stamp = stamps[number]
        odd.append(
            Odd(
                near[number],
                _said(stamp),
                _said(values[number]),
                NO_ROW if is_row is not None and not is_row[number] else _reason(stamp),
            )
        )
    return Rows(frame.filter(pl.col("at").is_not_null()), tuple(odd))


def _instants(texts: Sequence[str | None]) -> pl.Series:
    """Parse ISO 8601 texts with a zone; what is none is null."""
    said = pl.Series("at", texts, dtype=pl.String)
    parsed = [
        said.str.to_datetime(
            shape, time_unit="us", time_zone="UTC", strict=False, ambiguous="raise"
        )
        for shape in INSTANT_FORMATS[:1]
    ]
    if parsed[0].null_count():
        parsed += [
            said.str.to_datetime(
                shape, time_unit="us", time_zone="UTC", strict=False, ambiguous="raise"
            )
            for shape in INSTANT_FORMATS[1:]
        ]
    return pl.select(pl.coalesce(parsed).alias("at")).to_series().cast(INSTANT)


def _reason(stamp: object) -> str:
    if stamp is None or stamp == "":
        return NO_STAMP
    if isinstance(stamp, str):
        said = pl.Series([stamp])
        for shape in _NAIVE_FORMATS:
            if said.str.to_datetime(shape, strict=False).null_count() == 0:
                return NO_ZONE
    return NO_INSTANT


def _said(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:MOST_TEXT]
