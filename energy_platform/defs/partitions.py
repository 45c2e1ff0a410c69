"""The one partitions definition and backfill policy of every daily asset.

One object for raw and core: two definitions would break the code location, and offset mappings
would split a backfill. Rules about days live in ``energy_platform.days``.
"""

from datetime import date
from typing import Final

import dagster as dg

from energy_platform.days import EPOCH_DAY, day_range
from energy_platform.lake.lake import Lake
from energy_platform.settings import Settings, SettingsError
from energy_platform.sources.registry import day_tables, landing_folder, sources


def first_partition() -> date:
    """Return the day that partitions begin with: where data begin, so that a gap is a gap.

    That is the earliest of the days that landed, of those that something arrived of, of the start
    days that are set and of ENERGY_PLATFORM_PARTITIONS_FROM; with none of them, the first day there
    can be. Wrong settings are reported where the code location is assembled.
    """
    try:
        settings = Settings.load()
    except SettingsError:
        return EPOCH_DAY
    lake = Lake.of(settings.platform)
    landed = [
        date.fromisoformat(days[0]) for table in day_tables().values() if (days := lake.days(table))
    ]
    stated = [
        *(source.start_day for source in settings.sources.values()),
        settings.platform.partitions_from,
    ]
    arrived = [
        date.fromisoformat(min(arrivals))
        for name, source in sources().items()
        # A start day that is set says which of them are wanted.
        if source.arrivals is not None
        and settings.sources[name].start_day is None
        and (
            arrivals := source.arrivals(
                settings.sources[name], landing_folder(settings.platform.data_dir, source=name)
            )
        )
    ]
    known = [*landed, *arrived, *(day for day in stated if day is not None)]
    return max(EPOCH_DAY, min(known, default=EPOCH_DAY))


FIRST_DAY: Final = first_partition().isoformat()
"""The first partition of this process."""

DAILY: Final = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
"""UTC days, today's open one included."""

WHOLE_RANGE: Final = dg.BackfillPolicy.single_run()
"""A range of days is one run."""

RUN_KIND: Final = "energy_platform/kind"
"""Run tag: what asked for a run. Daily, intraday, poll, refresh, push, reconcile, inventory."""

INTRADAY: Final = "intraday"
"""The kind of run that refreshes open days and closes none."""

INVENTORIES_AGAIN: Final = "inventory again"
"""The kind of run that reads inventories that failed, now that every source answers."""

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"


DAYS: Final = "days"
"""Run tag: the days of a run in words, since the list of runs hides Dagster's own tags."""


def range_tags(days: list[str]) -> dict[str, str]:
    """Return the tags that make one run of a contiguous range of days.

    Raises:
        ValueError: There are no days, or they have gaps.
    """
    if not days or days != day_range(days[0], days[-1]):
        raise ValueError(f"not a contiguous range of days: {days}")
    shown = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return {RANGE_START: days[0], RANGE_END: days[-1], DAYS: shown}
