"""Core assets: readings judged once, energy per register, 15-minute contributions.

One step makes all five tables, because a day's energy starts from the state of the day before.
It makes every stale day fresh, also outside the run's range: each day that was rewritten is
reported as a materialization of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import polars as pl

from energy_platform.assets.groups import CORE
from energy_platform.assets.metadata import figures, plot, spec_of
from energy_platform.assets.partitions import DAILY, WHOLE_RANGE
from energy_platform.checks import (
    contract_result,
    contract_spec,
    promise_result,
    promise_spec,
    warn_result,
    warn_spec,
)
from energy_platform.portfolio import Portfolio, PortfolioError
from energy_platform.refresh import Refreshed, RefreshedDay, RefreshedTable, refresh
from energy_platform.resources import Platform
from energy_platform.schemas import (
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    CORE_TABLES,
    RAW_DAY_TABLES,
    TABLES,
)
from energy_platform.storage.lake import Lake, LakeError
from energy_platform.transforms.quality import (
    completeness,
    disagreeing_power,
    intervals_conserve,
    restless,
    stuck,
    takebacks,
    word_swaps,
)

CONSERVATION: Final = "conservation_of_energy"
COMPLETENESS: Final = "completeness"
QUARANTINE: Final = "nothing_quarantined"
FALLS: Final = "registers_run_forward"
SPIKES: Final = "no_spike_taken_back"
STUCK: Final = "gauges_move"
POWER: Final = "registers_agree_with_power"

LEAST_SHARE: Final = 0.9
"""Points that bring less than this share of the samples they are expected to are named."""

MOST_POINTS_NAMED: Final = 5

_DEPS: Final[Mapping[str, tuple[str, ...]]] = {
    CORE_READINGS.name: tuple(table.name for table in RAW_DAY_TABLES.values()),
    CORE_ENERGY_DELTAS.name: (CORE_READINGS.name,),
    CORE_REGISTER_STATE.name: (CORE_READINGS.name,),
    CORE_REGISTER_REJECTS.name: (CORE_READINGS.name,),
    CORE_ENERGY_INTERVALS.name: (CORE_ENERGY_DELTAS.name,),
}


@dg.multi_asset(
    name="core",
    specs=[
        spec_of(table, group=CORE, kinds={"polars", "parquet"}, deps=_DEPS[table.name])
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
            "The intervals of a day carry exactly the energy of its deltas.",
        ),
        warn_spec(CORE_READINGS, COMPLETENESS, "Points bring the samples they are expected to."),
        warn_spec(CORE_READINGS, QUARANTINE, "Every reading could be used."),
        warn_spec(CORE_READINGS, STUCK, "No gauge shows one value all day."),
        warn_spec(CORE_ENERGY_DELTAS, FALLS, "No register falls more than three times a day."),
        warn_spec(
            CORE_ENERGY_DELTAS, SPIKES, "No spike was counted; a limit would have kept it out."
        ),
        warn_spec(
            CORE_ENERGY_DELTAS, POWER, "Registers agree with the power beside them within 20 %."
        ),
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
                        name, partition=day.day, metadata=_figures(lake, table, day=day, name=name)
                    )
                )

    try:
        portfolio = platform.portfolio()
        done = refresh(lake, portfolio=portfolio, on_day=report)
    except (PortfolioError, LakeError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for held in done.held:
        context.log.warning("%s: %s", held.day, held.why)
    changed = [day.day for day in done.days]
    newest = max((day for day in changed if day in asked), default=None)
    if newest is not None:
        said.setdefault((CORE_ENERGY_INTERVALS.name, newest), {})["energy"] = _picture(
            lake, portfolio=portfolio, day=newest
        )
    # Once per table and day: a second call would replace what the first one said.
    for (name, day), metadata in said.items():
        context.add_asset_metadata(metadata, asset_key=name, partition_key=day)
    results = _check_results(lake, portfolio=portfolio, done=done)
    for table in CORE_TABLES:
        yield dg.MaterializeResult(
            asset_key=table.name,
            check_results=[one for one in results if one.asset_key == dg.AssetKey(table.name)],
        )


def _figures(lake: Lake, table: RefreshedTable, *, day: RefreshedDay, name: str) -> dict[str, Any]:
    found = figures(
        rows=table.rows,
        first_at=table.first_at,
        last_at=table.last_at,
        counts={**table.statuses, **{f"reason: {k}": n for k, n in table.reasons.items()}},
    ) | {"why": "; ".join(day.why), "changed": table.changed}
    if name == CORE_READINGS.name and table.reasons.get("word_swap"):
        found["word_swap"] = _swapped_words(lake, day.day)
    return found


def _swapped_words(lake: Lake, day: str) -> dg.MetadataValue[Any]:
    """Explain registers with swapped words: what a reviewed correction would make of them."""
    swaps = word_swaps(lake.read(CORE_READINGS, day=day))
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "point": row["point_id"],
                    "readings": row["readings"],
                    "said": f"{row['said']:.15g} {row['unit'] or ''}".rstrip(),
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
                dg.TableColumn("said", "string"),
                dg.TableColumn("factor", "string"),
                dg.TableColumn("repaired", "string"),
            ]
        ),
    )


def _check_results(
    lake: Lake, *, portfolio: Portfolio, done: Refreshed
) -> list[dg.AssetCheckResult]:
    days = [day.day for day in done.days]
    made = {name: [day.day for day in done.days if name in day.tables] for name in _DEPS}
    points = portfolio.points_frame()
    results = [contract_result(lake, TABLES[name], days=made[name]) for name in _DEPS]
    broken: dict[str, str] = {}
    missing: dict[str, str] = {}
    falling: dict[str, str] = {}
    spiked: dict[str, str] = {}
    still: dict[str, str] = {}
    disagreeing: dict[str, str] = {}
    for day in days:
        deltas = lake.read(CORE_ENERGY_DELTAS, day=day)
        kept = intervals_conserve(deltas, lake.read(CORE_ENERGY_INTERVALS, day=day))
        if kept.points.height:
            broken[day] = (
                f"{kept.found_wh} Wh in intervals, {kept.expected_wh} Wh in deltas: "
                + _named(kept.points)
            )
        readings = lake.read(CORE_READINGS, day=day)
        few = completeness(readings, points=points).filter(pl.col("share") < LEAST_SHARE)
        if few.height:
            missing[day] = f"{few.height} points below {LEAST_SHARE:.0%}: {_named(few)}"
        fell = restless(deltas)
        if fell.height:
            falling[day] = _named(fell)
        back = takebacks(deltas)
        if back.height:
            spiked[day] = f"{back['energy_wh'].sum():.0f} Wh taken back: {_named(back)}"
        unmoved = stuck(readings, points=points)
        if unmoved.height:
            still[day] = _named(unmoved)
        apart = disagreeing_power(deltas, readings, points=points)
        if apart.height:
            disagreeing[day] = _named(apart)
    quarantined = {
        day.day: ", ".join(f"{n} {reason}" for reason, n in sorted(table.reasons.items()))
        for day in done.days
        if (table := day.tables.get(CORE_READINGS.name)) is not None
        and table.statuses.get("quarantined")
    }
    return [
        *results,
        promise_result(CORE_ENERGY_INTERVALS, CONSERVATION, broken, looked_at=len(days)),
        warn_result(CORE_READINGS, COMPLETENESS, missing),
        warn_result(CORE_READINGS, QUARANTINE, quarantined),
        warn_result(CORE_READINGS, STUCK, still),
        warn_result(CORE_ENERGY_DELTAS, FALLS, falling),
        warn_result(CORE_ENERGY_DELTAS, SPIKES, spiked),
        warn_result(CORE_ENERGY_DELTAS, POWER, disagreeing),
    ]


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
