"""Versions for Dagster: of the data by content, of the code by the rules.

A day that is read or derived again with the same rows keeps its data version, so that nothing after
it looks out of date. A raised rule version shows what it makes stale. Versions themselves do not
belong here: those of rules lie in ``transforms.rules``, content ids in the footers of the files.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import dagster as dg
from dagster._core.definitions.data_version import (
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    extract_data_version_from_entry,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from energy_platform.lake.digests import digest_of
from energy_platform.schemas import (
    CORE_CONSUMPTION_DELTAS,
    CORE_CONSUMPTION_INTERVALS,
    CORE_ENERGY_DELTAS,
    CORE_ENERGY_INTERVALS,
    CORE_READINGS,
    CORE_REGISTER_REJECTS,
    CORE_REGISTER_STATE,
    VIRTUAL_TABLES,
    Table,
)
from energy_platform.transforms.rules import (
    ENERGY_RULES,
    INTERVAL_RULES,
    READINGS_RULES,
    VIRTUAL_RULES,
)

RULES: Final[Mapping[str, str]] = {
    CORE_READINGS.name: READINGS_RULES,
    CORE_ENERGY_DELTAS.name: ENERGY_RULES,
    CORE_REGISTER_STATE.name: ENERGY_RULES,
    CORE_REGISTER_REJECTS.name: ENERGY_RULES,
    CORE_CONSUMPTION_DELTAS.name: ENERGY_RULES,
    CORE_ENERGY_INTERVALS.name: INTERVAL_RULES,
    CORE_CONSUMPTION_INTERVALS.name: INTERVAL_RULES,
    **dict.fromkeys((table.name for table in VIRTUAL_TABLES), VIRTUAL_RULES),
}
"""By which rules each derived table is made, as the fingerprints of its files have it."""

_DIGEST_BYTES: Final = 8
"""Enough to tell the contracts of a table, or the days of a run, from one another."""


def code_version(table: Table) -> str:
    """Return the version of what makes a table: its rules, or, of a raw one, its contract.

    Raw rows are kept as the source gave them, by no rule; only their columns can change.

    >>> from energy_platform.schemas import CORE_READINGS
    >>> code_version(CORE_READINGS).startswith("readings-")
    True
    """
    return RULES.get(table.name) or f"contract-{_digest(map(repr, table.schema.items()))}"


def data_version(content_ids: Iterable[str]) -> dg.DataVersion | None:
    """Return the data version of what a run materialized; None when there is no file.

    Dagster gives every day of a run the same one: a single day's is the content id of its file, a
    range's a digest of all of them.

    Args:
        content_ids: That of each file, in order of the days; empty where a day has none.

    >>> data_version(["c0ffee"]).value
    'c0ffee'
    >>> data_version([""]) is None
    True
    """
    ids = list(content_ids)
    if not any(ids):
        return None
    return dg.DataVersion(ids[0] if len(ids) == 1 else _digest(ids))


def version_tags(content_id: str) -> dict[str, str]:
    """Return the tags that give an event of its own, outside of the run's days, a data version."""
    if not content_id:
        return {}
    return {DATA_VERSION_TAG: content_id, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}


def newest_materialization(
    instance: dg.DagsterInstance, key: dg.AssetKey
) -> dg.EventLogRecord | None:
    """Return the newest materialization of an asset; None when there is none."""
    return next(iter(instance.fetch_materializations(key, limit=1).records), None)


def made_again_of(
    made: dg.EventLogRecord,
    key: dg.AssetKey,
    newest: dg.EventLogRecord,
    *,
    why: str,
    metadata: Mapping[str, Any],
) -> dg.AssetMaterialization | None:
    """Return a materialization again, as made of what an input is now.

    For an asset that was looked at and stays as it is: without it Dagster calls it unsynced with
    each new materialization of its input.

    Args:
        made: The asset's newest materialization.
        key: The input.
        newest: The input's newest materialization.
        why: Why the asset stays as it is, in a sentence.
        metadata: What is to be said otherwise than of the newest materialization.

    Returns:
        The event, to be stored; None where the asset was made of that input already.
    """
    before = made.asset_materialization
    version = extract_data_version_from_entry(newest.event_log_entry)
    tag = get_input_data_version_tag(key)
    if before is None or version is None or (before.tags or {}).get(tag) == version.value:
        return None
    pointer = get_input_event_pointer_tag(key)
    return dg.AssetMaterialization(
        before.asset_key,
        description=why,
        metadata={**before.metadata, **metadata},
        tags={**(before.tags or {}), tag: version.value, pointer: str(newest.storage_id)},
    )


def _digest(parts: Iterable[str]) -> str:
    return digest_of("\n".join(parts), size=_DIGEST_BYTES)
