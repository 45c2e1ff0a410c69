"""History of SoData: the query is judged strictly, the answer rendered fast.

Source: SoData API, sections 5 (datapoints) and 7 (time).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import polars as pl

from energy_platform.simulators.rendering import (
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
    from energy_platform.simulators.faults import Faults
    from energy_platform.simulators.socomec.inventory import Inventory
    from energy_platform.simulators.world import Signal

BUCKETS: Final = {
    "minute": "1m",
    "hour": "1h",
    "day": "1d",
    "week": "1w",
    "month": "1mo",
    "year": "1y",
}
AGGREGATIONS: Final = frozenset({"avg", "min", "max", "count", "sum", "var", "stdev"})

SERIES_KEYS: Final = ("deviceUuid", "itemType", "itemIndex", "serviceId")

EXTRA: Final[dict[str, Any]] = {"quality": {"source": "GATEWAY", "flags": []}, "revision": 3}
"""What ``extra_keys`` adds; a client must not mind."""


NULL_EVERY: Final = 10
"""``null_value`` spoils one point in so many."""


THIN_BEYOND_S: Final = 6 * 3600
"""``thin_out`` gives every n-th point of windows longer than this, seconds."""

ODD_ROWS: Final[tuple[Any, ...]] = (
    {"at": None, "value": 1},
    {"value": 2},
    {"at": "2026-01-01T00:00:00", "value": 3},
    {"at": "yesterday", "value": 4},
    {"at": 1767225600, "value": 5},
    None,
    6,
    ["2026-01-01T00:00:00Z", 7],
)
"""What ``odd_rows`` puts between the points of a series: no stamp, no zone, no object."""


class QueryError(ValueError):
    """The query is refused; ``status`` says how."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Query:
    """A judged query.

    Attributes:
        echo: The request's own keys, returned as they came.
        start: Inclusive, epoch seconds; before any shift to a device's local time.
        end: Exclusive.
        local: Whether the bounds are read as the device's wall clock.
        granularity: ``raw`` or a bucket.
        series: The series asked for.
    """

    echo: dict[str, Any]
    start: datetime
    end: datetime
    local: bool
    granularity: str
    series: list[dict[str, Any]]


def read_query(body: bytes) -> Query:
    """Judge the body of a history request.

    Raises:
        QueryError: What is wrong with it.
    """
    try:
        query = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise QueryError(f"Unexpected body: {error}") from error
    if not isinstance(query, dict):
        raise QueryError("body must be an object")
    granularity = query.get("granularity")
    if granularity != "raw" and granularity not in BUCKETS:
        allowed = ", ".join(("raw", *BUCKETS))
        raise QueryError(f"granularity must be one of the following values: {allowed}")
    local = query.get("useDeviceLocalTimezone", False)
    if not isinstance(local, bool):
        raise QueryError("useDeviceLocalTimezone must be a boolean value")
    zone = _zone(query.get("timezone", "UTC"))
    start = _instant(query.get("from"), key="from", zone=zone)
    end = _instant(query.get("to"), key="to", zone=zone)
    if end <= start:
        raise QueryError("to must be after from")
    series = query.get("series")
    if not isinstance(series, list) or not series:
        raise QueryError("series must contain at least 1 elements")
    for position, one in enumerate(series):
        _judge_series(one, position=position, raw=granularity == "raw")
    echo = {key: value for key, value in query.items() if key != "series"}
    return Query(echo, start, end, local, str(granularity), series)


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise QueryError(f"timezone {name!r} is unknown") from error


def _instant(text: object, *, key: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise QueryError(f"{key} must be a valid ISO 8601 date string") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _judge_series(one: object, *, position: int, raw: bool) -> None:
    where = f"series.{position}"
    if not isinstance(one, dict):
        raise QueryError(f"{where} must be an object")
    for key in SERIES_KEYS:
        if not isinstance(one.get(key), str):
            raise QueryError(f"{where}.{key} must be a string")
    aggregation = one.get("aggregation")
    if raw and "aggregation" in one:
        raise QueryError(f"{where}.aggregation must not exist with granularity raw")
    if not raw and aggregation not in AGGREGATIONS:
        allowed = ", ".join(sorted(AGGREGATIONS))
        raise QueryError(f"{where}.aggregation must be one of the following values: {allowed}")


class History:
    """Answers judged queries from the world."""

    def __init__(self, inventory: Inventory, *, faults: Faults, seed: int) -> None:
        self._inventory = inventory
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311 (order of keys, no secret)
        self._cache = RenderCache()

    def answer(self, query: Query, *, now: float) -> bytes:
        """The body of a 200.

        Raises:
            QueryError: A fault finds the answer too large (413) or too slow to make (504).
        """
        spoiling = bool(self._faults.names())
        self._refuse(query)
        left = self._limit("truncate")
        found = 0
        parts: list[bytes] = []
        for one in self._random.sample(query.series, len(query.series)):
            signal = self._inventory.signals.get(tuple(one[key] for key in SERIES_KEYS))
            if signal is None:
                data = b""
            elif query.granularity == "raw" and not spoiling:
                data = self._healthy(signal, self._window(one, query), now=now)
            else:
                samples = signal.samples(*self._window(one, query), now=now)
                samples = served(samples, faults=self._faults)
                found += samples.at.size
                samples = self._shortened(samples, query)
                if left is not None:
                    samples = Samples(samples.at[:left], samples.values[:left])
                    left -= samples.at.size
                data = self._data(one, query, signal=signal, samples=samples)
            parts.append(self._head(one, query, signal=signal) + data + b"]}")
        if self._faults.should_fail("series_left_out"):
            parts = parts[1:]
        for name, status in (("too_large", 413), ("too_slow", 504)):
            limit = self._limit(name)
            if limit is not None and found > limit:
                raise QueryError(f"more than {limit} points", status=status)
        echo = dict(query.echo)
        if self._faults.should_fail("extra_keys"):
            echo |= EXTRA
        head = msgspec.json.encode(echo)
        return head[:-1] + b',"series":[' + b",".join(parts) + b"]}"

    def _refuse(self, query: Query) -> None:
        """Refuse one device for ever: the first of the inventory, with the status ordered."""
        status = self._limit("device_refused")
        if status is None:
            return
        refused = min(key[0] for key in self._inventory.signals)
        if any(one["deviceUuid"] == refused for one in query.series):
            self._faults.should_fail("device_refused")
            raise QueryError(f"device {refused} is not available", status=status)

    def _shortened(self, samples: Samples, query: Query) -> Samples:
        """The samples of a series as far as a limit of its own lets them through."""
        at, said = samples.at, samples.values
        every = self._limit("thin_out")
        if every and (query.end - query.start).total_seconds() > THIN_BEYOND_S:
            at, said = at[::every], said[::every]
        most = self._limit("truncate_series")
        if most is not None:
            at, said = at[:most], said[:most]
        most = self._limit("truncate_newest")
        if most:
            at, said = at[-most:], said[-most:]
        return Samples(at, said)

    def _limit(self, name: str) -> int | None:
        fault = self._faults.active(name)
        return None if fault is None else int(fault.amount or 0)

    def _window(self, one: dict[str, Any], query: Query) -> tuple[float, float]:
        """Bounds of the samples of one series, epoch seconds."""
        start, end = query.start, query.end
        if query.local:
            # The trap of section 7: the bounds are wall time of the device, whatever the Z says.
            zone = ZoneInfo(self._inventory.zones[one["deviceUuid"]])
            start = start.astimezone(UTC).replace(tzinfo=zone)
            end = end.astimezone(UTC).replace(tzinfo=zone)
        return start.timestamp(), end.timestamp()

    def _head(self, one: dict[str, Any], query: Query, *, signal: Signal | None) -> bytes:
        """A series up to its points, the keys in any order."""
        zone = self._inventory.zones.get(one["deviceUuid"], "UTC")
        is_text = signal is not None and "alarm" in signal.traits and query.granularity == "raw"
        keys: list[tuple[str, Any]] = [
            *((key, one[key]) for key in SERIES_KEYS),
            ("dataType", "string" if is_text else "number"),
            ("deviceTimeZone", zone if query.local else "UTC"),
        ]
        if "aggregation" in one:
            keys.append(("aggregation", one["aggregation"]))
        self._random.shuffle(keys)
        return msgspec.json.encode(dict(keys))[:-1] + b',"data":['

    def _healthy(self, signal: Signal, window: tuple[float, float], *, now: float) -> bytes:
        """Raw points without any protocol fault; rendered once where nothing can change."""
        settled = window[1] <= now and not signal.events
        key = (signal.key, *window)
        held = self._cache.get(key) if settled else None
        if held is not None:
            return held
        samples = signal.samples(*window, now=now)
        if "alarm" in signal.traits:
            text = rows(_raw(signal, samples))
        else:
            text = points(samples, whole=signal.decimals == 0)
        return self._cache.put(key, text) if settled else text

    def _data(
        self, one: dict[str, Any], query: Query, *, signal: Signal, samples: Samples
    ) -> bytes:
        if query.granularity == "raw":
            data = rows(self._spoiled(_raw(signal, samples)))
            if self._faults.should_fail("odd_rows"):
                odd = msgspec.json.encode(ODD_ROWS)[1:-1]
                return odd + b"," + data if data else odd
            return data
        if not samples.at.size:
            return b""
        return _aggregated(
            samples,
            every=BUCKETS[query.granularity],
            how=one["aggregation"],
            zone=self._inventory.zones[one["deviceUuid"]] if query.local else "UTC",
        )

    def _spoiled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the faults that touch single points."""
        if self._faults.should_fail("null_value"):
            kept = pl.when(pl.int_range(pl.len()) % NULL_EVERY != 0).then(pl.col("value"))
            frame = frame.with_columns(kept.alias("value"))
        if self._faults.should_fail("mixed_types"):
            frame = frame.with_columns(pl.col("value").cast(pl.String))
        if self._faults.should_fail("extra_keys"):
            frame = frame.with_columns(pl.lit("GOOD").alias("quality"))
        return frame


def _raw(signal: Signal, samples: Samples) -> pl.DataFrame:
    frame = pl.DataFrame([stamps(samples), values(samples, whole=signal.decimals == 0)])
    if "alarm" not in signal.traits:
        return frame
    active = pl.when(pl.col("value") > 0).then(pl.lit("ACTIVE")).otherwise(pl.lit("INACTIVE"))
    return frame.with_columns(active.alias("value"))


def _aggregated(samples: Samples, *, every: str, how: str, zone: str) -> bytes:
    """Buckets of a zone's wall clock, stamped with their start in UTC; empty ones are absent.

    A bucket of one sample has no spread: it is absent too, since no document shows a null.
    """
    value = pl.col("value")
    function = {
        "avg": value.mean(),
        "min": value.min(),
        "max": value.max(),
        "count": value.count(),
        "sum": value.sum(),
        "var": value.var(),
        "stdev": value.std(),
    }[how]
    at = pl.from_epoch(pl.Series("at", samples.at), "s").dt.replace_time_zone("UTC")
    frame = (
        pl.DataFrame([at.dt.convert_time_zone(zone), values(samples, whole=False)])
        .group_by_dynamic("at", every=every)
        .agg(function.alias("value"))
        .drop_nulls()
        .with_columns(pl.col("at").dt.convert_time_zone("UTC").dt.to_string(SECONDS))
    )
    return rows(frame)
