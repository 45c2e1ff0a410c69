"""Checks on what is published of a building: its tree of meters, and loads that are measured twice.

They warn and never block: what they find is wrong in the building, or in how it is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg
import polars as pl

from energy_platform.defs.checks.results import days_metadata
from energy_platform.transforms.submetering import instrument_problems, remainder_problems
from energy_platform.warehouse.recent import recent_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NO_NEGATIVE_REMAINDERS: Final = "no_negative_remainders"
INSTRUMENTS_AGREE: Final = "instruments_agree"

_DAYS: Final = 28
"""Newest local days that are looked at: four weeks show what a weekend hides."""


def building_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """Return the checks of the published marts.

    Args:
        asset: Key of what stands for them.
    """
    return [
        dg.AssetCheckSpec(
            NO_NEGATIVE_REMAINDERS,
            asset=asset,
            description=(
                "On none of the newest 28 days more energy leaves through the meters behind another"
                " one than comes through it, beyond their classes, and none of them is missing "
                "(mart_submetering)."
            ),
        ),
        dg.AssetCheckSpec(
            INSTRUMENTS_AGREE,
            asset=asset,
            description=(
                "On none of the newest 28 days two instruments on one load differ by more than "
                "their classes allow (mart_instruments)."
            ),
        ),
    ]


def building_results(asset: str, *, marts: Path) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of these checks.

    Args:
        asset: Key of what stands for the published marts.
        marts: Their folder.
    """
    trees = recent_rows(marts, "mart_submetering", days=_DAYS)
    if not trees.is_empty():
        trees = trees.filter((pl.col("grain") == "day") & (pl.col("member") == "remainder"))
    pairs = recent_rows(marts, "mart_instruments", days=_DAYS)
    for name, rows, judge in (
        (NO_NEGATIVE_REMAINDERS, trees, remainder_problems),
        (INSTRUMENTS_AGREE, pairs, instrument_problems),
    ):
        yield _result(asset, name, {} if rows.is_empty() else judge(rows))


def _result(asset: str, name: str, problems: Mapping[str, str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=days_metadata(problems),
    )
