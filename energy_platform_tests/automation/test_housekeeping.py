"""Which old runs may be forgotten."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from energy_platform.automation.housekeeping import superseded_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = datetime.now(tz=UTC) + timedelta(days=30)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def ran(
    instance: dg.DagsterInstance,
    job: str,
    *,
    kind: str,
    day: str,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS,
    also: str | None = None,
) -> str:
    run_id = str(uuid.uuid4())
    run = dg.DagsterRun(
        job_name=job,
        run_id=run_id,
        status=status,
        tags={"energy_platform/kind": kind, "dagster/asset_partition_range_end": day},
    )
    instance.add_run(run)
    for partition in filter(None, (day, also)):
        materialized = dg.AssetMaterialization("core_readings", partition=partition)
        instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                job_name=job,
                event_specific_data=StepMaterializationData(materialized),
            ),
            run_id=run_id,
        )
    return run_id


def test_all_but_the_newest_run_of_a_day_are_forgotten(instance: dg.DagsterInstance) -> None:
    old = [ran(instance, "ingest_belimo", kind="intraday", day="2026-03-01") for _ in range(3)]
    other = ran(instance, "ingest_belimo", kind="intraday", day="2026-03-02")
    forgotten = set(superseded_runs(instance, now=LATER))
    assert forgotten == set(old[:-1])
    assert other not in forgotten


def test_young_and_failed_runs_are_kept(instance: dg.DagsterInstance) -> None:
    ran(instance, "refresh", kind="refresh", day="2026-03-01", status=dg.DagsterRunStatus.FAILURE)
    ran(instance, "refresh", kind="refresh", day="2026-03-01")
    ran(instance, "refresh", kind="refresh", day="2026-03-01")
    assert list(superseded_runs(instance, now=datetime.now(tz=UTC))) == []
    assert len(list(superseded_runs(instance, now=LATER))) == 1


def test_a_run_that_reported_another_day_is_kept(instance: dg.DagsterInstance) -> None:
    ran(instance, "refresh", kind="refresh", day="2026-03-05", also="2026-03-01")
    ran(instance, "refresh", kind="refresh", day="2026-03-05")
    assert list(superseded_runs(instance, now=LATER)) == []


def test_daily_runs_and_backfills_are_never_forgotten(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        ran(instance, "ingest_belimo", kind="daily", day="2026-03-01")
    assert list(superseded_runs(instance, now=LATER)) == []
