"""Asset checks: specs and results around the pure judgements of the other rooms.

Checks on our own promises (a table's contract, conservation of energy) block; checks on outside
data only warn, and their results name the days. All are returned by the asset that wrote the days,
so that they speak of partitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg
import polars as pl

from energy_platform.schemas import violations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Table

CONTRACT: Final = "contract"

MOST_DAYS_NAMED: Final = 60
"""A result names at most this many days, newest first, and counts the rest."""


def contract_spec(table: Table) -> dg.AssetCheckSpec:
    """Return the blocking check that a table's files keep their contract."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=table.name,
        blocking=True,
        description="Columns, dtypes, nulls, order and unique keys are as the schema says.",
    )


def contract_result(lake: Lake, table: Table, *, days: Sequence[str]) -> dg.AssetCheckResult:
    """Read the days back and hold them against the table's contract."""
    problems = {
        day: "; ".join(broken)
        for day in days
        if (broken := _first_violations(lake, table, day=day))
    }
    return promise_result(table, CONTRACT, problems, looked_at=len(days))


def _first_violations(lake: Lake, table: Table, *, day: str) -> list[str]:
    """Return what is wrong with the first block of a day that breaks the contract.

    A block is looked at together with the row before it, so that order and keys hold throughout:
    to sort the keys of a whole day again may need more memory than the day took to make.
    """
    before = table.empty()
    for block in lake.blocks(table, day=day):
        if broken := violations(pl.concat([before, block]), table=table):
            return broken
        before = block.tail(1)
    return []


def promise_spec(table: Table, name: str, description: str) -> dg.AssetCheckSpec:
    """Return a blocking check of a promise of our own."""
    return dg.AssetCheckSpec(name, asset=table.name, blocking=True, description=description)


def promise_result(
    table: Table, name: str, problems: Mapping[str, str], *, looked_at: int
) -> dg.AssetCheckResult:
    """Fail with ERROR when any day breaks a promise of our own."""
    return dg.AssetCheckResult(
        asset_key=table.name,
        check_name=name,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={**days_metadata(problems), "days_looked_at": looked_at},
    )


def warn_spec(table: Table, name: str, description: str) -> dg.AssetCheckSpec:
    """Return a check on outside data."""
    return dg.AssetCheckSpec(name, asset=table.name, description=description)


def warn_result(table: Table, name: str, problems: Mapping[str, str]) -> dg.AssetCheckResult:
    """Warn, never block, naming the days."""
    return dg.AssetCheckResult(
        asset_key=table.name,
        check_name=name,
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=days_metadata(problems),
    )


def days_metadata(problems: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    """Return what a result says of the days with problems: the newest, and how many there are."""
    if not problems:
        return {}
    named = sorted(problems, reverse=True)[:MOST_DAYS_NAMED]
    table = dg.MetadataValue.table(
        [dg.TableRecord({"day": day, "what": problems[day]}) for day in named],
        schema=dg.TableSchema([dg.TableColumn("day", "string"), dg.TableColumn("what", "string")]),
    )
    return {"days": table, "days_count": dg.MetadataValue.int(len(problems))}
