"""The highest mean power that registers have shown: what limits are learned and proposed from.

What a limit has kept out is in ``disputed``; the rule that applies it, in ``register_rule``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from energy_platform.schemas import CORE_ENERGY_DELTAS
from energy_platform.transforms.limits import mean_power
from energy_platform.transforms.quality import frequent_resets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio

DAYS_SEEN: Final = 400
"""Days of the lake that are looked at, the newest: a whole year, all seasons."""

ENOUGH_RISES: Final = 96
"""Rises from which a highest power says something: a day of quarter-hours."""

HEADROOM: Final = 2.5
"""A proposed limit is at least this many times the highest mean power seen: loads grow, and a rise
is measured since the register showed less, which may be two readings ago."""

FREQUENT_RESET_DAYS: Final = 3
"""Days on which a register fell often, of two weeks, from which it is one that is reset often: one
bad day is an accident."""

_RATINGS: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Steps between two powers of ten, near those of the preferred numbers R10 (ISO 3)."""


@dataclass(frozen=True, kw_only=True)
class SeenPower:
    """The highest mean power of a register.

    Attributes:
        point_id: The register.
        power_w: Rise ÷ time since the register showed less, the highest, W.
        at: End of that rise, UTC.
        rises: Rises that were looked at.
        max_power_w: The stated limit, W; None: learned.
    """

    point_id: str
    power_w: float
    at: datetime
    rises: int
    max_power_w: float | None

    @property
    def is_enough(self) -> bool:
        """Whether enough was seen to propose a limit."""
        return self.rises >= ENOUGH_RISES

    @property
    def proposed_w(self) -> float:
        """A limit with headroom, rounded up to what ratings look like, W."""
        return rating(HEADROOM * self.power_w)

    @property
    def description(self) -> str:
        """The power and when it was seen."""
        return f"{kilowatts(self.power_w)}, seen on {self.at:%Y-%m-%d %H:%M} UTC"


def rating(watts: float) -> float:
    """Round a power up to a number that ratings look like.

    >>> rating(26_000), rating(100), rating(0.7)
    (30000.0, 100.0, 1.0)
    """
    unit = 1.0
    while unit * 10 < watts:
        unit *= 10
    return next(unit * one for one in _RATINGS if unit * one >= watts)


def kilowatts(watts: float) -> str:
    """Return a power as people say it."""
    return f"{watts / 1000:,.3g} kW" if watts < 1e6 else f"{watts / 1000:,.0f} kW"  # noqa: PLR2004


def seen_power(
    lake: Lake, portfolio: Portfolio, *, point_id: str | None = None, until: str | None = None
) -> tuple[SeenPower, ...]:
    """Return the highest mean power of each register, by point id.

    What was not plainly accepted says nothing: exchanges, resets, refused and reversed steps, and
    the first rise, which nothing measures.

    Args:
        lake: Its derived days.
        portfolio: Where the points are.
        point_id: One point only.
        until: Newest UTC day that counts; None: of the lake.

    Raises:
        LakeError: A file of the lake is damaged.
    """
    days = [day for day in lake.days(CORE_ENERGY_DELTAS) if until is None or day <= until]
    registers = [
        one.point_id
        for one in portfolio.points.values()
        if one.kind == "register"
        and one.is_energy
        and one.policy.glitch == "drop"
        and (point_id is None or one.point_id == point_id)
    ]
    is_rise = pl.col("energy_wh") > 0
    is_plain = is_rise & pl.col("status").is_in(["ok", "gap", "over_limit"])
    # The register last showed less than at the start of a step when the rise before it began.
    lower = pl.when(is_rise).then("start_at").forward_fill().shift(1).over("point_id")
    power = mean_power(pl.col("energy_wh"), pl.col("end_at") - pl.col("lower_at"))
    found = (
        lake.scan(CORE_ENERGY_DELTAS, days=days[-DAYS_SEEN:])
        .filter(pl.col("point_id").is_in(registers), pl.col("method") == "register")
        .select("point_id", "start_at", "end_at", "energy_wh", "status", "reason")
        .sort("point_id", "end_at")
        .with_columns(lower_at=lower, taken_back=_is_taken_back())
        .filter(is_plain & ~pl.col("taken_back") & pl.col("reason").ne_missing("accepted"))
        .with_columns(power_w=power)
        .filter(pl.col("power_w").is_not_null())
        .group_by("point_id")
        .agg(
            pl.col("power_w").max(),
            pl.col("end_at").sort_by("power_w").last().alias("at"),
            pl.len().alias("rises"),
        )
        .sort("point_id")
        .collect()
    )
    return tuple(
        SeenPower(**row, max_power_w=portfolio.points[row["point_id"]].policy.max_power_w)
        for row in found.iter_rows(named=True)
    )


def _is_taken_back() -> pl.Expr:
    after = pl.col("status").shift(-1).over("point_id")
    return (after == "spike_reversal").fill_null(value=False)


def frequently_reset_points(lake: Lake, portfolio: Portfolio) -> Iterator[tuple[str, int, int]]:
    """Yield the registers that fall many times a day, on several days: point, falls, days.

    Raises:
        LakeError: A file of the lake is damaged.
    """
    days = lake.days(CORE_ENERGY_DELTAS)[-int(timedelta(weeks=2).days) :]
    fallen: dict[str, list[int]] = {}
    for day in days:
        deltas = lake.read(CORE_ENERGY_DELTAS, day=day)
        for point_id, falls in frequent_resets(deltas).select("point_id", "falls").iter_rows():
            fallen.setdefault(point_id, []).append(falls)
    for point_id, falls in sorted(fallen.items()):
        point = portfolio.points.get(point_id)
        if point is None or point.policy.glitch == "keep" or len(falls) < FREQUENT_RESET_DAYS:
            continue
        yield point_id, sum(falls), len(falls)
