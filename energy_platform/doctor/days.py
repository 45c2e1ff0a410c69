"""Check that no day stays missing, partial or open: what the platform could not mend by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from energy_platform.days import day_bounds
from energy_platform.doctor.check_result import fail, ok, warn
from energy_platform.ingest.due import REPORTED_FROM, missing_days_of
from energy_platform.lake.catalogue import CatalogueError
from energy_platform.lake.catalogue_database import damaged_catalogues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.ingest.due import MissingDay
    from energy_platform.lake.lake import Lake
    from energy_platform.schemas import Vendor

CHECK: Final = "days"

FAILS_AFTER: Final = timedelta(hours=48)
"""A day that is not whole two days after its end: streams pass over it by then, by the default of
each destination's MAX_HOLD_H."""


def check_days(sources: Iterable[Vendor], *, lake: Lake, now: datetime) -> Iterator[CheckResult]:
    """Check each source for days that are over and not whole.

    Args:
        sources: Those with credentials.
        lake: The day files.
        now: The present.
    """
    data_dir = lake.root.parent
    for aside in damaged_catalogues(data_dir):
        yield warn(
            CHECK,
            "catalogue",
            f"{aside.name} was damaged and a new one begun; answers that were accepted stand in it",
            "Remove it when it is of no use; days are judged again when they are read again",
        )
    for source in sources:
        try:
            found = missing_days_of(
                source, lake=lake, data_dir=data_dir, now=now, after=REPORTED_FROM
            )
        except CatalogueError as error:
            yield fail(CHECK, source, str(error), "Mend or remove it; no reading is in it")
            return
        yield _finding(source, found, now=now)


def _finding(source: Vendor, found: tuple[MissingDay, ...], *, now: datetime) -> CheckResult:
    if not found:
        return ok(CHECK, source, "every day that is over is whole")
    newest = found[0]
    message = (
        f"{len(found)} days are not whole; newest {newest.day}: {newest.kind} since "
        f"{newest.since:%Y-%m-%d %H:%M} UTC: {newest.reason}"
    )
    resting = [one.next_at for one in found if one.next_at is not None]
    again = f"from {min(resting):%H:%M} UTC" if len(resting) == len(found) else "at the next look"
    advice = (
        f"`energy-platform ui` or the service asks for them again {again}; "
        "`energy-platform status` lists them"
    )
    is_old = any(now - day_bounds(one.day)[1] > FAILS_AFTER for one in found)
    return (fail if is_old else warn)(CHECK, source, message, advice)
