"""How old what Dagster materialized may become before its UI says so.

Belongs here: the freshness policies, as the UI and Dagster's own daemon judge them. Which days are
due and what an operator is notified of do not: ``ingest.due`` and ``alerts`` know more than an age.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import dagster as dg

from energy_platform.destinations.base import destinations
from energy_platform.sources.registry import day_tables

FAILS_AFTER: Final = timedelta(hours=26)
"""A day, and two hours for the daily run: whatever the interval, nothing in between has come."""

WARNS_AFTER: Final = timedelta(hours=2)
"""A source that fails is asked again with pauses; most are back within this."""

TICKS_MISSED: Final = 3
"""With longer intervals, a source may miss this many before it is warned of."""

PUSHED_WITHIN: Final = timedelta(hours=1)
"""What a refresh, a push and a pause after a failed one take at most beyond the pull."""


def freshness(intraday_minutes: int) -> Mapping[str, dg.FreshnessPolicy]:
    """Return the policy of each asset that is made on a schedule, by the asset's name.

    Derived days and marts have none: they are made when something changed, and are as old as that.

    Args:
        intraday_minutes: How often a source is asked for today.
    """
    warns = max(WARNS_AFTER, TICKS_MISSED * timedelta(minutes=intraday_minutes))
    return {
        **{table.name: _within(warns) for table in day_tables().values()},
        **{one.packets: _within(warns + PUSHED_WITHIN) for one in destinations().values()},
    }


def _within(warns: timedelta) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.time_window(
        fail_window=FAILS_AFTER, warn_window=warns if warns < FAILS_AFTER else None
    )
