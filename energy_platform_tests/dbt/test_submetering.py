"""Random trees of meters with random gaps: children and remainder are what the parent shows.

The mart is held against plain Python that knows nothing of SQL: a sum per point and hour of the
contributions in the day files, and a subtraction.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from energy_platform.lake.lake import Lake
from energy_platform.portfolio import Portfolio, parse_portfolio
from energy_platform.schemas import CORE_ENERGY_DELTAS, CORE_ENERGY_INTERVALS
from energy_platform.warehouse import Warehouse, export
from energy_platform.warehouse.live_views import open_live_views
from energy_platform_tests.warehouse.warehouse_world import (
    PROJECT,
    QUARTER,
    World,
    days_from,
    utc,
)

if TYPE_CHECKING:
    from pathlib import Path

SITES = 6
ZONES = ("Europe/Paris", "America/Los_Angeles", "Asia/Kolkata")
DAYS = days_from("2026-10-23", 5)
"""The clock of Paris goes back on the 25th."""

REMAINDERS = "select parent_point_id, grain, local_start, energy_wh from mart_submetering"

Key = tuple[str, str, datetime]
"""Parent, grain and start of a period."""


@dataclass
class Forest:
    """Random trees, one per site, as they are written and as plain Python knows them."""

    text: str
    zones: dict[str, str]
    children: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[str, str] = field(default_factory=dict)
    site_of: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    scale: dict[str, float] = field(default_factory=dict)


def random_forest(seed: int) -> Forest:
    """Return trees of up to nine loads, some of them measured twice, some silent for a while."""
    rng = random.Random(seed)  # noqa: S311 - the same trees each time
    zones = {f"s{n}": rng.choice(ZONES) for n in range(SITES)}
    lines: list[str] = []
    forest = Forest("", zones)
    for site in zones:
        loads: list[str] = []
        for n in range(rng.randint(2, 9)):
            point = f"socomec/{site}m{n}/import"
            parent = rng.choice(loads) if loads else None
            lines.append(_device(f"{site}m{n}", site, "sub" if parent else "main", parent=parent))
            loads.append(point)
            forest.site_of[point] = site
            if parent:
                forest.children[parent].append(point)
            if rng.random() < 0.3:
                other = f"socomec/{site}x{n}/import"
                lines.append(_device(f"{site}x{n}", site, "sub", same_as=point))
                forest.seconds[other] = point
                forest.site_of[other] = site
        for point in [one for one, its in forest.site_of.items() if its == site]:
            forest.scale[point] = rng.choice((0.0, 0.2, 1.0, 3.0))
            if rng.random() < 0.5:
                start = utc("2026-10-23T00:00") + QUARTER * rng.randint(4, 300)
                forest.gaps[point] = (start, start + QUARTER * rng.randint(1, 200))
    sites = "".join(
        f"  - {{id: {one}, name: S, timezone: {zone}}}\n" for one, zone in zones.items()
    )
    forest.text = f"version: 1\nsites:\n{sites}devices:\n{''.join(lines)}"
    return forest


def _device(serial: str, site: str, role: str, **links: str | None) -> str:
    said = "".join(f", {name}: {target}" for name, target in links.items() if target)
    return (
        f"  - {{vendor: socomec, serial: {serial}, site: {site}, name: M, role: {role}, "
        f"max_power_w: none{said}, accuracy_percent: 1, "
        "points: [{key: import, name: Import, quantity: active_energy_import}]}\n"
    )


def periods_of(at: datetime, zone: str) -> list[tuple[str, datetime]]:
    """Return the hour, day and month on a clock that an instant lies in, by their starts."""
    local = at.astimezone(ZoneInfo(zone))
    hour = local.replace(minute=0)
    if hour.utcoffset() != local.utcoffset():  # no zone here changes within an hour
        raise AssertionError(at)
    day = local.replace(hour=0, minute=0, fold=0)
    return [
        ("hour", hour.astimezone(UTC)),
        ("day", day.astimezone(UTC)),
        ("month", day.replace(day=1).astimezone(UTC)),
    ]


def true_sums(lake: Lake, forest: Forest) -> dict[tuple[str, str, datetime], float]:
    """Return the energy of each point, grain and period that anything covers."""
    sums: dict[tuple[str, str, datetime], float] = defaultdict(float)
    for day in DAYS:
        for row in lake.read(CORE_ENERGY_INTERVALS, day=day).iter_rows(named=True):
            zone = forest.zones[forest.site_of[row["point_id"]]]
            for grain, start in periods_of(row["interval_start"], zone):
                sums[row["point_id"], grain, start] += row["energy_wh"]
    return sums


def published(warehouse: Warehouse, query: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(warehouse.published_file), read_only=True) as db:
        db.execute("set TimeZone = 'UTC'")
        return db.sql(query).pl().to_dicts()


def hold_against_plain_python(warehouse: Warehouse, forest: Forest) -> int:
    """Compare every row of the mart; return how many remainders there were."""
    sums = true_sums(warehouse.lake, forest)
    found: dict[Key, dict[str | None, dict[str, Any]]] = defaultdict(dict)
    for row in published(warehouse, "from mart_submetering"):
        name = row["point_id"] if row["member"] != "remainder" else None
        found[row["parent_point_id"], row["grain"], row["starts_at"].astimezone(UTC)][name] = row
    wanted = {
        (parent, grain, start)
        for parent in forest.children
        for point, grain, start in sums
        if point == parent
    }
    assert wanted <= found.keys()
    for (parent, grain, start), rows in found.items():
        remainder = rows.pop(None)
        for point, row in rows.items():
            truth = sums.get((str(point), grain, start))
            assert (row["energy_wh"] is None) == (truth is None), (point, grain, start)
            assert row["energy_wh"] == pytest.approx(truth, abs=1e-3) if truth is not None else True
        own = sums.get((parent, grain, start))
        theirs = [(one, sums.get((one, grain, start))) for one in forest.children[parent]]
        missing = sorted(one for one, energy in theirs if energy is None and one in rows)
        assert remainder["missing_children"] == len(missing)
        assert remainder["missing_point_ids"] == (", ".join(missing) or None)
        if own is None:
            assert remainder["energy_wh"] is None
            continue
        left = own - sum(energy for _, energy in theirs if energy is not None)
        assert remainder["energy_wh"] == pytest.approx(left, abs=1)
        shown = sum(row["energy_wh"] or 0.0 for row in rows.values() if row["member"] == "child")
        assert shown + remainder["energy_wh"] == pytest.approx(rows[parent]["energy_wh"], abs=1)
        assert remainder["is_negative"] == (remainder["energy_wh"] < 0)
        if missing:
            assert not remainder["is_final"]
            assert remainder["covered_share"] == 0
    return len(found)


def build(folder: Path, forest: Forest) -> tuple[Warehouse, Portfolio]:
    portfolio = parse_portfolio(forest.text)
    world = World(
        lake=Lake(folder / "lake"),
        portfolio=portfolio,
        start=utc("2026-10-23T00:00"),
        silent=forest.gaps,
        unbridged=set(forest.gaps),
        scale=forest.scale,
    )
    world.write(DAYS)
    warehouse = Warehouse(data_dir=folder, lake=world.lake, dbt_project_dir=PROJECT)
    warehouse.build(portfolio)
    warehouse.publish()
    return warehouse, portfolio


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.long)])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Warehouse, Portfolio, Forest]:
    forest = random_forest(request.param)
    return (*build(tmp_path_factory.mktemp("forest"), forest), forest)


@pytest.mark.long
def test_children_and_remainder_are_what_the_parent_shows(
    built: tuple[Warehouse, Portfolio, Forest],
) -> None:
    warehouse, _, forest = built
    assert hold_against_plain_python(warehouse, forest) > 500


def test_a_second_instrument_is_in_no_branch_and_in_no_site_twice(
    built: tuple[Warehouse, Portfolio, Forest],
) -> None:
    warehouse, _, forest = built
    shown = {row["point_id"] for row in published(warehouse, "from mart_submetering")}
    assert forest.seconds
    assert not shown & forest.seconds.keys()
    terms = {
        row["point_id"]: row["site_term"]
        for row in published(warehouse, "from dim_point where site_term is not null")
    }
    assert terms == {f"socomec/{site}m0/import": "import" for site in forest.zones}


def test_shares_are_of_the_parent_and_of_what_the_site_used(
    built: tuple[Warehouse, Portfolio, Forest],
) -> None:
    warehouse, _, _ = built
    rows = published(
        warehouse,
        """
        select
            shown.energy_wh / shown.share_of_parent as parent_wh,
            parents.energy_wh as wanted_parent_wh,
            shown.energy_wh / shown.share_of_site as site_wh,
            sites.site_use_wh
        from mart_submetering as shown
        inner join mart_submetering as parents using (parent_point_id, grain, starts_at)
        inner join mart_site_energy as sites
            on shown.site_id = sites.site_id and shown.local_day = sites.local_day
        where shown.grain = 'day' and parents.member = 'parent' and shown.energy_wh <> 0
        """,
    )
    assert len(rows) > 30
    for row in rows:
        for have, wanted in (("parent_wh", "wanted_parent_wh"), ("site_wh", "site_use_wh")):
            if row[have] is None:
                assert not row[wanted]
            else:
                assert row[have] == pytest.approx(row[wanted], rel=1e-9)
    assert any(row["site_wh"] is not None for row in rows)


@pytest.mark.long
def test_a_change_of_a_child_reaches_the_branch_of_its_parent_and_no_other_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A month whose days lie in files of their own has its rows with the first of them.
    monkeypatch.setattr(export, "ROWS_OF_A_DAY", 10)
    forest = random_forest(3)
    warehouse, portfolio = build(tmp_path, forest)
    parent = next(iter(forest.children))
    child = next(one for one in forest.children[parent] if forest.scale[one])
    day = DAYS[2]
    for table in (CORE_ENERGY_DELTAS, CORE_ENERGY_INTERVALS):
        frame = warehouse.lake.read(table, day=day)
        doubled = pl.when(pl.col("point_id") == child).then(2.0).otherwise(1.0)
        warehouse.lake.write(
            table, frame.with_columns(energy_wh=pl.col("energy_wh") * doubled), day=day
        )
    before = published(
        warehouse,
        "select parent_point_id, sum(energy_wh) s from mart_submetering "
        "where member = 'remainder' group by all",
    )
    built = warehouse.build(portfolio)
    assert not built.prepared.full
    warehouse.publish()
    after = published(
        warehouse,
        "select parent_point_id, sum(energy_wh) s from mart_submetering "
        "where member = 'remainder' group by all",
    )
    hold_against_plain_python(warehouse, forest)
    with open_live_views(warehouse.lake, marts=warehouse.marts_folder) as live:
        files = live.sql(f"{REMAINDERS} order by all").fetchall()
    assert files == [
        tuple(row.values()) for row in published(warehouse, f"{REMAINDERS} order by all")
    ]
    was, now = ({row["parent_point_id"]: row["s"] for row in rows} for rows in (before, after))
    changed = {one for one in was if abs(was[one] - now[one]) > 1e-3}
    # What stands behind the child changed its own remainder too.
    assert changed == {parent} | ({child} & forest.children.keys())


@pytest.mark.long
def test_a_meter_that_never_spoke_is_missed_until_it_stands_elsewhere(tmp_path: Path) -> None:
    """Its own days cannot tell that it went: it has none."""
    main, silent = "socomec/main/import", "socomec/silent/import"
    head = "version: 1\nsites:\n  - {id: s, name: S, timezone: UTC}\ndevices:\n"
    others = _device("main", "s", "main") + _device("child", "s", "sub", parent=main)
    behind = parse_portfolio(head + others + _device("silent", "s", "sub", parent=main))
    elsewhere = parse_portfolio(head + others + _device("silent", "s", "sub"))
    days = DAYS[:2]
    world = World(
        lake=Lake(tmp_path / "lake"),
        portfolio=behind,
        start=utc("2026-10-23T00:00"),
        silent={silent: (utc("2026-10-01T00:00"), utc("2026-11-01T00:00"))},
        unbridged={silent},
    )
    world.write(days)
    warehouse = Warehouse(data_dir=tmp_path, lake=world.lake, dbt_project_dir=PROJECT)
    missed = []
    for portfolio in (behind, elsewhere):
        warehouse.build(portfolio)
        warehouse.publish()
        rows = published(warehouse, "from mart_submetering where member = 'remainder'")
        missed.append({row["missing_point_ids"] for row in rows})
    assert missed == [{silent}, {None}]


def test_an_instrument_is_compared_with_the_first_of_its_load_day_by_day(
    built: tuple[Warehouse, Portfolio, Forest],
) -> None:
    warehouse, _, forest = built
    sums = true_sums(warehouse.lake, forest)
    rows = published(warehouse, "from mart_instruments")
    assert {row["other_point_id"]: row["point_id"] for row in rows} == forest.seconds
    verdicts = set()
    for row in rows:
        zone = ZoneInfo(row["timezone"])
        start = datetime.combine(row["local_day"], datetime.min.time(), zone).astimezone(UTC)
        ours, theirs = (
            sums.get((row[name], "day", start)) for name in ("point_id", "other_point_id")
        )
        verdicts.add(row["verdict"])
        if ours is None or theirs is None or row["covered_share"] < 0.99:
            assert row["verdict"] == "not_comparable"
            continue
        assert row["difference_wh"] == pytest.approx(theirs - ours, abs=1e-3)
        allowed = 0.01 * (ours + theirs)
        assert row["allowed_wh"] == pytest.approx(allowed, abs=1e-6)
        assert row["verdict"] == ("agree" if abs(theirs - ours) <= allowed else "differ")
    assert verdicts == {"agree", "differ", "not_comparable"}


def test_hours_of_a_clock_change_are_there_twice_and_add_up_to_their_day(
    built: tuple[Warehouse, Portfolio, Forest],
) -> None:
    warehouse, _, _ = built
    hours = published(
        warehouse,
        """
        select parent_point_id, count(*) as hours
        from mart_submetering
        where grain = 'hour' and member = 'remainder' and local_day = '2026-10-25'
            and timezone = 'Europe/Paris'
        group by all
        """,
    )
    assert hours
    assert {row["hours"] for row in hours} == {25}
