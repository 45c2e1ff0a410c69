"""Whether readers see what was built: how far each published file lags, and whose rows it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.doctor.check_result import CheckResult, ok, warn
from energy_platform.warehouse.as_of import read_as_of
from energy_platform.warehouse.live_views import LIVE_FILE

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def check_published(data_dir: Path, *, now: datetime) -> list[CheckResult]:
    """Check the files that everybody reads.

    Args:
        data_dir: The data folder.
        now: The present.
    """
    found = read_as_of(data_dir)
    results: list[CheckResult] = []
    if found.live_folder is not None:
        results.append(
            warn(
                "published",
                LIVE_FILE,
                f"the views of {LIVE_FILE} were written for {found.live_folder}: the data folder "
                "was moved or copied, and they show no rows here",
                "`energy-platform status` writes them again, and so does a refresh",
            )
        )
    if found.energy_is_behind:
        is_overdue = found.next_copy_at is None or found.next_copy_at <= now
        advice = "A refresh copies it; the sensor refresh_when_stale asks for one"
        results.append(
            warn("published", "", found.sentence, advice)
            if is_overdue
            else ok("published", "", found.sentence)
        )
    if results:
        return results
    until = f"up to {found.newest_day}" if found.newest_day else "nothing yet"
    return [ok("published", "", until)]
