"""Which days are stale, and which cannot be helped: read from the catalogue, nothing is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.refresh.config_fingerprints import ConfigFingerprints
from energy_platform.refresh.lake_index import (
    ALLOCATED_FROM,
    ENERGY_TABLES,
    INTERVAL_TABLES,
    LakeIndex,
    table_versions,
)
from energy_platform.refresh.results import BlockedDay, StaleDay
from energy_platform.refresh.steps import RULE_VERSIONS
from energy_platform.refresh.virtual import VirtualRefresh
from energy_platform.schemas import CORE_READINGS, CORE_REGISTER_STATE

if TYPE_CHECKING:
    from energy_platform.lake.lake import Lake
    from energy_platform.portfolio import Portfolio
    from energy_platform.refresh.steps import RuleVersions


def stale(
    lake: Lake, portfolio: Portfolio, *, versions: RuleVersions = RULE_VERSIONS
) -> tuple[StaleDay, ...]:
    """Find the days whose derived files no longer follow from what they were made of.

    Reads the catalogue only. Days that become stale because an earlier day changes are found by the
    refresh itself. Blocked days are not stale: no refresh can help them.

    Args:
        lake: The day files.
        portfolio: The portfolio as it is now.
        versions: Of the rules that make the days.
    """
    configs = ConfigFingerprints(portfolio, lake=lake)
    version, rules = lake.version(), repr(table_versions(versions))
    if configs.is_known_fresh(version, rules=rules):
        return ()
    index = LakeIndex(lake, configs=configs, versions=versions)
    virtual = VirtualRefresh(lake, index=index, virtual=configs.virtual).stale()
    found = []
    before: str | None = None
    is_known = True
    for day in index.days:
        why = index.readings_differences(day)
        if index.stored(CORE_READINGS, day=day) is not None:
            for table in ENERGY_TABLES:
                fingerprint = index.energy_fingerprint(table, day=day, before=before)
                why += index.differences(
                    table, day=day, expected=fingerprint, ignore_state=not is_known
                )
            for table in INTERVAL_TABLES:
                if index.stored(ALLOCATED_FROM[table.name], day=day) is not None:
                    fingerprint = index.intervals_fingerprint(table, day=day)
                    why += index.differences(table, day=day, expected=fingerprint)
        why += virtual.pop(day, ())
        if why:
            found.append(StaleDay(day=day, why=tuple(dict.fromkeys(why))))
        is_known = index.stored(CORE_REGISTER_STATE, day=day) is not None
        if is_known:
            before = day
    found += [StaleDay(day=day, why=why) for day, why in virtual.items()]
    if not found:
        configs.note_fresh(version, rules=rules)
    configs.save()
    return tuple(sorted(found, key=lambda one: one.day))


def blocked(
    lake: Lake, portfolio: Portfolio, *, versions: RuleVersions = RULE_VERSIONS
) -> tuple[BlockedDay, ...]:
    """List the days whose raw files vanished or are damaged, with what to do."""
    index = LakeIndex(lake, configs=ConfigFingerprints(portfolio, lake=lake), versions=versions)
    return tuple(BlockedDay(day=day, why=why) for day, why in sorted(index.blocked.items()))
