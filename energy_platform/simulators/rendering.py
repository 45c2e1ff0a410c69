"""Samples to JSON text, fast: the simulators serve millions of points to benchmarks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from energy_platform.simulators.world import Samples
from energy_platform.simulators.world.curves import DAY_S, HOUR_S

if TYPE_CHECKING:
    from energy_platform.simulators.faults import Faults

StampUnit = Literal["s", "ms"]

SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"
MILLISECONDS: Final = "%Y-%m-%dT%H:%M:%S.000Z"

SMALL: Final = 1_000
"""Up to so many points are rendered without a frame."""

LATE_HOURS: Final = 2.0
"""How much of each day ``late_points`` holds back when no number is given."""

CACHE_BYTES: Final = 128 * 2**20
"""Rendered windows kept; a benchmark asks for the same pages once per contestant."""


def stamps(samples: Samples, *, pattern: str = SECONDS) -> pl.Series:
    """ISO 8601 text of each sample's instant, UTC."""
    return pl.from_epoch(pl.Series("at", samples.at), "s").dt.to_string(pattern)


def values(samples: Samples, *, whole: bool) -> pl.Series:
    """Values as JSON shall show them: whole numbers without a point, NaN as null."""
    series = pl.Series("value", samples.values).fill_nan(None)
    return series.cast(pl.Int64) if whole else series


def points(samples: Samples, *, whole: bool, stamp: str = "at", unit: StampUnit = "s") -> bytes:
    """Samples as the inside of a JSON array of ``{"at": ..., "value": ...}`` objects.

    Below ``SMALL`` points plain text formatting, which is four times quicker than a frame for the
    hundred points of a device-day; above it a frame, which is twice as quick.

    Args:
        samples: Numbers; NaN becomes null.
        whole: Whether to print whole numbers.
        stamp: Key of the instant.
        unit: Whole seconds or milliseconds.
    """
    if samples.at.size > SMALL:
        pattern = SECONDS if unit == "s" else MILLISECONDS
        at = stamps(samples, pattern=pattern).alias(stamp)
        return rows(pl.DataFrame([at, values(samples, whole=whole)]))
    texts = np.datetime_as_string(samples.at.astype("datetime64[s]"), unit=unit).tolist()
    known = ~np.isnan(samples.values)
    if not known.all():
        numbers = [
            (int(value) if whole else value) if value == value else "null"  # noqa: PLR0124 (NaN)
            for value in samples.values.tolist()
        ]
    else:
        numbers = (samples.values.astype(np.int64) if whole else samples.values).tolist()
    return ",".join(
        [
            f'{{"{stamp}":"{text}Z","value":{number}}}'
            for text, number in zip(texts, numbers, strict=True)
        ]
    ).encode()


def rows(frame: pl.DataFrame) -> bytes:
    """A frame as the inside of a JSON array of objects, in column order."""
    return frame.write_ndjson().rstrip("\n").replace("\n", ",").encode()


def hide_late(samples: Samples, *, hours: float) -> Samples:
    """Samples without the last hours of each UTC day: a gateway that delivers them later."""
    shown = samples.at % DAY_S < DAY_S - hours * HOUR_S
    return Samples(samples.at[shown], samples.values[shown])


def served(samples: Samples, *, faults: Faults) -> Samples:
    """What a cloud serves of the samples while ``late_points`` is on, and all of them later."""
    late = faults.active("late_points")
    return samples if late is None else hide_late(samples, hours=late.amount or LATE_HOURS)


class RenderCache:
    """Rendered windows by key; forgets everything when it grows past its size."""

    def __init__(self, *, size: int = CACHE_BYTES) -> None:
        self._size = size
        self._held = 0
        self._texts: dict[tuple[object, ...], bytes] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """The text of that key, if it is held."""
        return self._texts.get(key)

    def put(self, key: tuple[object, ...], text: bytes) -> bytes:
        """Hold a text and hand it back."""
        with self._lock:
            if self._held + len(text) > self._size:
                self._texts.clear()
                self._held = 0
            self._texts[key] = text
            self._held += len(text)
        return text
