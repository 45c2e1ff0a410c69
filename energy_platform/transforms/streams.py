"""Energy of more readings than fit in memory: load by load, each from the state before.

Cutting a load anywhere changes nothing (the law the register rule is built on), so a large load is
read in pieces. Pieces of whole points are the cheapest: each register is then opened once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from energy_platform.transforms.counters import DEFAULT_POLICY, settled_load
from energy_platform.transforms.intervals import allocate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    import polars as pl

    from energy_platform.transforms.policy import CounterPolicy


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
            intervals=allocate(result.deltas, width=width, is_new=is_new),
            rejects=result.rejects,
            state=state,
        )
