"""A portfolio as discover writes it, without a hand edit: the figures are right, or marked."""

from __future__ import annotations

import io
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from energy_platform.cli.discover import run_discover
from energy_platform.cli.portfolio_changes import OK
from energy_platform.days import day_bounds
from energy_platform.defs.schedules import inventory_keys
from energy_platform.portfolio import load_portfolio
from energy_platform_tests.end_to_end.installation import (
    REFRESH,
    Installation,
    install,
    must_succeed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

pytestmark = [pytest.mark.long, pytest.mark.end_to_end]

DAYS = ["2026-03-24", "2026-03-25", "2026-03-26"]
START, END = day_bounds(DAYS[0])[0], day_bounds(DAYS[-1])[1]


@pytest.fixture(scope="module")
def discovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with install(tmp_path_factory.mktemp("discovered"), first_day=DAYS[0]) as installation:
        (installation.data / "portfolio.yaml").unlink()
        assert run_discover(Console(file=io.StringIO()), yes=True) == OK
        must_succeed([installation.runner.run("inventories", assets=inventory_keys())])
        must_succeed(installation.ingest(DAYS))
        must_succeed(installation.follow(REFRESH))
        yield installation


def test_the_three_places_of_the_vendors_are_three_sites(discovered: Installation) -> None:
    portfolio = load_portfolio(discovered.data / "portfolio.yaml")
    zones = sorted(site.timezone for site in portfolio.sites.values())
    assert zones == sorted(site.zone for site in discovered.world.sites)


def test_every_site_uses_what_the_world_uses(discovered: Installation) -> None:
    whole = 0
    for site in discovered.world.sites:
        rows = discovered.sql(
            "select local_day, site_use_wh from mart_site_energy "
            f"where timezone = '{site.zone}' order by local_day"
        )
        for local_day, site_use_wh in rows:
            start, end = _local_bounds(local_day, site.zone)
            if not (start >= START and end <= END):
                continue
            truth = discovered.world.site_energy_wh(site.key, start, end)
            assert site_use_wh == pytest.approx(truth, rel=0.005), (site.key, local_day)
            whole += 1
    assert whole >= 2 * len(discovered.world.sites)


def test_nothing_that_was_only_discovered_is_called_confirmed(discovered: Installation) -> None:
    rows = discovered.sql(
        "select site_term is not null, is_confirmed, confidence is null, count(*) from dim_point "
        "group by all"
    )
    assert {(confirmed, unsaid) for _, confirmed, unsaid, _ in rows} == {(False, False)}
    assert sum(count for counts, _, _, count in rows if counts) > 50


def test_counters_with_exchanged_words_count_nothing(discovered: Installation) -> None:
    rows = discovered.sql(
        "select count(*) from fct_energy_daily join dim_point using (point_id) "
        "where point_name like '%LIFETIME%' and energy_wh > 0"
    )
    assert rows == [(0,)]


def _local_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    bounds = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + timedelta(1)))
    start, end = bounds
    return start.astimezone(UTC), end.astimezone(UTC)
