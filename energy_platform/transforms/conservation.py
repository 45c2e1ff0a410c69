"""Whether energy was neither lost nor made between two tables: the promise whose check blocks.

What is doubtful about the vendors' data only warns, and is in ``quality``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

CONSERVED_RELATIVE: Final = 1e-9
"""Rounding of sums of energies that are not whole watt-hours: a day has at most some 10^5 steps of
one point, each off by 2^-53, so a billionth is far above rounding and far below any lost step."""


class Conservation(NamedTuple):
    """Whether energy was neither lost nor made.

    Attributes:
        expected_wh: What should be there.
        actual_wh: What is there.
        points: Points whose own figures differ: ``point_id, expected_wh, actual_wh``.
    """

    expected_wh: float
    actual_wh: float
    points: pl.DataFrame

    @property
    def holds(self) -> bool:
        """Whether no point differs by more than rounding."""
        return self.points.height == 0


def intervals_conserve(deltas: pl.DataFrame, intervals: pl.DataFrame) -> Conservation:
    """Say whether the intervals made of a day's deltas hold exactly their energy.

    Example:
        >>> deltas = pl.DataFrame({"point_id": ["main"], "energy_wh": [500.0]})
        >>> halves = pl.DataFrame({"point_id": ["main", "main"], "energy_wh": [200.0, 300.0]})
        >>> intervals_conserve(deltas, halves).holds
        True
        >>> intervals_conserve(deltas, halves.head(1)).points.rows()
        [('main', 500.0, 200.0)]
    """
    return _compare(
        deltas.group_by("point_id").agg(pl.col("energy_wh").sum().alias("expected_wh")),
        intervals.group_by("point_id").agg(pl.col("energy_wh").sum().alias("actual_wh")),
        size=deltas.group_by("point_id").agg(pl.col("energy_wh").abs().sum().alias("size")),
    )


def totals_conserve(
    deltas: pl.DataFrame, *, before: pl.DataFrame, after: pl.DataFrame
) -> Conservation:
    """Say whether the carried totals moved by exactly the energy of the deltas.

    Args:
        deltas: Rows of ``core_energy_deltas`` of one load.
        before: ``core_register_state`` the load started from.
        after: ``core_register_state`` it ended with.

    Example:
        >>> deltas = pl.DataFrame({"point_id": ["main"], "energy_wh": [500.0]})
        >>> before = pl.DataFrame({"point_id": ["main"], "kind": ["good"], "total_wh": [9000.0]})
        >>> after = before.with_columns(total_wh=pl.lit(9500.0))
        >>> totals_conserve(deltas, before=before, after=after).holds
        True
    """

    def totals(state: pl.DataFrame, name: str) -> pl.DataFrame:
        return state.filter(pl.col("kind") == "good").select(
            "point_id", pl.col("total_wh").alias(name)
        )

    moved = (
        totals(after, "after")
        .join(totals(before, "before"), on="point_id", how="left")
        .select(
            "point_id",
            (pl.col("after") - pl.col("before").fill_null(0.0)).alias("actual_wh"),
            (pl.col("after").abs() + pl.col("before").abs().fill_null(0.0)).alias("size"),
        )
    )
    return _compare(
        deltas.group_by("point_id").agg(pl.col("energy_wh").sum().alias("expected_wh")),
        moved.select("point_id", "actual_wh"),
        size=moved.select("point_id", "size"),
    )


def _compare(expected: pl.DataFrame, found: pl.DataFrame, *, size: pl.DataFrame) -> Conservation:
    both = (
        expected.join(found, on="point_id", how="full", coalesce=True)
        .join(size, on="point_id", how="left")
        .with_columns(pl.col("expected_wh", "actual_wh", "size").fill_null(0.0))
    )
    allowed = pl.col("size") * CONSERVED_RELATIVE
    differing = (
        both.filter((pl.col("expected_wh") - pl.col("actual_wh")).abs() > allowed)
        .select("point_id", "expected_wh", "actual_wh")
        .sort("point_id")
    )
    return Conservation(
        expected_wh=float(both.get_column("expected_wh").sum()),
        actual_wh=float(both.get_column("actual_wh").sum()),
        points=differing,
    )
