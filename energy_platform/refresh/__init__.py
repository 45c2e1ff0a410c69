"""Which days are stale, and the walk that makes them fresh.

Every derived day file says in its footer what it was made of: the content of its inputs, the part
of the portfolio that shaped it, the version of the rules. A file is stale when that is no longer
so, never because an event said something; so a crash, a late sample, an edited policy or a new
rule all lead to the same walk.
"""

from energy_platform.refresh.pending import pending_suspects
from energy_platform.refresh.results import (
    HeldDay,
    Refreshed,
    RefreshedDay,
    RefreshedTable,
    StaleDay,
)
from energy_platform.refresh.rules import Rules
from energy_platform.refresh.stages import RULES
from energy_platform.refresh.walk import held, refresh, stale

__all__ = [
    "RULES",
    "HeldDay",
    "Refreshed",
    "RefreshedDay",
    "RefreshedTable",
    "Rules",
    "StaleDay",
    "held",
    "pending_suspects",
    "refresh",
    "stale",
]
