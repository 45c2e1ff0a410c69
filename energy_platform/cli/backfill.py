"""``energy-platform backfill``: a range of days as one run, and what follows as another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energy_platform.cli.demo import PUSH, REFRESH
from energy_platform.cli.runs import open_runner
from energy_platform.origin import claim
from energy_platform.partitions import day_range
from energy_platform.schemas import RAW_DAY_TABLES
from energy_platform.settings import Settings, SettingsError

if TYPE_CHECKING:
    from rich.console import Console


def run_backfill(console: Console, *, vendor: str, first: str, last: str) -> int:
    """Read the days of one vendor or of all, then refresh and push.

    Returns:
        Exit code: 0 when every run succeeded.

    Raises:
        SettingsError: The vendor or the days make no sense.
    """
    vendors = [name for name in RAW_DAY_TABLES if vendor in {name, "all"}]
    if not vendors:
        raise SettingsError(f"unknown vendor {vendor!r}; one of {', '.join(RAW_DAY_TABLES)}, all")
    try:
        days = day_range(first, last)
    except ValueError as error:
        raise SettingsError(f"expected two days as YYYY-MM-DD: {error}") from error
    if not days:
        raise SettingsError(f"the last day {last} lies before the first {first}")
    from energy_platform.assets.partitions import range_tags  # noqa: PLC0415

    data_dir = Settings.load().platform.data_dir
    claim(data_dir, origin="live")
    failed = False
    with open_runner(data_dir / "dagster") as runner:
        reports = [runner.run(f"ingest_{name}", tags=range_tags(days)) for name in vendors]
        for sensor in (REFRESH, PUSH, REFRESH):
            reports += runner.follow(sensor)
    for report in reports:
        console.print(f"{report.job}: {'ok' if report.success else 'FAILED'}")
        for message in report.errors:
            console.print(f"  {message}", markup=False)
        failed |= not report.success
    return 1 if failed else 0
