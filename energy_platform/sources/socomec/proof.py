"""What of a window is not shown to be whole yet, and which smaller requests would show it.

An answer has no flag that says it was cut short (section 5). So every series asked for has to be
in it or be known as silent, and its points have to reach from one end of the window to the other
at its own cadence; what does not is asked for again, and only what is missing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from energy_platform.days import instant, microseconds
from energy_platform.sources.coverage import (
    FEW_POINTS,
    Span,
    is_known_silent,
    longest_usual_step,
    unproven_spans,
)
from energy_platform.sources.socomec.batch_size import MIN_WINDOW, HistoryRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from energy_platform.sources.coverage import Before
    from energy_platform.sources.socomec.answers import Answer, Chunk
    from energy_platform.sources.socomec.models import SeriesKey
    from energy_platform.sources.socomec.odd_rows import OddRow

OPEN_LAG: Final = timedelta(hours=1)
"""How far behind the present a series may be while its day is not over: gateways send in chunks
(a polling time of 3600 is in the vendor's own example, section 4.1)."""

QUIETER: Final = 1.5
"""How much longer than on the day before a series sent on change may be silent."""

MOST_STRETCHES: Final = 6
"""Separate stretches beyond which the whole window is read again in quarters instead."""

THINNED: Final = 1.8
"""A series whose median step is so many times that of the day before may have lost every other
point."""

ENOUGH_POINTS: Final = 12
"""Points from which a median step says something."""

_ONE_MS: Final = timedelta(milliseconds=1)


class Question(NamedTuple):
    """A stretch of a series that is not shown to be whole."""

    key: SeriesKey
    start: datetime
    end: datetime


class Group(NamedTuple):
    """Questions that are asked together, and the requests that answer them."""

    questions: tuple[Question, ...]
    requests: tuple[HistoryRequest, ...]


class Batch:
    """Some series of a window with everything that came for them.

    Args:
        series: What is asked for.
        start: First instant of the window.
        end: First instant after it.
        before: What the day before gave, None when that is not known.
        is_open: Whether the window ends at the present and not at the end of its day.
    """

    def __init__(
        self,
        series: Sequence[SeriesKey],
        *,
        start: datetime,
        end: datetime,
        before: Before | None = None,
        is_open: bool = False,
    ) -> None:
        self.series = tuple(series)
        self.start, self.end = start, end
        self.before, self.is_open = before, is_open
        self.chunks: list[Chunk] = []
        self.odd: list[OddRow] = []
        self.first_points = 0
        self.is_cut = False
        """Whether points were found that an answer had left out."""
        self.largest_answer = self.largest_series = 1
        """Most points of one answer, and of one series in it: no limit can lie below."""
        self.answers_elsewhere = 0
        """Answers that say to be about another window than was asked for."""
        self._known: dict[SeriesKey, npt.NDArray[np.int64]] = {}
        self._answered: set[SeriesKey] = set()
        self._proven: dict[SeriesKey, list[Span]] = {}
        self._closed: set[SeriesKey] = set()
        self._left_out_lately: set[SeriesKey] = set()

    def take(self, answer: Answer) -> None:
        """Add an answer to the first reading of the window."""
        for chunk in answer.chunks:
            self._answered.add(chunk.key)
            if len(chunk.values):
                self.chunks.append(chunk)
                self._learn(chunk)
        self.odd += answer.odd
        self.first_points += answer.points
        self._measure(answer)

    def take_more(self, answer: Answer) -> int:
        """Add what an answer to a second question has beyond what is known.

        Returns:
            How many points that is.
        """
        gained = 0
        for chunk in answer.chunks:
            self._answered.add(chunk.key)
            inside = (chunk.at >= microseconds(self.start)) & (chunk.at < microseconds(self.end))
            new = chunk.where(inside & ~np.isin(chunk.at, self.stamps(chunk.key)))
            if len(new.values):
                self.chunks.append(new)
                self._learn(new)
                gained += len(new.values)
        self._measure(answer)
        seen = set(self.odd)
        self.odd += [row for row in answer.odd if row not in seen]
        return gained

    def _measure(self, answer: Answer) -> None:
        self.answers_elsewhere += answer.is_elsewhere
        self._left_out_lately |= answer.left_out
        self.largest_answer = max(self.largest_answer, answer.points)
        longest = max((len(chunk.values) for chunk in answer.chunks), default=0)
        self.largest_series = max(self.largest_series, longest)

    def _learn(self, chunk: Chunk) -> None:
        inside = chunk.at[
            (chunk.at >= microseconds(self.start)) & (chunk.at < microseconds(self.end))
        ]
        self._known[chunk.key] = np.union1d(self.stamps(chunk.key), inside)

    def stamps(self, key: SeriesKey) -> npt.NDArray[np.int64]:
        """Return the known instants of a series inside the window, sorted."""
        return self._known.get(key, _NONE)

    @property
    def points(self) -> int:
        """Known points inside the window."""
        return sum(map(len, self._known.values()))

    def is_left_out(self, key: SeriesKey) -> bool:
        """Whether no answer so far has named a series."""
        return key not in self._answered

    def take_left_out(self) -> set[SeriesKey]:
        """Return the series that answers since the last call did not name, and forget them."""
        taken, self._left_out_lately = self._left_out_lately, set()
        return taken

    def close(self, keys: Iterable[SeriesKey]) -> None:
        """Ask no more about some series: refused, or as much as there is to know."""
        self._closed.update(keys)

    def prove(self, questions: Iterable[Question]) -> None:
        """Note that asking again brought nothing new for some stretches."""
        for key, start, end in questions:
            self._proven.setdefault(key, []).append((start, end))

    def open_questions(self) -> list[Question]:
        """Return what is not shown to be whole."""
        return [
            Question(key, *span)
            for key in self.series
            if key not in self._closed
            for span in self._spans(key)
            if not any(a <= span[0] and span[1] <= b for a, b in self._proven.get(key, ()))
        ]

    def _spans(self, key: SeriesKey) -> list[Span]:
        earlier = None if self.before is None else self.before.get(key)
        silence = None if earlier is None else QUIETER * earlier.silence
        at = self.stamps(key)
        if not len(at):
            if not self.is_cut and is_known_silent(key, self.before):
                return []
            if self.is_open and self.end - self.start < (silence or timedelta()) + OPEN_LAG:
                return []
            return [(self.start, self.end)]
        stamps = at.view("datetime64[us]")
        spans = unproven_spans(stamps, start=self.start, end=self.end, cadence=silence)
        if self.is_open and spans and spans[-1][1] == self.end:
            usual = longest_usual_step(stamps, cadence=silence) or timedelta()
            if spans[-1][1] - spans[-1][0] <= usual + OPEN_LAG:
                spans.pop()
        return spans

    def groups(self, questions: Sequence[Question]) -> list[Group]:
        """Return few requests that can answer some questions.

        A request that brings nothing new proves something only where the points already known
        cannot fill it up to a limit again. No limit lies below the largest answer so far, so what
        is asked together spans at most half as many known points.
        """
        blank = [one for one in questions if len(self.stamps(one.key)) < FEW_POINTS]
        others = [one for one in questions if len(self.stamps(one.key)) >= FEW_POINTS]
        found = [self._as_halves(blank)] if blank else []
        stretches = _overlapping(others)
        if len(stretches) > MOST_STRETCHES:
            chunks = self._as_chunks(others, count=4)
            if all(map(self._is_provable, chunks.requests)):
                return [*found, chunks]
        for stretch in stretches:
            found += self._narrowed(stretch)
        return found

    def alone(self, question: Question) -> HistoryRequest:
        """Return the request for one stretch of one series."""
        return self._exactly((question.key,), question.start, question.end)

    def _exactly(
        self, keys: tuple[SeriesKey, ...], start: datetime, end: datetime
    ) -> HistoryRequest:
        # The point before the gap is known and need not be asked for.
        first = start + (_ONE_MS if start > self.start else timedelta())
        return HistoryRequest(keys, min(first, end - _ONE_MS), end)

    def _as_halves(self, blank: Sequence[Question]) -> Group:
        """Ask for series with next to no points: for these alone, or for half of the window."""
        keys = {one.key for one in blank}
        is_smaller = 2 * len(keys) <= len(self.series) and self.first_points
        has_points = any(len(self.stamps(key)) for key in keys)
        return self._as_chunks(blank, count=1 if is_smaller and not has_points else 2)

    def _as_chunks(self, questions: Sequence[Question], *, count: int) -> Group:
        """Ask for the whole window of some series in chunks of equal length, smaller if need be."""
        keys = tuple(sorted({one.key for one in questions}))
        length = max(MIN_WINDOW, (self.end - self.start) / count)
        requests: list[HistoryRequest] = []
        at = self.start
        while at < self.end:
            requests += self._provable(HistoryRequest(keys, at, min(self.end, at + length)))
            at += length
        return Group(tuple(questions), tuple(requests))

    def _provable(self, request: HistoryRequest) -> list[HistoryRequest]:
        """Cut a request until the points already known cannot fill it up to a limit."""
        if self._is_provable(request):
            return [request]
        chunks = request.shorter() or request.narrower()
        return [one for chunk in chunks for one in self._provable(chunk)] or [request]

    def _is_provable(self, request: HistoryRequest) -> bool:
        known = [self._between(key, request.start, request.end) for key in request.series]
        return 2 * sum(known) <= self.largest_answer and 2 * max(known) <= self.largest_series

    def _narrowed(self, stretch: list[Question]) -> list[Group]:
        """Ask for a stretch of several series at once, or for parts of it if much is known."""
        keys = tuple(sorted({one.key for one in stretch}))
        start = min(one.start for one in stretch)
        request = self._exactly(keys, start, max(one.end for one in stretch))
        if len(stretch) == 1 or self._is_provable(request):
            return [Group(tuple(stretch), (request,))]
        ordered = sorted(stretch, key=lambda one: (one.start, one.end))
        middle = len(ordered) // 2
        return [*self._narrowed(ordered[:middle]), *self._narrowed(ordered[middle:])]

    def _between(self, key: SeriesKey, start: datetime, end: datetime) -> int:
        at = self.stamps(key)
        return int(
            np.searchsorted(at, microseconds(end))
            - np.searchsorted(at, microseconds(start), side="right")
        )

    def looks_thinned(self) -> bool:
        """Whether a series came at a much slower pace than on the day before."""
        before = self.before or {}
        return any(
            (earlier := before.get(key)) is not None
            and earlier.step is not None
            and (step := self.step(key)) is not None
            and step >= THINNED * earlier.step
            for key in self.series
        )

    def step(self, key: SeriesKey) -> timedelta | None:
        """Return the median step of a series; None where it has too few points."""
        at = self.stamps(key)
        if len(at) < ENOUGH_POINTS:
            return None
        return timedelta(microseconds=int(np.median(np.diff(at))))

    def sample(self) -> HistoryRequest | None:
        """Return a short request in the middle of what came, to compare with; None without."""
        steps = {key: step for key in self.series if (step := self.step(key)) is not None}
        if not steps:
            return None
        fastest = min(steps, key=lambda key: (steps[key], key))
        length = max(MIN_WINDOW, 4 * steps[fastest])
        if 2 * length > self.end - self.start:
            return None
        at = self.stamps(fastest)
        middle = instant(at[len(at) // 2])
        start = max(self.start, min(middle, self.end - length))
        return HistoryRequest(tuple(sorted(steps)), start, start + length)


_NONE: Final = np.empty(0, dtype=np.int64)


def _overlapping(questions: Sequence[Question]) -> list[list[Question]]:
    """Gather stretches that overlap, such as the outage of a device in all its series."""
    gathered: list[list[Question]] = []
    reach: datetime | None = None
    for one in sorted(questions, key=lambda one: (one.start, one.end)):
        if reach is None or one.start >= reach:
            gathered.append([])
            reach = one.end
        gathered[-1].append(one)
        reach = max(reach, one.end)
    return gathered
