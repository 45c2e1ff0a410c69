"""All checks in the order an operator would make them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from energy_platform.doctor.alerts import check_alerts
from energy_platform.doctor.backup import check_backup, check_restored
from energy_platform.doctor.days import check_days
from energy_platform.doctor.destinations import check_destinations
from energy_platform.doctor.disk import check_disk, check_leftovers
from energy_platform.doctor.environment import check_environment
from energy_platform.doctor.limits import check_limits
from energy_platform.doctor.portfolio import check_portfolio, compare
from energy_platform.doctor.published import check_published
from energy_platform.doctor.running import (
    check_dagster,
    check_dagster_database,
    check_database,
    check_runs,
)
from energy_platform.doctor.vendors import check_source, visit
from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio
from energy_platform.settings import settings_from
from energy_platform.sources.base import SourceContext
from energy_platform.sources.http.logins import RefusedLogins
from energy_platform.sources.registry import landing_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from energy_platform.discovery import VendorInventory
    from energy_platform.doctor.check_result import CheckResult
    from energy_platform.schemas import Vendor


def _present() -> datetime:
    return datetime.now(tz=UTC)


def run_checks(
    *,
    names: Iterable[str],
    now: Callable[[], datetime] = _present,
    retry_login: bool = False,
) -> Iterator[CheckResult]:
    """Check the whole installation; each finding comes as soon as it is known.

    Nothing is changed but what is known of refused logins, and nothing is delivered.

    Args:
        names: Names of the variables that are set, of the environment and of ``.env``.
        now: The present.
        retry_login: Whether to try logins that rest because they were refused.
    """
    environment = check_environment(names)
    yield from environment.findings
    settings = environment.settings
    if settings is None:
        return
    data_dir = settings.platform.data_dir
    yield from check_disk(data_dir, now=now())
    yield from check_leftovers(data_dir)
    yield from check_published(data_dir, now=now())
    yield check_backup(settings.platform, now=now())
    home, dagster_url = data_dir / "dagster", settings.platform.dagster_url
    yield from check_dagster(home)
    records = check_dagster_database(dagster_url, home=home)
    yield records
    if records.level == "ok":
        yield from check_runs(home, url=dagster_url, now=now())
    yield check_database("ledger", settings.platform.ledger_url, data_dir=data_dir)
    yield check_database("catalogue", settings.platform.catalogue_url, data_dir=data_dir)
    lake = Lake.of(settings.platform)
    yield from check_days(environment.complete, lake=lake, now=now())
    is_demo = environment.idle_demo or environment.simulated is not None
    if not is_demo:
        # Nobody waits for messages of a demo.
        yield from check_alerts(settings.alerts, data_dir=data_dir)
    read = check_portfolio(settings.platform.portfolio)
    yield from read.findings
    if read.portfolio is not None:
        yield from check_limits(read.portfolio, lake=lake)
        yield from check_restored(settings.platform, streams=read.portfolio.streams)
    found: dict[Vendor, VendorInventory] = {}
    for vendor in environment.complete:
        # A demo's vendors are those that are simulated, whatever this process's variables name.
        with settings_from(environment.simulated):
            visited = visit(
                vendor,
                portfolio=read.portfolio or Portfolio(),
                landing=landing_folder(data_dir, source=vendor),
                now=now,
                logins=RefusedLogins.of(data_dir),
                retry_login=retry_login,
                lake=lake,
            )
        yield from visited.findings
        if visited.found is not None:
            found[vendor] = visited.found
    if read.files:
        yield from compare(read.files, found)
    for vendor in environment.complete:
        context = SourceContext(
            portfolio=read.portfolio or Portfolio(), landing=landing_folder(data_dir, source=vendor)
        )
        yield from check_source(vendor, settings.sources[vendor], context, now=now())
    if read.portfolio is not None and not environment.idle_demo:
        yield from check_destinations(settings.destinations, streams=read.portfolio.streams)
