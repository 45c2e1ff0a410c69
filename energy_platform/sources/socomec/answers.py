"""History answers laid out in columns: instants once parsed, values as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl

from energy_platform.sources.columns import INSTANT_FORMATS
from energy_platform.sources.socomec.odd_rows import (
    UNREADABLE_STAMP,
    MendedDatapoints,
    OddRow,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from energy_platform.sources.socomec.models import Datapoints, SeriesKey

_PLAIN_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
"""How datapoints are stamped (section 5): whole seconds and a Z."""


class Chunk(NamedTuple):
    """Points of one series out of one answer, in the order they came.

    Attributes:
        key: The series.
        data_type: As the vendor said it.
        device_time_zone: As the vendor said it.
        at: Instants, microseconds since 1970.
        values: One decoded JSON value per instant.
    """

    key: SeriesKey
    data_type: str | None
    device_time_zone: str | None
    at: npt.NDArray[np.int64]
    values: list[Any]

    def where(self, keep: npt.NDArray[np.bool_]) -> Chunk:
        """Return the points for which ``keep`` is true."""
        if keep.all():
            return self
        values = [
            value for value, is_kept in zip(self.values, keep.tolist(), strict=True) if is_kept
        ]
        return self._replace(at=self.at[keep], values=values)


class Answer(NamedTuple):
    """One answer in columns, its odd rows apart.

    Attributes:
        chunks: Its series.
        odd: Rows that are not datapoints.
        is_elsewhere: Whether it says to be about another window: it proves nothing.
        left_out: Series that were asked for and that it does not name.
    """

    chunks: list[Chunk]
    odd: list[OddRow]
    is_elsewhere: bool = False
    left_out: frozenset[SeriesKey] = frozenset()

    @property
    def points(self) -> int:
        """Points over all series."""
        return sum(len(chunk.values) for chunk in self.chunks)


def laid_out(answer: Datapoints) -> Answer:
    """Lay an answer out in columns; rows whose stamp is not an instant are set aside."""
    odd = list(answer.odd) if isinstance(answer, MendedDatapoints) else []
    at = _instants([point.at for series in answer.series for point in series.data])
    chunks = []
    first = 0
    for series in answer.series:
        count = len(series.data)
        values = [point.value for point in series.data]
        head = (series.key, series.data_type, series.device_time_zone)
        chunk = Chunk(*head, at[first : first + count], values)
        unreadable = chunk.at == _NO_INSTANT
        if unreadable.any():
            for row in np.flatnonzero(unreadable).tolist():
                texts = series.data[row].at, text_of(values[row])
                odd.append(OddRow(series.key, *texts, UNREADABLE_STAMP))
            chunk = chunk.where(~unreadable)
        chunks.append(chunk)
        first += count
    return Answer(chunks, odd)


_NO_INSTANT: Final = np.iinfo(np.int64).min


def _instants(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Parse stamps; what is not an instant with a zone becomes ``_NO_INSTANT``."""
    said = pl.Series("at", texts, dtype=pl.String)
    # Four times as fast as a format with decimals, and what the vendor really sends.
    parsed = _parsed(said, _PLAIN_INSTANT)
    for shape in INSTANT_FORMATS:
        if not parsed.null_count():
            break
        parsed = parsed.zip_with(parsed.is_not_null(), _parsed(said, shape))
    at: npt.NDArray[np.int64] = parsed.to_physical().fill_null(_NO_INSTANT).to_numpy()
    return at


def _parsed(said: pl.Series, shape: str) -> pl.Series:
    try:
        return said.str.to_datetime(
            shape, time_unit="us", time_zone="UTC", strict=False, ambiguous="null"
        )
    except pl.exceptions.PolarsError:
        return pl.Series("at", [None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(said))
