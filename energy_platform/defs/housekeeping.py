"""Keep the Dagster instance and the landing folder small."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from energy_platform.days import day_of
from energy_platform.defs.instance.retention import forget_old_runs
from energy_platform.defs.resources import Platform
from energy_platform.lake.files import remove_abandoned
from energy_platform.lake.lake import Lake
from energy_platform.lake.usage import note_usage
from energy_platform.schemas import RAW_DAY_TABLES
from energy_platform.sources.registry import landing_at

LONGEST: Final = timedelta(minutes=10)
"""How long one housekeeping forgets runs, so that it ends soon; the next one goes on."""

LANDING_DAYS: Final = 400
"""Days of polls that are kept, compressed: more than a year, to fold a day again by new rules."""


@dg.op(description="Forget old runs that newer ones repeated; compress and drop old landings.")
def tidy(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Do the day's housekeeping."""
    now = platform.now()
    done = forget_old_runs(context.instance, now=now, until=datetime.now(tz=UTC) + LONGEST)
    landing = landing_at(platform.landing)
    keep = LANDING_DAYS if _all_folded(platform.lake, landing.days(), now=now) else None
    archived = landing.archive(today=day_of(now), keep_days=keep)
    abandoned = remove_abandoned(platform.data)
    note_usage(platform.data, now=now)
    context.log.info(
        "%d runs forgotten, logs of %d removed, %d left-over files of runs removed, %d bytes freed "
        "in databases; %d landing files compressed, %d staged files of dead processes removed",
        done.runs,
        done.logs,
        done.orphans,
        done.freed,
        archived.compressed,
        len(abandoned),
    )


def _all_folded(lake: Lake, days: list[str], *, now: datetime) -> bool:
    """Say whether every day of polls that would be dropped is in the lake."""
    old = day_of(now - timedelta(days=LANDING_DAYS))
    landed = set(lake.days(RAW_DAY_TABLES["skycentrics"]))
    return all(day in landed for day in days if day < old)


@dg.job(description="Forget old repeated runs and compress old landings.")
def housekeeping() -> None:
    """Keep the instance small."""
    tidy()
