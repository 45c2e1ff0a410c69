"""How much raw history is asked for at once (SoData API, section 9).

Nothing about limits is documented, so the chunk shrinks when the vendor chokes on one or cuts an
answer short, and grows back when it does not.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from energy_platform.sources.socomec.models import SeriesKey

MIN_WINDOW: Final = timedelta(minutes=15)
"""Windows are not halved below this."""

GROW_AFTER: Final = 8
"""Chunks in a row that went well before larger ones are tried again."""

FULL_CHUNK: Final = 100_000
"""Points in one answer beyond which chunks shrink, so that memory stays flat."""

ROOM: Final = 0.8
"""Share of what was cut short that is asked for afterwards: days differ."""

Dimension = Literal["window", "series"]
"""In what a request can be large."""


class HistoryRequest(NamedTuple):
    """One request for raw history, ``start <= at < end``."""

    series: tuple[SeriesKey, ...]
    start: datetime
    end: datetime
    is_hasty: bool = False
    """Whether one attempt is enough, because a failure only leads to smaller requests."""

    @property
    def window(self) -> timedelta:
        """Length of the window."""
        return self.end - self.start

    def shorter(self) -> tuple[HistoryRequest, ...]:
        """Return the two halves of the window, nothing when it is as short as it gets."""
        if self.window <= MIN_WINDOW:
            return ()
        half = max(MIN_WINDOW, timedelta(seconds=self.window // timedelta(seconds=2)))
        middle = self.start + half
        return self._replace(end=middle), self._replace(start=middle)

    def narrower(self) -> tuple[HistoryRequest, ...]:
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
        """Whether no smaller chunk can be asked for."""
        return not self.shorter() and not self.narrower()


class AdaptiveBatchSize:
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
    def size(self) -> tuple[timedelta, int]:
        """Longest window and most series to ask for now."""
        with self._lock:
            return self._window, self._series

    def cut(self, request: HistoryRequest) -> tuple[HistoryRequest, ...]:
        """Return the chunks of a request that was too large, and remember its size.

        Nothing is returned when it is as small as it gets.
        """
        with self._lock:
            if self._trial is not None:
                self._patience[self._trial] *= 2
            window_first = self._trial == "window" or (
                self._trial is None
                and request.window / self._max_window >= len(request.series) / self._max_series
            )
            self._trial = None
            self._went_well = 0
            chunks = (
                request.shorter() or request.narrower()
                if window_first
                else request.narrower() or request.shorter()
            )
            if chunks:
                self._window = max(MIN_WINDOW, min(self._window, chunks[0].window))
                self._series = min(self._series, len(chunks[0].series))
            return chunks

    def cut_short(self, *, came: int, found: int) -> None:
        """Learn from answers that left points out: with so many of them, this was the limit.

        Args:
            came: Points that came at first.
            found: Points that were found in the end.
        """
        share = ROOM * came / found
        with self._lock:
            # A refusal costs one request, a cut that nobody mentions costs several.
            patience = max(8 * GROW_AFTER, 2 * min(self._patience.values()))
            self._patience = {"window": patience, "series": patience}
            self._trial, self._went_well = None, 0
            wanted = self._window * share
            self._window = max(MIN_WINDOW, wanted)
            if wanted < MIN_WINDOW:
                self._series = max(1, int(self._series * (wanted / MIN_WINDOW)))

    def never_longer_than(self, window: timedelta) -> None:
        """Learn that answers about longer windows are thinned out."""
        with self._lock:
            self._max_window = max(MIN_WINDOW, min(self._max_window, window))
            self._window = min(self._window, self._max_window)

    def on_success(self, *, points: int) -> None:
        """Learn from an answer that came whole."""
        with self._lock:
            self._went_well += 1
            self._trial = None
            if points > FULL_CHUNK:
                self._went_well = 0
                if self._series > 1:
                    self._series //= 2
                else:
                    self._window = max(MIN_WINDOW, self._window / 2)
            elif 2 * points < FULL_CHUNK:
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
