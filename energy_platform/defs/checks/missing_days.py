"""One check per source: every day that is over is whole.

The sensor that asks for missing days reports it whenever something changes, run or no run; each
run of the source judges it again.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from energy_platform.defs.checks.results import MOST_DAYS_NAMED
from energy_platform.defs.resources import Platform
from energy_platform.ingest.due import REPORTED_FROM, Hole, holes_of
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.schemas import Vendor
from energy_platform.sources.registry import day_tables

NO_MISSING_DAYS: Final = "no_missing_days"

_COLUMNS: Final = ("day", "what", "since", "reason", "attempts", "asked_for_again")


def days_result(vendor: Vendor, holes: Sequence[Hole]) -> dg.AssetCheckResult:
    """Return the check's result for the days of a source that are not whole, newest first."""
    metadata: dict[str, dg.MetadataValue] = {}
    if holes:
        metadata["days_count"] = dg.MetadataValue.int(len(holes))
        metadata["days"] = dg.MetadataValue.table(
            [_row(hole) for hole in holes[:MOST_DAYS_NAMED]],
            schema=dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS]),
        )
    return dg.AssetCheckResult(
        asset_key=day_tables()[vendor].name,
        check_name=NO_MISSING_DAYS,
        passed=not holes,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _row(hole: Hole) -> dg.TableRecord:
    again = "at once" if hole.next_at is None else hole.next_at.isoformat(timespec="minutes")
    values = (
        hole.day,
        hole.kind,
        hole.since.isoformat(timespec="minutes"),
        hole.reason,
        str(hole.attempts),
        again,
    )
    return dg.TableRecord(dict(zip(_COLUMNS, values, strict=True)))


def _days_check(vendor: Vendor) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=day_tables()[vendor].name,
        name=NO_MISSING_DAYS,
        description=(
            f"Every day of {vendor} that is over is whole: none is missing, partial, left open or "
            "damaged. They are asked for again by themselves."
        ),
    )
    def no_missing_days(platform: Platform) -> dg.AssetCheckResult:
        try:
            holes = holes_of(
                vendor,
                lake=platform.lake,
                data_dir=platform.data,
                now=platform.now(),
                after=REPORTED_FROM,
            )
        except CatalogueError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return days_result(vendor, holes)

    return no_missing_days


DAYS_CHECKS: Final = [_days_check(vendor) for vendor in day_tables()]
"""The check of each source."""
