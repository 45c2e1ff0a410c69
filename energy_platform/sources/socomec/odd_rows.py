"""Decoding of history answers, in which one odd row costs no other row.

The fast path decodes the documented shape. Only an answer that does not fit is looked at entry by
entry: what is not a datapoint is set aside with its reason, all others are kept.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple

import msgspec

from energy_platform.sources.socomec.models import Datapoints, Point, SeriesKey, SeriesPoints

NO_OBJECT: Final = "no object with a stamp and a value"
NO_STAMP: Final = "no stamp"
UNREADABLE_STAMP: Final = "a stamp that is no instant with a zone"
NO_SERIES: Final = "a series without its four keys"


MOST_TEXT: Final = 10_000
"""Characters of an odd row that are kept; nested rows can be as large as an answer."""


class OddRow(NamedTuple):
    """A row that cannot be a datapoint, as it was said; the series where it is known."""

    key: SeriesKey | None
    stamp_text: str | None
    value_text: str | None
    reason: str


class MendedDatapoints(Datapoints):
    """An answer with odd rows; ``odd`` holds them, ``series`` the others."""

    odd: list[OddRow] = msgspec.field(default_factory=list)


class DatapointsDecoder:
    """Decodes answers of the history call."""

    def __init__(self) -> None:
        self._plain = msgspec.json.Decoder(Datapoints)
        self._anything: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

    def decode(self, buf: bytes, /) -> Datapoints:
        """Decode a whole body.

        Raises:
            msgspec.ValidationError: JSON, but no history answer at all.
            msgspec.DecodeError: Not JSON, not even with the NaN and Infinity that some write.
        """
        try:
            return self._plain.decode(buf)
        except msgspec.DecodeError:
            pass
        try:
            answer = self._anything.decode(buf)
        except msgspec.DecodeError:
            # Numbers that JSON does not have or that no float holds, kept as they were written.
            try:
                answer = json.loads(buf, parse_float=_number, parse_constant=str)
            except (ValueError, RecursionError):
                raise msgspec.DecodeError("not JSON") from None
        return _mended(answer)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _mended(answer: Any) -> MendedDatapoints:
    """Keep what can be kept of an answer."""
    if not isinstance(answer, dict) or not isinstance(answer.get("series"), list):
        raise msgspec.ValidationError("Expected an object with a list of series")
    head = msgspec.convert({**answer, "series": []}, MendedDatapoints)
    head.odd = []
    for entry in answer["series"]:
        try:
            head.series.append(_plain_series(entry))
        except msgspec.ValidationError:
            _mend_series(entry, head)
    return head


def _plain_series(entry: Any) -> SeriesPoints:
    series = msgspec.convert(entry, SeriesPoints)
    if not all(map(_fits, series.data)):
        raise msgspec.ValidationError("Number out of range")
    return series


def _fits(point: Point) -> bool:
    return not isinstance(point.value, float) or math.isfinite(point.value)


def _mend_series(entry: Any, head: MendedDatapoints) -> None:
    """Keep the rows of a series that are datapoints, and set the others aside."""
    rows = entry.get("data") if isinstance(entry, dict) else None
    try:
        series = msgspec.convert({**entry, "data": []}, SeriesPoints)
    except (msgspec.ValidationError, TypeError):
        for row in rows if isinstance(rows, list) and rows else [entry]:
            head.odd.append(OddRow(None, *_texts(row), NO_SERIES))
        return
    if not isinstance(rows, list):
        # A series without a list of rows is as good as left out: it will be asked for again.
        return
    for row in rows:
        stamp = row.get("at") if isinstance(row, dict) else None
        if isinstance(stamp, str):
            series.data.append(Point(stamp, _value(row.get("value"))))
        else:
            missing = isinstance(row, dict) and stamp is None
            reason = NO_STAMP if missing else UNREADABLE_STAMP
            reason = reason if isinstance(row, dict) else NO_OBJECT
            head.odd.append(OddRow(series.key, *_texts(row), reason))
    head.series.append(series)


def _value(value: Any) -> Any:
    """Return a value as the lake can hold it: whole numbers as float, or as text if too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def _texts(row: Any) -> tuple[str | None, str | None]:
    """Return what a row said as stamp and value, as texts."""
    if not isinstance(row, dict):
        return None, _text(row)
    if "at" in row or "value" in row:
        return _text(row.get("at")), _text(row.get("value"))
    return None, _text(row)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"))[:MOST_TEXT]
    except (ValueError, RecursionError):
        return "…"


def text_of(value: object) -> str | None:
    """Return a value of a datapoint as a text; None for null.

    >>> text_of(20.5), text_of([1]), text_of(None)
    ('20.5', '[1]', None)
    """
    return _text(value)
