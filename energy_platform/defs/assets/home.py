"""The way in for whoever opens the UI for the first time: one asset whose description says it.

It is made of nothing and makes nothing; each publication notes on it what stands now.
"""

from pathlib import Path
from typing import Any, Final

import dagster as dg
import polars as pl

from energy_platform.alerts import ALERTS_FILE, AlertStore, AlertStoreError
from energy_platform.defs.groups import HOME
from energy_platform.defs.metadata import OWNERS, plot
from energy_platform.destinations.base import titles
from energy_platform.portfolio import Portfolio
from energy_platform.warehouse.as_of import MARTS_FOLDER
from energy_platform.warehouse.publication import Published

PICTURE_DAYS: Final = 31
"""Local days in the picture of a publication, the newest."""

START_HERE: Final = dg.AssetKey(["home", "start_here"])

_DESCRIPTION: Final = f"""\
Energy data of buildings, from the vendors' clouds to one DuckDB file and to {titles()}.

**Five clicks**

1. *Lineage*, above: raw (as each vendor said it) → core (judged, then energy) → marts → packets.
2. *Catalog*, asset `mart_site_energy`: energy of each site and local day, with its columns.
3. *Catalog*, asset `core_readings`, *Checks*: what was quarantined and why.
4. *Runs*: tags `source` and `days` say what each run read.
5. *Automation*: schedules read each day, sensors refresh and push what changed.

**Figures**: any DuckDB client opens `data/energy.duckdb` at any time, or

```
energy-platform sql "select site_id, local_day, site_use_kwh, status from mart_site_energy"
energy-platform explain "paris hvac" yesterday
```

**What is wrong**: `energy-platform status` and `energy-platform doctor` begin with the verdict;
mail and chat bring alerts once they are set (`docs/alerts.md`); a red run says what to do.

**Colours**: green is fresh and checked; yellow is a warning about what a vendor sent; red is a
promise of the platform that does not hold. A table that nothing was read for yet is grey.

**Docs**: each asset links to its page (*docs* among its metadata).
"""  # noqa: S608 - words for people

SPEC: Final = dg.AssetSpec(
    START_HERE,
    group_name=HOME,
    description=_DESCRIPTION,
    owners=OWNERS,
    kinds={"markdown"},
)


def publication_noted(
    published: Published, portfolio: Portfolio, *, data_dir: Path
) -> dg.AssetMaterialization:
    """Return what a publication says on the first page: reach, size, and what needs attention.

    Args:
        published: What was published.
        portfolio: The portfolio that it was made with.
        data_dir: The data folder, for the alerts that stand.
    """
    return dg.AssetMaterialization(
        START_HERE,
        metadata={
            "last_day": published.newest_day or "nothing is published yet",
            "sites": ", ".join(sorted(portfolio.sites)) or "none",
            "devices": len(portfolio.devices),
            "points": len(portfolio.points),
            "streams": len(portfolio.streams),
            "final_figures_restated": published.restated,
            "needs_attention": dg.MetadataValue.md(_attention(data_dir)),
            **site_use_shown(data_dir / MARTS_FOLDER),
            "file": dg.MetadataValue.path(str(published.path)),
        },
    )


def site_use_shown(marts: Path) -> dict[str, dg.MetadataValue[Any]]:
    """Return a picture of what all sites used per local day; nothing before the first day.

    Args:
        marts: Folder of the published marts.
    """
    days = (
        pl.scan_parquet(marts / "mart_site_energy" / "**" / "*.parquet", hive_partitioning=False)
        .filter(pl.col("site_use_kwh").is_not_null())
        .group_by("local_day")
        .agg(pl.col("site_use_kwh").sum())
        .sort("local_day")
        .tail(PICTURE_DAYS)
        .collect()
    )
    if not days.height:
        return {}
    title = f"All sites, use per local day, newest {days.height} days"
    picture = plot(days, x="local_day", y="site_use_kwh", title=title, label="kWh", bars=True)
    return {"site_use": picture}


def _attention(data_dir: Path) -> str:
    """Return the alerts that stand, as a list in Markdown; looking makes no file."""
    if not (data_dir / ALERTS_FILE).exists():
        return "No alert is known: the daemon of `energy-platform ui` looks for them."
    try:
        with AlertStore.of(data_dir) as store:
            standing = store.standing()
    except AlertStoreError as error:
        return f"The alerts cannot be read: {error}"
    if not standing:
        return "Nothing stood when this was published; `energy-platform status` says what does now."
    return "\n".join(f"- {one.condition.what}. {one.condition.todo}" for one in standing)
