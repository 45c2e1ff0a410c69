"""History of a valve: raw samples in pages, buckets, and the sparse CSV.

Source: Belimo Cloud Client API, sections 5 (history) and 6 (time).
"""

from __future__ import annotations

import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import polars as pl

from energy_platform.simulators.belimo.inventory import base_type
from energy_platform.simulators.rendering import (
    MILLISECONDS,
    SECONDS,
    RenderCache,
    points,
    rows,
    served,
    stamps,
    values,
)
from energy_platform.simulators.world import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_platform.simulators.belimo.inventory import Scope
    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.world import Signal

MAX_POINTS: Final = 10_000
DEFAULT_POINTS: Final = 100
DURATION_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
NULL_EVERY: Final = 10
"""``null_value`` spoils one sample in so many."""

ODD_EVERY: Final = 20
"""``odd_rows`` spoils one sample in so many."""

WINDOWS_HELD: Final = 32
"""Sampled windows kept between two pages of the same listing."""


class ParameterError(ValueError):
    """A query parameter is refused."""


class History:
    """Samples of the world in the cloud's shapes."""

    def __init__(self, *, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._cache = RenderCache()
        self._windows: OrderedDict[tuple[object, ...], Samples] = OrderedDict()
        self._seed = seed

    def samples(
        self, scope: Scope, datapoint: str, *, start: float, end: float, now: float
    ) -> tuple[Signal | None, Samples]:
        """Samples of a datapoint that this data scope holds, as (signal, samples)."""
        signal = find(scope, datapoint)
        if signal is None:
            return None, _NONE
        start = max(start, scope.since)
        settled = end <= now and not signal.events
        key = (signal.key, start, end)
        held = self._windows.get(key) if settled else None
        if held is not None:
            return signal, served(held, faults=self._faults)
        made = signal.samples(start, end, now=now)
        if settled:
            self._windows[key] = made
            while len(self._windows) > WINDOWS_HELD:
                self._windows.popitem(last=False)
        return signal, served(made, faults=self._faults)

    def page(
        self,
        signal: Signal | None,
        samples: Samples,
        *,
        offset: int,
        limit: int,
        descending: bool,
        with_milliseconds: bool,
    ) -> bytes:
        """The inside of ``data`` of one page of raw samples."""
        if signal is None:
            return b""
        at, shown = samples
        if descending:
            at, shown = at[::-1], shown[::-1]
        part = Samples(
            np.ascontiguousarray(at[offset : offset + limit]),
            np.ascontiguousarray(shown[offset : offset + limit]),
        )
        if not part.at.size:
            return b""
        spoiling = bool(self._faults.names())
        key = (
            signal.key,
            signal.events,
            part.at.size,
            int(part.at[0]),
            int(part.at[-1]),
            with_milliseconds,
        )
        held = None if spoiling or signal.events else self._cache.get(key)
        if held is not None:
            return held
        if not spoiling and base_type(signal) in {"int", "real"}:
            text = points(
                part,
                whole=base_type(signal) == "int",
                stamp="timestamp",
                unit="ms" if with_milliseconds else "s",
            )
            return text if signal.events else self._cache.put(key, text)
        pattern = MILLISECONDS if with_milliseconds else SECONDS
        frame = pl.DataFrame(
            [stamps(part, pattern=pattern).alias("timestamp"), typed(signal, part)]
        )
        if spoiling or signal.events:
            return rows(self._spoiled(frame))
        return self._cache.put(key, rows(frame))

    def odd(self, data: bytes) -> bytes:
        """Spoil single elements of a page: no stamp, no zone, no object, a value that is no number.

        In turn, one in ``ODD_EVERY`` each; the others stay as they are.
        """
        elements: list[Any] = msgspec.json.decode(b"[" + data + b"]")
        spoiled: list[bytes] = []
        for number, element in enumerate(elements):
            turn, rest = divmod(number, ODD_EVERY)
            if rest == ODD_EVERY - 1:
                element = _ODD[turn % len(_ODD)](element)  # noqa: PLW2901 (the spoiled one)
            text = element if isinstance(element, bytes) else msgspec.json.encode(element)
            spoiled.append(text)
        return b",".join(spoiled)

    def _spoiled(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._faults.should_fail("null_value"):
            kept = pl.when(pl.int_range(pl.len()) % NULL_EVERY != 0).then(pl.col("value"))
            frame = frame.with_columns(kept.alias("value"))
        if self._faults.should_fail("mixed_types"):
            frame = frame.with_columns(pl.col("value").cast(pl.String))
        if self._faults.should_fail("extra_keys"):
            frame = frame.with_columns(pl.lit("GOOD").alias("quality"))
        return frame

    def series(self, signal: Signal, samples: Samples, *, buckets: Buckets) -> bytes:
        """One series of a timeseries answer: the newest value of each bucket that has one."""
        number = np.floor((samples.at - buckets.origin) / buckets.width).astype(np.int64)
        last = np.flatnonzero(np.diff(number, append=number[-1:] + 1))
        starts = buckets.origin + number[last] * buckets.width
        newest = Samples(starts.astype(np.int64), samples.values[last])
        frame = pl.DataFrame([stamps(newest).alias("timestamp"), values(newest, whole=False)])
        head = msgspec.json.encode({"datapointId": signal.address, "aggregation": "last"})
        return head[:-1] + b',"values":[' + rows(frame.drop_nulls()) + b"]}"

    def csv(self, scope: Scope, signals: list[Signal], window: tuple[float, float, float]) -> bytes:
        """Sparse table of several datapoints: unsorted, and one timestamp twice."""
        start, end, now = window
        lines: list[str] = []
        for column, signal in enumerate(signals):
            _, found = self.samples(scope, signal.address, start=start, end=end, now=now)
            blanks = ";" * column, ";" * (len(signals) - column - 1)
            texts = typed(signal, found).cast(pl.String).fill_null("")
            lines += [
                f"{at};{blanks[0]}{text}{blanks[1]}"
                for at, text in zip(stamps(found), texts, strict=True)
            ]
        random.Random(self._seed).shuffle(lines)  # noqa: S311 (order of lines, no secret)
        header = "timestamp;" + ";".join(signal.address for signal in signals)
        return "".join(f"{line}\r\n" for line in [header, *lines]).encode()


class Buckets:
    """Buckets of a timeseries.

    Args:
        text: A duration (``15m``) or a number of points.
        start: Inclusive, epoch seconds.
        end: Exclusive.
        from_start: Whether durations are counted from ``start`` rather than from midnight UTC; the
            vendor does not say which (section 6).

    Raises:
        ParameterError: Unreadable, or more than 10,000 points.
    """

    def __init__(self, text: str, *, start: float, end: float, from_start: bool = False) -> None:
        if text.isdigit() and int(text) > 0:
            points = int(text)
            self.width = max(1.0, np.ceil((end - start) / points))
            self.origin = start
        elif text[-1:] in DURATION_S and text[:-1].isdigit() and int(text[:-1]) > 0:
            self.width = float(int(text[:-1]) * DURATION_S[text[-1]])
            # Aligned to UTC, days begin at midnight; else local days can be asked for.
            self.origin = start if from_start else 0.0
            points = int(np.ceil((end - start) / self.width))
        else:
            msg = f"resolution {text!r} is neither a duration nor a number of points"
            raise ParameterError(msg)
        if points > MAX_POINTS:
            msg = f"{points} points exceed the maximum of {MAX_POINTS}"
            raise ParameterError(msg)


def find(scope: Scope, datapoint: str) -> Signal | None:
    """The signal behind a datapoint id."""
    if scope.device is None:
        return None
    for signal in scope.device.signals:
        if signal.address == datapoint:
            return signal
    return None


def typed(signal: Signal, samples: Samples) -> pl.Series:
    """Values in the JSON type of their datapoint."""
    match base_type(signal):
        case "text":
            codes = values(samples, whole=True)
            return pl.Series("value", [signal.states[code] for code in codes], dtype=pl.String)
        case "bool":
            return values(samples, whole=True).cast(pl.Boolean)
        case "int":
            return values(samples, whole=True)
        case _:
            return values(samples, whole=False)


def listing(
    data: bytes,
    *,
    total: int | None,
    offset: int,
    limit: int,
    sorting: tuple[str, str],
    filters: dict[str, Any],
) -> bytes:
    """A collection with its paging, sorting and filter."""
    rest = {
        "paging": {"total": total, "offset": offset, "limit": limit},
        "sorting": {"field": sorting[0], "direction": sorting[1]},
        "filter": filters,
    }
    return b'{"data":[' + data + b"]," + msgspec.json.encode(rest)[1:]


_ODD: Final[tuple[Callable[[dict[str, Any]], Any], ...]] = (
    lambda one: {**one, "timestamp": None},
    lambda one: {**one, "timestamp": one["timestamp"].rstrip("Z")},
    lambda one: {"value": one["value"]},
    lambda one: one["value"],
    lambda _one: None,
    # JSON has no such number; some programs write it all the same.
    lambda one: b'{"timestamp":"%s","value":NaN}' % one["timestamp"].encode(),
)
"""What ``odd_rows`` makes of a sample."""

_NONE: Final = Samples(np.empty(0, dtype=np.int64), np.empty(0))
