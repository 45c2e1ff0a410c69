"""What was set right on the way to the figures, each with the command that explains it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_REGISTER_REJECTS

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

PROGRAM: Final = ".venv/bin/energy-platform"

SET_RIGHT: Final = {
    "reset": "reset",
    "exchange": "exchange",
    "rollover": "rollover",
    "spike_reversal": "reversed spike",
    "over_limit": "step over its limit",
    "rejected": "rejected reading",
    "gap": "gap",
}
"""What a person may want to look at, and its name; many of one are named by a final s."""


class Repair(NamedTuple):
    """One kind of thing that was set right.

    Attributes:
        kind: A key of `SET_RIGHT`.
        times: How often.
        point_id: Where it happened most often.
        day: First such local day there.
    """

    kind: str
    times: int
    point_id: str
    day: str

    @property
    def words(self) -> str:
        """Number and name."""
        name = SET_RIGHT[self.kind]
        return f"{self.times} {name}" if self.times == 1 else f"{self.times} {name}s"

    @property
    def command(self) -> str:
        """The command that explains the day, to be pasted into a shell."""
        return shlex.join([PROGRAM, "explain", self.point_id, self.day])


def repairs(lake: Lake, portfolio: Portfolio) -> tuple[Repair, ...]:
    """List what was set right in the lake.

    Points that are never otherwise are left out: a dead meter shows zeros for ever, and for one
    that is read four times a day every step is long.

    Args:
        lake: Its derived days.
        portfolio: Where the points are.

    Returns:
        One entry per kind that occurred, in the order of `SET_RIGHT`.
    """
    steps = (
        lake.scan(CORE_ENERGY_DELTAS)
        .filter(pl.col("method") == "register", pl.col("status") != "first")
        .select("point_id", pl.col("end_at").alias("at"), pl.col("status").alias("kind"))
        .filter((pl.col("kind") == "ok").any().over("point_id"), pl.col("kind") != "ok")
        .collect()
    )
    alive = lake.scan(CORE_ENERGY_DELTAS).select("point_id").unique()
    rejects = (
        lake.scan(CORE_REGISTER_REJECTS)
        .join(alive, on="point_id", how="semi")
        .select("point_id", "at", pl.lit("rejected").alias("kind"))
        .collect()
    )
    found = pl.concat([steps, rejects]).filter(pl.col("point_id").is_in(list(portfolio.points)))
    worst = (
        found.group_by("kind", "point_id")
        .agg(pl.len(), pl.col("at").min())
        .sort("len", "at", "point_id", descending=[True, False, False])
        .group_by("kind", maintain_order=True)
        .agg(pl.col("len").sum(), pl.col("point_id").first(), pl.col("at").first())
    )
    entries = {
        kind: Repair(kind, times, point_id, _local_day(at, point_id, portfolio))
        for kind, times, point_id, at in worst.iter_rows()
    }
    return tuple(entries[kind] for kind in SET_RIGHT if kind in entries)


def _local_day(at: datetime, point_id: str, portfolio: Portfolio) -> str:
    zone = portfolio.sites[portfolio.points[point_id].site_id].timezone
    return at.astimezone(ZoneInfo(zone)).date().isoformat()
