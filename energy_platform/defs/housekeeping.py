"""Keep the Dagster instance and the landing folder small."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.instance.retention import forget_old_runs
from energy_platform.defs.resources import Platform
from energy_platform.lake.files import remove_abandoned
from energy_platform.lake.usage import note_usage
from energy_platform.sources.base import SourceSpec
from energy_platform.sources.registry import sources

LONGEST: Final = timedelta(minutes=10)
"""How long one housekeeping forgets runs, so that it ends soon; the next one goes on."""

LANDING_DAYS: Final = 400
"""Days of polls that are kept, compressed: more than a year, to fold a day again by new rules."""


@dg.op(description="Forget old runs that newer ones repeated; compress and drop old landings.")
def tidy(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Do the day's housekeeping."""
    now = platform.now()
    done = forget_old_runs(context.instance, now=now, until=datetime.now(tz=UTC) + LONGEST)
    compressed = sum(_archive(platform, source, now=now) for source in sources().values())
    abandoned = remove_abandoned(platform.data)
    note_usage(platform.data, now=now)
    context.log.info(
        "%d runs forgotten, logs of %d removed, %d left-over files of runs removed, %d bytes freed "
        "in databases; %d landing files compressed, %d staged files of dead processes removed",
        done.runs,
        done.logs,
        done.orphans,
        done.freed,
        compressed,
        len(abandoned),
    )


def _archive(platform: Platform, source: SourceSpec[Any], *, now: datetime) -> int:
    """Compress and drop old polls of a source; return how many files were compressed."""
    if source.poll is None:
        return 0
    folder = platform.landing(source.name)
    old = day_of(now - timedelta(days=LANDING_DAYS))
    landed = set(platform.lake.days(source.day_table))
    all_folded = all(day in landed for day in source.poll.days(folder) if day < old)
    return source.poll.archive(folder, day_of(now), LANDING_DAYS if all_folded else None)


@dg.job(description="Forget old repeated runs and compress old landings.")
def housekeeping() -> None:
    """Keep the instance small."""
    tidy()
