"""Increments that a vendor stamps again: of two answers for one period the newer counts.

A day read again keeps the rows that the vendor no longer sends, since nothing is to be lost by a
vendor's mistake. For increments that keeps the energy of a period twice once the vendor moves its
stamp. So an increment that is no longer in the answer gives way to one that was not there before,
where both lie in one period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from energy_platform.schemas import Table

RESTAMPED: Final = "increment that the vendor stamped anew"
"""Why rows are set aside; they stay among the odd rows of their day."""

NEAR: Final = 0.5
"""Share of a period, and of the step to the next increment, within which two stamps are one."""


@dataclass(frozen=True, kw_only=True)
class Increments:
    """Which rows of a raw table are increments.

    Attributes:
        periods_s: Length of a period by point id, None where it is not known.
        point_ids: Returns the point id of each raw row.
    """

    periods_s: Mapping[str, float | None]
    point_ids: Callable[[pl.DataFrame], pl.Series]

    def replaced(
        self, table: Table, *, old: Iterable[pl.DataFrame], new: Iterable[pl.DataFrame]
    ) -> pl.DataFrame:
        """Return the keys of the older rows that give way to newer ones.

        Args:
            table: Contract of the raw table.
            old: What the day has, in blocks.
            new: What the vendor says now, in blocks.
        """
        key = ["point_id", "at"]
        had, has = self._own(table, old), self._own(table, new)
        fresh = has.join(had, on=key, how="anti").select(*key, fresh_at="at").sort("at")
        if fresh.is_empty():
            return table.empty().select(table.sort_key)
        step = pl.min_horizontal(
            pl.col("at").diff().over("point_id"), -pl.col("at").diff(-1).over("point_id")
        )
        gone = (
            had.sort(key)
            .with_columns(step_s=step.dt.total_microseconds() / 1e6)
            .join(has, on=key, how="anti")
            .sort("at")
            .join_asof(fresh, on="at", by="point_id", strategy="nearest", check_sortedness=False)
        )
        away_s = (pl.col("fresh_at") - pl.col("at")).abs().dt.total_microseconds() / 1e6
        near = away_s < NEAR * pl.min_horizontal("step_s", "period_s")
        return gone.filter(near).select(table.sort_key)

    def _own(self, table: Table, blocks: Iterable[pl.DataFrame]) -> pl.DataFrame:
        names = ["point_id", "period_s", *table.sort_key]
        periods = pl.DataFrame(
            list(self.periods_s.items()),
            schema={"point_id": pl.String(), "period_s": pl.Float64()},
            orient="row",
        )
        parts = [
            block.select(table.sort_key)
            .with_columns(self.point_ids(block).alias("point_id"))
            .join(periods, on="point_id", how="inner", maintain_order="left")
            .select(names)
            for block in blocks
        ]
        schema = {"point_id": pl.String(), "period_s": pl.Float64()} | {
            name: table.schema[name] for name in table.sort_key
        }
        return pl.concat([pl.DataFrame(schema=schema), *parts])
