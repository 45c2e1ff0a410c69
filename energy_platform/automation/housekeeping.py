"""Keep the Dagster instance and the landing folder small.

Dagster forgets ticks by its own retention, runs never. With an intraday run every quarter of an
hour that is a hundred thousand runs a year, of which nobody needs the old ones.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from energy_platform.assets.partitions import RANGE_END, RUN_KIND
from energy_platform.partitions import day_of
from energy_platform.resources import Platform
from energy_platform.sources import landing_at
from energy_platform.storage.files import remove_abandoned

KEEP: Final = timedelta(days=14)
"""How long runs that ended well are kept when a newer run did their work again."""

REPEATED_KINDS: Final = ("intraday", "poll", "refresh", "push")
"""Kinds of runs that come many times a day for the same partition."""

MOST_A_DAY: Final = 2_000
"""Runs looked at by one housekeeping, so that it ends soon; the next one goes on."""


def superseded_runs(instance: dg.DagsterInstance, *, now: datetime) -> Iterator[str]:
    """Yield the ids of old runs whose materializations newer runs made again.

    A run is kept when it is the newest of its job for its partition, or when it reported a
    partition beside the one it was asked for: forgetting it would turn a day grey in the UI.
    """
    for kind in REPEATED_KINDS:
        newest: set[tuple[str, str]] = set()
        records = instance.get_run_records(
            filters=dg.RunsFilter(tags={RUN_KIND: kind}), limit=MOST_A_DAY
        )
        for record in records:
            run = record.dagster_run
            what = (run.job_name, run.tags.get(RANGE_END, ""))
            if what not in newest:
                newest.add(what)
                continue
            is_old = record.create_timestamp < now - KEEP
            if is_old and run.status is dg.DagsterRunStatus.SUCCESS and _is_alone(instance, run):
                yield run.run_id


def _is_alone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Say whether a run materialized nothing beside the partition it was asked for."""
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    partitions = {log.dagster_event.partition for log in logs if log.dagster_event is not None}
    return partitions <= {None, run.tags.get(RANGE_END)}


@dg.op(description="Forget old repeated runs, compress old landings, remove what dead ones left.")
def tidy(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Do the day's housekeeping."""
    now = platform.now()
    forgotten = list(superseded_runs(context.instance, now=now))
    for run_id in forgotten:
        context.instance.delete_run(run_id)
    archived = landing_at(platform.landing).archive(today=day_of(now))
    abandoned = remove_abandoned(platform.data)
    context.log.info(
        "%d runs forgotten, %d landing files compressed, %d staged files of dead processes removed",
        len(forgotten),
        archived.compressed,
        len(abandoned),
    )


@dg.job(description="Forget old repeated runs and compress old landings.")
def housekeeping() -> None:
    """Keep the instance small."""
    tidy()
