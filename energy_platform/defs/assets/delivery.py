"""What is delivered, an asset for each destination: one push for every stream that is behind."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from energy_platform.defs.groups import DELIVERY
from energy_platform.defs.metadata import OWNERS
from energy_platform.defs.resources import PLATFORM, DestinationResource, Platform
from energy_platform.delivery import (
    LedgerError,
    Progress,
    PushOutcome,
    Reconciled,
    push,
    reconcile,
)
from energy_platform.destinations.base import Destination, destinations
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.settings import DestinationSettings, SettingsError
from energy_platform.warehouse import WarehouseError

DELIVERY_MART: Final = "mart_delivery"
"""The mart that shows how far delivery has come; dbt makes it, and a push brings it up to date."""

NOTHING_REFUSED: Final = "nothing_refused"
RECONCILED: Final = "reconciled"

MOST_SHOWN: Final = 200
"""Streams with differences that the check lists; the command lists all."""


def packets_asset(target: Destination) -> dg.AssetsDefinition:
    """Return the asset of the packets of a destination."""

    @dg.asset(
        name=target.packets,
        group_name=DELIVERY,
        deps=[CORE_ENERGY_DELTAS.name, CORE_READINGS.name],
        owners=OWNERS,
        kinds={"python", "http"},
        pool=target.pool,
        required_resource_keys={PLATFORM, target.name},
        description=(
            f"Packets at {target.title}, one per POST, in order, each once: the ledger says what "
            "was acknowledged, and a push sends what is ready beyond it."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                NOTHING_REFUSED,
                asset=target.packets,
                description=f"{target.title} refused no packet of this push.",
            )
        ],
    )
    def packets(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Send what is ready; fail, after all streams had their turn, when one needs another."""
        platform, settings = _resources(context, target)

        def log_progress(progress: Progress) -> None:
            context.log.info(
                "%d of %d packets acknowledged, %d of %d streams done",
                progress.acknowledged,
                progress.planned,
                progress.streams,
                progress.of_streams,
            )

        try:
            with platform.ledger() as ledger:
                outcome = push(
                    platform.lake,
                    ledger=ledger,
                    portfolio=platform.portfolio(),
                    settings=settings,
                    clock=platform.now,
                    on_progress=log_progress,
                )
        except (PortfolioError, SettingsError, LakeError, LedgerError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        metadata: dict[str, Any] = {
            "published": _publish(context, platform),
            "packets_acknowledged": outcome.acknowledged,
            "packets_refused": outcome.refused,
            "next": "nothing was begun" if outcome.then is None else outcome.then.reason,
            "streams": _table(outcome),
        }
        if not outcome.ok:
            raise dg.Failure(
                f"{len(outcome.problems)} of {len(outcome.streams)} streams need another push or a "
                "person:\n" + "\n".join(outcome.problems[:20]),
                metadata=metadata,
                allow_retries=False,
            )
        yield dg.MaterializeResult(
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(
                    check_name=NOTHING_REFUSED,
                    passed=outcome.refused == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"packets_refused": outcome.refused},
                )
            ],
        )

    return packets


def _publish(context: dg.AssetExecutionContext, platform: Platform) -> str:
    """Publish the state of delivery; say how, or why the next refresh does."""
    try:
        published = platform.warehouse.publish_delivery(platform.delivered(platform.portfolio()))
    except (PortfolioError, LakeError, LedgerError, WarehouseError) as error:
        context.log.warning("mart_delivery is left to the next refresh: %s", error)
        return f"by the next refresh: {error}"
    if published is None:
        return "by the refresh that is under way, or the next one"
    context.log_event(
        dg.AssetMaterialization(DELIVERY_MART, description="The state of delivery after a push.")
    )
    return "mart_delivery, without a build"


def reconciled_check(target: Destination) -> dg.AssetChecksDefinition:
    """Return the check that compares what was delivered to a destination with what it holds."""

    @dg.asset_check(
        asset=target.packets,
        name=RECONCILED,
        pool=target.pool,
        required_resource_keys={PLATFORM, target.name},
        description=(
            f"The lake, the ledger and the packets {target.title} gives back agree for every "
            "stream; what differs is listed with what will be done."
        ),
    )
    def reconciled(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Compare and change nothing; `energy-platform delivery reconcile` shows the same."""
        platform, settings = _resources(context, target)
        try:
            with platform.ledger() as ledger:
                streams = reconcile(
                    platform.lake,
                    ledger=ledger,
                    portfolio=platform.portfolio(),
                    settings=settings,
                    clock=platform.now,
                )
        except (PortfolioError, SettingsError, LakeError, LedgerError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        different = [one for one in streams if one.differences]
        for one in different[:MOST_SHOWN]:
            context.log.warning("%s: %s", one.stream_id, "; ".join(one.differences))
        return dg.AssetCheckResult(
            passed=not different,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "streams": len(streams),
                "streams_that_differ": len(different),
                f"{target.name}_was_asked": settings.can_read_back,
                "late_intervals": sum(one.late for one in streams),
                "undelivered_wh": round(sum(one.undelivered_wh for one in streams)),
                "held_back_wh": round(sum(one.held_back_wh for one in streams)),
                "differences": _differences(different[:MOST_SHOWN]),
            },
        )

    return reconciled


def _resources(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, target: Destination
) -> tuple[Platform, DestinationSettings]:
    """Return the installation and the settings of the destination, its resource's namesake."""
    resource: DestinationResource = getattr(context.resources, target.name)
    try:
        return getattr(context.resources, PLATFORM), resource.settings()
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


PACKETS_ASSETS: Final = [packets_asset(one) for one in destinations().values()]
"""The packets of each destination."""

RECONCILED_CHECKS: Final = [reconciled_check(one) for one in destinations().values()]
"""The daily comparison with each destination."""


def _differences(streams: list[Reconciled]) -> dg.TableMetadataValue:
    columns = ("stream", "lake_until", "ledger_until", "stored_until", "differences", "action")
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "stream": one.stream_id,
                    "lake_until": one.lake_until.isoformat() if one.lake_until else "",
                    "ledger_until": one.ledger_until.isoformat() if one.ledger_until else "",
                    "stored_until": one.stored_until.isoformat() if one.stored_until else "",
                    "differences": "; ".join(one.differences),
                    "action": one.action,
                }
            )
            for one in streams
        ],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in columns]),
    )


def _table(outcome: PushOutcome) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "stream": one.stream_id,
                    "status": one.status,
                    "acknowledged": one.acknowledged,
                    "refused": one.refused,
                    "until": one.until.isoformat() if one.until else "",
                    "reason": one.reason,
                }
            )
            for one in outcome.streams.values()
        ],
        schema=dg.TableSchema(
            [
                dg.TableColumn("stream", "string"),
                dg.TableColumn("status", "string"),
                dg.TableColumn("acknowledged", "int"),
                dg.TableColumn("refused", "int"),
                dg.TableColumn("until", "string"),
                dg.TableColumn("reason", "string"),
            ]
        ),
    )
