"""From a Parquet file of register readings to Parquet files of energy, in little memory.

The next batch is read and the last one written while one is worked on, so the whole takes little
longer than its slowest part; three batches are in memory at most, however long the file. The
platform itself works day by day; this is what its rule costs on a file of any size.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from energy_platform.lake.parquet import arrow_table, open_parquet
from energy_platform.transforms.counters import DEFAULT_POLICY, energy_deltas
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.ordering import READINGS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from energy_platform.transforms.policy import CounterPolicy


def energy_of_file(
    source: Path,
    *,
    deltas_to: Path,
    intervals_to: Path,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
    width: str | timedelta = "15m",
    on_intervals: Callable[[pl.DataFrame], None] | None = None,
    readings_at_once: int = READINGS_AT_ONCE,
) -> pl.DataFrame | None:
    """Turn a file of readings into a file of deltas and one of intervals.

    Args:
        source: ``point_id, at, value_wh``, sorted by point or by time: a point's instants must
            rise along the file.
        deltas_to: Rows of ``core_energy_deltas``, in the order of the file's batches.
        intervals_to: Rows of ``core_energy_intervals``: contributions, of which a bucket may have
            several where a batch ends inside it.
        state: What a load before returned; None before the first.
        policy: One policy, or one per ``point_id``.
        width: Bucket width.
        on_intervals: Called with the intervals of each batch.
        readings_at_once: Rows of a batch.

    Returns:
        The state after the file; the one given when the file has no rows.

    Raises:
        ValueError: See ``energy_deltas`` and ``energy_intervals``; the files written so far stay.
    """
    with ExitStack() as stack:
        batches = stack.enter_context(_ReadAhead(source, rows=readings_at_once))
        deltas = stack.enter_context(_WriteBehind(deltas_to))
        intervals = stack.enter_context(_WriteBehind(intervals_to))
        for batch in batches:
            result = energy_deltas(batch, state=state, policy=policy)
            state = result.state
            buckets = energy_intervals(result.deltas, width=width)
            deltas.put(result.deltas)
            intervals.put(buckets)
            if on_intervals is not None:
                on_intervals(buckets)
    return state


class _ReadAhead:
    """Pieces of a Parquet file, the next one read while one is used."""

    def __init__(self, path: Path, *, rows: int) -> None:
        self._file = pq.ParquetFile(path)
        # Group by group: a reader of several keeps all that it has read in memory.
        self._batches = (
            batch
            for group in range(self._file.num_row_groups)
            for batch in self._file.iter_batches(batch_size=rows, row_groups=[group])
        )
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._file.close()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        coming = self._pool.submit(self._next)
        while (batch := coming.result()) is not None:
            coming = self._pool.submit(self._next)
            yield batch

    def _next(self) -> pl.DataFrame | None:
        batch = next(self._batches, None)
        return None if batch is None else pl.DataFrame(pa.Table.from_batches([batch]))


class _WriteBehind:
    """A Parquet file whose last batch is written while the next one is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write-behind")
        self._writing: Future[None] | None = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._pool.shutdown()
            if self._writer is not None:
                self._writer.close()

    def put(self, frame: pl.DataFrame) -> None:
        """Have a batch written, when the one before is."""
        self._wait()
        self._writing = self._pool.submit(self._write, frame)

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, frame: pl.DataFrame) -> None:
        if self._writer is None:
            self._writer = open_parquet(self._path, schema=frame.schema)
        self._writer.write_table(arrow_table(frame))
