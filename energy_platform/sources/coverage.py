"""What a source gave for a day, device by device, and how a short answer is told from a whole one.

A day is whole when it is shown to be: every series asked for is in the answer or known to be
silent, and points reach both ends of the window at the series' own cadence, or a second request
for the part that is missing brings nothing more. What is not shown is `partial`, with the reason.

All rules here are pure: they say what is not yet shown, the vendors' clients ask for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from energy_platform.days import MICROSECOND, instant, microseconds

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

FEW_POINTS: Final = 3
"""Points below which a series shows no step of its own: with two points, one step is all steps."""

USUAL_SHARE: Final = 0.9
"""Share of the steps that must be usual ones: some pauses must not pass for the cadence."""

CLOCKED: Final = 1.25
"""Up to this ratio of the 60 % quantile of the steps to the 30 % one, a clock sends a series: then
all that is clearly longer than most steps is a gap, however many there are. An answer may
lack the first points of each of its chunks."""

STEADY: Final = 2.0
"""Up to this ratio of the longest usual step to the median, a series counts as regular."""

SLACK: Final = 1.5
"""A step of a regular series up to this many times its 90 % quantile is still usual: jitter. A
single missing point makes a step twice as long, and is not."""

IRREGULAR_SLACK: Final = 4.0
"""The same of a series whose steps differ by nature (sent on change): of steps that follow no
clock (exponential), one in ten thousand is longer."""


Span = tuple[datetime, datetime]
"""From (a known point or the start of the window) to (the next known point or its end)."""


class DeviceDay(NamedTuple):
    """What one device gave for one UTC day.

    Attributes:
        device: The device as users know it: serial number, or gateway id.
        asked: Series asked for.
        answered: Series with at least one sample.
        rows: Samples.
        first_at: Earliest sample, None without any.
        last_at: Latest sample, None without any.
        why_partial: Why the day is not shown to be whole for this device; empty when it is.
    """

    device: str
    asked: int
    answered: int
    rows: int
    first_at: datetime | None
    last_at: datetime | None
    why_partial: str = ""


class Reject(NamedTuple):
    """A row that cannot stand in its raw table, as the vendor said it.

    Attributes:
        device: The device as users know it: serial number, or gateway id.
        series: The series as the vendor names it within the device; empty when unknown.
        stamp_text: Its stamp, None when there was none.
        value_text: Its value, None when there was none.
        reason: Why it is set aside, one of few texts.
    """

    device: str
    series: str
    stamp_text: str | None
    value_text: str | None
    reason: str


class SeriesBefore(NamedTuple):
    """What a series gave on the day before.

    Attributes:
        rows: Its samples, at least one.
        step: Its median step; None with one sample.
        silence: The longest time of that day without a sample, the ends of the day included.
    """

    rows: int
    step: timedelta | None
    silence: timedelta


Before = Mapping[tuple[str, ...], SeriesBefore]
"""The series with samples on the day before, by the raw table's key without ``at``."""

Earlier = Callable[[str], Before | None]
"""Says what the lake holds for the day before a UTC day; None when it holds no such day."""


def nothing_before(_day: str) -> Before | None:
    """Know of no earlier day: what is silent is then asked for again."""
    return None


def is_known_silent(series: tuple[str, ...], before: Before | None) -> bool:
    """Say whether a series without samples need not be asked for again by itself.

    Args:
        series: The raw table's key without ``at``.
        before: What the day before gave; None when that is not known.

    >>> is_known_silent(("meter", "alarm"), before={})
    True
    >>> is_known_silent(("meter", "alarm"), before=None)
    False
    """
    return before is not None and series not in before


def unproven_spans(
    stamps: npt.NDArray[np.datetime64] | pl.Series,
    *,
    start: datetime,
    end: datetime,
    cadence: timedelta | None = None,
) -> list[Span]:
    """Return where a window is not shown to be whole for one series.

    That is every stretch without a point that is longer than the longest usual step: before the
    first point, after the last one, and between two. Of a regular series this finds every cut, at
    either end or inside, of any number of points. Of a series with fewer than three points, and
    without ``cadence``, it is every stretch.

    Args:
        stamps: Instants of the points, sorted, as ``datetime64`` or ``Datetime`` in UTC; repeated
            ones and ones outside the window count for nothing.
        start: First instant of the window, with a zone.
        end: First instant after the window, with a zone.
        cadence: Longest step known from elsewhere (``SeriesBefore.silence`` of the day before, the
            vendor's own period); counts where the points are too few or too irregular to tell.

    Returns:
        The spans in order; each begins and ends at a known point or an end of the window.

    >>> start = datetime(2026, 3, 1, tzinfo=UTC)
    >>> stamps = pl.Series([start + n * timedelta(minutes=15) for n in (0, 1, 2, 3, 6, 7)])
    >>> spans = unproven_spans(stamps, start=start, end=start + timedelta(hours=2))
    >>> [f"{low:%H:%M} to {high:%H:%M}" for low, high in spans]
    ['00:45 to 01:30']
    """
    if end <= start:
        return []
    first, last = microseconds(start), microseconds(end)
    at = _microseconds(stamps)
    at = at[np.searchsorted(at, first) : np.searchsorted(at, last)]
    edges = np.concatenate(([first], at, [last]))
    gaps = np.diff(edges)
    usual = _longest_usual(gaps[1:-1], points=len(at), cadence=cadence)
    if usual is None:
        found = np.flatnonzero(gaps > 0)
    else:
        too_long = gaps > usual.longest
        # At the ends jitter counts twice: of the last point that came, and of the next one.
        too_long[-1] = gaps[-1] > usual.longest + usual.spread
        # The start belongs to the window: a point a whole step later has one before it.
        too_long[0] = gaps[0] + usual.is_regular > usual.longest + usual.spread
        found = np.flatnonzero(too_long)
    return [(instant(edges[number]), instant(edges[number + 1])) for number in found.tolist()]


def longest_usual_step(
    stamps: npt.NDArray[np.datetime64] | pl.Series, *, cadence: timedelta | None = None
) -> timedelta | None:
    """Return the longest step that is usual for a series; None where nothing tells.

    Args:
        stamps: Instants of its points, sorted.
        cadence: As in :func:`unproven_spans`.

    >>> start = datetime(2026, 3, 1, tzinfo=UTC)
    >>> stamps = pl.Series([start + n * timedelta(minutes=15) for n in range(8)])
    >>> longest_usual_step(stamps)
    datetime.timedelta(seconds=900)
    """
    at = _microseconds(stamps)
    usual = _longest_usual(np.diff(at), points=len(at), cadence=cadence)
    return None if usual is None else timedelta(microseconds=usual.longest)


class _Usual(NamedTuple):
    """The usual steps of a series, in microseconds: the longest, how much they differ."""

    longest: int
    spread: int
    is_regular: bool


def _longest_usual(
    steps: npt.NDArray[np.int64], *, points: int, cadence: timedelta | None
) -> _Usual | None:
    known = 0 if cadence is None else cadence // MICROSECOND
    steps = np.sort(steps[steps > 0])
    if points < FEW_POINTS or len(steps) < FEW_POINTS - 1:
        return _Usual(known, 0, is_regular=False) if known else None
    # The lower one of two: a single pause among few steps must not become the cadence.
    few, most, high = (
        int(steps[int(share * (len(steps) - 1))]) for share in (0.3, 0.6, USUAL_SHARE)
    )
    median = int(steps[(len(steps) - 1) // 2])
    if most <= CLOCKED * few:
        high = most
    is_regular = high <= STEADY * median
    bound = (SLACK if is_regular else IRREGULAR_SLACK) * high
    longest = int(steps[np.searchsorted(steps, bound, side="right") - 1])
    if is_regular:
        return _Usual(longest, longest - median, is_regular=True)
    return _Usual(max(longest, known), 0, is_regular=False)


def _microseconds(stamps: npt.NDArray[np.datetime64] | pl.Series) -> npt.NDArray[np.int64]:
    values = stamps if isinstance(stamps, np.ndarray) else stamps.to_numpy()
    at: npt.NDArray[np.int64] = values.astype("datetime64[us]").astype(np.int64)
    return at
