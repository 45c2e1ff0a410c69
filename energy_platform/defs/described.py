"""What every asset shows besides its table: layer, source, page of the docs, freshness.

Belongs here: what follows from an asset's group. Columns, figures and plots do not (``metadata``).
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from energy_platform.defs.freshness import freshness
from energy_platform.defs.groups import CORE, DELIVERY, HOME, MARTS, RAW, REPORTS
from energy_platform.settings import PlatformSettings, beside_or_in_package

DOCS: Final = beside_or_in_package("docs")
"""The pages as they lie in a checkout, or in an installed package."""

PAGES: Final = {
    HOME: ("home", "architecture.md"),
    **dict.fromkeys(RAW.values(), ("raw", "architecture.md#days-and-files")),
    CORE: ("core", "energy.md"),
    MARTS: ("marts", "architecture.md#marts"),
    DELIVERY: ("delivery", "delivery.md"),
    REPORTS: ("reports", "report.md"),
}
"""Layer and page of the docs of each group."""


def described(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], *, settings: PlatformSettings
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return assets with their layer and source as tags, a link to the docs, and freshness.

    Args:
        assets: Each in a group of the platform.
        settings: Those of the platform: how often sources are asked, where the docs are served.
    """
    policies = freshness(settings.intraday_minutes)
    source_of = {group: source for source, group in RAW.items()}

    def describe(spec: dg.AssetSpec) -> dg.AssetSpec:
        layer, page = PAGES[str(spec.group_name)]
        source = source_of.get(str(spec.group_name))
        changed = spec.merge_attributes(
            tags={"layer": layer} | ({} if source is None else {"source": source}),
            metadata={"docs": _link(page, settings=settings)},
        )
        policy = policies.get(spec.key.to_user_string())
        return changed if policy is None else changed.replace_attributes(freshness_policy=policy)

    return list(dg.map_asset_specs(describe, assets))


def _link(page: str, *, settings: PlatformSettings) -> dg.MetadataValue[str]:
    if settings.docs_url is None:
        return dg.MetadataValue.path(str(DOCS / page))
    served = page.replace(".md", ".html")
    return dg.MetadataValue.url(f"{settings.docs_url.rstrip('/')}/{served}")
