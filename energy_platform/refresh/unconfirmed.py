"""Register readings that await their confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from energy_platform.schemas import CORE_REGISTER_STATE
from energy_platform.transforms.states import UNCONFIRMED

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake


def unconfirmed_readings(lake: Lake) -> pl.DataFrame:
    """List the unconfirmed readings that no later one has settled: no row, no energy so far.

    Columns: ``point_id, at, value_wh`` of the reading; ``good_at, good_wh`` of the last reading
    believed before it, null when there is none. The state of the newest day carries every point.
    """
    days = lake.days(CORE_REGISTER_STATE)
    state = lake.read(CORE_REGISTER_STATE, day=days[-1]) if days else CORE_REGISTER_STATE.empty()
    good = state.filter(pl.col("kind") == "good").select(
        "point_id", good_at="at", good_wh="value_wh"
    )
    return (
        state.filter(pl.col("kind").is_in(UNCONFIRMED))
        .select("point_id", "at", "value_wh")
        .join(good, on="point_id", how="left", maintain_order="left")
    )
