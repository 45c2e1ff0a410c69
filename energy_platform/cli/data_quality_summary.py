"""The data quality events behind the figures, each with the command that explains it.

Only the summary that `demo` prints belongs here; the checks of a run are in ``defs``.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from energy_platform.cli.console import program
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_REGISTER_REJECTS

if TYPE_CHECKING:
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

EVENT_NAMES: Final = {
    "reset": "reset",
    "exchange": "exchange",
    "rollover": "rollover",
    "spike_reversal": "reversed spike",
    "over_limit": "step over its limit",
    "rejected": "rejected reading",
    "gap": "gap",
}
"""Statuses worth a look, and their names for display; the plural takes an s."""


class QualityEvents(NamedTuple):
    """How often one kind of event occurred, and where to look at it.

    Attributes:
        kind: A key of `EVENT_NAMES`.
        times: How often.
        point_id: Where it happened most often.
        day: First such local day there.
    """

    kind: str
    times: int
    point_id: str
    day: str

    @property
    def description(self) -> str:
        """Number and name."""
        name = EVENT_NAMES[self.kind]
        return f"{self.times} {name}" if self.times == 1 else f"{self.times} {name}s"

    @property
    def command(self) -> str:
        """The command that explains the day, to be pasted into a shell."""
        return shlex.join([program(), "explain", self.point_id, self.day])


def data_quality_summary(lake: Lake, portfolio: Portfolio) -> tuple[QualityEvents, ...]:
    """Return the events of the lake by kind, each with its most affected point.

    Points that are never otherwise are left out: a dead meter shows zeros for ever, and for one
    that is read four times a day every step is long.

    Args:
        lake: Its derived days.
        portfolio: Where the points are.

    Returns:
        One entry per kind that occurred, in the order of `EVENT_NAMES`.
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
        kind: QualityEvents(kind, times, point_id, _local_day(at, point_id, portfolio))
        for kind, times, point_id, at in worst.iter_rows()
    }
    return tuple(entries[kind] for kind in EVENT_NAMES if kind in entries)


def _local_day(at: datetime, point_id: str, portfolio: Portfolio) -> str:
    zone = portfolio.sites[portfolio.points[point_id].site_id].timezone
    return at.astimezone(ZoneInfo(zone)).date().isoformat()
