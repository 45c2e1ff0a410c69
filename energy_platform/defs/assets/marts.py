"""Mart assets: the dbt build in a private work file, and the file that everybody reads."""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from energy_platform.defs.assets.home import publication_noted
from energy_platform.defs.checks.building import building_results, building_specs
from energy_platform.defs.checks.dbt_tests import described_test
from energy_platform.defs.groups import MARTS
from energy_platform.defs.metadata import OWNERS
from energy_platform.defs.resources import Platform
from energy_platform.installation.environment import variables_set
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.settings import PlatformSettings
from energy_platform.warehouse import (
    OutOfMemoryError,
    Prepared,
    Warehouse,
    WarehouseError,
    build_command,
    explained,
)
from energy_platform.warehouse.dbt_project import DBT, manifest_of, usable_project
from energy_platform.warehouse.restatements import MART as RESTATEMENTS
from energy_platform.warehouse.selection import OF_LEDGER

PUBLISHED: Final = "energy_duckdb"
LIVE: Final = "live_duckdb"
POOL: Final = "warehouse"


class Translator(DagsterDbtTranslator):
    """Asset keys are table names; groups stand in the project's meta."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return the table's name, or the key a source names itself."""
        meta = dbt_resource_props.get("config", {}).get("meta", {}).get("dagster", {})
        return dg.AssetKey(meta.get("asset_key") or [dbt_resource_props["name"]])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the model's own description, without its SQL."""
        return str(dbt_resource_props.get("description", ""))

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """Return the check of a dbt test, with what it expects in words."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or spec.description:
            return spec
        return spec._replace(description=described_test(manifest["nodes"][unique_id]))

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the same owner for every model."""
        return OWNERS


def build_mart_assets(settings: PlatformSettings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the dbt models, what a build hands to them, and the published file.

    Raises:
        SettingsError: The dbt project was not parsed since its files changed.
        WarehouseError: That of an installed package cannot be parsed.
    """
    folder = usable_project(settings.dbt_project_dir, data_dir=settings.data_dir)
    manifest = manifest_of(folder)
    handed_over = _handed_over(manifest)
    project = DbtProject(folder, profiles_dir=folder)

    @dbt_assets(
        manifest=manifest,
        project=project,
        name="marts",
        pool=POOL,
        dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_asset_checks=True)),
    )
    def marts(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
        warehouse = platform.warehouse
        is_whole = context.selected_asset_keys == marts.keys
        try:
            portfolio = platform.portfolio()
            # Held from the links to the commit: nobody else may build in the work file.
            with warehouse.locked():
                prepared = warehouse.prepare(portfolio, delivery=platform.delivered(portfolio))
                _report(prepared, context=context)
                for source in handed_over:
                    # Else Dagster shows what every build writes as never made.
                    context.log_event(dg.AssetMaterialization(source.key))
                warehouse.build_first_slices(prepared, on_slice=context.log.info)
                if not (is_whole and prepared.is_empty):
                    # dbt copies the environment when it is started: no later step has these.
                    with variables_set(prepared.env):
                        build = DbtCliResource(project_dir=project, dbt_executable=DBT).cli(
                            build_command(prepared.left_out) if is_whole else ["build"],
                            context=context,
                            target_path=warehouse.target_path,
                        )
                    yield from _rebuilt(
                        build, marts, warehouse=warehouse, prepared=prepared, context=context
                    )
                else:
                    inputs = _inputs(marts, marts.keys)
                    yield from _left_out(
                        marts.keys, inputs, prepared, rows=warehouse.rows(), seen=set()
                    )
                    yield from _still_passed(context.selected_asset_check_keys)
                if is_whole:
                    warehouse.commit()
                else:
                    context.log.warning(
                        "only some models were built: the next whole build rebuilds the same days"
                    )
        except DagsterDbtCliRuntimeError as error:
            found = explained(error.description or str(error), memory=warehouse.memory)
            if not isinstance(found, OutOfMemoryError):
                raise
            raise dg.Failure(str(found), allow_retries=False) from error
        except (PortfolioError, LakeError, WarehouseError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    return [*handed_over, marts, _published(marts)]


def _handed_over(manifest: Path) -> list[dg.AssetSpec]:
    """Return the sources that a build writes itself, so that lineage shows and describes them."""
    translator = Translator()
    sources = json.loads(manifest.read_text())["sources"].values()
    return [
        dg.AssetSpec(
            translator.get_asset_key(source),
            description=translator.get_description(source),
            group_name=translator.get_group_name(source),
            owners=translator.get_owners(source),
            kinds={"parquet"},
        )
        for source in sources
        if "asset_key" in source["config"]["meta"].get("dagster", {})
    ]


def _report(prepared: Prepared, *, context: dg.AssetExecutionContext) -> None:
    """Log what a build is about to do."""
    context.log.info(
        "%d day files changed; %s",
        len(prepared.changed),
        "everything is rebuilt: " + "; ".join(prepared.why)
        if prepared.full
        else f"local days rebuilt: {_days(prepared.affected)}",
    )
    if prepared.delivery_replaced:
        context.log.info("only the ledger changed: mart_delivery has its rows, without dbt")
    if prepared.resumed:
        context.log.info("a build that did not finish goes on with the days that it left")
    if len(prepared.slices) > 1:
        context.log.info("in %d slices, one after the other", len(prepared.slices))


def _rebuilt(
    build: DbtCliInvocation,
    marts: dg.AssetsDefinition,
    *,
    warehouse: Warehouse,
    prepared: Prepared,
    context: dg.AssetExecutionContext,
) -> Iterator[Any]:
    """Yield the events of dbt, and those of tables and tests that are left out, inputs first.

    They come when dbt is through: until then it holds the file that the rows are counted in, and
    no table counts before all tests passed. What failed is said in any case.
    """
    events = []
    try:
        for event in build.stream():
            events.append(event)  # noqa: PERF402 - those before a failure are told too
    except DagsterDbtCliRuntimeError:
        yield from events
        raise
    rows = warehouse.rows()
    metadata: dict[str, Any] = {
        "slices": len(prepared.slices),
        "local_days": _days(prepared.affected),
    }
    keys = {marts.get_output_name_for_asset_key(key): key for key in marts.keys}
    inputs = _inputs(marts, context.selected_asset_keys)
    seen: set[dg.AssetKey] = set()
    unanswered = {*context.selected_asset_check_keys}
    for event in events:
        if isinstance(event, dg.AssetCheckResult) and event.asset_key and event.check_name:
            unanswered.discard(dg.AssetCheckKey(event.asset_key, event.check_name))
        if isinstance(event, dg.Output):
            # dbt is through with all that a table is made of: what was not seen stays as it is.
            key = keys[event.output_name]
            yield from _left_out(inputs[key], inputs, prepared, rows=rows, seen=seen)
            seen.add(key)
            yield event.with_metadata({**event.metadata, **metadata, **_rows_of(key, rows)})
        else:
            yield event
    yield from _left_out(inputs, inputs, prepared, rows=rows, seen=seen)
    # dbt ends with an error where a test of what it built could not be run.
    yield from _still_passed(unanswered)


def _inputs(
    marts: dg.AssetsDefinition, selected: AbstractSet[dg.AssetKey]
) -> dict[dg.AssetKey, AbstractSet[dg.AssetKey]]:
    """Return which of the selected tables each of them is made of."""
    return {key: marts.asset_deps[key] & selected for key in selected}


def _left_out(
    keys: Iterable[dg.AssetKey],
    inputs: Mapping[dg.AssetKey, AbstractSet[dg.AssetKey]],
    prepared: Prepared,
    *,
    rows: Mapping[str, int],
    seen: set[dg.AssetKey],
) -> Iterator[dg.MaterializeResult[None]]:
    """Say of tables that they follow from the lake without dbt: publication waits for each.

    Args:
        keys: The tables.
        inputs: What each is made of; Dagster wants it afterwards.
        prepared: The build.
        rows: Rows of every table.
        seen: Those of which something was said; filled.
    """
    replaced = OF_LEDGER if prepared.delivery_replaced else ()
    for key in sorted(keys):
        if key not in seen:
            yield from _left_out(inputs[key], inputs, prepared, rows=rows, seen=seen)
            seen.add(key)
            is_rebuilt = key.to_user_string() in replaced
            yield dg.MaterializeResult(
                asset_key=key, metadata={"rebuilt": is_rebuilt, **_rows_of(key, rows)}
            )


def _rows_of(key: dg.AssetKey, rows: Mapping[str, int]) -> dict[str, int]:
    """Return the figure that Dagster shows as a table's row count; a view has none.

    Nor has the table of restatements, into which the publication that follows adds rows.
    """
    name = key.to_user_string()
    is_counted = name in rows and name != RESTATEMENTS
    return {"dagster/row_count": rows[name]} if is_counted else {}


def _still_passed(keys: Iterable[dg.AssetCheckKey]) -> Iterator[dg.AssetCheckResult]:
    """Say of tests that were left out with their tables that they hold as before.

    A build is finished only when every test passed, and tables are left out only while they are as
    a finished build left them. Dagster would show the check as skipped.
    """
    for key in sorted(keys):
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=True,
            description="Not run again: the table is as it was when this passed.",
            metadata={"ran": False},
        )


def _days(touched: Mapping[str, Any]) -> str:
    spans = [f"{days[0]} to {days[-1]} ({zone})" for zone, days in touched.items() if days]
    return ", ".join(spans) or "none"


def _published(marts: dg.AssetsDefinition) -> dg.AssetsDefinition:
    live = dg.AssetSpec(
        LIVE,
        group_name=MARTS,
        deps=sorted(marts.keys),
        owners=OWNERS,
        kinds={"duckdb", "parquet"},
        description=(
            "The marts as Parquet in data/marts, rewritten where a build touched them, and "
            "data/live.duckdb with views over them and over the lake: for what stays open, such as "
            "dashboards and notebooks. Each query shows what is published when it begins."
        ),
    )
    published = dg.AssetSpec(
        PUBLISHED,
        group_name=MARTS,
        deps=sorted(marts.keys),
        owners=OWNERS,
        kinds={"duckdb"},
        description=(
            "The file anyone can query: data/energy.duckdb, read-only, replaced whole by a rename "
            "after the build and its tests passed. Open it with any DuckDB 1.x client at any time. "
            "A large one is copied so often that copying takes at most 5 % of the time."
        ),
    )

    # One step: what a build left is exported and copied under one lock.
    @dg.multi_asset(
        name="publication", specs=[live, published], check_specs=building_specs(LIVE), pool=POOL
    )
    def publication(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        warehouse = platform.warehouse
        try:
            published = warehouse.publish()
            portfolio = platform.portfolio()
        except (LakeError, PortfolioError, WarehouseError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.log_event(publication_noted(published, portfolio, data_dir=platform.data))
        exported = published.exported
        yield dg.MaterializeResult(
            asset_key=LIVE,
            metadata={
                "path": dg.MetadataValue.path(str(warehouse.live_file)),
                "newest_day": published.newest_day or "none",
                "files_written": exported.written,
                "files_removed": exported.removed,
                "bytes_written": exported.bytes,
                "views": ", ".join(published.views),
                "figures_restated": published.restated,
            },
        )
        yield from building_results(LIVE, marts=warehouse.marts_folder)
        figures: dict[str, dg.MetadataValue[Any]] = {}
        if published.next_copy_at is not None:
            context.log.info(
                "%s stays as it was: copying it now would take more than its share of the time. "
                "The next copy is due at %s UTC; %s is up to date",
                published.path.name,
                f"{published.next_copy_at:%Y-%m-%d %H:%M}",
                warehouse.live_file.name,
            )
            due = published.next_copy_at.timestamp()
            figures["next_copy"] = dg.MetadataValue.timestamp(due)
        yield dg.MaterializeResult(
            asset_key=PUBLISHED,
            metadata={
                "path": dg.MetadataValue.path(str(published.path)),
                "written": published.written,
                "newest_day": published.newest_day or "none",
                "bytes": published.bytes,
                "tables": dg.MetadataValue.table(
                    [
                        dg.TableRecord({"table": name, "rows": rows})
                        for name, rows in sorted(published.rows.items())
                    ],
                    schema=dg.TableSchema(
                        [dg.TableColumn("table", "string"), dg.TableColumn("rows", "int")]
                    ),
                ),
                **figures,
            },
        )

    return publication
