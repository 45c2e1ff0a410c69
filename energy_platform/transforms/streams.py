"""Energy of more readings than fit in memory: load by load, each from the state before.

Cutting a load anywhere changes nothing (the law the settle rule is built on), so a large load is
read in pieces. Pieces of whole points are the cheapest: each register is then opened once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from energy_platform.transforms.counters import DEFAULT_POLICY, settled_load
from energy_platform.transforms.intervals import spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    import polars as pl

    from energy_platform.transforms.policy import CounterPolicy

READINGS_AT_ONCE: Final = 524_288
"""Readings of a piece: what the rule works on then stays below 150 MB."""


class EnergyPiece(NamedTuple):
    """What one piece of a load came to.

    Attributes:
        deltas: Rows of ``core_energy_deltas``.
        intervals: Rows of ``core_energy_intervals``; contributions, to be added up over pieces.
        rejects: Rows of ``core_register_rejects``.
        state: Rows of ``core_register_state`` after the piece, of all points so far.
    """

    deltas: pl.DataFrame
    intervals: pl.DataFrame
    rejects: pl.DataFrame
    state: pl.DataFrame


def energy_stream(
    pieces: Iterable[pl.DataFrame],
    *,
    state: pl.DataFrame | None = None,
    policy: CounterPolicy | Mapping[str, CounterPolicy] = DEFAULT_POLICY,
    width: str | timedelta = "15m",
) -> Iterator[EnergyPiece]:
    """Turn pieces of register readings into energy, one in memory at a time.

    A point's readings may be spread over many pieces, as in a file in time order, provided that
    its instants rise from piece to piece: readings not newer than what was seen are left out.

    Args:
        pieces: Readings as ``energy_deltas`` takes them.
        state: What the load before returned; None before the first.
        policy: One policy, or one per ``point_id``.
        width: Bucket width of the intervals.

    Yields:
        The outcome of each piece, in order; the last one's state is the state after all.

    Raises:
        ValueError: See ``energy_deltas`` and ``energy_intervals``.
    """
    for piece in pieces:
        result, is_new = settled_load(piece, state=state, policy=policy)
        state = result.state
        yield EnergyPiece(
            deltas=result.deltas,
            intervals=spread(result.deltas, width=width, is_new=is_new),
            rejects=result.rejects,
            state=state,
        )


def pieces_of_whole_points(
    frame: pl.DataFrame, *, rows: int = READINGS_AT_ONCE
) -> Iterator[pl.DataFrame]:
    """Cut a frame sorted by point into pieces without copying, never inside a point.

    Args:
        frame: Rows with ``point_id``, each point's together.
        rows: Rows of a piece; more only where one point has more.
    """
    if frame.height <= rows:
        yield frame
        return
    ids = frame.get_column("point_id")
    changes = np.flatnonzero((ids != ids.shift(1)).fill_null(value=True).to_numpy())
    starts = np.append(changes, frame.height)
    low = 0
    while low < frame.height:
        at = int(np.searchsorted(starts, low + rows, side="right")) - 1
        high = int(starts[at])
        if high <= low:
            high = int(starts[at + 1])
        yield frame.slice(low, high - low)
        low = high
