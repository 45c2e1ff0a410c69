"""One check per source: every day that is over is whole.

The sensor that asks for missing days reports it whenever something changes, run or no run; each
run of the source judges it again.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from energy_platform.defs.checks.results import MOST_DAYS_NAMED
from energy_platform.defs.resources import Platform
from energy_platform.ingest.due import REPORTED_FROM, MissingDay, missing_days_of
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.schemas import Vendor
from energy_platform.sources.registry import day_tables

NO_MISSING_DAYS: Final = "no_missing_days"

_COLUMNS: Final = ("day", "what", "since", "reason", "attempts", "asked_for_again")


def days_result(vendor: Vendor, missing_days: Sequence[MissingDay]) -> dg.AssetCheckResult:
    """Return the check's result for the days of a source that are not whole, newest first."""
    metadata: dict[str, dg.MetadataValue] = {}
    if missing_days:
        metadata["days_count"] = dg.MetadataValue.int(len(missing_days))
        metadata["days"] = dg.MetadataValue.table(
            [_row(day) for day in missing_days[:MOST_DAYS_NAMED]],
            schema=dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS]),
        )
    return dg.AssetCheckResult(
        asset_key=day_tables()[vendor].name,
        check_name=NO_MISSING_DAYS,
        passed=not missing_days,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _row(missing: MissingDay) -> dg.TableRecord:
    again = "at once" if missing.next_at is None else missing.next_at.isoformat(timespec="minutes")
    values = (
        missing.day,
        missing.kind,
        missing.since.isoformat(timespec="minutes"),
        missing.reason,
        str(missing.attempts),
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
            missing_days = missing_days_of(
                vendor,
                lake=platform.lake,
                data_dir=platform.data,
                now=platform.now(),
                after=REPORTED_FROM,
            )
        except CatalogueError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return days_result(vendor, missing_days)

    return no_missing_days


DAYS_CHECKS: Final = [_days_check(vendor) for vendor in day_tables()]
"""The check of each source."""
