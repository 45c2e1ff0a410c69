"""Raw assets: inventories as snapshots, and whole UTC days as each vendor said them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg
import polars as pl

from energy_platform.defs.checks.results import (
    contract_result,
    contract_spec,
    warn_result,
    warn_spec,
)
from energy_platform.defs.groups import RAW
from energy_platform.defs.metadata import OWNERS, column_schema, figures, plot, spec_of
from energy_platform.defs.partitions import DAILY, INTRADAY, RUN_KIND, WHOLE_RANGE
from energy_platform.defs.resources import PLATFORM, Platform, SourceResource
from energy_platform.defs.versions import code_version, data_version, version_tags
from energy_platform.ingest.landing_days import increments_of
from energy_platform.ingest.run import (
    DayOutcome,
    has_inventory,
    ingest_days,
    ingest_inventory,
)
from energy_platform.lake.catalogue import Catalogue, CatalogueError
from energy_platform.lake.lake import Lake, LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.schemas import Vendor
from energy_platform.settings import SettingsError
from energy_platform.sources.http.errors import VendorError
from energy_platform.sources.registry import day_tables, inventory_tables

KINDS: Final = {"python", "parquet"}

POOL: Final[dict[Vendor, str]] = {vendor: f"{vendor}_api" for vendor in day_tables()}
"""Dagster pools: one step at a time asks a vendor."""

FAULTS: Final = (VendorError, SettingsError, PortfolioError, LakeError)
"""What a step reports in one line; anything else is a fault of the program."""

MOST_DEVICES: Final = 50
"""Partial devices that the metadata of a day lists; the catalogue has all."""

ROWS_KEPT: Final = "rows_kept"
PULL_HAS_NO_ANOMALIES: Final = "pull_has_no_anomalies"


def inventory_assets(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the snapshots of what a vendor's account can see."""
    tables = inventory_tables()[vendor]

    @dg.multi_asset(
        name=f"inventory_{vendor}",
        specs=[
            spec_of(table, group=RAW[vendor], kinds=KINDS, code_version=code_version(table))
            for table in tables
        ],
        pool=POOL[vendor],
        required_resource_keys={PLATFORM, vendor},
    )
    def inventory(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        platform, cloud = _resources(context, vendor)
        try:
            with cloud.open(platform) as source:
                landed = ingest_inventory(source, vendor=vendor, lake=platform.lake)
        except FAULTS as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for name, table in landed.items():
            yield dg.MaterializeResult(
                asset_key=name,
                data_version=data_version([table.after_id]),
                metadata={
                    "dagster/row_count": table.rows,
                    "new": table.new,
                    "changed": table.changed,
                    "gone": table.lost,
                },
            )

    return inventory


def day_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the daily raw asset of a vendor."""
    table = day_tables()[vendor]

    @dg.asset(
        name=table.name,
        group_name=RAW[vendor],
        description=(
            f"{table.description} Kept as the vendor said it; a day read again gives the same "
            "file, an empty day a file with zero rows, a failed day no file."
        ),
        deps=[inventory.name for inventory in inventory_tables()[vendor]],
        partitions_def=DAILY,
        backfill_policy=WHOLE_RANGE,
        pool=POOL[vendor],
        kinds=KINDS,
        owners=OWNERS,
        code_version=code_version(table),
        metadata={"dagster/column_schema": column_schema(table)},
        required_resource_keys={PLATFORM, vendor},
        check_specs=[
            contract_spec(table),
            warn_spec(table, ROWS_KEPT, "A day read again has all the rows it had."),
            warn_spec(
                table, PULL_HAS_NO_ANOMALIES, "No contradictions, no missing values, no warnings."
            ),
        ],
    )
    def raw_day(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        platform, cloud = _resources(context, vendor)
        outcomes: list[DayOutcome] = []
        failure: Exception | None = None
        try:
            with cloud.open(platform) as source:
                if not has_inventory(platform.lake, vendor=vendor):
                    for name, snapshot in ingest_inventory(
                        source, vendor=vendor, lake=platform.lake
                    ).items():
                        context.log_event(
                            dg.AssetMaterialization(
                                name,
                                metadata={"dagster/row_count": snapshot.rows},
                                tags=version_tags(snapshot.after_id),
                            )
                        )
                with _catalogue(context, platform) as catalogue:
                    for outcome in ingest_days(
                        source,
                        vendor=vendor,
                        lake=platform.lake,
                        days=context.partition_keys,
                        now=platform.now(),
                        closes=context.run.tags.get(RUN_KIND) != INTRADAY,
                        catalogue=catalogue,
                        increments=increments_of(platform.portfolio(), vendor=vendor),
                    ):
                        outcomes.append(outcome)
                        _log(context, outcome)
        except (*FAULTS, OSError) as error:
            failure = error
        _stop_on_bad_days(context, outcomes, failure=failure, asset=table.name)
        landed = [outcome for outcome in outcomes if outcome.landed is not None]
        figures_of = {outcome.day: _figures(outcome) for outcome in outcomes}
        if landed:
            newest = landed[-1].day
            figures_of[newest]["samples"] = _picture(platform.lake, vendor=vendor, day=newest)
        for day, metadata in figures_of.items():
            context.add_asset_metadata(metadata, partition_key=day)
        yield dg.MaterializeResult(
            data_version=data_version(
                "" if outcome.landed is None else outcome.landed.after_id
                for outcome in sorted(outcomes, key=lambda one: one.day)
            ),
            check_results=[
                contract_result(platform.lake, table, days=[outcome.day for outcome in landed]),
                warn_result(
                    table,
                    ROWS_KEPT,
                    {
                        outcome.day: f"{outcome.landed.lost} rows the vendor no longer has; kept"
                        for outcome in landed
                        if outcome.landed is not None and outcome.landed.lost
                    },
                ),
                warn_result(table, PULL_HAS_NO_ANOMALIES, anomalies(outcomes)),
            ],
        )

    return raw_day


def _resources(
    context: dg.AssetExecutionContext, vendor: Vendor
) -> tuple[Platform, SourceResource]:
    """Return the installation and the source's cloud, whose resource is named like the source."""
    return getattr(context.resources, PLATFORM), getattr(context.resources, vendor)


@contextmanager
def _catalogue(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Catalogue | None]:
    """Open the catalogue; a damaged one must not keep the days from landing."""
    try:
        catalogue = platform.catalogue()
    except CatalogueError as error:
        context.log.warning("the state of the days is not noted: %s", error)
        yield None
        return
    with catalogue:
        yield catalogue


def _log(context: dg.AssetExecutionContext, outcome: DayOutcome) -> None:
    if outcome.landed is not None:
        verb = "written" if outcome.landed.written else "unchanged"
        context.log.info("%s: %d rows, %s", outcome.day, outcome.landed.rows, verb)
        if outcome.why:
            context.log.warning("%s is partial: %s", outcome.day, outcome.why)
    elif outcome.error is not None:
        context.log.error(str(outcome.error))
    for warning in outcome.warnings:
        context.log.warning(warning)


def _figures(outcome: DayOutcome) -> dict[str, Any]:
    if outcome.landed is None:
        return {"note": "; ".join(outcome.warnings)}
    landed = outcome.landed
    shown = figures(
        rows=landed.rows,
        first_at=landed.first_at,
        last_at=landed.last_at,
        counts={"new": landed.new, "changed": landed.changed, "lost": landed.lost}
        | dict(outcome.counts),
    ) | {
        "closed": landed.closed,
        "complete_until": str(landed.complete_until),
        "state": outcome.state,
    }
    if outcome.devices:
        shown["series_asked"] = sum(device.asked for device in outcome.devices)
        shown["series_answered"] = sum(device.answered for device in outcome.devices)
    if outcome.why:
        shown["why_not_whole"] = outcome.why
        shown["partial_devices"] = _devices_table(outcome)
    return shown


def _devices_table(outcome: DayOutcome) -> dg.MetadataValue[Any]:
    partial = [device for device in outcome.devices if device.why_partial]
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "device": device.device,
                    "asked": device.asked,
                    "answered": device.answered,
                    "rows": device.rows,
                    "first": str(device.first_at or ""),
                    "last": str(device.last_at or ""),
                    "why": device.why_partial,
                }
            )
            for device in partial[:MOST_DEVICES]
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn(name, "int" if name in {"asked", "answered", "rows"} else "string")
                for name in ("device", "asked", "answered", "rows", "first", "last", "why")
            ]
        ),
    )


def anomalies(outcomes: Sequence[DayOutcome]) -> dict[str, str]:
    """Return by day what contradicts itself, is missing or was warned of; nothing when all is well.

    Args:
        outcomes: What became of the days.
    """
    by_day = {}
    for outcome in outcomes:
        # A row that came twice with the same value loses nothing; polls repeat what history has.
        counted = [
            f"{count} {name}" for name, count in outcome.counts.items() if name != "duplicates"
        ]
        if words := [*counted, *outcome.warnings]:
            by_day[outcome.day] = "; ".join(words)
    return by_day


def _stop_on_bad_days(
    context: dg.AssetExecutionContext,
    outcomes: Sequence[DayOutcome],
    *,
    failure: Exception | None,
    asset: str,
) -> None:
    """Report the days that landed, then fail naming the others."""
    bad = {outcome.day: str(outcome.error) for outcome in outcomes if outcome.error is not None}
    if failure is not None:
        seen = {outcome.day for outcome in outcomes}
        bad |= {day: str(failure) for day in context.partition_keys if day not in seen}
    if not bad:
        return
    landed = [outcome for outcome in outcomes if outcome.landed is not None]
    for outcome in landed:
        context.log_event(
            dg.AssetMaterialization(
                asset,
                partition=outcome.day,
                metadata=_figures(outcome),
                tags=version_tags("" if outcome.landed is None else outcome.landed.after_id),
            )
        )
    reasons = "\n".join(f"{day}: {reason}" for day, reason in sorted(bad.items())[:20])
    raise dg.Failure(
        f"{len(bad)} of {len(context.partition_keys)} days failed, {len(landed)} landed:\n"
        f"{reasons}",
        metadata={"failed_days": sorted(bad), "landed_days": [one.day for one in landed]},
        allow_retries=False,
    )


def _picture(lake: Lake, *, vendor: Vendor, day: str) -> dg.MetadataValue[Any]:
    hours = (
        lake.read(day_tables()[vendor], day=day)
        .group_by(pl.col("at").dt.truncate("1h").alias("hour"))
        .len("rows")
        .sort("hour")
    )
    return plot(
        hours,
        x="hour",
        y="rows",
        title=f"{vendor}, samples per hour on {day} (UTC)",
        label="samples",
        bars=True,
    )


RAW_ASSETS: Final = [
    assets for vendor in day_tables() for assets in (inventory_assets(vendor), day_asset(vendor))
]
"""The raw assets of every vendor."""
