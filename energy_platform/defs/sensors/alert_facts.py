"""What alerts are judged from: runs, sources, streams, checks, disk, publication."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

from energy_platform.alerts.conditions import (
    Condition,
    FailedCheck,
    RunEnd,
    SourceFacts,
    StreamFacts,
    check_conditions,
    disk_condition,
    dispute_conditions,
    failed_runs,
    publication_condition,
    restatement_conditions,
    source_conditions,
    stream_conditions,
)
from energy_platform.days import day_bounds, instant
from energy_platform.defs.housekeeping import housekeeping
from energy_platform.defs.instance.living_runs import DIED
from energy_platform.defs.jobs import INGEST, JOBS, inventories, push
from energy_platform.defs.partitions import INVENTORIES_AGAIN, RUN_KIND
from energy_platform.delivery import LEDGER_FILE
from energy_platform.destinations.base import destination
from energy_platform.disputed import disputed
from energy_platform.ingest.due import REPORTED_FROM, missing_days_of
from energy_platform.ingest.last_answer import last_answer_at
from energy_platform.ingest.run import is_configured
from energy_platform.lake.catalogue import Catalogue
from energy_platform.lake.files import file_states
from energy_platform.lake.usage import growth_a_day
from energy_platform.portfolio import portfolio_state
from energy_platform.refresh import stale
from energy_platform.restated import TOLD_FOR, restated
from energy_platform.settings import PlatformSettings
from energy_platform.sources.http.logins import refusals
from energy_platform.sources.registry import day_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from energy_platform.alerts.store import Standing
    from energy_platform.defs.resources import Platform
    from energy_platform.delivery import Ledger
    from energy_platform.schemas import Vendor
    from energy_platform.settings import AlertSettings

MOST_RUNS_COUNTED: Final = 20
"""Newest runs of a job that are looked at."""

_ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_MB: Final = 1000**2

_FRESH_AT: Final[dict[Path, str]] = {}
"""Per data folder the lake, the portfolio and the published file that were seen to agree: while
none of them changes, nothing is stale. Ten years of days take a second to compare."""


def gather(
    platform: Platform,
    instance: dg.DagsterInstance,
    *,
    settings: AlertSettings,
    expected_every: timedelta,
    blocking: Sequence[dg.AssetCheckKey],
    standing: Sequence[Standing],
    asking_since: datetime,
    now: datetime,
) -> list[Condition]:
    """Return what is wrong now.

    Args:
        platform: The installation.
        instance: Its Dagster instance.
        settings: Limits of the disk.
        expected_every: How often a source is asked.
        blocking: Checks whose failure keeps figures from being published.
        standing: What stood before.
        asking_since: Since when somebody looks without a break. Before that nobody asked, so that
            no source is silent and no day is owed from an earlier time, unless that stood already.
        now: The present.

    Raises:
        CatalogueError: The catalogue cannot be used.
        LedgerError: The ledger cannot be used.
        LakeError: A file of the lake is damaged.
        PortfolioError: The portfolio cannot be used.
    """
    sources = source_conditions(
        list(_sources(platform, standing=standing, asking_since=asking_since, now=now)),
        now=now,
        expected_every=expected_every,
    )
    streams = stream_conditions(_streams(platform), now=now)
    reported = set(INGEST.values())
    if not _failed_again(instance):
        reported.add(inventories.name)
    if streams:
        reported.add(push.name)
    return [
        *sources,
        *streams,
        *failed_runs(list(_run_ends(instance)), reported_elsewhere=reported),
        *check_conditions(list(_failed_checks(instance, blocking))),
        *_disputes(platform, standing=standing),
        *restatement_conditions(restated(platform.warehouse.marts_folder, since=now - TOLD_FOR)),
        *_disk(platform, settings=settings, now=now),
        *_publication(platform, standing=standing, now=now),
    ]


def _failed_again(instance: dg.DagsterInstance) -> bool:
    """Say whether inventories failed although every source was answering.

    Those of the schedule fail with a source that is away, which is reported as that; when it is
    back they are asked for again.
    """
    records = instance.get_run_records(
        filters=dg.RunsFilter(job_name=inventories.name, statuses=_ENDED), limit=MOST_RUNS_COUNTED
    )
    for record in records:
        if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            break
        if record.dagster_run.tags.get(RUN_KIND) == INVENTORIES_AGAIN:
            return True
    return False


def _sources(
    platform: Platform, *, standing: Sequence[Standing], asking_since: datetime, now: datetime
) -> Iterator[SourceFacts]:
    stands = {(one.condition.kind, one.condition.subject) for one in standing}
    refused = {one.source: one for one in refusals(platform.data)}
    for vendor in day_tables():
        if not is_configured(vendor):
            continue
        missing_days = missing_days_of(
            vendor, lake=platform.lake, data_dir=platform.data, now=now, after=REPORTED_FROM
        )
        refusal = refused.get(vendor)
        heard = last_answer_at(platform.lake, landing=platform.landing(vendor), source=vendor)
        if heard is not None and ("source_silent", vendor) not in stands:
            heard = max(heard, asking_since)
        missing_since = min((day_bounds(one.day)[1] for one in missing_days), default=None)
        if missing_since is not None and ("days_missing", vendor) not in stands:
            # Until the all-clear for a source that was away, its days are being asked for.
            is_healing = bool({("source_silent", vendor), ("source_refused", vendor)} & stands)
            missing_since = now if is_healing else max(missing_since, asking_since)
        yield SourceFacts(
            source=vendor,
            heard_at=heard,
            configured_at=asking_since,
            refused_since=None if refusal is None else refusal.since,
            refusal="" if refusal is None else refusal.reason,
            retry_at=None if refusal is None else refusal.next_at,
            failure=_newest_failure(platform, vendor),
            missing_days=tuple(sorted(one.day for one in missing_days)),
            missing_since=missing_since,
        )


def _newest_failure(platform: Platform, vendor: Vendor) -> str:
    lake = platform.lake
    if not Catalogue.exists(lake):
        return ""
    with Catalogue.of(lake) as catalogue:
        records = catalogue.days(vendor).values()
    newest = max(records, key=lambda one: one.attempted_at, default=None)
    return newest.why if newest is not None and newest.state == "failed" else ""


def _streams(platform: Platform) -> list[StreamFacts]:
    if PlatformSettings().ledger_url is None and not (platform.data / LEDGER_FILE).exists():
        # Looking must not make a ledger.
        return []
    wanted = platform.portfolio().streams
    with platform.ledger() as ledger:
        refused = _refused(ledger)
        return [
            StreamFacts(
                stream_id=stream_id,
                title=destination(wanted[stream_id].destination).title,
                stopped=state.stopped,
                failing_since=None
                if state.failing_since_us is None
                else instant(state.failing_since_us),
                failure=state.failure or "",
                refused_since=refused[stream_id][0] if stream_id in refused else None,
                refused=refused[stream_id][1] if stream_id in refused else 0,
            )
            for stream_id, state in ledger.states().items()
            if stream_id in wanted
        ]


def _refused(ledger: Ledger) -> dict[str, tuple[datetime, int]]:
    by_stream: dict[str, tuple[datetime, int]] = {}
    for letter in ledger.dead_letters():
        since, count = by_stream.get(letter.stream_id, (instant(letter.refused_us), 0))
        by_stream[letter.stream_id] = (since, count + 1)
    return by_stream


def _run_ends(instance: dg.DagsterInstance) -> Iterator[RunEnd]:
    for job in [*(one.name for one in JOBS), housekeeping.name]:
        records = instance.get_run_records(
            filters=dg.RunsFilter(job_name=job, statuses=_ENDED), limit=MOST_RUNS_COUNTED
        )
        failures = []
        for record in records:
            if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
                break
            if record.dagster_run.status is dg.DagsterRunStatus.FAILURE:
                failures.append(record)
        if not failures:
            continue
        newest, first = failures[0], failures[-1]
        yield RunEnd(
            job=job,
            run_id=newest.dagster_run.run_id,
            failing_since=_end_of(first),
            failures=len(failures),
            died=DIED in newest.dagster_run.tags,
            message=_message(instance, newest.dagster_run.run_id),
        )


def _end_of(record: dg.RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp.replace(tzinfo=UTC)
    return datetime.fromtimestamp(record.end_time, tz=UTC)


def _message(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the first sentence of what a failed run said."""
    for log in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = log.dagster_event
        if event is None:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            return failure.user_failure_data.description.splitlines()[0]
    return "see the run"


def _failed_checks(
    instance: dg.DagsterInstance, blocking: Sequence[dg.AssetCheckKey]
) -> Iterator[FailedCheck]:
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(blocking))
    for key, record in latest.items():
        if record.status.value == "FAILED":
            yield FailedCheck(
                name=f"{key.asset_key.to_user_string()}.{key.name}",
                since=datetime.fromtimestamp(record.create_timestamp, tz=UTC),
            )


def _disk(platform: Platform, *, settings: AlertSettings, now: datetime) -> list[Condition]:
    usage = shutil.disk_usage(platform.data)
    grows = growth_a_day(platform.data, now=now)
    return disk_condition(
        free=usage.free,
        total=usage.total,
        days_left=usage.free / grows if grows is not None and grows > 0 else None,
        now=now,
        least_free=settings.disk_free_mb * _MB,
        warn_days=settings.disk_days,
    )


def _disputes(platform: Platform, *, standing: Sequence[Standing]) -> list[Condition]:
    """Return what is disputed: of the recent days, and back to the oldest that stands."""
    known = [one.condition.since for one in standing if one.condition.kind == "figure_disputed"]
    found = disputed(platform.lake, platform.portfolio(), since=min(known, default=None))
    return dispute_conditions(found)


def _publication(
    platform: Platform, *, standing: Sequence[Standing], now: datetime
) -> list[Condition]:
    """Return whether what is published lags behind the lake.

    Something is stale for a moment in every cycle; only what stayed so without a publication in
    between is old.
    """
    portfolio = platform.portfolio()
    # A large energy.duckdb is not copied after each build; what is exported says so last.
    written = [platform.data / name for name in ("energy.duckdb", "marts/about/part.parquet")]
    seen = (
        f"{platform.lake.version()}, {file_states(*written)}, "
        f"{portfolio_state(Path(platform.portfolio_path))}"
    )
    if _FRESH_AT.get(platform.data) == seen:
        return []
    is_stale = stale(platform.lake, portfolio) or platform.warehouse.plan(portfolio).stale
    if not is_stale:
        _FRESH_AT[platform.data] = seen
        return []
    times = [path.stat().st_mtime for path in written if path.exists()]
    published_at = datetime.fromtimestamp(max(times), tz=UTC) if times else None
    known = [one.condition.since for one in standing if one.condition.kind == "publication_old"]
    if known and published_at is not None and published_at > known[0]:
        return []
    return publication_condition(published_at=published_at, newer_since=now)
