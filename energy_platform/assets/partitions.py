"""The one partitions definition and backfill policy of every daily asset.

One object for raw and core: two definitions would break the code location, and offset mappings
would split a backfill. Rules about days live in ``energy_platform.partitions``.
"""

from typing import Final

import dagster as dg

from energy_platform.partitions import EPOCH_DAY, day_range

DAILY: Final = dg.DailyPartitionsDefinition(
    start_date=EPOCH_DAY.isoformat(), timezone="UTC", end_offset=1
)
"""UTC days, today's open one included."""

WHOLE_RANGE: Final = dg.BackfillPolicy.single_run()
"""A range of days is one run."""

RUN_KIND: Final = "energy_platform/kind"
"""Run tag: what asked for a run. Daily, intraday, poll, refresh, push, reconcile, inventory."""

INTRADAY: Final = "intraday"
"""The kind of run that refreshes open days and closes none."""

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"


def range_tags(days: list[str]) -> dict[str, str]:
    """Return the tags that make one run of a contiguous range of days.

    Raises:
        ValueError: The days are empty or have holes.
    """
    if not days or days != day_range(days[0], days[-1]):
        raise ValueError(f"not a contiguous range of days: {days}")
    return {RANGE_START: days[0], RANGE_END: days[-1]}
