"""The platform's rules, wired: raw rows to readings, readings to energy, energy to intervals."""

from __future__ import annotations

from typing import Final

import polars as pl

from energy_platform.days import day_bounds
from energy_platform.refresh.rules import EnergyDay, EnergyInput, ReadingsInput, Rules, ValidatedDay
from energy_platform.schemas import CORE_REGISTER_STATE
from energy_platform.sources.registry import get_source
from energy_platform.transforms.consumption import split_consumption
from energy_platform.transforms.intervals import energy_intervals
from energy_platform.transforms.ordering import iter_point_batches
from energy_platform.transforms.readings import validate_readings
from energy_platform.transforms.registers import compute_energy
from energy_platform.transforms.rules import ENERGY_RULES, INTERVAL_RULES, READINGS_RULES

OUTSIDE_DAY: Final = "outside_day"
"""Reason of readings whose instant lies in another day than the file they came in."""

_MERGED: Final = ("duplicates", "conflicts")


def validate_day(given: ReadingsInput) -> ValidatedDay:
    """Validate the raw rows of a day, all vendors together."""
    common = [get_source(vendor).readings(raw) for vendor, raw in given.raw.items()]
    if not common:
        empty = pl.Schema({"point_id": pl.String(), "at": pl.Datetime("us", "UTC")})
        common = [pl.DataFrame(schema=empty)]
    start, end = day_bounds(given.day)
    validated = validate_readings(
        pl.concat(common, how="diagonal"),
        points=given.points,
        corrections=given.corrections,
        states=given.states,
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
    return ValidatedDay(frame, merged)


def energy_of_day(given: EnergyInput) -> EnergyDay:
    """Turn the readings of a day into energy, each point by its own method.

    Points are taken some at a time, each with its own state, so that what the rule works on stays
    small however many there are.
    """
    batches = list(iter_point_batches(given.readings))
    state = CORE_REGISTER_STATE.empty() if given.state is None else given.state
    states, points = (_shares(table, batches=batches) for table in (state, given.points))
    outputs = [
        compute_energy(batch, points=points[n], state=states[n], policy=given.policies)
        for n, batch in enumerate(batches)
    ]
    deltas, consumption = split_consumption(
        pl.concat([part.deltas for part in outputs]), readings=given.readings, points=given.points
    )
    return EnergyDay(
        deltas=deltas,
        consumption=consumption,
        state=pl.concat([states[-1], *(part.state for part in outputs)]).sort(
            CORE_REGISTER_STATE.sort_key
        ),
        rejects=pl.concat([part.rejects for part in outputs]),
    )


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


RULES: Final = Rules(
    validate=validate_day,
    validate_version=READINGS_RULES,
    energy=energy_of_day,
    energy_version=ENERGY_RULES,
    allocate=energy_intervals,
    allocate_version=INTERVAL_RULES,
)
"""How the platform makes a day."""
