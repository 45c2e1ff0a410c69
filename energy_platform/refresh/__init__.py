"""Which days are stale, and the refresh that rebuilds them.

Every derived day file says in its footer what it was made of: the content of its inputs, the part
of the portfolio that shaped it, the version of the rules. A file is stale when that is no longer
so, never because an event said something; so a crash, a late sample, an edited policy or a new
rule all lead to the same refresh.
"""

from energy_platform.refresh.results import (
    BlockedDay,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
    StaleDay,
)
from energy_platform.refresh.run import OutOfMemoryError, refresh
from energy_platform.refresh.staleness import blocked, stale
from energy_platform.refresh.steps import RULE_VERSIONS, RuleVersions
from energy_platform.refresh.unconfirmed import unconfirmed_readings

__all__ = [
    "RULE_VERSIONS",
    "BlockedDay",
    "OutOfMemoryError",
    "Refreshed",
    "RefreshedDay",
    "RefreshedTable",
    "RuleVersions",
    "StaleDay",
    "blocked",
    "refresh",
    "stale",
    "unconfirmed_readings",
]
