"""Checks of the core tables: what is promised of each day, and what its outside data are warned of.

What a day is doubted for is found in :mod:`energy_platform.refresh.day_findings`; here it is put
into sentences that name the points and what to do. Figures and plots of a day do not belong
here (``assets.core``).
"""

from collections.abc import Mapping
from typing import Final

import dagster as dg
import polars as pl

from energy_platform.days import day_bounds, days_before
from energy_platform.defs.checks.results import (
    contract_result,
    contract_spec,
    promise_result,
    promise_spec,
    warn_result,
    warn_spec,
)
from energy_platform.lake.lake import Lake
from energy_platform.lake.point_habits import PointHabits
from energy_platform.lake.raw_days import complete_until_of
from energy_platform.memory import default_memory
from energy_platform.portfolio import Portfolio
from energy_platform.refresh import Refreshed
from energy_platform.refresh.day_findings import LEAST_SHARE, DayFindings, day_findings
from energy_platform.refresh.memory_budget import MemoryBudget
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_STATE,
    CORE_TABLES,
    DERIVED_TABLES,
    VIRTUAL,
    Table,
)
from energy_platform.sources.registry import day_tables, sources
from energy_platform.transforms.quality import serials_under_two_ids

CONSERVATION: Final = "conservation_of_energy"
COMPLETENESS: Final = "completeness"
QUARANTINE: Final = "nothing_quarantined"
FALLS: Final = "no_frequent_resets"
SPIKES: Final = "no_spike_reversals"
REFUSED: Final = "nothing_refused"
CONSUMPTION: Final = "no_consumption_refused"
LIMITS: Final = "limits_fit"
STUCK: Final = "no_stuck_gauges"
POWER: Final = "registers_agree_with_power"
SERIALS: Final = "one_id_per_serial"

_WARNINGS: Final[Mapping[str, tuple[Table, str]]] = {
    COMPLETENESS: (CORE_READINGS, "Points bring the samples they are expected to."),
    QUARANTINE: (CORE_READINGS, "Every reading could be used."),
    STUCK: (CORE_READINGS, "No gauge shows one value all day."),
    SERIALS: (CORE_READINGS, "No serial number comes under two of the vendor's ids."),
    FALLS: (CORE_ENERGY_DELTAS, "No register falls more than three times a day."),
    SPIKES: (CORE_ENERGY_DELTAS, "No spike was counted; a limit would have kept it out."),
    REFUSED: (CORE_ENERGY_DELTAS, "All that registers counted is booked."),
    CONSUMPTION: (CORE_CONSUMPTION_DELTAS, "All that other registers counted is booked."),
    LIMITS: (CORE_ENERGY_DELTAS, "No load rises faster than its limit allows."),
    POWER: (CORE_ENERGY_DELTAS, "Registers agree with the power next to them within 20 %."),
}
"""Checks on outside data, and what they say when all is well."""

MOST_POINTS_NAMED: Final = 5

WARNED_DAYS: Final = 7
"""A warning stands for this many days, or until its day is judged again: a run that had other days
to look at must not hide it."""

_CORE_NAMES: Final = frozenset(table.name for table in CORE_TABLES)


def core_check_specs() -> list[dg.AssetCheckSpec]:
    """Return the checks of the core tables: a contract each, conservation, and the warnings."""
    return [
        *(contract_spec(table) for table in DERIVED_TABLES),
        promise_spec(
            CORE_ENERGY_INTERVALS,
            CONSERVATION,
            "Intervals and carried totals hold exactly what the day's deltas count.",
        ),
        *(warn_spec(table, name, promise) for name, (table, promise) in _WARNINGS.items()),
    ]


def core_check_results(
    lake: Lake,
    *,
    portfolio: Portfolio,
    done: Refreshed,
    habits: PointHabits,
    memory: int | None = None,
) -> list[dg.AssetCheckResult]:
    """Judge every day that a refresh rewrote, and return the results of all checks.

    Args:
        lake: Holds the days.
        portfolio: Says what is expected of each point.
        done: What the refresh rewrote.
        habits: Remembers what points usually do, and the warnings of the days before.
        memory: Bytes that this process may hold; by default a third of the machine.

    Raises:
        CatalogueError: The memory of habits cannot be used.
        LakeError: A file of the lake is damaged.
    """
    # Of a day of which only virtual points are new, the outside data are what they were.
    days = [day.day for day in done.days if _CORE_NAMES & day.tables.keys()]
    contracts = [
        contract_result(
            lake, table, days=[day.day for day in done.days if table.name in day.tables]
        )
        for table in DERIVED_TABLES
    ]
    broken: dict[str, str] = {}
    state_days = lake.days(CORE_REGISTER_STATE)
    # Of a virtual point nobody expects samples of its own.
    points = portfolio.points_frame().filter(pl.col("vendor") != VIRTUAL)
    budget = MemoryBudget.of(memory or default_memory())
    for day in sorted(days):
        earlier = [one for one in state_days if one < day]
        found = day_findings(
            lake,
            day=day,
            before=earlier[-1] if earlier else None,
            points=points,
            known=habits.read(),
            open_vendors=_open_vendors(lake, day=day),
            budget=budget,
        )
        if lost := _lost(found):
            broken[day] = lost
        habits.judge(day, _doubts(found) | {SERIALS: _serials(lake, day=day)})
        habits.learn(day, found.habits)
    newest = lake.days(CORE_READINGS)[-1:]
    since = days_before(newest[0], WARNED_DAYS) if newest else ""
    habits.forget(before=since)
    warned = habits.warnings(since=since)
    return [
        *contracts,
        promise_result(CORE_ENERGY_INTERVALS, CONSERVATION, broken, looked_at=len(days)),
        *(warn_result(table, name, warned.get(name, {})) for name, (table, _) in _WARNINGS.items()),
    ]


def _open_vendors(lake: Lake, *, day: str) -> frozenset[str]:
    """Return the vendors whose day goes on: nobody can say what it lacks."""
    footers = {vendor: lake.footer(table, day=day) for vendor, table in day_tables().items()}
    return frozenset(
        vendor
        for vendor, footer in footers.items()
        if footer is not None and complete_until_of(footer) < day_bounds(day)[1]
    )


def _refused_consumption(refused: pl.DataFrame) -> str:
    """Name each refused step of a register that counts no energy, in its own unit."""
    sentences = [
        f"{point_id}: {amount:,.6g} {unit or ''} refused at {end:%H:%M} UTC; another meter: a "
        "reset_marker; the same one: a correction"
        for point_id, amount, unit, end in refused.head(MOST_POINTS_NAMED)
        .select("point_id", "refused", "unit", "end_at")
        .iter_rows()
    ]
    more = refused.height - len(sentences)
    return "; ".join(sentences) + (f"; and {more} more" if more > 0 else "")


def _lost(found: DayFindings) -> str:
    """Say where a day's intervals or carried totals hold another amount than its deltas."""
    return "; ".join(
        f"{kept.actual_wh} in {where}, {kept.expected_wh} in deltas: {_named(kept.points)}"
        for where, kept in (("intervals", found.spread), ("the carried totals", found.carried))
        if not kept.holds
    )


def _doubts(found: DayFindings) -> dict[str, str]:
    """Return the checks on a day's outside data with what to say, empty for nothing."""
    below = f"{found.few.height} points below {LEAST_SHARE:.0%}: {_named(found.few)}"
    taken = f"{found.spikes['energy_wh'].sum():.0f} Wh taken back: {_named(found.spikes)}"
    return {
        COMPLETENESS: below if found.few.height else "",
        QUARANTINE: ", ".join(f"{count} {reason}" for reason, count in found.quarantined.rows()),
        STUCK: _named(found.stuck),
        FALLS: _named(found.falls),
        REFUSED: _refused(found.refused),
        CONSUMPTION: _refused_consumption(found.refused_consumption),
        LIMITS: _over_limit(found.over_limit),
        SPIKES: taken if found.spikes.height else "",
        POWER: _named(found.disagreeing),
    }


def _serials(lake: Lake, *, day: str) -> str:
    """Name the devices whose readings came under several ids and are one point here."""
    sentences = []
    for vendor, source in sources().items():
        serial, device = source.device_column, source.own_id_column
        if device is None:
            continue
        rows = lake.scan(source.day_table, days=[day]).select(serial, device).unique()
        shared = serials_under_two_ids(
            rows.collect(engine="streaming"), serial=serial, device=device
        )
        sentences += [
            f"{vendor} serial {number} came under the ids {', '.join(ids)}, read as one device. "
            "Transferred or set up again that day: nothing to do. Otherwise two devices share a "
            "number, and what is known to be of the other one is set aside as shared_serial: "
            "materialize the inventory, which names them apart, run `energy-platform discover`, "
            "and read the days again with `energy-platform backfill`"
            for number, ids in shared.iter_rows()
        ]
    return "; ".join(sentences)


def _refused(steps: pl.DataFrame) -> str:
    """Name each refused step, and what decides about it."""
    sentences = [
        f"{point_id}: {refused:,.0f} Wh refused at {end:%H:%M} UTC, "
        + (
            f"a max_power_w of {needed:,.0f} would have let it pass; another meter: a "
            "reset_marker; real for once: an accept entry"
            if needed is not None
            else "a change of unit: a correction with the factor"
            if reason == "scale_k"
            else "another meter: a reset_marker; the same one: a correction"
        )
        for point_id, end, refused, reason, needed in steps.head(MOST_POINTS_NAMED)
        .select("point_id", "end_at", "refused_wh", "reason", "needed_w")
        .iter_rows()
    ]
    more = steps.height - len(sentences)
    return "; ".join(sentences) + (f"; and {more} more" if more > 0 else "")


def _over_limit(steps: pl.DataFrame) -> str:
    """Name the limits that are too small, with the ones that are needed."""
    sentences = [
        f"{point_id}: {energy:,.0f} Wh beyond its limit are booked; "
        + ("the learned limit grew" if stated is None else f"max_power_w {stated:,.6g} W is stated")
        + f", it needs {needed:,.0f} W or more"
        + (". Were they kW?" if is_kilowatts else "")
        for point_id, energy, needed, stated, is_kilowatts in steps.head(MOST_POINTS_NAMED)
        .select("point_id", "energy_wh", "needed_w", "max_power_w", "is_kilowatts")
        .iter_rows()
    ]
    more = steps.height - len(sentences)
    return "; ".join(sentences) + (f"; and {more} more" if more > 0 else "")


def _named(points: pl.DataFrame) -> str:
    """Return the first points of a frame by id, and how many more there are."""
    named = points["point_id"].head(MOST_POINTS_NAMED).to_list()
    more = points.height - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
