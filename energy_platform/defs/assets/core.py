"""Core assets: readings judged once, energy per register, 15-minute contributions.

One step makes all five tables, because a day's energy starts from the state of the day before.
It makes every stale day fresh, also outside the run's range: each day that was rewritten is
reported as a materialization of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

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
from energy_platform.defs.groups import CORE
from energy_platform.defs.metadata import figures, plot, spec_of
from energy_platform.defs.partitions import DAILY, WHOLE_RANGE
from energy_platform.defs.resources import Platform
from energy_platform.defs.versions import code_version, data_version, version_tags
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.lake.point_habits import PointHabits
from energy_platform.lake.raw_days import complete_until_of
from energy_platform.portfolio import Portfolio, PortfolioError
from energy_platform.refresh import Refreshed, RefreshedDay, RefreshedTable, refresh
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    CORE_TABLES,
    Table,
)
from energy_platform.sources.registry import day_tables, sources, tables
from energy_platform.transforms.conservation import intervals_conserve, totals_conserve
from energy_platform.transforms.limits import over_limit, refused_energy
from energy_platform.transforms.quality import (
    completeness,
    disagreeing_power,
    frequent_resets,
    habits,
    serials_under_two_ids,
    spike_reversals,
    stuck,
    unexpected_quarantine,
    word_swaps,
)

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
    POWER: (CORE_ENERGY_DELTAS, "Registers agree with the power beside them within 20 %."),
}
"""Checks on outside data, and what they say when all is well."""

LEAST_SHARE: Final = 0.9
"""Points that bring less than this share of the samples they are expected to are named."""

MOST_POINTS_NAMED: Final = 5

WARNED_DAYS: Final = 7
"""A warning stands for this many days, or until its day is judged again: a run that had other days
to look at must not hide it."""

MOVED_WITHIN: Final = 30
"""A gauge that has shown one value for longer than this many days is a constant, not a fault."""

_COUNTED: Final = ("point_id", "energy_wh")

_DEPS: Final[Mapping[str, tuple[str, ...]]] = {
    CORE_READINGS.name: tuple(table.name for table in day_tables().values()),
    CORE_ENERGY_DELTAS.name: (CORE_READINGS.name,),
    CORE_REGISTER_STATE.name: (CORE_READINGS.name,),
    CORE_REGISTER_REJECTS.name: (CORE_READINGS.name,),
    CORE_ENERGY_INTERVALS.name: (CORE_ENERGY_DELTAS.name,),
    CORE_CONSUMPTION_DELTAS.name: (CORE_READINGS.name,),
    CORE_CONSUMPTION_INTERVALS.name: (CORE_CONSUMPTION_DELTAS.name,),
}


@dg.multi_asset(
    name="core",
    specs=[
        spec_of(
            table,
            group=CORE,
            kinds={"polars", "parquet"},
            deps=_DEPS[table.name],
            code_version=code_version(table),
        )
        for table in CORE_TABLES
    ],
    partitions_def=DAILY,
    backfill_policy=WHOLE_RANGE,
    pool="core",
    check_specs=[
        *(contract_spec(table) for table in CORE_TABLES),
        promise_spec(
            CORE_ENERGY_INTERVALS,
            CONSERVATION,
            "Intervals and carried totals hold exactly what the day's deltas count.",
        ),
        *(warn_spec(table, name, promise) for name, (table, promise) in _WARNINGS.items()),
    ],
)
def core(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult[None]]:
    """Make every stale day fresh; what is fresh already is not touched."""
    asked = set(context.partition_keys)
    said: dict[tuple[str, str], dict[str, Any]] = {}
    lake = platform.lake

    def report(day: RefreshedDay) -> None:
        context.log.info("%s: %s", day.day, "; ".join(day.why))
        for name, table in day.tables.items():
            if day.day in asked:
                said[name, day.day] = _figures(lake, table, day=day, name=name)
            elif table.written:
                context.log_event(
                    dg.AssetMaterialization(
                        name,
                        partition=day.day,
                        metadata=_figures(lake, table, day=day, name=name),
                        tags=version_tags(_content_id(lake, tables()[name], day=day.day)),
                    )
                )

    try:
        portfolio = platform.portfolio()
        done = refresh(lake, portfolio=portfolio, on_day=report)
    except (PortfolioError, LakeError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for blocked in done.blocked:
        context.log.warning("%s: %s", blocked.day, blocked.why)
    changed = [day.day for day in done.days]
    newest = max((day for day in changed if day in asked), default=None)
    if newest is not None:
        said.setdefault((CORE_ENERGY_INTERVALS.name, newest), {})["energy"] = _picture(
            lake, portfolio=portfolio, day=newest
        )
    # Once per table and day: a second call would replace what the first one said.
    for (name, day), metadata in said.items():
        context.add_asset_metadata(metadata, asset_key=name, partition_key=day)
    results = _check_results(platform, portfolio=portfolio, done=done)
    for table in CORE_TABLES:
        yield dg.MaterializeResult(
            asset_key=table.name,
            data_version=data_version(_content_id(lake, table, day=day) for day in sorted(asked)),
            check_results=[one for one in results if one.asset_key == dg.AssetKey(table.name)],
        )


def _content_id(lake: Lake, table: Table, *, day: str) -> str:
    """Return the digest of a day's rows; empty when it has no file."""
    footer = lake.footer(table, day=day)
    return "" if footer is None else footer.content_id


def _figures(lake: Lake, table: RefreshedTable, *, day: RefreshedDay, name: str) -> dict[str, Any]:
    found = figures(
        rows=table.rows,
        first_at=table.first_at,
        last_at=table.last_at,
        counts={**table.statuses, **{f"reason: {k}": n for k, n in table.reasons.items()}},
    ) | {"why": "; ".join(day.why), "changed": table.changed}
    if name == CORE_ENERGY_DELTAS.name:
        found |= _not_booked(lake, day.day)
    if name == CORE_READINGS.name and table.reasons.get("word_swap"):
        found["word_swap"] = _swapped_words(lake, day.day)
    return found


def _not_booked(lake: Lake, day: str) -> dict[str, Any]:
    """Return what registers showed and nobody booked, and what was booked beyond a limit."""
    deltas = lake.read(CORE_ENERGY_DELTAS, day=day)
    beyond = deltas.filter(pl.col("status") == "over_limit")
    return {
        "refused_wh": float(deltas["refused_wh"].abs().sum()),
        "over_limit_wh": float(beyond["energy_wh"].sum()),
    }


def _swapped_words(lake: Lake, day: str) -> dg.MetadataValue[Any]:
    """Explain registers with swapped words: what a reviewed correction would make of them."""
    swaps = word_swaps(lake.read(CORE_READINGS, day=day))
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "point": row["point_id"],
                    "readings": row["readings"],
                    "raw_value": f"{row['raw_value']:.15g} {row['unit'] or ''}".rstrip(),
                    "factor": f"{row['factor']!r} (1/65536)",
                    "repaired": f"{row['repaired']:.15g} {row['unit'] or ''}".rstrip(),
                }
            )
            for row in swaps.iter_rows(named=True)
        ],
        schema=dg.TableSchema(
            [
                dg.TableColumn("point", "string"),
                dg.TableColumn("readings", "int"),
                dg.TableColumn("raw_value", "string"),
                dg.TableColumn("factor", "string"),
                dg.TableColumn("repaired", "string"),
            ]
        ),
    )


def _check_results(
    platform: Platform, *, portfolio: Portfolio, done: Refreshed
) -> list[dg.AssetCheckResult]:
    try:
        with PointHabits(platform.data) as remembered:
            return _judged(platform.lake, portfolio=portfolio, done=done, remembered=remembered)
    except CatalogueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _judged(
    lake: Lake, *, portfolio: Portfolio, done: Refreshed, remembered: PointHabits
) -> list[dg.AssetCheckResult]:
    days = [day.day for day in done.days]
    made = {name: [day.day for day in done.days if name in day.tables] for name in _DEPS}
    results = [contract_result(lake, tables()[name], days=made[name]) for name in _DEPS]
    broken: dict[str, str] = {}
    state_days = lake.days(CORE_REGISTER_STATE)
    for day in sorted(days):
        deltas = lake.read(CORE_ENERGY_DELTAS, day=day)
        earlier = [one for one in state_days if one < day]
        counted = pl.concat([deltas.select(_COUNTED), _consumption(lake, day=day)])
        if said := _lost(lake, counted, day=day, before=earlier[-1] if earlier else None):
            broken[day] = said
        _judge_day(lake, day=day, deltas=deltas, portfolio=portfolio, remembered=remembered)
    newest = lake.days(CORE_READINGS)[-1:]
    since = days_before(newest[0], WARNED_DAYS) if newest else ""
    remembered.forget(before=since)
    warned = remembered.warnings(since=since)
    return [
        *results,
        promise_result(CORE_ENERGY_INTERVALS, CONSERVATION, broken, looked_at=len(days)),
        *(warn_result(table, name, warned.get(name, {})) for name, (table, _) in _WARNINGS.items()),
    ]


def _consumption(lake: Lake, *, day: str) -> pl.DataFrame:
    """Return what points without watt-hours counted, each in its own unit."""
    counted = lake.read(CORE_CONSUMPTION_DELTAS, day=day)
    return counted.select("point_id", energy_wh="consumption")


def _judge_day(
    lake: Lake,
    *,
    day: str,
    deltas: pl.DataFrame,
    portfolio: Portfolio,
    remembered: PointHabits,
) -> None:
    """Judge the outside data of a day, and learn from it what its points usually do."""
    readings = lake.read(CORE_READINGS, day=day)
    found = dict(
        _doubts(
            readings,
            deltas,
            points=portfolio.points_frame(),
            known=remembered.read(),
            day=day,
            open_vendors=_open_vendors(lake, day=day),
        )
    )
    found[SERIALS] = _serials(lake, day=day)
    found[CONSUMPTION] = _refused_consumption(lake.read(CORE_CONSUMPTION_DELTAS, day=day))
    remembered.judge(day, found)
    remembered.learn(day, habits(readings))


def _open_vendors(lake: Lake, *, day: str) -> frozenset[str]:
    """Return the vendors whose day goes on: nobody can say what it lacks."""
    footers = {vendor: lake.footer(table, day=day) for vendor, table in day_tables().items()}
    return frozenset(
        vendor
        for vendor, footer in footers.items()
        if footer is not None and complete_until_of(footer) < day_bounds(day)[1]
    )


def _refused_consumption(counted: pl.DataFrame) -> str:
    """Name each refused step of a register that counts no energy, in its own unit."""
    refused = counted.filter(pl.col("refused") != 0).sort(
        pl.col("refused").abs(), "point_id", "end_at", descending=[True, False, False]
    )
    said = [
        f"{point_id}: {amount:,.6g} {unit or ''} refused at {end:%H:%M} UTC; another meter: a "
        "reset_marker; the same one: a correction"
        for point_id, amount, unit, end in refused.head(MOST_POINTS_NAMED)
        .select("point_id", "refused", "unit", "end_at")
        .iter_rows()
    ]
    more = refused.height - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _lost(lake: Lake, deltas: pl.DataFrame, *, day: str, before: str | None) -> str:
    """Say where a day's intervals or carried totals hold another amount than its deltas."""
    buckets = lake.read(CORE_CONSUMPTION_INTERVALS, day=day)
    spread = intervals_conserve(
        deltas,
        pl.concat(
            [
                lake.read(CORE_ENERGY_INTERVALS, day=day).select(_COUNTED),
                buckets.select("point_id", energy_wh="consumption"),
            ]
        ),
    )
    carried = totals_conserve(
        deltas,
        before=CORE_REGISTER_STATE.empty()
        if before is None
        else lake.read(CORE_REGISTER_STATE, day=before),
        after=lake.read(CORE_REGISTER_STATE, day=day),
    )
    return "; ".join(
        f"{kept.actual_wh} in {where}, {kept.expected_wh} in deltas: {_named(kept.points)}"
        for where, kept in (("intervals", spread), ("the carried totals", carried))
        if not kept.holds
    )


def _doubts(
    readings: pl.DataFrame,
    deltas: pl.DataFrame,
    *,
    points: pl.DataFrame,
    known: pl.DataFrame,
    day: str,
    open_vendors: frozenset[str],
) -> Iterator[tuple[str, str]]:
    """Yield the checks on a day's outside data with what they found, empty for nothing."""
    in_service = pl.col("until").is_null() | (pl.col("until") >= day_bounds(day)[1])
    over = points.filter(~pl.col("vendor").is_in(list(open_vendors)) & in_service)
    few = completeness(readings, points=over, known=known).filter(pl.col("share") < LEAST_SHARE)
    below = f"{few.height} points below {LEAST_SHARE:.0%}: {_named(few)}"
    yield COMPLETENESS, below if few.height else ""
    aside = unexpected_quarantine(readings, points=points)
    yield QUARANTINE, ", ".join(f"{count} {reason}" for reason, count, _ in aside.iter_rows())
    since = days_before(day, MOVED_WITHIN)
    moved = known.filter(pl.col("moved_day") >= since)
    yield STUCK, _named(stuck(readings, points=points, moved=moved))
    yield FALLS, _named(frequent_resets(deltas))
    yield REFUSED, _refused(refused_energy(deltas, readings=readings))
    yield LIMITS, _over_limit(over_limit(deltas, points=points))
    back = spike_reversals(deltas)
    taken = f"{back['energy_wh'].sum():.0f} Wh taken back: {_named(back)}"
    yield SPIKES, taken if back.height else ""
    yield POWER, _named(disagreeing_power(deltas, readings, points=points))


def _serials(lake: Lake, *, day: str) -> str:
    """Name the devices whose readings came under several ids and are one point here."""
    said = []
    for vendor, source in sources().items():
        serial, device = source.device_column, source.own_id_column
        if device is None:
            continue
        rows = lake.scan(source.day_table, days=[day]).select(serial, device).unique()
        found = serials_under_two_ids(rows.collect(), serial=serial, device=device)
        said += [
            f"{vendor} serial {number} came under the ids {', '.join(ids)}, read as one device. "
            "Transferred or set up anew that day: nothing to do. Otherwise two devices share a "
            "number, and what is told to be of the other one is set aside as shared_serial: "
            "materialize the inventory, which names them apart, run `energy-platform discover`, "
            "and read the days again with `energy-platform backfill`"
            for number, ids in found.iter_rows()
        ]
    return "; ".join(said)


def _refused(found: pl.DataFrame) -> str:
    """Name each refused step, and what decides about it."""
    said = [
        f"{point_id}: {refused:,.0f} Wh refused at {end:%H:%M} UTC, "
        + (
            f"a max_power_w of {needed:,.0f} would have let it pass; another meter: a "
            "reset_marker; real for once: an accept entry"
            if needed is not None
            else "a change of unit: a correction with the factor"
            if reason == "scale_k"
            else "another meter: a reset_marker; the same one: a correction"
        )
        for point_id, end, refused, reason, needed in found.head(MOST_POINTS_NAMED)
        .select("point_id", "end_at", "refused_wh", "reason", "needed_w")
        .iter_rows()
    ]
    more = found.height - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _over_limit(found: pl.DataFrame) -> str:
    """Name the limits that are too small, with the ones that are needed."""
    said = [
        f"{point_id}: {energy:,.0f} Wh beyond its limit are booked; "
        + ("the learned limit grew" if stated is None else f"max_power_w {stated:,.6g} W is stated")
        + f", it needs {needed:,.0f} W or more"
        + (". Were they kW?" if is_kilowatts else "")
        for point_id, energy, needed, stated, is_kilowatts in found.head(MOST_POINTS_NAMED)
        .select("point_id", "energy_wh", "needed_w", "max_power_w", "is_kilowatts")
        .iter_rows()
    ]
    more = found.height - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _named(points: pl.DataFrame) -> str:
    """Return the first points of a frame by id, and how many more there are."""
    named = points["point_id"].head(MOST_POINTS_NAMED).to_list()
    more = points.height - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _picture(lake: Lake, *, portfolio: Portfolio, day: str) -> dg.MetadataValue[Any]:
    mains = [
        point.point_id
        for point in portfolio.points.values()
        if point.role == "main" and point.quantity == "active_energy_import"
    ]
    buckets = (
        lake.read(CORE_ENERGY_INTERVALS, day=day)
        .filter(pl.col("point_id").is_in(mains))
        .group_by("interval_start")
        .agg((pl.col("energy_wh").sum() / 1000).alias("energy_kwh"))
        .sort("interval_start")
    )
    return plot(
        buckets,
        x="interval_start",
        y="energy_kwh",
        title=f"All main meters, energy per 15 minutes, from readings of {day} (UTC)",
        label="kWh",
    )
