"""Reading raw history in portions the vendor can serve (SoData API, sections 5, 8, 9).

Nothing about limits is documented, and an answer has no flag that says it was cut short. So the
portion shrinks when the vendor chokes on one, grows back when it does not, and an answer with a
suspiciously round number of points is read again in halves and compared.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from energy_platform.vendors.errors import ContractError, TransientError, VendorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from energy_platform.vendors.socomec.models import Datapoints, SeriesKey, SeriesPoints

log = logging.getLogger(__name__)

ENDPOINT: Final = "datapoints"
"""Name of the history call in messages; a failed login in between has another."""

MIN_WINDOW: Final = timedelta(minutes=15)
"""Windows are not halved below this."""

ROUND: Final = 1000
"""Multiples of this many points look like a limit of the vendor rather than like data."""

GROW_AFTER: Final = 8
"""Portions in a row that went well before larger ones are tried again."""

FULL_PORTION: Final = 100_000
"""Points in one answer beyond which portions shrink, so that memory stays flat."""

_TOO_LARGE: Final = frozenset({413, 414})
_NOT_THERE: Final = 404
_GATEWAY_TIMEOUT: Final = 504


Dimension = Literal["window", "series"]
"""In what a request can be large."""


class Ask(NamedTuple):
    """One request for raw history, ``start <= at < end``."""

    series: tuple[SeriesKey, ...]
    start: datetime
    end: datetime

    @property
    def window(self) -> timedelta:
        """Length of the window."""
        return self.end - self.start

    def shorter(self) -> tuple[Ask, ...]:
        """Return the two halves of the window, nothing when it is as short as it gets."""
        if self.window <= MIN_WINDOW:
            return ()
        half = max(MIN_WINDOW, timedelta(seconds=self.window // timedelta(seconds=2)))
        middle = self.start + half
        return self._replace(end=middle), self._replace(start=middle)

    def narrower(self) -> tuple[Ask, ...]:
        """Return the two halves of the series, nothing when there is only one."""
        if len(self.series) == 1:
            return ()
        middle = len(self.series) // 2
        return (
            self._replace(series=self.series[:middle]),
            self._replace(series=self.series[middle:]),
        )

    @property
    def is_smallest(self) -> bool:
        """Whether no smaller portion can be asked for."""
        return not self.shorter() and not self.narrower()


class Fetch(Protocol):
    """Asks the vendor for one portion."""

    def __call__(self, ca: str, ask: Ask) -> Datapoints:
        """Make one request; faults that a smaller portion heals are raised at once."""
        ...


class Appetite:
    """How much is asked for at once: shared by all threads of a client.

    A request that fails is cut in the dimension that was just tried larger, otherwise in the one
    that is least cut so far. After some answers in a row one dimension is tried larger again; each
    trial that fails makes the next one wait twice as long.
    """

    def __init__(self, *, max_window: timedelta, max_series: int) -> None:
        self._lock = threading.Lock()
        self._max_window, self._max_series = max_window, max_series
        self._window, self._series = max_window, max_series
        self._went_well = 0
        self._trial: Dimension | None = None
        self._patience: dict[Dimension, int] = {"window": GROW_AFTER, "series": GROW_AFTER}

    @property
    def portion(self) -> tuple[timedelta, int]:
        """Longest window and most series to ask for now."""
        with self._lock:
            return self._window, self._series

    def cut(self, ask: Ask) -> tuple[Ask, ...]:
        """Return the pieces of a request that was too large, and remember its size.

        Nothing is returned when it is as small as it gets.
        """
        with self._lock:
            if self._trial is not None:
                self._patience[self._trial] *= 2
            window_first = self._trial == "window" or (
                self._trial is None
                and ask.window / self._max_window >= len(ask.series) / self._max_series
            )
            self._trial = None
            self._went_well = 0
            pieces = (
                ask.shorter() or ask.narrower() if window_first else ask.narrower() or ask.shorter()
            )
            if pieces:
                self._window = max(MIN_WINDOW, min(self._window, pieces[0].window))
                self._series = min(self._series, len(pieces[0].series))
            return pieces

    def digested(self, *, points: int) -> None:
        """Learn from an answer that came whole."""
        with self._lock:
            self._went_well += 1
            self._trial = None
            if points > FULL_PORTION:
                self._went_well = 0
                if self._series > 1:
                    self._series //= 2
                else:
                    self._window = max(MIN_WINDOW, self._window / 2)
            elif 2 * points < FULL_PORTION:
                self._try_larger()

    def _try_larger(self) -> None:
        room: dict[Dimension, float] = {
            "window": self._window / self._max_window,
            "series": self._series / self._max_series,
        }
        for dimension in sorted(room, key=lambda one: room[one]):
            if room[dimension] < 1 and self._went_well >= self._patience[dimension]:
                self._trial, self._went_well = dimension, 0
                if dimension == "window":
                    self._window = min(self._max_window, 2 * self._window)
                else:
                    self._series = min(self._max_series, 2 * self._series)
                return


class History:
    """Reads windows of raw history, whatever portions that takes.

    Args:
        fetch: Makes one request.
        max_window: Longest window of one request.
        max_series: Most series in one request.
    """

    def __init__(self, *, fetch: Fetch, max_window: timedelta, max_series: int) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._proven: set[int] = set()
        self._warnings: list[str] = []
        self.appetite = Appetite(max_window=max_window, max_series=max_series)

    def take_warnings(self) -> list[str]:
        """Return what was odd since the last call, and forget it."""
        with self._lock:
            taken, self._warnings = self._warnings, []
        return taken

    def read(
        self, ca: str, *, series: Sequence[SeriesKey], start: datetime, end: datetime
    ) -> Iterator[Datapoints]:
        """Yield answers that together hold every point with ``start <= at < end``.

        Raises:
            VendorError: A portion could not be read, however small.
        """
        waiting = [Ask(tuple(series), start, end)] if series and start < end else []
        while waiting:
            ask = waiting.pop()
            if pieces := self._fit(ask):
                waiting.extend(reversed(pieces))
                continue
            try:
                answer = self._fetch(ca, ask)
            except VendorError as error:
                pieces = self._remedy(ask, error)
                if not pieces:
                    raise
                log.info("%s; asking for less at once", error)
                waiting.extend(reversed(pieces))
                continue
            _check(answer, ask)
            if self._looks_cut(answer, ask):
                yield from self._compared(ca, ask=ask, answer=answer)
            else:
                self.appetite.digested(points=answer.points)
                yield answer

    def _fit(self, ask: Ask) -> tuple[Ask, ...]:
        """Cut a request to the present appetite; nothing when it already fits."""
        window, count = self.appetite.portion
        if len(ask.series) > count:
            return (
                ask._replace(series=ask.series[:count]),
                ask._replace(series=ask.series[count:]),
            )
        if ask.window > window:
            middle = ask.start + window
            return ask._replace(end=middle), ask._replace(start=middle)
        return ()

    def _remedy(self, ask: Ask, error: VendorError) -> tuple[Ask, ...]:
        """Return smaller portions that may get through where this one failed."""
        if error.endpoint != ENDPOINT:
            return ()
        if error.status in _TOO_LARGE or heals_by_less(error):
            return self.appetite.cut(ask)
        if error.status == _NOT_THERE and len({key.device_uuid for key in ask.series}) > 1:
            # One device that is gone must not hide which one it is.
            return ask.narrower()
        return ()

    def _looks_cut(self, answer: Datapoints, ask: Ask) -> bool:
        counts = {answer.points, *(len(series.data) for series in answer.series)}
        suspects = {count for count in counts if count and count % ROUND == 0}
        if not suspects:
            return False
        with self._lock:
            known = suspects <= self._proven
        return not (known and all(_reaches_both_ends(one, ask) for one in answer.series))

    def _compared(self, ca: str, *, ask: Ask, answer: Datapoints) -> Iterator[Datapoints]:
        """Read again in halves what looks cut, and yield whichever holds more."""
        halves = ask.shorter() or ask.narrower()
        if not halves:
            self._warn(
                f"{answer.points} points in {ask.window} of one series: a round number that could "
                f"not be read in smaller portions ({_name(ask)})"
            )
            yield answer
            return
        parts = [
            part
            for half in halves
            for part in self.read(ca, series=half.series, start=half.start, end=half.end)
        ]
        found = sum(part.points for part in parts)
        if found == answer.points:
            with self._lock:
                self._proven.add(answer.points)
                self._proven.update(len(series.data) for series in answer.series)
            self.appetite.digested(points=answer.points)
            yield answer
            return
        self.appetite.cut(ask)
        if found > answer.points:
            self._warn(
                f"the vendor cuts answers at {answer.points} points without saying so "
                f"({found} found in smaller portions, {_name(ask)})"
            )
        else:
            self._warn(f"two reads of the same window differ, both kept ({_name(ask)})")
            yield answer
        yield from parts

    def _warn(self, text: str) -> None:
        log.warning("socomec datapoints: %s", text)
        with self._lock:
            self._warnings.append(text)


def heals_by_less(error: VendorError) -> bool:
    """Whether the vendor seems to have choked on the size of the request."""
    return (isinstance(error, TransientError) and error.endpoint == ENDPOINT) and (
        error.kind == "timeout" or error.status == _GATEWAY_TIMEOUT
    )


def _reaches_both_ends(series: SeriesPoints, ask: Ask) -> bool:
    """Whether the points come as near to the ends of the window as to each other."""
    if len(series.data) < 2:  # noqa: PLR2004 - no step to measure with
        return False
    try:
        stamps = sorted(datetime.fromisoformat(p.at) for p in (series.data[0], series.data[-1]))
        step = (stamps[1] - stamps[0]) / (len(series.data) - 1)
        return stamps[0] - ask.start <= 3 * step and ask.end - stamps[1] <= 3 * step
    except (ValueError, TypeError):
        return False


def _check(answer: Datapoints, ask: Ask) -> None:
    """Compare the echoed request with what was asked."""
    wrong = ""
    if answer.granularity not in {None, "raw"}:
        wrong = f"asked for raw points, got granularity {answer.granularity}"
    elif answer.use_device_local_timezone:
        wrong = "asked for UTC, the answer is in the device's local time"
    elif strangers := {series.key for series in answer.series} - set(ask.series):
        wrong = f"got a series that was not asked for: {'|'.join(min(strangers)[1:])}"
    if wrong:
        raise ContractError(
            wrong,
            vendor="socomec",
            endpoint=ENDPOINT,
            subject=_name(ask),
            advice="The vendor may have changed its API; compare with its document",
        )


def _name(ask: Ask) -> str:
    first, *others = ask.series
    name = f"device {first.device_uuid} series {'|'.join(first[1:])}"
    return f"{name} and {len(others)} more" if others else name
