"""Core assets: readings judged once, energy per register, 15-minute contributions.

One step makes all seven tables, because a day's energy starts from the state of the day before.
It makes every stale day fresh, also outside the run's range: each day that was rewritten is
reported as a materialization of its own. What is wrong with the days is not looked for here: that
is ``checks.core``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
import polars as pl

from energy_platform.defs.checks.core import core_check_results, core_check_specs
from energy_platform.defs.groups import CORE
from energy_platform.defs.metadata import figures, plot, spec_of
from energy_platform.defs.partitions import DAILY, WHOLE_RANGE
from energy_platform.defs.resources import Platform
from energy_platform.defs.versions import code_version, data_version, version_tags
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.lake.point_habits import PointHabits
from energy_platform.portfolio import Portfolio, PortfolioError
from energy_platform.refresh import (
    OutOfMemoryError,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
    refresh,
)
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    CORE_VIRTUAL_DELTAS,
    CORE_VIRTUAL_INTERVALS,
    CORE_VIRTUAL_READINGS,
    DERIVED_TABLES,
    Table,
)
from energy_platform.settings import PlatformSettings
from energy_platform.sources.registry import day_tables, tables
from energy_platform.transforms.quality import word_swaps

_DEPS: Final[Mapping[str, tuple[str, ...]]] = {
    CORE_READINGS.name: tuple(table.name for table in day_tables().values()),
    CORE_ENERGY_DELTAS.name: (CORE_READINGS.name,),
    CORE_REGISTER_STATE.name: (CORE_READINGS.name,),
    CORE_REGISTER_REJECTS.name: (CORE_READINGS.name,),
    CORE_ENERGY_INTERVALS.name: (CORE_ENERGY_DELTAS.name,),
    CORE_CONSUMPTION_DELTAS.name: (CORE_READINGS.name,),
    CORE_CONSUMPTION_INTERVALS.name: (CORE_CONSUMPTION_DELTAS.name,),
    CORE_VIRTUAL_INTERVALS.name: (CORE_ENERGY_INTERVALS.name,),
    CORE_VIRTUAL_DELTAS.name: (CORE_VIRTUAL_INTERVALS.name,),
    CORE_VIRTUAL_READINGS.name: (CORE_READINGS.name,),
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
        for table in DERIVED_TABLES
    ],
    partitions_def=DAILY,
    backfill_policy=WHOLE_RANGE,
    pool="core",
    check_specs=core_check_specs(),
)
def core(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult[None]]:
    """Make every stale day fresh; what is fresh already is not touched."""
    asked = set(context.partition_keys)
    figures_of: dict[tuple[str, str], dict[str, Any]] = {}
    lake = platform.lake

    def report(day: RefreshedDay) -> None:
        context.log.info("%s: %s", day.day, "; ".join(day.why))
        for name, table in day.tables.items():
            if day.day in asked:
                figures_of[name, day.day] = _figures(lake, table, day=day, name=name)
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
        done = refresh(lake, portfolio=portfolio, on_day=report, memory=PlatformSettings().memory)
    except (PortfolioError, LakeError, OutOfMemoryError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for blocked in done.blocked:
        context.log.warning("%s: %s", blocked.day, blocked.why)
    changed = [day.day for day in done.days]
    newest = max((day for day in changed if day in asked), default=None)
    if newest is not None:
        figures_of.setdefault((CORE_ENERGY_INTERVALS.name, newest), {})["energy"] = _picture(
            lake, portfolio=portfolio, day=newest
        )
    # Once per table and day: a second call would replace those of the first one.
    for (name, day), metadata in figures_of.items():
        context.add_asset_metadata(metadata, asset_key=name, partition_key=day)
    results = _check_results(platform, portfolio=portfolio, done=done)
    for table in DERIVED_TABLES:
        yield dg.MaterializeResult(
            asset_key=table.name,
            data_version=data_version(_content_id(lake, table, day=day) for day in sorted(asked)),
            check_results=[one for one in results if one.asset_key == dg.AssetKey(table.name)],
        )


def _check_results(
    platform: Platform, *, portfolio: Portfolio, done: Refreshed
) -> list[dg.AssetCheckResult]:
    try:
        with PointHabits(platform.lake) as habits:
            return core_check_results(
                platform.lake,
                portfolio=portfolio,
                done=done,
                habits=habits,
                memory=PlatformSettings().memory,
            )
    except CatalogueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _content_id(lake: Lake, table: Table, *, day: str) -> str:
    """Return the digest of a day's rows; empty when it has no file."""
    footer = lake.footer(table, day=day)
    return "" if footer is None else footer.content_id


def _figures(lake: Lake, table: RefreshedTable, *, day: RefreshedDay, name: str) -> dict[str, Any]:
    shown = figures(
        rows=table.rows,
        first_at=table.first_at,
        last_at=table.last_at,
        counts={**table.statuses, **{f"reason: {k}": n for k, n in table.reasons.items()}},
    ) | {"why": "; ".join(day.why), "changed": table.changed}
    if name == CORE_ENERGY_DELTAS.name:
        shown |= _not_booked(lake, day.day)
    if name == CORE_READINGS.name and table.reasons.get("word_swap"):
        shown["word_swap"] = _swapped_words(lake, day.day)
    return shown


def _not_booked(lake: Lake, day: str) -> dict[str, Any]:
    """Return what registers showed and nobody booked, and what was booked beyond a limit."""
    deltas = lake.scan(CORE_ENERGY_DELTAS, days=[day])
    refused = deltas.filter(pl.col("refused_wh") != 0).select("refused_wh").collect()
    beyond = deltas.filter(pl.col("status") == "over_limit").select("energy_wh").collect()
    return {
        "refused_wh": float(refused["refused_wh"].abs().sum()),
        "over_limit_wh": float(beyond["energy_wh"].sum()),
    }


def _swapped_words(lake: Lake, day: str) -> dg.MetadataValue[Any]:
    """Explain registers with swapped words: what a reviewed correction would make of them."""
    swapped = lake.scan(CORE_READINGS, days=[day]).filter(pl.col("reason") == "word_swap")
    swaps = word_swaps(swapped.collect())
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


def _picture(lake: Lake, *, portfolio: Portfolio, day: str) -> dg.MetadataValue[Any]:
    mains = [
        point.point_id
        for point in portfolio.points.values()
        if point.role == "main" and point.quantity == "active_energy_import"
    ]
    buckets = (
        lake.scan(CORE_ENERGY_INTERVALS, days=[day])
        .filter(pl.col("point_id").is_in(mains))
        .collect()
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
