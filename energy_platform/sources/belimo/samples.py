"""All samples of one datapoint and window, whatever the vendor says of totals.

Neither the announced total nor a short page proves that a window is over: vendors cap totals, clamp
limits, and answer nothing beyond some offset. What proves it is a sample so near the window's end
that the next one lies behind it, or an empty answer for what lies after the last sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from energy_platform.sources.belimo.decoding import EMPTY, Odd, SamplePage
from energy_platform.sources.belimo.paging import MAX_PAGES, READS
from energy_platform.sources.coverage import unproven_spans
from energy_platform.sources.http.errors import ContractError, TransientError

MILLISECOND: Final = timedelta(milliseconds=1)
"""The finest step the API's bounds know."""

_CONTENT: Final = ("at", "value", "value_text")


class Answer(NamedTuple):
    """All that came for one datapoint and window.

    Attributes:
        frame: ``at``, ``value``, ``value_text`` in the vendor's order.
        odd: Rows that are not samples; equal ones are counted.
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
        odd: What is not a sample.
        missing: How many more elements were announced than came.
        foreign_device_ids: Samples outside the window.
        pages: Requests it took.
        fault: Why a second reading is needed.
    """

    frame: pl.DataFrame
    odd: Counter[Odd]
    missing: int
    foreign_device_ids: int
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
            if chain.foreign_device_ids:
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
    offset = foreign_device_ids = 0
    total: int | None = None
    fault = ""
    for pages in range(1, MAX_PAGES + 1):
        page = fetch(low, offset)
        if pages > 1 and page.elements and page.total != total:
            fault = f"the total went from {total} to {page.total}"
        if pages == 1 or page.elements:
            total = page.total
        inside = page.rows.frame.filter(pl.col("at").is_between(low, end, closed="left"))
        foreign_device_ids += page.rows.frame.height - inside.height
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
    missing = max(0, (total or 0) - held.height - foreign_device_ids - len(odd))
    return _Chain(held, Counter(odd), missing, foreign_device_ids, pages, fault)


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
