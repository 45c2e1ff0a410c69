"""Resampled history: which buckets to ask for, and the instant that their value holds at.

The vendor stamps a bucket with its start and gives the last value in it (Belimo Cloud Client API,
section 5.1). A register stamped so would show tonight's value this morning. What is known is that
the value held at the bucket's end, so buckets are landed at their end: the bucket from 23:45 on
belongs to midnight, and to the day that begins there, like a sample taken at midnight.

A resolution is a duration or a number of points, which the vendor spreads over the window that is
asked for. Here a number means points per UTC day, and each request asks for as many points as it
holds buckets, so that their width stays the same whatever the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import DAY, EPOCH, MICROSECOND
from energy_platform.sources.belimo.decoding import Odd, Rows
from energy_platform.sources.belimo.resolution import read_resolution

if TYPE_CHECKING:
    from collections.abc import Iterator

OFF_GRID: Final = "bucket that does not begin where one was asked for"


class BucketRequest(NamedTuple):
    """One question for buckets.

    Attributes:
        start: Start of the first bucket.
        end: End of the last one.
        resolution: The resolution as the vendor takes it.
    """

    start: datetime
    end: datetime
    resolution: str


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """The buckets of a resolution, by the instants they end at.

    Attributes:
        width: Length of a bucket.
        resolution: What the vendor is asked for; None where it is told a number of points.
    """

    width: timedelta
    resolution: str | None

    @classmethod
    def of(cls, resolution: str) -> Buckets:
        """Return the buckets of ``BELIMO_RESOLUTION``.

        Args:
            resolution: See :func:`read_resolution`.

        Raises:
            ValueError: It is neither.
        """
        found = read_resolution(resolution)
        return cls(width=found.width, resolution=None if found.is_count else resolution)

    def requests(self, low: datetime, high: datetime, *, most: int) -> Iterator[BucketRequest]:
        """Yield the questions for the buckets that end in ``[low, high)``, oldest first.

        Args:
            low: First instant a bucket may end at.
            high: First instant after it; not later than the present, so that all are over.
            most: Most buckets per request.
        """
        for anchor, start, end in self._pieces(low, high):
            first = anchor - (anchor - start) // self.width * self.width
            count = -((first - end) // self.width)
            while count > 0:
                now = min(count, most)
                yield BucketRequest(
                    first - self.width,
                    first + (now - 1) * self.width,
                    self.resolution or str(now),
                )
                first += now * self.width
                count -= now

    def _pieces(
        self, low: datetime, high: datetime
    ) -> Iterator[tuple[datetime, datetime, datetime]]:
        """Yield stretches of one grid: an instant on the grid, the begin and the end.

        Durations stand on the UTC grid since 1970, so that buckets aligned to the request and to
        UTC are the same (section 6). Points that do not divide a day begin again each midnight.
        """
        if self.width % DAY == timedelta(0) or DAY % self.width == timedelta(0):
            yield EPOCH, low, high
            return
        while low < high:
            midnight = low - (low - EPOCH) % DAY
            end = min(high, midnight + DAY)
            yield midnight, low, end
            low = end


def at_ends(frame: pl.DataFrame, *, request: BucketRequest, width: timedelta) -> Rows:
    """Move buckets from the start they are stamped with to their end.

    A stamp off the grid that was asked for is not a bucket of it: when its value held is not known,
    so that it is set aside.

    Args:
        frame: ``at``, ``value``, ``value_text`` as the vendor stamped them.
        request: What was asked for.
        width: Length of a bucket.

    >>> hour = timedelta(hours=1)
    >>> start = datetime(2026, 3, 1, tzinfo=UTC)
    >>> request = BucketRequest(start, start + 2 * hour, "1h")
    >>> said = pl.DataFrame({"at": [start], "value": [20.5], "value_text": [None]})
    >>> at_ends(said, request=request, width=hour).frame["at"][0] - start
    datetime.timedelta(seconds=3600)
    """
    on_grid = (pl.col("at") - request.start).dt.total_microseconds() % (width // MICROSECOND) == 0
    odd = tuple(
        Odd(at, at.isoformat(), repr(value) if text is None else text, OFF_GRID)
        for at, value, text in frame.filter(~on_grid).iter_rows()
    )
    return Rows(frame.filter(on_grid).with_columns(pl.col("at") + width), odd)
