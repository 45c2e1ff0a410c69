"""Reading raw history until it is shown to be whole (SoData API, sections 5, 8, 9).

Nothing about limits is documented, and an answer has no flag that says it was cut short. What a
window's answers do not show to be whole is asked for again by itself: more is taken and the
chunks learn from it, the same again is proof, and what stays open is said.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from energy_platform.sources.coverage import is_known_silent
from energy_platform.sources.http.errors import (
    AuthenticationError,
    ContractError,
    PermanentError,
    TransientError,
    VendorError,
)
from energy_platform.sources.socomec.answers import Answer, laid_out
from energy_platform.sources.socomec.batch_size import MIN_WINDOW, AdaptiveBatchSize, HistoryRequest
from energy_platform.sources.socomec.echo import ENDPOINT, check, is_of_window, name_of, text_of
from energy_platform.sources.socomec.proof import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from energy_platform.sources.coverage import Before
    from energy_platform.sources.socomec.answers import Chunk
    from energy_platform.sources.socomec.models import Datapoints, SeriesKey
    from energy_platform.sources.socomec.odd_rows import OddRow
    from energy_platform.sources.socomec.proof import Group
    from energy_platform.sources.socomec.refusals import Refusals

log = logging.getLogger(__name__)

MOST_ROUNDS: Final = 1000
"""Rounds of asking again, each of which brought something new, before a day is left partial."""

MOST_ALONE: Final = 20
"""Series of a batch, left out of its answers, that are asked for one by one."""

FEW_MORE: Final = 0.01
"""Share of points found later that may be late data rather than an answer cut short."""

_TOO_LARGE: Final = frozenset({413, 414})
_GATEWAY_TIMEOUT: Final = 504
_HEALS_BY_WAITING: Final = frozenset({401, 408, 413, 414, 425, 429, 502, 503, 504})
"""Statuses that say nothing about a device: of the credentials, the size or the vendor's load."""


class Fetch(Protocol):
    """Asks the vendor for one chunk."""

    def __call__(self, ca: str, request: HistoryRequest) -> Datapoints:
        """Make one request; faults that a smaller chunk heals are raised at once."""
        ...


class Reading(NamedTuple):
    """All that came for some series of a window.

    Attributes:
        chunks: Points by series and answer; of a series the earlier read come first.
        odd: Rows that are not datapoints.
        unproven: Why a series is not shown to be whole, by series.
        is_sampled: Whether a short stretch of it was compared with a request for that alone.
    """

    chunks: list[Chunk]
    odd: list[OddRow]
    unproven: dict[SeriesKey, str]
    is_sampled: bool = False

    @property
    def points(self) -> int:
        """Points over all series."""
        return sum(len(chunk.values) for chunk in self.chunks)


class History:
    """Reads windows of raw history, whatever chunks that takes.

    Args:
        fetch: Makes one request.
        max_window: Longest window of one request.
        max_series: Most series in one request.
    """

    def __init__(self, *, fetch: Fetch, max_window: timedelta, max_series: int) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._warnings: list[str] = []
        self.batch_size = AdaptiveBatchSize(max_window=max_window, max_series=max_series)

    def take_warnings(self) -> list[str]:
        """Return the anomalies since the last call, and forget it."""
        with self._lock:
            taken, self._warnings = self._warnings, []
        return taken

    def read(
        self,
        ca: str,
        *,
        series: Sequence[SeriesKey],
        start: datetime,
        end: datetime,
        before: Before | None = None,
        is_open: bool = False,
        refusals: Refusals | None = None,
        is_sampled: bool = False,
    ) -> Reading:
        """Read every point with ``start <= at < end``.

        Args:
            ca: Corporate account of all the series.
            series: What to read.
            start: First instant, included.
            end: First instant no longer included.
            before: What the day before gave; None when that is not known.
            is_open: Whether ``end`` is the present, so that newer points may still be on the way.
            refusals: Devices that were refused; without it a refusal is raised.
            is_sampled: Whether to compare with a short request, as for an unusual pace.

        Raises:
            VendorError: A chunk could not be read, however small, and not for a device's sake.
        """
        batch = Batch(series, start=start, end=end, before=before, is_open=is_open)
        unproven: dict[SeriesKey, str] = {}
        was_sampled = False
        if series and start < end:
            for answer in self._chunks(ca, HistoryRequest(batch.series, start, end), refusals):
                batch.take(answer)
            self._leave_refused(batch, refusals, unproven)
            if is_sampled or batch.looks_thinned():
                was_sampled = self._compare_with_sample(ca, batch, refusals)
            self._prove(ca, batch, refusals, unproven)
        return Reading(batch.chunks, batch.odd, unproven, was_sampled)

    def _chunks(
        self, ca: str, request: HistoryRequest, refusals: Refusals | None
    ) -> Iterator[Answer]:
        """Yield answers that together are the vendor's answer to one question."""
        waiting = [request]
        asked_again: set[HistoryRequest] = set()
        while waiting:
            request = waiting.pop()
            if refusals is not None:
                series = tuple(key for key in request.series if not refusals.of(key.device_uuid))
                if not series:
                    continue
                request = request._replace(series=series)
            if chunks := self._fit(request):
                waiting.extend(reversed(chunks))
                continue
            try:
                answer = self._fetched(ca, request)
            except VendorError as error:
                chunks = self._remedy(request, error)
                if chunks:
                    log.info("%s; asking for less at once", error)
                    waiting.extend(reversed(chunks))
                elif (
                    refusals is not None
                    and isinstance(error, PermanentError)
                    and _is_about_a_device(error)
                    and request not in asked_again
                ):
                    # A stray refusal must not cost a device its day.
                    asked_again.add(request)
                    waiting.append(request)
                elif refusals is not None and _is_about_a_device(error):
                    refusals.refused(request.series[0].device_uuid, error)
                else:
                    raise
                continue
            if refusals is not None:
                refusals.answered(key.device_uuid for key in request.series)
            self.batch_size.on_success(points=answer.points)
            yield answer

    def _fetched(self, ca: str, request: HistoryRequest) -> Answer:
        """Fetch a chunk; once more when the answer is about another window."""
        answer = self._fetch(ca, request)
        check(answer, request)
        if not is_of_window(answer, request):
            log.info("socomec datapoints: an answer about another window (%s)", name_of(request))
            answer = self._fetch(ca, request)
            check(answer, request)
        asked = frozenset(request.series)
        # What was not asked for besides what was is nobody's here.
        answer.series = [series for series in answer.series if series.key in asked]
        return laid_out(answer)._replace(
            is_elsewhere=not is_of_window(answer, request),
            left_out=asked - {series.key for series in answer.series},
        )

    def _fit(self, request: HistoryRequest) -> tuple[HistoryRequest, ...]:
        """Cut a request to the present appetite; nothing when it already fits."""
        window, count = self.batch_size.size
        if len(request.series) > count:
            return (
                request._replace(series=request.series[:count]),
                request._replace(series=request.series[count:]),
            )
        if request.window > window:
            middle = request.start + window
            return request._replace(end=middle), request._replace(start=middle)
        return ()

    def _remedy(self, request: HistoryRequest, error: VendorError) -> tuple[HistoryRequest, ...]:
        """Return smaller chunks that may get through where this one failed."""
        if error.endpoint != ENDPOINT:
            return ()
        if error.status in _TOO_LARGE or heals_by_less(error):
            return self.batch_size.cut(request)
        if not _is_about_a_device(error):
            return ()
        if len({key.device_uuid for key in request.series}) > 1:
            # One device that is refused must not hide which one it is, nor cost the others.
            return _by_device(request)
        # A single device is told by all attempts: one that is hasty has not had them.
        return (request._replace(is_hasty=False),) if request.is_hasty else ()

    def _leave_refused(
        self, batch: Batch, refusals: Refusals | None, unproven: dict[SeriesKey, str]
    ) -> None:
        for key in batch.series:
            error = refusals.of(key.device_uuid) if refusals is not None else None
            if error is not None:
                unproven[key] = f"the vendor refuses the device{_status(error)}: {error.reason}"
        batch.close(unproven)

    def _prove(
        self,
        ca: str,
        batch: Batch,
        refusals: Refusals | None,
        unproven: dict[SeriesKey, str],
    ) -> None:
        """Ask again for what is not shown to be whole, until nothing new comes."""
        came = max(1, batch.first_points)
        for _ in range(MOST_ROUNDS):
            questions = batch.open_questions()
            if not questions:
                break
            for group in batch.groups(questions):
                elsewhere = batch.answers_elsewhere
                batch.take_left_out()
                gained = sum(self._more(ca, batch, request, refusals) for request in group.requests)
                if gained:
                    batch.is_cut = batch.is_cut or gained > FEW_MORE * came
                elif batch.answers_elsewhere > elsewhere:
                    for key, first, last in group.questions:
                        unproven[key] = (
                            f"asked for {text_of(first)} to {text_of(last)}, the answers are about "
                            "another window"
                        )
                    batch.close(unproven)
                else:
                    self._prove_group(ca, batch, group, refusals)
            self._leave_refused(batch, refusals, unproven)
            if not batch.open_questions():
                self._ask_alone(ca, batch, refusals, unproven)
        else:
            for key, first, last in batch.open_questions():
                unproven[key] = (
                    f"each of {MOST_ROUNDS} requests for what is missing between {text_of(first)} "
                    f"and {text_of(last)} brought other points"
                )
        if batch.is_cut and batch.points > came:
            self.batch_size.cut_short(came=came, found=batch.points)
            name = name_of(HistoryRequest(batch.series, batch.start, batch.end))
            self._warn(
                f"the vendor cuts answers without saying so: {came} points came at first, "
                f"{batch.points} were found ({name})"
            )

    def _prove_group(self, ca: str, batch: Batch, group: Group, refusals: Refusals | None) -> None:
        """Take the same answer twice as proof, of series that the second one names.

        Of the others it said nothing; each is asked for alone.
        """
        unnamed = batch.take_left_out()
        is_alone = len({one.key for one in group.questions}) == 1
        for question in group.questions:
            is_answered = question.key not in unnamed or is_alone or batch.is_left_out(question.key)
            if is_answered or not self._more(ca, batch, batch.alone(question), refusals):
                batch.prove([question])

    def _more(
        self, ca: str, batch: Batch, request: HistoryRequest, refusals: Refusals | None
    ) -> int:
        return sum(batch.take_more(answer) for answer in self._chunks(ca, request, refusals))

    def _ask_alone(
        self,
        ca: str,
        batch: Batch,
        refusals: Refusals | None,
        unproven: dict[SeriesKey, str],
    ) -> None:
        """Ask one by one for the series that no answer has named although they spoke before."""
        left_out = [
            key
            for key in batch.series
            if batch.is_left_out(key)
            and key not in unproven
            and not is_known_silent(key, batch.before)
        ]
        for key in left_out[:MOST_ALONE]:
            self._more(ca, batch, HistoryRequest((key,), batch.start, batch.end), refusals)
        for key in left_out:
            if batch.is_left_out(key):
                unproven[key] = (
                    f"asked for from {text_of(batch.start)} to {text_of(batch.end)} and left out "
                    "of every answer, also of those for it alone"
                )

    def _compare_with_sample(self, ca: str, batch: Batch, refusals: Refusals | None) -> bool:
        """Read a short stretch again: an answer about a long window may hold every n-th point.

        Returns:
            Whether there was anything to compare.
        """
        came = batch.points
        was_sampled = batch.sample() is not None
        while (request := batch.sample()) is not None and self._more(ca, batch, request, refusals):
            self.batch_size.never_longer_than(request.window)
            known = batch.points
            self._more(ca, batch, HistoryRequest(batch.series, batch.start, batch.end), refusals)
            if request.window <= MIN_WINDOW or batch.points == known:
                break
        name = name_of(HistoryRequest(batch.series, batch.start, batch.end))
        if batch.points > came * (1 + FEW_MORE):
            self._warn(
                f"the vendor thins out answers about long windows: {came} points came at first, "
                f"{batch.points} were found ({name})"
            )
        elif batch.looks_thinned():
            self._warn(f"points came much further apart than on the day before ({name})")
        return was_sampled

    def _warn(self, text: str) -> None:
        log.warning("socomec datapoints: %s", text)
        with self._lock:
            self._warnings.append(text)


def heals_by_less(error: VendorError) -> bool:
    """Whether the vendor seems to have choked on the size of the request."""
    return (isinstance(error, TransientError) and error.endpoint == ENDPOINT) and (
        error.kind == "timeout" or error.status == _GATEWAY_TIMEOUT
    )


def gives_up_on(request: HistoryRequest, error: TransientError) -> bool:
    """Whether a chunk is better cut than tried again."""
    return (request.is_hasty and _is_about_a_device(error)) or (
        not request.is_smallest and heals_by_less(error)
    )


def _is_about_a_device(error: VendorError) -> bool:
    """Whether a refusal may concern what was asked for, and not the vendor or the account."""
    return (
        error.endpoint == ENDPOINT
        and not isinstance(error, AuthenticationError | ContractError)
        and error.status is not None
        and error.status >= 400  # noqa: PLR2004 - refusals and faults
        and error.status not in _HEALS_BY_WAITING
    )


def _by_device(request: HistoryRequest) -> tuple[HistoryRequest, ...]:
    """Return two requests for half of the devices each."""
    devices = sorted({key.device_uuid for key in request.series})
    first = set(devices[: len(devices) // 2])
    sides = [
        tuple(key for key in request.series if (key.device_uuid in first) is is_first)
        for is_first in (True, False)
    ]
    return tuple(request._replace(series=side, is_hasty=True) for side in sides)


def _status(error: VendorError) -> str:
    return "" if error.status is None else f" with HTTP {error.status}"
