"""Showing that one series is whole: what is not shown is asked for again, span by span.

A second answer for just the missing part decides: nothing more there means that the series was
silent; more means that the vendor cuts its answers, so that what came is looked at again. What
cannot be asked for is a doubt, and the day stays partial.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.sources.belimo.samples import not_in
from energy_platform.sources.coverage import (
    FEW_POINTS,
    SeriesBefore,
    Span,
    longest_usual_step,
    unproven_spans,
)
from energy_platform.sources.http.errors import AuthenticationError, VendorError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from energy_platform.sources.belimo.decoding import Odd
    from energy_platform.sources.belimo.samples import Answer

MOST_SPANS: Final = 3
"""Spans asked for one by one; more of them are asked for as the two halves of their whole."""

MOST_ASKS: Final = 200
"""Questions about one series and stretch; a vendor that answers in smaller bits is not followed."""

OPEN_END: Final = timedelta(hours=1)
"""How long before the present the last sample may lie without a question for what follows it."""

THINNED: Final = 1.8
"""A step this many times that of the days before means that samples may be left out evenly."""

DENSE: Final = 1.05
"""Where they are known to be, windows are halved until the step is within this of its old one."""

SHORTEST: Final = timedelta(hours=1)
FEW_STEPS: Final = 20
"""No smaller windows than an hour, or so many steps, are asked for to find what is left out."""

REGULAR: Final = 2.0
"""Up to this ratio of the longest usual step to the median, no total is needed as a proof."""


class Doubt(NamedTuple):
    """A stretch that is not shown to be whole, and why."""

    start: datetime
    end: datetime
    why: str


class Whole(NamedTuple):
    """One series over a window.

    Attributes:
        frame: Its samples.
        odd: What is not a sample.
        doubts: Where it is not shown to be whole.
        cut: Samples that came only when they were asked for again.
    """

    frame: pl.DataFrame
    odd: Counter[Odd]
    doubts: tuple[Doubt, ...] = ()
    cut: int = 0


class Window(NamedTuple):
    """What is asked for, and what is known of it.

    Attributes:
        start: Inclusive.
        end: Exclusive.
        is_open: Whether it ends at the present.
        step: The finest step of the vendor's bounds: what lies after a sample begins this later.
        before: What the series gave on the days before.
        is_silent: Whether no sample is expected.
        left_out_why: What it means when the series is not in any answer; empty when nothing.
    """

    start: datetime
    end: datetime
    is_open: bool
    step: timedelta
    before: SeriesBefore | None = None
    is_silent: bool = False
    left_out_why: str = ""

    @property
    def cadence(self) -> timedelta | None:
        """The longest step known of the series."""
        return self.before.silence if self.before else None


def whole(ask: Callable[[datetime, datetime], Answer], *, window: Window) -> Whole:
    """Read a series and ask again for every span that is not shown to be whole.

    Args:
        ask: Reads a window of the series.
        window: The window.

    Returns:
        All that came, and where it is not shown to be all there is.

    Raises:
        VendorError: The window itself could not be read.
    """
    first = ask(window.start, window.end)
    if (
        first.frame.is_empty()
        and not first.odd
        and window.is_silent
        and not (first.doubt or first.missing)
    ):
        return Whole(first.frame, first.odd)
    search = _Search(ask, window, first)
    search.through_gaps()
    search.thicken()
    return search.result()


class _Search:
    """The spans of one window that were asked for again."""

    def __init__(
        self, ask: Callable[[datetime, datetime], Answer], window: Window, first: Answer
    ) -> None:
        self._ask, self._window, self._first = ask, window, first
        self._frame = first.frame
        self._odd = first.odd
        self._cut = first.cut
        self._asks = 0
        self._is_left_out = first.left_out
        self._settled: list[Span] = []
        self._doubts: list[Doubt] = []
        if first.proven_from is not None:
            self._settle((first.proven_from - window.step, window.end))

    def through_gaps(self) -> None:
        """Ask for every gap until nothing new comes."""
        while spans := self._open_spans() or self._edges():
            for span in spans:
                if not self._again(span):
                    self._settle(span)

    def _edges(self) -> list[Span]:
        """Return both ends of the window once the vendor is known to cut.

        One sample that is missing there lies within the jitter of the others.
        """
        at = self._frame["at"]
        first, last = at.min(), at.max()
        if self._cut == self._first.cut or first is None or last is None:
            return []
        ends = [(self._window.start, first), (last, self._window.end)]
        return [
            (low, high)
            for low, high in ends
            if isinstance(low, datetime)
            and isinstance(high, datetime)
            and low < high
            and not self._is_settled((low, high))
        ]

    def thicken(self) -> None:
        """Look into a window whose samples are clearly sparser than on the days before.

        One small chunk tells a vendor that leaves samples out of long answers from a series that
        became slower.
        """
        start, end = self._window.start, self._window.end
        if self._is_sparse((start, end), ratio=THINNED) and self._again(
            (start, min(start + self._piece, end))
        ):
            for half in _halves((start, end)):
                self._thicken(half)

    def _thicken(self, span: Span) -> None:
        self._again(span)
        if self._is_sparse(span, ratio=DENSE) and span[1] - span[0] > self._piece:
            for half in _halves(span):
                self._thicken(half)

    @property
    def _piece(self) -> timedelta:
        """A window so small that no vendor cuts it."""
        before = self._window.before
        step = before.step if before and before.step else timedelta(0)
        return max(FEW_STEPS * step, SHORTEST)

    def _is_sparse(self, span: Span, *, ratio: float) -> bool:
        before = self._window.before
        at = self._frame["at"]
        stamps = at.filter(at.is_between(*span, closed="left")).unique().sort()
        if before is None or before.step is None or stamps.len() < FEW_POINTS:
            return False
        # The mean: half of the samples left out of pairs would not change the median.
        step = stamps.diff().mean()
        return isinstance(step, timedelta) and step >= ratio * before.step

    def result(self) -> Whole:
        """Return what came and the doubts that are left."""
        window, first = self._window, self._first
        doubts = list(self._doubts)
        if self._is_left_out and self._frame.is_empty() and window.left_out_why:
            doubts.append(Doubt(window.start, window.end, window.left_out_why))
        missing = first.missing - (self._cut - first.cut)
        if missing > 0 and not self._is_gapless():
            why = f"{missing} more samples announced than came"
            doubts.append(Doubt(window.start, window.end, why))
        if first.doubt:
            doubts.append(Doubt(window.start, window.end, first.doubt))
        if self._odd and self._frame.is_empty():
            reasons = ", ".join(sorted({odd.reason for odd in self._odd}))
            why = f"none of {self._odd.total()} rows is a sample: {reasons}"
            doubts.append(Doubt(window.start, window.end, why))
        return Whole(self._frame, self._odd, tuple(doubts), self._cut)

    def _open_spans(self) -> list[Span]:
        window = self._window
        spans = unproven_spans(
            self._frame["at"].sort(), start=window.start, end=window.end, cadence=window.cadence
        )
        if window.is_open:
            spans = [span for span in spans if span[1] < window.end or span[1] - span[0] > OPEN_END]
        spans = [span for span in spans if not self._is_settled(span)]
        if len(spans) > MOST_SPANS:
            spans = [
                half for half in _halves((spans[0][0], spans[-1][1])) if not self._is_settled(half)
            ]
        return spans

    def _again(self, span: Span) -> bool:
        """Ask for a span once more; say whether anything new came."""
        if self._asks >= MOST_ASKS:
            self._doubt(span, f"the vendor still gives more after {MOST_ASKS} questions")
            return False
        self._asks += 1
        start, end = span
        if start in self._frame["at"]:
            # What lies after a known sample: to begin with it could bring it and nothing else.
            start += self._window.step
        if start >= end:
            return False
        try:
            answer = self._ask(start, end)
        except AuthenticationError:
            raise
        except VendorError as error:
            status = f"HTTP {error.status}" if error.status is not None else error.reason
            self._doubt(span, f"could not be asked for again: {status}")
            return False
        fresh = not_in(answer.frame, self._frame)
        self._odd |= answer.odd
        self._is_left_out = self._is_left_out and answer.left_out
        self._frame = pl.concat([self._frame, fresh])
        self._cut += fresh.height
        if fresh.is_empty() and (answer.doubt or answer.missing > self._first.missing):
            self._doubt(span, answer.doubt or f"{answer.missing} samples announced, none came")
        return not fresh.is_empty()

    def _doubt(self, span: Span, why: str) -> None:
        self._doubts.append(Doubt(*span, why))

    def _settle(self, span: Span) -> None:
        """Keep a span as answered, joined with those that it touches."""
        start, end = span
        apart = []
        for one in self._settled:
            if one[1] < start or one[0] > end:
                apart.append(one)
            else:
                start, end = min(start, one[0]), max(end, one[1])
        self._settled = [*apart, (start, end)]

    def _is_settled(self, span: Span) -> bool:
        return any(one[0] <= span[0] and span[1] <= one[1] for one in self._settled)

    def _is_gapless(self) -> bool:
        """Say whether samples at one cadence fill the window: then no total can say otherwise."""
        stamps = self._frame["at"].unique().sort()
        window = self._window
        median, longest = stamps.diff().median(), longest_usual_step(stamps)
        return (
            isinstance(median, timedelta)
            and longest is not None
            and longest <= REGULAR * median
            and not unproven_spans(stamps, start=window.start, end=window.end)
        )


def _halves(span: Span) -> list[Span]:
    start, end = span
    middle = (start + (end - start) / 2).replace(microsecond=0)
    return [(start, middle), (middle, end)] if start < middle < end else [span]
