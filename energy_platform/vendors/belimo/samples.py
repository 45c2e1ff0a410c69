"""Samples of one datapoint: decoding them one by one, and reading all pages of a window.

Neither the announced total nor a short page proves that a window is over: vendors cap totals, clamp
limits, and answer nothing beyond some offset. What proves it is a sample so near the window's end
that the next one lies behind it, or an empty answer for what lies after the last sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import polars as pl

from energy_platform.schemas import INSTANT
from energy_platform.vendors import lenient
from energy_platform.vendors.belimo.models import Page, Sample, Timeseries
from energy_platform.vendors.belimo.paging import MAX_PAGES, READS
from energy_platform.vendors.columns import INSTANT_FORMATS, split_values
from energy_platform.vendors.coverage import unproven_spans
from energy_platform.vendors.errors import ContractError, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

MILLISECOND: Final = timedelta(milliseconds=1)
"""The finest step the API's bounds know."""

MOST_TEXT: Final = 10_000
"""Characters of an odd row that are kept; nested rows can be as large as an answer."""

NO_STAMP: Final = "no timestamp"
NO_ZONE: Final = "timestamp without a zone"
NO_INSTANT: Final = "timestamp that is no instant"
NO_ROW: Final = "not an object with a timestamp and a value"

EMPTY: Final = pl.DataFrame(schema={"at": INSTANT, "value": pl.Float64(), "value_text": pl.String})
_CONTENT: Final = ("at", "value", "value_text")
_NAIVE_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")


class Odd(NamedTuple):
    """A row that is no sample, as it was said.

    Attributes:
        near: Instant of the readable sample before it, for want of one of its own; None at the
            begin of an answer.
        stamp_text: Its stamp.
        value_text: Its value.
        reason: Why it is no sample.
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


class Answer(NamedTuple):
    """All that came for one datapoint and window.

    Attributes:
        frame: ``at``, ``value``, ``value_text`` in the vendor's order.
        odd: Rows that are no samples; equal ones are counted.
        proven_from: From here to the end of the window the vendor was asked and said nothing.
        cut: Samples that came only because the end the vendor claimed was not believed.
        missing: How many more samples were announced than came.
        doubt: Why the answer cannot be taken for the whole; empty when nothing speaks against it.
        left_out: Whether the series is not in the answer at all.
    """

    frame: pl.DataFrame
    odd: Counter[Odd]
    proven_from: datetime | None = None
    cut: int = 0
    missing: int = 0
    doubt: str = ""
    left_out: bool = False


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
            loose = msgspec.convert(lenient.loads(buf), Page[Any])
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
            return _loose_series(lenient.loads(buf))
        found = {
            series.datapoint_id: rows_of(
                [sample.timestamp for sample in series.values or ()],
                [sample.value for sample in series.values or ()],
            )
            for series in answer.series or ()
            if series.datapoint_id is not None
        }
        return found, None if answer.resolution is None else str(answer.resolution)


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
    """Make rows of elements that may be anything."""
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


Fetch = Callable[[datetime, int], SamplePage]
"""Reads the page that begins at an instant and an offset from there."""


class Asked(NamedTuple):
    """What a window is asked for, for messages."""

    endpoint: str
    subject: str
    day: str | None


class _Chain(NamedTuple):
    """Pages read by rising offset.

    Attributes:
        frame: Samples inside the window, page after page.
        odd: What is no sample.
        missing: How many more elements were announced than came.
        strangers: Samples outside the window.
        pages: Requests it took.
        fault: Why a second reading is needed.
    """

    frame: pl.DataFrame
    odd: Counter[Odd]
    missing: int
    strangers: int
    pages: int
    fault: str


def read_samples(
    fetch: Fetch,
    *,
    start: datetime,
    end: datetime,
    limit: int,
    cadence: timedelta | None,
    end_tolerance: timedelta,
    asked: Asked,
) -> Answer:
    """Read every sample of a window, whatever the vendor says of totals.

    Args:
        fetch: Reads the page that begins at an instant and an offset from there.
        start: Inclusive.
        end: Exclusive.
        limit: Elements asked for per page.
        cadence: Longest step known of the series.
        end_tolerance: A last sample this near the end needs no proof.
        asked: For messages.

    Returns:
        All that came; the caller judges gaps inside and at the begin.

    Raises:
        TransientError: The history kept changing while it was read.
        ContractError: The vendor sends pages without end.
    """
    held = EMPTY
    odd: Counter[Odd] = Counter()
    missing = cut = pages = 0
    doubt = ""
    proven_from: datetime | None = None
    low = start
    while low < end:
        chain = _steady(fetch, low=low, end=end, limit=limit, asked=asked)
        pages += chain.pages
        if pages > MAX_PAGES:
            raise _endless(asked)
        odd |= chain.odd
        missing = max(missing - chain.frame.height, chain.missing)
        cut += chain.frame.height if low > start else 0
        held = pl.concat([held, chain.frame])
        if chain.frame.is_empty():
            if chain.strangers:
                doubt = "the vendor answers with samples of another time than asked for"
            elif low > start:
                proven_from = low
            break
        if _reaches(held["at"].sort(), (start, end), cadence=cadence, tolerance=end_tolerance):
            break
        low = _newest(held) + MILLISECOND
    return Answer(held, odd, proven_from=proven_from, cut=cut, missing=missing, doubt=doubt)


def _steady(fetch: Fetch, *, low: datetime, end: datetime, limit: int, asked: Asked) -> _Chain:
    """Read a chain of pages until it is without a fault, or two readings bring the same."""
    before: _Chain | None = None
    pages = 0
    for _ in range(READS):
        chain = _chain(fetch, low=low, end=end, limit=limit, asked=asked)
        pages += chain.pages
        if not chain.fault or (before is not None and _same(before.frame, chain.frame)):
            return chain._replace(pages=pages)
        before = chain
    raise TransientError(
        f"the pages do not add up: {before.fault if before else ''} (read {READS} times)",
        vendor="belimo",
        endpoint=asked.endpoint,
        subject=asked.subject,
        day=asked.day,
        kind="body",
        advice="Run it again later",
    )


def _chain(fetch: Fetch, *, low: datetime, end: datetime, limit: int, asked: Asked) -> _Chain:
    held = EMPTY
    odd: list[Odd] = []
    offset = strangers = 0
    total: int | None = None
    fault = ""
    for pages in range(1, MAX_PAGES + 1):
        page = fetch(low, offset)
        if pages > 1 and page.elements and page.total != total:
            fault = f"the total went from {total} to {page.total}"
        if pages == 1 or page.elements:
            total = page.total
        inside = page.rows.frame.filter(pl.col("at").is_between(low, end, closed="left"))
        strangers += page.rows.frame.height - inside.height
        fresh = inside if pages == 1 else not_in(inside, held)
        odd += page.rows.odd
        held = pl.concat([held, fresh])
        if fresh.is_empty() and not page.rows.odd:
            # Empty, or the offset is ignored: what comes after the last sample is asked by time.
            break
        if fresh.height < inside.height:
            fault = "a sample came twice"
        offset += page.elements
        if offset >= total if total is not None else page.elements < limit:
            break
    else:
        raise _endless(asked)
    missing = max(0, (total or 0) - held.height - strangers - len(odd))
    return _Chain(held, Counter(odd), missing, strangers, pages, fault)


def _endless(asked: Asked) -> ContractError:
    return ContractError(
        f"more than {MAX_PAGES} pages",
        vendor="belimo",
        endpoint=asked.endpoint,
        subject=asked.subject,
        day=asked.day,
        advice="Report it: the vendor's paging never ends",
    )


def _reaches(
    stamps: pl.Series,
    window: tuple[datetime, datetime],
    *,
    cadence: timedelta | None,
    tolerance: timedelta,
) -> bool:
    """Say whether the next sample lies behind the window."""
    start, end = window
    spans = unproven_spans(stamps, start=start, end=end, cadence=cadence)
    return not spans or spans[-1][1] < end or spans[-1][1] - spans[-1][0] <= tolerance


def _newest(frame: pl.DataFrame) -> datetime:
    newest: datetime = frame["at"].max()  # type: ignore[assignment]
    return newest


def not_in(frame: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the samples that are not held yet, with this instant and value."""
    return frame.join(held, on=_CONTENT, how="anti", nulls_equal=True, maintain_order="left")


def _same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return not_in(one, other).is_empty() and not_in(other, one).is_empty()
