"""Delivery asset: one push for every stream that is behind."""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from energy_platform.defs.groups import DELIVERY
from energy_platform.defs.metadata import OWNERS
from energy_platform.defs.resources import Platform, WatticsResource
from energy_platform.delivery import (
    LedgerError,
    Progress,
    PushOutcome,
    Reconciled,
    push,
    reconcile,
)
from energy_platform.lake.lake import LakeError
from energy_platform.portfolio import PortfolioError
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_READINGS
from energy_platform.settings import SettingsError

PACKETS: Final = "wattics_packets"
NOTHING_REFUSED: Final = "nothing_refused"
RECONCILED: Final = "reconciled"

MOST_SHOWN: Final = 200
"""Streams with differences that the check lists; the command lists all."""


@dg.asset(
    name=PACKETS,
    group_name=DELIVERY,
    deps=[CORE_ENERGY_DELTAS.name, CORE_READINGS.name],
    owners=OWNERS,
    kinds={"python", "http"},
    pool="wattics_api",
    description=(
        "Packets at Wattics, one per POST, in order, each once: the ledger says what was "
        "acknowledged, and a push sends what is ready beyond it."
    ),
    check_specs=[
        dg.AssetCheckSpec(
            NOTHING_REFUSED,
            asset=PACKETS,
            description="Wattics refused no packet of this push.",
        )
    ],
)
def wattics_packets(
    context: dg.AssetExecutionContext, platform: Platform, wattics: WatticsResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Send what is ready; fail, after all streams had their turn, when one needs another try."""

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
                settings=wattics.settings(),
                clock=platform.now,
                on_progress=log_progress,
            )
    except (PortfolioError, SettingsError, LakeError, LedgerError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    metadata: dict[str, Any] = {
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


@dg.asset_check(
    asset=PACKETS,
    name=RECONCILED,
    pool="wattics_api",
    description=(
        "The lake, the ledger and the packets Wattics gives back agree for every stream; what "
        "differs is listed with what will be done."
    ),
)
def wattics_reconciled(
    context: dg.AssetCheckExecutionContext, platform: Platform, wattics: WatticsResource
) -> dg.AssetCheckResult:
    """Compare and change nothing; `energy-platform delivery reconcile` shows the same."""
    settings = wattics.settings()
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
            "wattics_was_asked": settings.base_url is not None and settings.readback,
            "late_intervals": sum(one.late for one in streams),
            "undelivered_wh": round(sum(one.undelivered_wh for one in streams)),
            "held_back_wh": round(sum(one.held_back_wh for one in streams)),
            "differences": _differences(different[:MOST_SHOWN]),
        },
    )


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
