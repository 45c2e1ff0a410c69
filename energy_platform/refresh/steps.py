"""The three steps that make a day: raw rows to readings, to energy, to intervals.

Here belongs how a step puts the pure functions of ``transforms`` together for a day, and the
versions of their rules. Which step a day needs, and in what order, is in
:mod:`energy_platform.refresh.run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.schemas import CORE_CONSUMPTION_INTERVALS, CORE_REGISTER_STATE
from energy_platform.sources.registry import get_source
from energy_platform.transforms.consumption import consumption_intervals, split_consumption
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.ordering import iter_point_batches
from energy_platform.transforms.readings import validate_readings
from energy_platform.transforms.registers import compute_energy
from energy_platform.transforms.rules import (
    ENERGY_RULES,
    INTERVAL_RULES,
    READINGS_RULES,
    VIRTUAL_RULES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from energy_platform.schemas import Table, Vendor
    from energy_platform.transforms.policy import CounterPolicy

OUTSIDE_DAY: Final = "outside_day"
"""Reason of readings whose instant lies in another day than the file they came in."""

_MERGED: Final = ("duplicates", "conflicts")
"""Counts of the validation that say how many rows were merged away."""


class RuleVersions(NamedTuple):
    """Versions of the rules of the three steps; another one makes every day stale.

    Attributes:
        readings: Of raw rows to readings.
        energy: Of readings, and the state before, to energy and the state after.
        intervals: Of deltas to intervals.
        virtual: Of the rows of parts to those of virtual points.
    """

    readings: str
    energy: str
    intervals: str
    virtual: str = VIRTUAL_RULES


RULE_VERSIONS: Final = RuleVersions(READINGS_RULES, ENERGY_RULES, INTERVAL_RULES)
"""Those of this version of the platform."""


class EnergyShare(NamedTuple):
    """Energy and consumption of some points on a day: rows of three tables."""

    deltas: pl.DataFrame
    consumption: pl.DataFrame
    rejects: pl.DataFrame


def validate_day(
    raw: Mapping[Vendor, pl.DataFrame],
    *,
    day: str,
    points: pl.DataFrame,
    states: pl.DataFrame,
    corrections: pl.DataFrame,
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the readings of a day, and how many rows were merged away by kind of repetition.

    Args:
        raw: Rows of the raw day files, by vendor; vendors without a file are absent. Of a share of
            the day all rows of its devices and points.
        day: Partition key.
        points: One row per point of the portfolio, the columns ``READING_COLUMNS`` of
            ``config_fingerprints``.
        states: One row per point and text state.
        corrections: Value corrections that overlap the day, cut to it.
    """
    common = [get_source(vendor).readings(rows) for vendor, rows in raw.items()]
    if not common:
        empty = pl.Schema({"point_id": pl.String(), "at": pl.Datetime("us", "UTC")})
        common = [pl.DataFrame(schema=empty)]
    start, end = day_bounds(day)
    validated = validate_readings(
        pl.concat(common, how="diagonal"),
        points=points,
        corrections=corrections,
        states=states,
        now=end,
    )
    is_strayed = ~pl.col("at").is_between(start, end, closed="left") & (pl.col("status") == "ok")
    frame = validated.frame
    if frame.select(is_strayed.any()).item():
        # Another day's file may hold the same reading: counted here too, it would count twice.
        frame = frame.with_columns(
            status=pl.when(is_strayed).then(pl.lit("quarantined")).otherwise("status"),
            reason=pl.when(is_strayed).then(pl.lit(OUTSIDE_DAY)).otherwise("reason"),
        )
    merged = {name: validated.counts[name] for name in _MERGED if validated.counts.get(name)}
    return frame, merged


def energy_of_day(
    shares: Iterable[pl.DataFrame],
    *,
    points: pl.DataFrame,
    state: pl.DataFrame | None,
    policies: Mapping[str, CounterPolicy],
    on_share: Callable[[EnergyShare], None],
) -> pl.DataFrame:
    """Make the energy of a day's readings, each point by its own method.

    Args:
        shares: Rows of ``core_readings``, some points after the other.
        points: One row per point that may become energy, the columns ``ENERGY_COLUMNS`` of
            ``config_fingerprints``.
        state: State at the end of the nearest earlier day, None before the first.
        policies: By point, as they hold on the day.
        on_share: Given what each share comes to.

    Returns:
        The state at the end of the day, of all points: rows of ``core_register_state``.
    """
    left = CORE_REGISTER_STATE.empty() if state is None else state
    states = []
    for readings in shares:
        share, after, left = _energy_of_share(
            readings, points=points, state=left, policies=policies
        )
        on_share(share)
        states.append(after)
        del readings, share  # else two shares would be in memory
    return pl.concat([left, *states]).sort(CORE_REGISTER_STATE.sort_key)


def _energy_of_share(
    readings: pl.DataFrame,
    *,
    points: pl.DataFrame,
    state: pl.DataFrame,
    policies: Mapping[str, CounterPolicy],
) -> tuple[EnergyShare, pl.DataFrame, pl.DataFrame]:
    """Return the energy of some points, their state after it, and the state of all others.

    Points are taken some at a time, each with its own state, so that what the rule works on stays
    small however many there are.
    """
    batches = list(iter_point_batches(readings))
    states, shares = (_shares(table, batches=batches) for table in (state, points))
    parts = [
        compute_energy(batch, points=shares[n], state=states[n], policy=policies)
        for n, batch in enumerate(batches)
    ]
    deltas, consumption = split_consumption(
        pl.concat([part.deltas for part in parts]), readings=readings, points=points
    )
    share = EnergyShare(
        deltas=deltas,
        consumption=consumption,
        rejects=pl.concat([part.rejects for part in parts]),
    )
    return share, pl.concat([part.state for part in parts]), states[-1]


def intervals_of_day(table: Table, deltas: pl.DataFrame) -> pl.DataFrame:
    """Return the intervals of a day, of energy or of consumption, from its deltas."""
    if table is CORE_CONSUMPTION_INTERVALS:
        return consumption_intervals(deltas, spread=energy_intervals)
    return energy_intervals(deltas)


def _shares(table: pl.DataFrame, *, batches: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return the rows of each batch's points, and last those of points in no batch."""
    members = [
        batch.select(pl.col("point_id").rle().struct.field("value"), batch=pl.lit(n, pl.UInt32))
        for n, batch in enumerate(batches)
    ]
    found = table.join(
        pl.concat(members).rename({"value": "point_id"}),
        on="point_id",
        how="left",
        maintain_order="left",
    ).partition_by("batch", as_dict=True, include_key=False)
    keys = [*range(len(batches)), None]
    return [found.get((key,), table.clear()) for key in keys]
